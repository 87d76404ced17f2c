//! The only place that reads the time.

use std::time::SystemTime;

use vigo_core::UnixTime;

/// The system's clock; 1970 where it stands before that.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the program's clock")]
pub(crate) fn now() -> UnixTime {
    SystemTime::now().into()
}
