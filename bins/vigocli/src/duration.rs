use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// Reads a length of time as people write it: `30m`, `1h`, `7d`, `1h 30m`, `8760h`. A day is 24 hours.
///
/// # Errors
/// With a sentence for the operator, where it is no length of at least one second.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no length of time: write 30m, 1h, 7d or 8760h");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let signed: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    let duration = Duration::try_from(signed).map_err(|_| wrong())?;
    if duration.as_secs() == 0 || duration.subsec_nanos() != 0 {
        return Err(format!("`{text}` must be whole seconds, at least one"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, secs: Option<u64>) {
        assert_eq!(parse(text).ok(), secs.map(Duration::from_secs), "{text}");
    }

    #[test]
    fn lengths_of_time() {
        check("30m", Some(1800));
        check("1h", Some(3600));
        check("1h 30m", Some(5400));
        check("1h30m", Some(5400));
        check("7d", Some(604_800));
        check("2w", Some(1_209_600));
        check("8760h", Some(31_536_000));
        check("2 hours", Some(7200));
        check("PT1H", Some(3600));
        for none in ["", "1", "h", "0s", "-1h", "1h ago", "500ms", "1.5s", "1mo", "1y", "1h;", "999999999999999h"] {
            check(none, None);
        }
    }
}
