//! The connection to the server: TCP, TLS by the configuration that we were given, HTTP/2, gRPC.

mod get;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{future, io};

use hyper_util::rt::TokioIo;
use rustls::{AlertDescription, ClientConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use vigo_core::wire::fleet_client::FleetClient;
use vigo_core::{FrameError, SignedCheckIn, SignedRegistration, SignedReply, wire};

use crate::{Refused, ServerAddr};

/// How long name, TCP and TLS may take together.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The most bytes of an answer: a reply, and what wraps it.
const MAX_ANSWER: usize = vigo_core::frame::MAX_REPLY + 64 * 1024;

/// A verified connection on which nothing was said yet.
pub(crate) struct Dialled {
    stream: Watched,
    alert: Alert,
    server: ServerAddr,
}

/// A connection to ask on. It never connects again by itself: what was verified is what is spoken to.
pub(crate) struct Line {
    client: FleetClient<Channel>,
    channel: Channel,
    alert: Alert,
    server: ServerAddr,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name has no address, nobody listens, or a firewall is between.
    #[error("the server {server} could not be reached: {source}")]
    Tcp {
        /// The server.
        server: ServerAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing answered in time.
    #[error("the server {server} did not answer within {} s", CONNECT.as_secs())]
    Timeout {
        /// The server.
        server: ServerAddr,
    },
    /// The other side is not who it should be, or no TLS server.
    #[error("no safe connection to {server}: {source}")]
    Tls {
        /// The server.
        server: ServerAddr,
        /// What TLS said.
        source: io::Error,
    },
    /// No HTTP/2 behind the TLS.
    #[error("{server} does not speak as a Vigo server: {what}")]
    Http {
        /// The server.
        server: ServerAddr,
        /// What was found instead.
        what: String,
    },
}

/// Why a call has no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server answered, and refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The server's TLS turned our certificate away.
    #[error("{}", why(*.0))]
    Alert(AlertDescription),
    /// The connection broke; the call may have been taken or not.
    #[error("the connection to {server} was lost: {what}")]
    Lost {
        /// The server.
        server: ServerAddr,
        /// What broke.
        what: String,
    },
    /// The answer is none that this method gives.
    #[error("the server's answer is refused: {0}")]
    Answer(#[from] FrameError),
}

/// The TLS alert that ended a connection. HTTP/2 keeps only its text; we want to tell a revoked certificate by more.
type Alert = Arc<OnceLock<AlertDescription>>;

fn why(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRevoked => "this envoy was revoked".to_owned(),
        AlertDescription::CertificateExpired => "this machine's certificate has expired".to_owned(),
        other => format!("the server turned this machine's certificate away ({other:?})"),
    }
}

/// Connects and verifies by `tls`.
pub(crate) async fn dial(server: &ServerAddr, tls: Arc<ClientConfig>) -> Result<Dialled, DialError> {
    let connect = async {
        let tcp = TcpStream::connect((server.host().as_str(), server.port()))
            .await
            .map_err(|source| DialError::Tcp { server: server.clone(), source })?;
        // A frame is one small write; waiting for more to send would only delay it.
        let _ = tcp.set_nodelay(true);
        TlsConnector::from(tls)
            .connect(server.server_name(), tcp)
            .await
            .map_err(|source| DialError::Tls { server: server.clone(), source })
    };
    let stream =
        timeout(CONNECT, connect).await.map_err(|_| DialError::Timeout { server: server.clone() }).flatten()?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(DialError::Http { server: server.clone(), what: "it has no HTTP/2".to_owned() });
    }
    let alert = Alert::default();
    Ok(Dialled { stream: Watched { stream, alert: Arc::clone(&alert) }, alert, server: server.clone() })
}

impl Dialled {
    /// The address that this machine has on the connection.
    pub(crate) fn local_ip(&self) -> Option<IpAddr> {
        self.stream.stream.get_ref().0.local_addr().ok().map(|addr| addr.ip().to_canonical())
    }

    /// Begins HTTP/2 on the connection.
    pub(crate) async fn open(self) -> Result<Line, DialError> {
        let Self { stream, alert, server } = self;
        let http = |what: String| DialError::Http { server: server.clone(), what };
        let endpoint = Endpoint::from_shared(format!("https://{server}"))
            .map_err(|error| http(error.to_string()))?
            .timeout(ANSWER)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        let mut once = Some(TokioIo::new(stream));
        let connector = tower::service_fn(move |_| {
            future::ready(
                once.take().ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection ended")),
            )
        });
        let channel = timeout(CONNECT, endpoint.connect_with_connector(connector))
            .await
            .map_err(|_| DialError::Timeout { server: server.clone() })?
            .map_err(|error| http(crate::failure::with_causes(&error)))?;
        let client = FleetClient::new(channel.clone()).max_decoding_message_size(MAX_ANSWER);
        Ok(Line { client, channel, alert, server })
    }
}

impl Line {
    pub(crate) async fn register(&mut self, frame: SignedRegistration) -> Result<wire::Registered, CallError> {
        match timeout(ANSWER, self.client.register(frame.into_wire())).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.error(&status)),
            Err(_) => Err(self.late()),
        }
    }

    pub(crate) async fn check_in(&mut self, frame: SignedCheckIn) -> Result<SignedReply, CallError> {
        match timeout(ANSWER, self.client.check_in(wire::SignedCheckIn::from(frame))).await {
            Ok(Ok(answer)) => Ok(answer.into_inner().try_into()?),
            Ok(Err(status)) => Err(self.error(&status)),
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> CallError {
        CallError::Lost { server: self.server.clone(), what: format!("no answer within {} s", ANSWER.as_secs()) }
    }

    fn error(&self, status: &Status) -> CallError {
        if let Some(refused) = Refused::from_status(status) {
            return refused.into();
        }
        if let Some(&alert) = self.alert.get() {
            return CallError::Alert(alert);
        }
        match status.code() {
            Code::Unknown | Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::Internal => {
                CallError::Lost { server: self.server.clone(), what: crate::failure::with_causes(status) }
            }
            _ => Refused::without_code(status).into(),
        }
    }
}

/// The stream of a connection, with an eye on the alert that may end it.
struct Watched {
    stream: TlsStream<TcpStream>,
    alert: Alert,
}

impl Watched {
    fn watch<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &poll
            && let Some(rustls::Error::AlertReceived(alert)) = error.get_ref().and_then(|inner| inner.downcast_ref())
        {
            // The first one counts.
            let _ = self.alert.set(*alert);
        }
        poll
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch(poll)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(poll)
    }
}
