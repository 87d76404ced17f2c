use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// SHA-256 over a public key's SubjectPublicKeyInfo, the identity that a first contact is checked against.
///
/// Written `sha256:` and 64 hexadecimal digits; curl's `sha256//` and base64 is read too.
///
/// ```
/// use vigo_core::Pin;
/// let pin = Pin::of_spki(b"any DER");
/// assert_eq!(pin.to_string().parse(), Ok(pin));
/// assert_eq!(pin.to_curl().parse(), Ok(pin));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin([u8; 32]);

/// A text is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a pin: `sha256:` and 64 hexadecimal digits expected, as `vigocli ca show` prints it")]
pub struct PinError;

impl Pin {
    /// The pin of a DER-encoded SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    #[must_use]
    pub fn of_spki(spki: &[u8]) -> Self {
        Self(Sha256::digest(spki).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The form that `curl --pinnedpubkey` and `wget --pinnedpubkey` take: `sha256//` and base64 (RFC 7469's encoding).
    #[must_use]
    pub fn to_curl(&self) -> String {
        format!("sha256//{}", STANDARD.encode(self.0))
    }
}

impl From<[u8; 32]> for Pin {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Pin {
    type Error = PinError;

    fn try_from(bytes: &[u8]) -> Result<Self, PinError> {
        bytes.try_into().map(Self).map_err(|_| PinError)
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let bytes = match (text.strip_prefix("sha256:"), text.strip_prefix("sha256//")) {
            (Some(digits), _) => hex::decode(digits).map_err(|_| PinError)?,
            (None, Some(base64)) => STANDARD.decode(base64).map_err(|_| PinError)?,
            (None, None) => return Err(PinError),
        };
        Self::try_from(bytes.as_slice())
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_01_pins_in_both_spellings() {
        // printf %s abc | sha256sum; … | openssl base64
        let pin = Pin::of_spki(b"abc");
        assert_eq!(pin.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(pin.to_curl(), "sha256//ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        for text in [
            "",
            "sha256:",
            "sha256:ba78",
            "sha1:ba",
            "sha256//ungW",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ] {
            assert_eq!(text.parse::<Pin>(), Err(PinError), "{text}");
        }
    }
}
