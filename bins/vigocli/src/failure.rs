use std::borrow::Cow;
use std::io::Write;

use serde_json::json;

use crate::output::ascii_controls;
use crate::{Exit, Format};

/// What went wrong, as an operator or a script is told: a stable code, one sentence, the next step.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    exit: Exit,
    code: Cow<'static, str>,
    message: String,
    help: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { exit, code: code.into(), message: message.into(), help: None }
    }

    /// The same failure with its next step.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same failure, ended another way.
    pub(crate) fn ends(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// What to do next; nothing where that is not known.
    pub(crate) fn next_step(&self) -> &str {
        self.help.as_deref().unwrap_or_default()
    }

    /// Writes it to stderr. Where that is closed too there is nobody left to tell.
    pub(crate) fn print(&self, format: Format, to: &mut dyn Write) {
        let _ = to.write_all(self.render(format).as_bytes());
    }

    fn render(&self, format: Format) -> String {
        let Self { code, message, help, .. } = self;
        if format != Format::Table {
            let error = json!({"error": {"code": code, "message": message, "help": help}});
            return ascii_controls(&error.to_string()) + "\n";
        }
        match help {
            Some(help) => format!("vigocli: {message}\n         {help}\n"),
            None => format!("vigocli: {message}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_scripts_are_told_the_same() {
        let failure = Failure::new(Exit::Refused, "hostname_taken", "Taken").help("Take another");
        assert_eq!(failure.render(Format::Table), "vigocli: Taken\n         Take another\n");
        let json = "{\"error\":{\"code\":\"hostname_taken\",\"message\":\"Taken\",\"help\":\"Take another\"}}\n";
        assert_eq!(failure.render(Format::Json), json);
        assert_eq!(failure.render(Format::Jsonl), json);
        assert_eq!(Failure::new(Exit::Failed, "x", "No").render(Format::Table), "vigocli: No\n");
    }
}
