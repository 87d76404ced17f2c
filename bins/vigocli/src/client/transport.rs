use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use vigo_ca::tls::FirstContact;
use zeroize::Zeroizing;

use super::ClientError;
use crate::Exit;
use crate::failure::Failure;
use crate::url::ServerUrl;

/// The way to a server.
pub(crate) enum Transport {
    /// Its admin socket.
    Unix(PathBuf),
    /// Its HTTPS port.
    Https(Https),
}

/// A server's HTTPS port, how it is verified, and who asks.
pub(crate) struct Https {
    url: ServerUrl,
    tls: Arc<ClientConfig>,
    /// What verifies, where that is by pins: it tells what was found.
    first: Option<Arc<FirstContact>>,
    token: Option<Secret>,
}

/// Text that nobody is shown; wiped when it is dropped.
#[derive(Clone, serde::Deserialize)]
#[serde(from = "String")]
pub(crate) struct Secret(Zeroizing<String>);

/// Bytes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Https {
    pub(crate) fn new(
        url: ServerUrl,
        tls: Arc<ClientConfig>,
        first: Option<Arc<FirstContact>>,
        token: Option<Secret>,
    ) -> Self {
        Self { url, tls, first, token }
    }

    pub(crate) fn url(&self) -> &ServerUrl {
        &self.url
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// TCP and TLS; whoever is on the other side is verified by then, and nothing was said to it.
    pub(crate) async fn dial(&self) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ClientError> {
        let tcp = TcpStream::connect((self.url.bare_host(), self.url.port())).await.map_err(ClientError::Connect)?;
        // A request is one small write; waiting for more to send would only delay it.
        let _ = tcp.set_nodelay(true);
        let connect = TlsConnector::from(Arc::clone(&self.tls)).connect(self.url.server_name(), tcp).await;
        connect.map_err(|error| ClientError::Untrusted(Box::new(self.untrusted(&error))))
    }

    fn untrusted(&self, error: &std::io::Error) -> Failure {
        let why = match self.first.as_ref().and_then(|first| first.failure()) {
            Some(failure) => failure.to_string(),
            None => error.to_string(),
        };
        Failure::new(Exit::Auth, "server_not_trusted", format!("no safe connection to {}: {why}", self.url)).help(
            "Nothing was sent to it. Compare the pin with `vigocli ca show` on the server's host, then log in with that \
             --ca-pin.",
        )
    }
}

impl Transport {
    pub(super) async fn connect(&self) -> Result<Box<dyn Duplex>, ClientError> {
        match self {
            Self::Unix(socket) => {
                Ok(Box::new(UnixStream::connect(socket).await.map_err(ClientError::Connect)?) as Box<dyn Duplex>)
            }
            Self::Https(https) => Ok(Box::new(https.dial().await?)),
        }
    }

    /// What the `Host` header says.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Https(https) => https.url.authority(),
        }
    }

    pub(super) fn bearer(&self) -> Option<Result<HeaderValue, http::Error>> {
        let Self::Https(Https { token: Some(token), .. }) = self else { return None };
        let text = Zeroizing::new(format!("Bearer {}", token.expose()));
        Some(HeaderValue::from_str(&text).map_err(http::Error::from).map(|mut value| {
            value.set_sensitive(true);
            value
        }))
    }

    /// Where the server is, for people.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Unix(socket) => socket.display().to_string(),
            Self::Https(https) => https.url.to_string(),
        }
    }

    /// What to do where nobody answers.
    pub(super) fn running(&self) -> &'static str {
        match self {
            Self::Unix(_) => {
                "Is vigo-server running? `vigo-server --config FILE` starts it; \
                 --config or VIGO_ADMIN_SOCKET name another one."
            }
            Self::Https(_) => "Is vigo-server running there, and does a firewall let this machine reach that port?",
        }
    }

    /// What to do where something else than a server answers.
    pub(super) fn strange(&self) -> &'static str {
        match self {
            Self::Unix(_) => "Is that socket vigo-server's?",
            Self::Https(_) => "Is that port vigo-server's (8443 by default)?",
        }
    }
}
