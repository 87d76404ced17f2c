//! The server's only readings of time and of the system's random source.

use std::time::SystemTime;

use vigo_core::UnixTime;

/// The time of day.
#[must_use]
pub(crate) fn now() -> UnixTime {
    #[expect(clippy::disallowed_methods, reason = "the one place where the server reads the clock")]
    let now = SystemTime::now();
    now.into()
}

/// Random bytes of the system's cryptographic source.
#[must_use]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes[..]);
    bytes
}
