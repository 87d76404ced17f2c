use std::fmt;
use std::str::FromStr;

use crate::ManifestError;

/// What a build of the agent runs on, `<os>-<arch>` with the names that Rust gives both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentTarget {
    os: String,
    arch: String,
}

impl AgentTarget {
    /// The operating system: `linux`, `macos`, …
    #[must_use]
    pub fn os(&self) -> &str {
        &self.os
    }

    /// The processor: `x86_64`, `aarch64`, …
    #[must_use]
    pub fn arch(&self) -> &str {
        &self.arch
    }
}

impl FromStr for AgentTarget {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Self, ManifestError> {
        let plain = |part: &str| {
            (1..=16).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        match text.split_once('-') {
            Some((os, arch)) if plain(os) && plain(arch) => Ok(Self { os: os.to_owned(), arch: arch.to_owned() }),
            _ => Err(ManifestError::Malformed("a target is <os>-<arch>, as in linux-x86_64")),
        }
    }
}

impl fmt::Display for AgentTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.os, self.arch)
    }
}
