use http::StatusCode;

use crate::Exit;
use crate::failure::Failure;
use crate::printable::Printable;

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

/// The server's own words where it sent some.
pub(super) fn refusal(status: StatusCode, body: &str) -> Failure {
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
