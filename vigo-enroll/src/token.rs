//! Tokens: how they are made, read and checked for having been made here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use vigo_core::{Pin, TokenId, TokenText};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The fleet's key for token MACs. Wiped when dropped, shown nowhere.
///
/// ```
/// use vigo_core::Pin;
/// use vigo_enroll::token::{Token, TokenError, TokenKey};
/// let (text, _) = Token::mint(&TokenKey::derive(&[1; 32]), [2; 16], &[3; 32], &Pin::from([4; 32]));
///
/// // Every server of the fleet has the same key; another fleet's servers have not.
/// assert!(Token::parse(text.reveal(), &TokenKey::derive(&[1; 32])).is_ok());
/// assert_eq!(Token::parse(text.reveal(), &TokenKey::derive(&[9; 32])).unwrap_err(), TokenError::Forged);
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// The key for tokens, derived from the fleet's 32-byte MAC key so that no other use of that key meets it.
    ///
    /// # Panics
    /// Never: HMAC takes a key of any length.
    #[must_use]
    pub fn derive(fleet_key: &[u8; 32]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(fleet_key).expect("HMAC takes a key of any length");
        mac.update(b"vigo/token-key/v1\0");
        Self(mac.finalize().into_bytes().into())
    }

    fn mac(&self, body: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(b"vigo/token/v1\0");
        mac.update(body.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

/// What a token proves to know: 32 random bytes, kept as the 43 characters that are hashed. Wiped when dropped.
///
/// ```
/// # use vigo_core::Pin;
/// use vigo_enroll::token::{Token, TokenKey, TokenSecret};
/// # let (key, pin) = (TokenKey::derive(&[1; 32]), Pin::from([4; 32]));
/// # let (text, _) = Token::mint(&key, [2; 16], &[3; 32], &pin);
/// // Nothing but a `HashPool` can read it.
/// let secret: TokenSecret = Token::parse(text.reveal(), &key)?.into_secret();
/// assert_eq!(format!("{secret:?}"), "TokenSecret(…)");
/// # Ok::<(), vigo_enroll::token::TokenError>(())
/// ```
pub struct TokenSecret(Zeroizing<String>);

impl TokenSecret {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

/// A token whose MAC fits: this fleet made it. Whether it is known, unspent and its secret right, the store says.
///
/// Written `vgt1.<id>.<secret>.<ca-pin>.<mac>`: the id in hexadecimal, the rest in base64url without padding, so that no
/// character of it means anything to a shell. The MAC covers all the text before it.
///
/// ```
/// use vigo_core::Pin;
/// use vigo_enroll::token::{Token, TokenKey};
/// let key = TokenKey::derive(&[1; 32]);
/// let (text, _) = Token::mint(&key, [2; 16], &[3; 32], &Pin::from([4; 32]));
/// let token = Token::parse(text.reveal(), &key).unwrap();
/// assert_eq!(token.ca_pin(), Pin::from([4; 32]));
/// assert!(Token::parse(text.reveal(), &TokenKey::derive(&[9; 32])).is_err());
/// ```
#[derive(Debug)]
pub struct Token {
    id: TokenId,
    secret: TokenSecret,
    ca_pin: Pin,
}

/// Why a text is no token of this fleet. Says nothing of the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not of the form of a token.
    #[error("not a token: `vgt1.` and four parts expected, as `vigocli tokens generate` prints it")]
    Malformed,
    /// Its MAC is not this fleet's: a typing mistake, a forgery, or another fleet's token.
    #[error("not a token of this fleet, or mistyped")]
    Forged,
}

impl Token {
    /// Makes a token of random bytes. The text is what its holder gets, once; the token is what gets hashed.
    #[must_use]
    pub fn mint(key: &TokenKey, id: [u8; 16], secret: &[u8; 32], ca_pin: &Pin) -> (TokenText, Self) {
        let id = TokenId::from_random(id);
        let secret = TokenSecret(Zeroizing::new(URL_SAFE_NO_PAD.encode(secret)));
        let pin = URL_SAFE_NO_PAD.encode(ca_pin.as_bytes());
        let body = Zeroizing::new(format!("{}.{id}.{}.{pin}", TokenText::VERSION, *secret.0));
        let text = format!("{}.{}", *body, URL_SAFE_NO_PAD.encode(key.mac(&body)));
        (TokenText::new(text), Self { id, secret, ca_pin: *ca_pin })
    }

    /// Reads a token and checks its MAC, in microseconds and in constant time.
    ///
    /// # Errors
    /// `Malformed` for what is no token, `Forged` when the MAC does not fit.
    pub fn parse(text: &str, key: &TokenKey) -> Result<Self, TokenError> {
        /// Longer texts are not even looked at.
        const LONGEST: usize = 256;
        if text.len() > LONGEST {
            return Err(TokenError::Malformed);
        }
        let (body, mac) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let mac: [u8; 32] = decode(mac)?;
        if !bool::from(key.mac(body).ct_eq(&mac)) {
            return Err(TokenError::Forged);
        }
        let mut parts = body.split('.');
        let (Some(TokenText::VERSION), Some(id), Some(secret), Some(pin), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let mut bytes: [u8; 32] = decode(secret)?;
        bytes.zeroize();
        let written: TokenId = id.parse().map_err(|_| TokenError::Malformed)?;
        // In upper case it would be the same token in another spelling.
        if written.to_string() != id {
            return Err(TokenError::Malformed);
        }
        Ok(Self {
            id: written,
            secret: TokenSecret(Zeroizing::new(secret.to_owned())),
            ca_pin: Pin::from(decode(pin)?),
        })
    }

    /// Its public part.
    #[must_use]
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// The pin of the CA that its holder is to trust.
    #[must_use]
    pub fn ca_pin(&self) -> Pin {
        self.ca_pin
    }

    /// The secret, to be hashed or checked.
    #[must_use]
    pub fn into_secret(self) -> TokenSecret {
        self.secret
    }
}

/// 32 bytes of base64url without padding, in their one spelling.
fn decode(text: &str) -> Result<[u8; 32], TokenError> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)?);
    bytes.as_slice().try_into().map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minted() -> (TokenKey, TokenText) {
        let key = TokenKey::derive(&[1; 32]);
        let (text, _) = Token::mint(&key, [2; 16], &[3; 32], &Pin::from([4; 32]));
        (key, text)
    }

    #[test]
    fn rule_08_the_format_is_pinned() {
        // The MAC was computed by another implementation: Python's hmac and hashlib.
        let (key, text) = minted();
        assert_eq!(
            text.reveal(),
            "vgt1.02020202020202020202020202020202.AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM.\
             BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ.fvJtqBSX2BJpZ7tlQ2L4xAonE7LxaRjQWB08K66mSUc"
        );
        assert!(text.reveal().bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
        assert_eq!(text.ca_pin(), Some(Pin::from([4; 32])));
        assert_eq!(Token::parse(text.reveal(), &key).unwrap().id(), TokenId::from_random([2; 16]));
    }

    #[test]
    fn rule_08_every_flipped_bit_is_refused() {
        let (key, text) = minted();
        for i in 0..text.reveal().len() * 8 {
            let mut bytes = text.reveal().as_bytes().to_vec();
            bytes[i / 8] ^= 1 << (i % 8);
            if let Ok(flipped) = String::from_utf8(bytes) {
                assert!(Token::parse(&flipped, &key).is_err(), "bit {i}");
            }
        }
    }

    #[track_caller]
    fn check(text: &str, expected: TokenError) {
        assert_eq!(Token::parse(text, &minted().0).map(|_| ()), Err(expected), "{text:?}");
    }

    #[test]
    fn malformed_tokens() {
        let (_, text) = minted();
        let text = text.reveal();
        check("", TokenError::Malformed);
        check("vgt1", TokenError::Malformed);
        check("vgt1....", TokenError::Malformed);
        check(&format!("{text} "), TokenError::Malformed);
        check(&format!("{text}="), TokenError::Malformed);
        check(&format!("{text}\n"), TokenError::Malformed);
        check(&text[..text.len() - 1], TokenError::Malformed);
        check(&"v".repeat(100_000), TokenError::Malformed);
        // Upper-cased, the MAC has bits set behind its last byte; with the MAC left alone, the rest does not fit it.
        check(&text.to_uppercase(), TokenError::Malformed);
        check(&text.replacen("vgt1", "VGT1", 1), TokenError::Forged);
        check(&format!("x{text}"), TokenError::Forged);
    }

    #[test]
    fn what_has_a_fitting_mac_must_still_have_the_form() {
        let (key, _) = minted();
        let pin = URL_SAFE_NO_PAD.encode([4; 32]);
        for body in [
            "vgt1".to_owned(),
            format!("vgt2.{}.{pin}.{pin}", "02".repeat(16)),
            format!("vgt1.{}.{pin}", "02".repeat(16)),
            format!("vgt1.{}.{pin}.{pin}.{pin}", "02".repeat(16)),
            format!("vgt1.{}.short.{pin}", "02".repeat(16)),
            format!("vgt1.nohex.{pin}.{pin}"),
            format!("vgt1.{}.{pin}.{pin}", "FB".repeat(16)),
        ] {
            let text = format!("{body}.{}", URL_SAFE_NO_PAD.encode(key.mac(&body)));
            assert_eq!(Token::parse(&text, &key).map(|_| ()), Err(TokenError::Malformed), "{body}");
        }
    }

    #[test]
    fn rule_03_secrets_show_nothing() {
        let (key, text) = minted();
        let token = Token::parse(text.reveal(), &key).unwrap();
        let shown = format!("{key:?} {token:?} {text:?} {} {}", TokenError::Forged, TokenError::Malformed);
        assert!(!shown.contains("AwMD"), "{shown}");
        assert!(shown.contains("TokenSecret(…)"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,300}") {
            prop_assert!(Token::parse(&text, &minted().0).is_err());
        }

        #[test]
        fn near_tokens_are_refused_without_a_panic(text in "vgt1(\\.[A-Za-z0-9_-]{0,44}){0,5}") {
            prop_assert!(Token::parse(&text, &minted().0).is_err());
        }

        #[test]
        fn what_was_minted_is_read(id: [u8; 16], secret: [u8; 32], pin: [u8; 32]) {
            let key = TokenKey::derive(&[1; 32]);
            let (text, minted) = Token::mint(&key, id, &secret, &Pin::from(pin));
            let parsed = Token::parse(text.reveal(), &key).unwrap();
            prop_assert_eq!((parsed.id(), parsed.ca_pin()), (minted.id(), minted.ca_pin()));
            prop_assert_eq!(text.ca_pin(), Some(Pin::from(pin)));
            let (parsed, minted) = (parsed.into_secret(), minted.into_secret());
            prop_assert_eq!(parsed.as_bytes(), minted.as_bytes());
        }
    }
}
