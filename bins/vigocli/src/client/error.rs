use std::io::{self, ErrorKind};
use std::time::Duration;

use http_body_util::LengthLimitError;

use super::Transport;
use crate::Exit;
use crate::failure::Failure;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ClientError {
    #[error("{0}")]
    Connect(#[source] io::Error),
    /// The other side is not who it should be; nothing was said to it.
    #[error("{0}")]
    Untrusted(Box<Failure>),
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
    pub(super) fn from_body(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        match error.downcast::<hyper::Error>() {
            Ok(error) => (*error).into(),
            Err(error) if error.is::<LengthLimitError>() => Self::TooLarge,
            Err(error) => Self::Connect(io::Error::other(error)),
        }
    }

    pub(super) fn failure(self, transport: &Transport, changes: bool) -> Failure {
        let at = transport.place();
        let (exit, message, help) = match self {
            Self::Untrusted(failure) => return *failure,
            Self::Connect(error) => return connect(transport, &error),
            Self::Closed(_) | Self::Slow(_) => (
                Exit::Unreachable,
                format!("the server at {at} failed: {self}"),
                if changes {
                    "It may have been done: list before you try again."
                } else {
                    "Try again; see the server's log."
                },
            ),
            _ => (Exit::Failed, format!("the server at {at} failed: {self}"), transport.strange()),
        };
        let code = if exit == Exit::Unreachable { "unreachable" } else { "bad_answer" };
        Failure::new(exit, code, message).help(help)
    }
}

fn connect(transport: &Transport, error: &io::Error) -> Failure {
    let (at, running) = (transport.place(), transport.running());
    let (message, help) = match (error.kind(), transport) {
        (ErrorKind::NotFound, Transport::Unix(_)) => (format!("there is no server at {at}"), running),
        (ErrorKind::ConnectionRefused, _) => (format!("no server listens at {at}"), running),
        (ErrorKind::PermissionDenied, Transport::Unix(_)) => {
            (format!("this user may not open {at}"), "Run vigocli as the server's user or as root.")
        }
        _ => (format!("cannot reach the server at {at}: {error}"), running),
    };
    Failure::new(Exit::Unreachable, "unreachable", message).help(help)
}
