use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text from elsewhere that is safe to put on a terminal: whatever could move the cursor, hide or reorder text, or break
/// a line is spelled out.
///
/// Every text field of what the server sends is read as this type, so no table can forget it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Printable(String);

impl Printable {
    pub(crate) fn new(text: &str) -> Self {
        let mut safe = String::with_capacity(text.len());
        for c in text.chars() {
            if commands(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
        }
        Self(safe)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a terminal may take the character for a command: C0, DEL and C1 controls, line and paragraph separators, the
/// marks that reorder or hide text (Unicode TR 36 §2.2, "Trojan Source"), tags.
pub(crate) fn commands(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl<'de> Deserialize<'de> for Printable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::new(&text))
    }
}

impl Serialize for Printable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Printable::new(text).as_str(), expected);
    }

    #[test]
    fn what_a_terminal_obeys_is_spelled_out() {
        check("web3.example.com", "web3.example.com");
        check("Zoë’s host — 主機", "Zoë’s host — 主機");
        check("\x1b[2J\x1b]0;title\x07", "\\u{1b}[2J\\u{1b}]0;title\\u{7}");
        check("a\nb\r\tc\0", "a\\u{a}b\\u{d}\\u{9}c\\u{0}");
        check("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}");
        check("\u{202e}moc.live", "\\u{202e}moc.live");
        check("a\u{200b}b\u{2028}c", "a\\u{200b}b\\u{2028}c");
    }

    proptest! {
        #[test]
        fn no_command_is_left(text: String) {
            prop_assert!(!Printable::new(&text).as_str().chars().any(commands));
        }
    }
}
