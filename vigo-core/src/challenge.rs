use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{EnvoyId, Epoch, FrameError};

/// What an envoy must echo: a counter and a MAC over fleet key, envoy, epoch and counter.
///
/// Every server of a fleet can check one that another issued, and none has to remember it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Challenge([u8; 40]);

/// The fleet's key for challenges. Wiped when dropped.
///
/// ```
/// use vigo_core::{ChallengeKey, EnvoyId, Epoch};
/// let (envoy, epoch) = (EnvoyId::from_random([1; 16]), Epoch::from_random([2; 16]));
/// let challenge = ChallengeKey::derive(&[3; 32]).issue(envoy, epoch, 7);
///
/// // Another server of the fleet derives the same key, and was never told of the challenge.
/// let key = ChallengeKey::derive(&[3; 32]);
/// assert_eq!(key.counter(envoy, epoch, &challenge), Some(7));
/// assert_eq!(key.counter(EnvoyId::from_random([9; 16]), epoch, &challenge), None);
/// assert_eq!(ChallengeKey::derive(&[4; 32]).counter(envoy, epoch, &challenge), None);
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ChallengeKey([u8; 32]);

impl ChallengeKey {
    /// The key for challenges, derived from the fleet's 32-byte MAC key so that no other use of that key meets it.
    ///
    /// # Panics
    /// Never: HMAC takes a key of any length.
    #[must_use]
    pub fn derive(fleet_key: &[u8; 32]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(fleet_key).expect("HMAC takes a key of any length");
        mac.update(b"vigo/challenge-key/v1\0");
        Self(mac.finalize().into_bytes().into())
    }

    /// The `counter`-th challenge for an envoy within an epoch.
    ///
    /// # Panics
    /// Never: HMAC takes a key of any length.
    #[must_use]
    pub fn issue(&self, envoy: EnvoyId, epoch: Epoch, counter: u64) -> Challenge {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(b"vigo/challenge/v1\0");
        mac.update(envoy.as_bytes());
        mac.update(epoch.as_bytes());
        mac.update(&counter.to_be_bytes());
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&counter.to_be_bytes());
        bytes[8..].copy_from_slice(&mac.finalize().into_bytes());
        Challenge(bytes)
    }

    /// The counter of a challenge that was issued for this envoy in this epoch.
    #[must_use]
    pub fn counter(&self, envoy: EnvoyId, epoch: Epoch, challenge: &Challenge) -> Option<u64> {
        let counter = u64::from_be_bytes(challenge.0[..8].try_into().ok()?);
        bool::from(self.issue(envoy, epoch, counter).0.ct_eq(&challenge.0)).then_some(counter)
    }
}

impl fmt::Debug for ChallengeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeKey(…)")
    }
}

impl Challenge {
    /// The 40 bytes: counter (u64, big-endian) and HMAC-SHA-256.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 40] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Challenge {
    type Error = FrameError;

    fn try_from(bytes: &[u8]) -> Result<Self, FrameError> {
        bytes.try_into().map(Self).map_err(|_| FrameError::Malformed("a challenge is 40 bytes"))
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Challenge({})", hex::encode(self.0))
    }
}
