use std::fmt;

/// What an exit code of `vigo` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Not done.
    Failed = 1,
    /// Called in a way that cannot be meant.
    Usage = 2,
    /// What was asked for is not there.
    NotFound = 3,
    /// Who we are, or who they are, is not proved.
    Auth = 4,
    /// Refused by a rule, or in conflict with what is there.
    Refused = 5,
    /// The other side could not be reached, or has no time.
    Unreachable = 6,
    /// Done in part.
    Partial = 7,
}

impl Exit {
    /// The exit of this code; `Failed` for one that is none of ours.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Ok,
            2 => Self::Usage,
            3 => Self::NotFound,
            4 => Self::Auth,
            5 => Self::Refused,
            6 => Self::Unreachable,
            7 => Self::Partial,
            _ => Self::Failed,
        }
    }
}

/// What a person is told when a command did not do what was asked: one sentence, and the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The process's exit code.
    pub exit: Exit,
    /// A stable `snake_case` code.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do, one line each.
    pub help: Vec<String>,
}

impl Failure {
    /// A failure with no next step yet.
    #[must_use]
    pub fn new(exit: Exit, code: &str, message: impl fmt::Display) -> Self {
        Self { exit, code: code.to_owned(), message: message.to_string(), help: Vec::new() }
    }

    /// Adds a next step.
    #[must_use]
    pub fn help(mut self, line: impl fmt::Display) -> Self {
        self.help.push(line.to_string());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vigo: {}", self.message)?;
        for line in &self.help {
            write!(f, "\n  help: {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// An error and all that caused it, in one line: for errors whose own text leaves the cause out.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
