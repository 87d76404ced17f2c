use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::Pin;

/// A token as somebody typed it: a secret of unknown worth. Wiped when dropped, shown nowhere.
pub struct TokenText(Zeroizing<String>);

impl TokenText {
    /// What every token of this format starts with.
    pub const VERSION: &'static str = "vgt1";

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

    /// The CA pin that the token carries, `None` where the text is no token.
    ///
    /// A machine that was handed the token trusts whoever handed it over; the token's MAC, which it cannot check,
    /// protects the server from forged tokens and not the machine.
    ///
    /// ```
    /// use vigo_core::{Pin, TokenText};
    /// let text = format!("vgt1.{}.{}.{}.{}", "0f".repeat(16), "s".repeat(43), "A".repeat(43), "m".repeat(43));
    /// assert_eq!(TokenText::new(text).ca_pin(), Some(Pin::from([0; 32])));
    /// ```
    #[must_use]
    pub fn ca_pin(&self) -> Option<Pin> {
        let mut parts = self.0.split('.');
        if parts.next() != Some(Self::VERSION) {
            return None;
        }
        let pin = parts.nth(2)?;
        if parts.count() != 1 {
            return None;
        }
        // Decoded into a buffer of its own: a pin is no secret.
        Pin::try_from(URL_SAFE_NO_PAD.decode(pin).ok()?.as_slice()).ok()
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: Option<[u8; 32]>) {
        assert_eq!(TokenText::new(text.to_owned()).ca_pin(), expected.map(Pin::from), "{text}");
    }

    #[test]
    fn rule_01_a_token_carries_the_ca_pin() {
        let pin = URL_SAFE_NO_PAD.encode([0xfb; 32]);
        check(&format!("vgt1.id.secret.{pin}.mac"), Some([0xfb; 32]));
        check(&format!("vgt2.id.secret.{pin}.mac"), None);
        check(&format!("vgt1.id.secret.{pin}"), None);
        check(&format!("vgt1.id.secret.{pin}.mac.more"), None);
        check(&format!("vgt1.id.secret.{pin}=.mac"), None);
        check(&format!("vgt1.id.secret.{}.mac", &pin[..42]), None);
        check("", None);
        check("vgt1", None);
    }

    #[test]
    fn rule_03_a_token_shows_nothing() {
        assert_eq!(format!("{:?}", TokenText::new("vgt1.secret".to_owned())), "TokenText(…)");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}") {
            let _ = TokenText::new(text).ca_pin();
        }
    }
}
