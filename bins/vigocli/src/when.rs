use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use crate::duration;

/// A point in time as people name it: `2d`, counted from now, or RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So far from now.
    Away(Duration),
    /// Then.
    At(Timestamp),
}

impl When {
    /// Before now.
    pub(crate) fn past(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Away(length) => now.checked_sub(length).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
        }
    }

    /// After now.
    pub(crate) fn future(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Away(length) => now.checked_add(length).unwrap_or(Timestamp::MAX),
            Self::At(at) => at,
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        duration::parse(text)
            .map(Self::Away)
            .map_err(|_| format!("`{text}` is no time: write 2d, 12h, or 2026-05-13T11:03:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, past: Option<&str>, future: Option<&str>) {
        let now = "2026-05-13T11:03:00Z".parse().unwrap();
        let when = text.parse::<When>().ok();
        assert_eq!(when.map(|when| when.past(now).to_string()).as_deref(), past, "{text}");
        assert_eq!(when.map(|when| when.future(now).to_string()).as_deref(), future, "{text}");
    }

    #[test]
    fn times_are_from_now_or_named() {
        check("2d", Some("2026-05-11T11:03:00Z"), Some("2026-05-15T11:03:00Z"));
        check("1h 30m", Some("2026-05-13T09:33:00Z"), Some("2026-05-13T12:33:00Z"));
        let named = Some("2026-01-01T00:00:00Z");
        check("2026-01-01T01:00:00+01:00", named, named);
        for none in ["", "yesterday", "-2d", "2026-01-01", "0s"] {
            check(none, None, None);
        }
    }
}
