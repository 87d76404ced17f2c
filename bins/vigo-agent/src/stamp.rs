//! Times in files and on terminals.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use vigo_core::UnixTime;

fn timestamp(time: UnixTime) -> Timestamp {
    i64::try_from(time.as_secs()).ok().and_then(|secs| Timestamp::from_second(secs).ok()).unwrap_or(Timestamp::MAX)
}

/// RFC 3339 in UTC.
pub(crate) fn rfc3339(time: UnixTime) -> String {
    timestamp(time).to_string()
}

/// As people read it: `2026-05-13 13:03`, in this zone.
pub(crate) fn local(time: UnixTime, zone: &TimeZone) -> String {
    timestamp(time).to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

#[expect(clippy::ref_option, reason = "serde's `with` hands out references")]
pub(crate) fn serialize<S: Serializer>(time: &Option<UnixTime>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.serialize_str(&rfc3339(*time)),
        None => to.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<UnixTime>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let stamp: Timestamp = text.parse().map_err(D::Error::custom)?;
    let secs = u64::try_from(stamp.as_second()).map_err(D::Error::custom)?;
    Ok(Some(UnixTime::from_secs(secs)))
}
