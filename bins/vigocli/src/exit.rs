use std::process::ExitCode;

/// How a run ended, the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// It failed.
    Failed = 1,
    /// The command line cannot be meant.
    Usage = 2,
    /// No such thing.
    NotFound = 3,
    /// Not logged in, or not allowed.
    Auth = 4,
    /// Refused by policy, or in conflict with what is there.
    Refused = 5,
    /// No server answered.
    Unreachable = 6,
    /// Done in part.
    Partial = 7,
    /// Checked, and something is wrong with what was checked.
    Findings = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
