use std::fmt;

use zeroize::Zeroizing;

/// A token as somebody typed it: a secret of unknown worth. Wiped when dropped, shown nowhere.
pub struct TokenText(Zeroizing<String>);

impl TokenText {
    /// Wraps a token's text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for parsing or for the wire. Never for a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(…)")
    }
}
