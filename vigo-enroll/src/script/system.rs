use std::fmt;
use std::str::FromStr;

/// An operating system that a machine can be enrolled with, by the name that Rust gives it.
///
/// ```
/// use vigo_enroll::script::System;
/// assert_eq!("freebsd".parse(), Ok(System::Freebsd));
/// assert_eq!(System::Illumos.to_string(), "illumos");
/// let error = "solaris".parse::<System>().unwrap_err().to_string();
/// assert_eq!(error, "no system of that name: there are linux, macos, freebsd, openbsd, netbsd, illumos, windows");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum System {
    /// Linux, with whatever C library.
    #[default]
    Linux,
    /// macOS.
    Macos,
    /// FreeBSD.
    Freebsd,
    /// OpenBSD.
    Openbsd,
    /// NetBSD.
    Netbsd,
    /// illumos: `OmniOS`, `SmartOS`, `OpenIndiana`, …
    Illumos,
    /// Windows.
    Windows,
}

/// A name that no [`System`] has. It is not repeated: it came from a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no system of that name: there are linux, macos, freebsd, openbsd, netbsd, illumos, windows")]
pub struct UnknownSystem;

impl System {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Linux, Self::Macos, Self::Freebsd, Self::Openbsd, Self::Netbsd, Self::Illumos, Self::Windows];

    /// Its name, as `os` in a request and in a manifest has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Macos => "macos",
            Self::Freebsd => "freebsd",
            Self::Openbsd => "openbsd",
            Self::Netbsd => "netbsd",
            Self::Illumos => "illumos",
            Self::Windows => "windows",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for System {
    type Err = UnknownSystem;

    fn from_str(text: &str) -> Result<Self, UnknownSystem> {
        Self::ALL.into_iter().find(|system| system.name() == text).ok_or(UnknownSystem)
    }
}
