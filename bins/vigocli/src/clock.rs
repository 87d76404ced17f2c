//! The only place that reads the time.

use jiff::Timestamp;

/// The system's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
