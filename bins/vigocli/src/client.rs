use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::Exit;
use crate::failure::Failure;
use crate::printable::Printable;

/// What a server may send and how long it may take.
struct Limits {
    bytes: usize,
    time: Duration,
}

/// Room for the list of a fleet of half a million; bcrypt behind a busy queue answers in seconds.
const LIMITS: Limits = Limits { bytes: 256 << 20, time: Duration::from_mins(1) };

/// The server, over its admin socket: one connection for each request.
pub(crate) struct Client {
    socket: PathBuf,
    limits: Limits,
}

/// What the server answered to a request that it carried out.
pub(crate) struct Reply(String);

impl Client {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, limits: LIMITS }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// All items of a list that comes in pages, as one array; at most `most` of them.
    pub(crate) async fn list(&self, path: &str, most: usize) -> Result<Reply, Failure> {
        #[derive(serde::Deserialize)]
        struct Page {
            items: Vec<serde_json::Value>,
            next: Option<String>,
        }
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        let join = if path.contains('?') { '&' } else { '?' };
        while items.len() < most {
            let limit = (most - items.len()).min(1000);
            let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page: Page = self.get(&format!("{path}{join}limit={limit}{from}")).await?.parse()?;
            items.extend(page.items);
            // What goes into a path is what we know to be harmless there.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            cursor = page.next.filter(|next| !next.is_empty() && next.chars().all(is_plain));
            if cursor.is_none() {
                break;
            }
        }
        Ok(Reply(serde_json::Value::Array(items).to_string()))
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Reply, Failure> {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Reply, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::new(Exit::Failed, "internal", format!("cannot write the request: {error}")))?;
        self.send(Method::POST, path, body.into()).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Reply, Failure> {
        let changes = method != Method::GET;
        let sent = match timeout(self.limits.time, self.exchange(method, path, body)).await {
            Ok(sent) => sent,
            Err(_) => Err(ClientError::Slow(self.limits.time)),
        };
        match sent {
            Ok((status, body)) if status.is_success() => Ok(Reply(body)),
            Ok((status, body)) => Err(refusal(status, &body)),
            Err(error) => Err(error.failure(&self.socket, changes)),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, String), ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(ClientError::Connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok((status, self.read(response.into_body()).await?))
        };
        // The connection is polled beside the answer, and what ends it shows in the answer.
        tokio::pin!(connection);
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        }
    }

    async fn read(&self, body: Incoming) -> Result<String, ClientError> {
        if body.size_hint().lower() > self.limits.bytes as u64 {
            return Err(ClientError::TooLarge);
        }
        let bytes = Limited::new(body, self.limits.bytes).collect().await.map_err(ClientError::from_body)?.to_bytes();
        String::from_utf8(bytes.into()).map_err(|_| ClientError::NotText)
    }
}

impl Reply {
    #[cfg(test)]
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The body as it came.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The body as what it should be.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.0).map_err(|error| {
            let error = Printable::new(&error.to_string());
            Failure::new(Exit::Failed, "bad_answer", format!("the server's answer is not what was expected: {error}"))
                .help("Is this vigocli as old as the server? Compare `vigocli version` and `vigo-server --version`.")
        })
    }
}

/// The server's own words where it sent some.
fn refusal(status: StatusCode, body: &str) -> Failure {
    #[derive(serde::Deserialize)]
    struct Envelope {
        error: Error,
    }
    #[derive(serde::Deserialize)]
    struct Error {
        code: Printable,
        message: Printable,
        help: Option<Printable>,
    }
    let exit = match status.as_u16() {
        404 => Exit::NotFound,
        401 | 403 => Exit::Auth,
        409 | 422 => Exit::Refused,
        _ => Exit::Failed,
    };
    let Ok(Envelope { error }) = serde_json::from_str(body) else {
        return Failure::new(exit, "bad_answer", format!("the server answered {status} and not why"))
            .help("The server's log may tell more.");
    };
    let failure = Failure::new(exit, error.code.to_string(), error.message.to_string());
    match error.help {
        Some(help) if !help.as_str().is_empty() => failure.help(help.to_string()),
        _ => failure,
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum ClientError {
    #[error("{0}")]
    Connect(#[source] io::Error),
    #[error("it closed the connection before its answer was complete")]
    Closed(#[source] hyper::Error),
    #[error("it did not answer within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("its answer is too large")]
    TooLarge,
    #[error("its answer is not text")]
    NotText,
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("its answer is no HTTP: {0}")]
    Http(#[source] hyper::Error),
}

impl From<hyper::Error> for ClientError {
    fn from(error: hyper::Error) -> Self {
        if error.is_parse() { Self::Http(error) } else { Self::Closed(error) }
    }
}

impl ClientError {
    fn from_body(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        match error.downcast::<hyper::Error>() {
            Ok(error) => (*error).into(),
            Err(error) if error.is::<LengthLimitError>() => Self::TooLarge,
            Err(error) => Self::Connect(io::Error::other(error)),
        }
    }

    fn failure(self, socket: &Path, changes: bool) -> Failure {
        let at = socket.display();
        let running = "Is vigo-server running? `vigo-server --config FILE` starts it; \
                       --config or VIGO_ADMIN_SOCKET name another one.";
        let (exit, message, help) = match &self {
            Self::Connect(error) => match error.kind() {
                ErrorKind::NotFound => (Exit::Unreachable, format!("there is no server at {at}"), running),
                ErrorKind::ConnectionRefused => (Exit::Unreachable, format!("no server listens at {at}"), running),
                ErrorKind::PermissionDenied => (
                    Exit::Unreachable,
                    format!("this user may not open {at}"),
                    "Run vigocli as the server's user or as root.",
                ),
                _ => (Exit::Unreachable, format!("cannot reach the server at {at}: {error}"), running),
            },
            Self::Closed(_) | Self::Slow(_) => (
                Exit::Unreachable,
                format!("the server at {at} failed: {self}"),
                if changes {
                    "It may have been done: list before you try again."
                } else {
                    "Try again; see the server's log."
                },
            ),
            _ => (Exit::Failed, format!("the server at {at} failed: {self}"), "Is that socket vigo-server's?"),
        };
        let code = if exit == Exit::Unreachable { "unreachable" } else { "bad_answer" };
        Failure::new(exit, code, message).help(help)
    }
}
