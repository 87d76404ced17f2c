//! The only place that reads the time.

use std::time::SystemTime;

use anyhow::Context as _;
use vigo_core::UnixTime;

#[expect(clippy::disallowed_methods, reason = "this is the program's clock")]
pub(crate) fn now() -> anyhow::Result<UnixTime> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("this machine's clock is not set")?;
    Ok(UnixTime::from_secs(since.as_secs()))
}
