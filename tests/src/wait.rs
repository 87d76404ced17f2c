//! Waiting for something to have happened: the only place where tests wait, and never for time to pass.

use std::time::Duration;

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// Far above what anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lets something go on for a while, so that it is cut off somewhere in its midst; nothing is expected to have happened.
pub fn pause(span: Duration) {
    std::thread::sleep(span);
}

/// Waits until `found` gives something.
///
/// # Panics
/// When it has not after a minute, naming `what`.
#[track_caller]
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    match within(PATIENCE, &mut found) {
        Some(value) => value,
        None => panic!("a minute went by without: {what}"),
    }
}

/// Waits at most so long; `None` when it has not happened.
pub fn within<T>(most: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..=most.as_millis() / LOOK.as_millis() {
        if let Some(value) = found() {
            return Some(value);
        }
        std::thread::sleep(LOOK);
    }
    None
}
