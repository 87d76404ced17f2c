use std::time::{SystemTime, UNIX_EPOCH};

use vigo_core::UnixTime;

/// The time of day; 1970 where the clock stands before that.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place where the examples read the clock")]
pub fn now() -> UnixTime {
    UnixTime::from_secs(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
