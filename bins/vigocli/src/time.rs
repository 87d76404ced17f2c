use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

use crate::printable::Printable;

/// A time that the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// As RFC 3339 has it.
    At(Timestamp),
    /// Not as RFC 3339 has it: shown as it came.
    Text(Printable),
}

impl Moment {
    /// The local time, `2026-05-13 13:03`.
    pub(crate) fn local(&self, zone: &TimeZone) -> String {
        match self {
            Self::At(at) => at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
            Self::Text(text) => text.to_string(),
        }
    }
}

/// As JSON has it, in UTC.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(text.parse().map_or_else(|_| Self::Text(Printable::new(&text)), Self::At))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &str, shown: &str) {
        let moment: Moment = serde_json::from_value(sent.into()).unwrap();
        assert_eq!(moment.local(&TimeZone::fixed(jiff::tz::offset(2))), shown);
    }

    #[test]
    fn times_are_local() {
        check("2026-05-13T11:03:59Z", "2026-05-13 13:03");
        check("2026-12-31T23:00:00+00:00", "2027-01-01 01:00");
        check("soon\x1b[2J", "soon\\u{1b}[2J");
    }
}
