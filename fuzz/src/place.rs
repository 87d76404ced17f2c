//! Whether a reported place is one that an editor can go to.

/// Whether a text has this line and column, both from 1, columns counted in characters. The place right behind the last
/// character of a line, and behind the last line, is one too: something may be missing there. A carriage return alone
/// ends a line too (YAML 1.2 §5.4).
pub(crate) fn holds(text: &str, line: u64, column: u64) -> bool {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let found = usize::try_from(line).ok().and_then(|line| text.split('\n').nth(line.checked_sub(1)?));
    found.is_some_and(|found| (1..=found.chars().count() as u64 + 1).contains(&column))
}
