use tonic::{Code, Status};

use crate::Exit;

/// A refusal by the server: a stable code, one sentence, the next step. Text from elsewhere, made safe for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// A stable `snake_case` code.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// The next step, if the server told one.
    pub help: Option<String>,
    /// The exit code that fits.
    pub exit: Exit,
}

impl Refused {
    /// Reads a status that our server made: it carries `vigo-code`. `None` for any other.
    #[must_use]
    pub fn from_status(status: &Status) -> Option<Self> {
        let code = status.metadata().get("vigo-code")?.to_str().ok()?;
        if code.is_empty() || code.len() > 64 || !code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return None;
        }
        let help = status.metadata().get_bin("vigo-help-bin").and_then(|value| value.to_bytes().ok());
        let help = help.map(|bytes| clean(&String::from_utf8_lossy(&bytes))).filter(|help| !help.is_empty());
        Some(Self { code: code.to_owned(), message: clean(status.message()), help, exit: exit(status.code()) })
    }

    /// Reads a status that carries no code of ours: a gateway's, or gRPC's own.
    #[must_use]
    pub fn without_code(status: &Status) -> Self {
        Self {
            code: "refused".to_owned(),
            message: format!("the server refused ({:?}): {}", status.code(), clean(status.message())),
            help: None,
            exit: exit(status.code()),
        }
    }
}

fn exit(code: Code) -> Exit {
    match code {
        Code::Unauthenticated => Exit::Auth,
        Code::PermissionDenied | Code::AlreadyExists | Code::FailedPrecondition | Code::ResourceExhausted => {
            Exit::Refused
        }
        Code::Unavailable => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

/// No control characters but line ends, and not endless: it goes to a terminal and into a log.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|&c| c == '\n' || !c.is_control()).take(1024).collect()
}

#[cfg(test)]
mod tests {
    use tonic::metadata::{MetadataMap, MetadataValue};

    use super::*;

    #[track_caller]
    fn check(code: Code, vigo_code: &'static str, message: &str, expected: Option<(&str, &str, Exit)>) {
        let mut metadata = MetadataMap::new();
        metadata.insert("vigo-code", MetadataValue::from_static(vigo_code));
        metadata.insert_bin("vigo-help-bin", MetadataValue::from_bytes("füg\u{1b}hinzu".as_bytes()));
        let refused = Refused::from_status(&Status::with_metadata(code, message, metadata));
        assert_eq!(refused.as_ref().map(|r| (r.code.as_str(), r.message.as_str(), r.exit)), expected);
        if let Some(refused) = refused {
            assert_eq!(refused.help.as_deref(), Some("füghinzu"));
        }
    }

    #[test]
    fn refusals() {
        check(Code::PermissionDenied, "hostname_taken", "Taken", Some(("hostname_taken", "Taken", Exit::Refused)));
        check(Code::Unauthenticated, "envoy_revoked", "a\u{1b}[2Jb", Some(("envoy_revoked", "a[2Jb", Exit::Auth)));
        check(Code::Unavailable, "busy", "later", Some(("busy", "later", Exit::Unreachable)));
        check(Code::InvalidArgument, "malformed", "no", Some(("malformed", "no", Exit::Failed)));
        check(Code::PermissionDenied, "Hostname-Taken", "no", None);
        check(Code::PermissionDenied, "", "no", None);
        assert_eq!(Refused::from_status(&Status::unavailable("gone")), None);
        let plain = Refused::without_code(&Status::unimplemented("what?"));
        assert_eq!((plain.message.as_str(), plain.exit), ("the server refused (Unimplemented): what?", Exit::Failed));
    }
}
