use std::str::FromStr;

use crate::KeyError;
use crate::key::AgentSigningKey;

/// The keys whose signature makes a build of the agent good: the current one, and the next while it is introduced. With
/// none, no build is good.
///
/// ```
/// use vigo_core::{KeyError, SigningKeys, SigningKeysError};
/// let unset: SigningKeys = "0".repeat(64).parse()?;
/// assert!(unset.as_slice().is_empty());
/// let weak = format!("01{}", "0".repeat(62));
/// assert_eq!(weak.parse::<SigningKeys>(), Err(SigningKeysError::Key(KeyError::Weak)));
/// # Ok::<(), SigningKeysError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SigningKeys(Vec<AgentSigningKey>);

/// Why a text names no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeysError {
    /// Not one or two keys of 64 digits.
    #[error("one or two keys expected, each 64 hexadecimal digits, with a comma between")]
    Malformed,
    /// A key that proves nothing.
    #[error("a signing key is refused: {0}")]
    Key(#[from] KeyError),
}

impl SigningKeys {
    /// The current one and the next.
    pub const MAX: usize = 2;
    /// What stands for "none was given": no signature of it ever counts.
    const UNSET: [u8; 32] = [0; 32];

    /// These keys.
    ///
    /// # Errors
    /// `Malformed` for more than two.
    pub fn new(keys: Vec<AgentSigningKey>) -> Result<Self, SigningKeysError> {
        if keys.len() > Self::MAX { Err(SigningKeysError::Malformed) } else { Ok(Self(keys)) }
    }

    /// The keys.
    #[must_use]
    pub fn as_slice(&self) -> &[AgentSigningKey] {
        &self.0
    }
}

/// As `VIGO_AGENT_SIGNING_PUBKEY` has them. Nothing, or 32 zero bytes, is none.
impl FromStr for SigningKeys {
    type Err = SigningKeysError;

    fn from_str(text: &str) -> Result<Self, SigningKeysError> {
        let mut keys = Vec::new();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let mut bytes = [0; 32];
            hex::decode_to_slice(part, &mut bytes).map_err(|_| SigningKeysError::Malformed)?;
            // The zero key is a point of the curve, and weak: it is told apart before it is looked at.
            if bytes != Self::UNSET {
                keys.push(AgentSigningKey::try_from(bytes.as_slice())?);
            }
        }
        Self::new(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AgentSigningSecret;

    #[track_caller]
    fn check(text: &str, expected: Result<usize, SigningKeysError>) {
        assert_eq!(text.parse::<SigningKeys>().map(|keys| keys.as_slice().len()), expected, "{text}");
    }

    #[test]
    fn rule_15_which_keys_count() {
        let key = |n: u8| AgentSigningSecret::from_seed(&zeroize::Zeroizing::new([n; 32])).public().to_string();
        let zero = "00".repeat(32);
        check("", Ok(0));
        check(&zero, Ok(0));
        check(&key(1), Ok(1));
        check(&key(1).to_uppercase(), Ok(1));
        check(&format!("{},{}", key(1), key(2)), Ok(2));
        check(&format!("{},{zero}", key(1)), Ok(1));
        check(&format!("{},{},{}", key(1), key(2), key(3)), Err(SigningKeysError::Malformed));
        check(&key(1)[1..], Err(SigningKeysError::Malformed));
        check(&format!("{},", key(1)), Err(SigningKeysError::Malformed));
        check("unset", Err(SigningKeysError::Malformed));
        check(&format!("01{}", "00".repeat(31)), Err(SigningKeysError::Key(KeyError::Weak)));
        check(&"ff".repeat(32), Err(SigningKeysError::Key(KeyError::NotAPoint)));
    }
}
