//! Ed25519 keys, each with the one job its type names.

use std::fmt;

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey as _, EncodePrivateKey, EncodePublicKey as _, KeypairBytes,
};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::Pin;
use crate::frame::{Audience, FrameError, Label, signed_bytes};

/// An Ed25519 signature (RFC 8032 §5.1.6). Not yet verified: only a frame's `verify` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Signature {
    type Error = FrameError;

    fn try_from(bytes: &[u8]) -> Result<Self, FrameError> {
        bytes.try_into().map(Self).map_err(|_| FrameError::Malformed("a signature is 64 bytes"))
    }
}

/// Why 32 bytes are no key that can be trusted to tell its holder from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not 32 bytes.
    #[error("an Ed25519 public key is 32 bytes")]
    Length,
    /// Not a canonical point of the curve.
    #[error("not a point of the curve")]
    NotAPoint,
    /// Of small order: signatures can be made without any secret.
    #[error("a weak key: signatures for it can be made by anyone")]
    Weak,
    /// With a component of small order: two encodings could stand for one holder.
    #[error("a key outside the prime-order group")]
    Torsion,
    /// A key's PEM could not be read.
    #[error("not an Ed25519 key in PEM (PKCS#8, or SPKI for a public one)")]
    Pem,
}

fn checked(bytes: &[u8]) -> Result<VerifyingKey, KeyError> {
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Length)?;
    let point = CompressedEdwardsY(*bytes).decompress().ok_or(KeyError::NotAPoint)?;
    if point.compress().as_bytes() != bytes {
        return Err(KeyError::NotAPoint);
    }
    if point.is_small_order() {
        return Err(KeyError::Weak);
    }
    if !point.is_torsion_free() {
        return Err(KeyError::Torsion);
    }
    VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)
}

macro_rules! key_pair {
    ($(#[$public_doc:meta])* $public:ident, $(#[$secret_doc:meta])* $secret:ident) => {
        $(#[$public_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $public(VerifyingKey);

        impl $public {
            /// The 32 bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }
        }

        impl TryFrom<&[u8]> for $public {
            type Error = KeyError;

            fn try_from(bytes: &[u8]) -> Result<Self, KeyError> {
                checked(bytes).map(Self)
            }
        }

        impl fmt::Display for $public {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.as_bytes()))
            }
        }

        impl fmt::Debug for $public {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($public), "({})"), self)
            }
        }

        $(#[$secret_doc])*
        pub struct $secret(SigningKey);

        impl $secret {
            /// The key of a 32-byte random seed (RFC 8032 §5.1.5).
            #[must_use]
            pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
                Self(SigningKey::from_bytes(seed))
            }

            /// Reads PKCS#8 PEM (RFC 8410).
            ///
            /// # Errors
            /// `Pem` for anything else.
            pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
                SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| KeyError::Pem)
            }

            /// PKCS#8 PEM, for a file that only its owner may read. Without the public half, which makes it version 2 of
            /// the format (RFC 5958): OpenSSL 3.0 does not read that.
            ///
            /// # Panics
            /// Never: an Ed25519 key always has an encoding.
            #[must_use]
            pub fn to_pem(&self) -> Zeroizing<String> {
                let pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
                pair.to_pkcs8_pem(LineEnding::LF).expect("an Ed25519 key always has a PKCS#8 encoding")
            }

            /// The public half.
            #[must_use]
            pub fn public(&self) -> $public {
                $public(self.0.verifying_key())
            }
        }

        impl fmt::Debug for $secret {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($secret), "(of {})"), self.public())
            }
        }
    };
}

/// Signs and verifies frames.
macro_rules! signs_frames {
    ($public:ident, $secret:ident) => {
        impl $public {
            /// Checks a frame's signature over the bytes as they were received, strictly (cofactorless, canonical).
            ///
            /// # Errors
            /// `BadSignature` when it is not this key's over exactly this label, audience, method and body.
            pub(crate) fn verify(
                &self,
                label: Label,
                audience: Audience,
                body: &[u8],
                signature: &Signature,
            ) -> Result<(), FrameError> {
                let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
                let bytes = signed_bytes(label, audience, body)?;
                self.0.verify_strict(&bytes, &signature).map_err(|_| FrameError::BadSignature)
            }
        }

        impl $secret {
            pub(crate) fn sign(&self, label: Label, audience: Audience, body: &[u8]) -> Result<Signature, FrameError> {
                Ok(Signature(self.0.sign(&signed_bytes(label, audience, body)?).to_bytes()))
            }
        }
    };
}

key_pair!(
    /// Who an envoy is: verifies its registration and every check-in, for as long as the envoy lives.
    ///
    /// ```
    /// use vigo_core::{IdentityKey, KeyError};
    /// // A point of small order: anyone can make signatures for it.
    /// assert_eq!(IdentityKey::try_from([0; 32].as_slice()), Err(KeyError::Weak));
    /// assert_eq!(IdentityKey::try_from([0; 31].as_slice()), Err(KeyError::Length));
    /// ```
    IdentityKey,
    /// The private half of an envoy's identity. Wiped when dropped.
    ///
    /// ```
    /// use vigo_core::{IdentityKey, IdentitySecret};
    /// use zeroize::Zeroizing;
    /// let secret = IdentitySecret::from_seed(&Zeroizing::new([7; 32])); // random, in earnest
    /// let public: IdentityKey = secret.public();
    ///
    /// // To and from a file that only its owner may read; what is logged is the public half.
    /// assert_eq!(IdentitySecret::from_pem(&secret.to_pem())?.public(), public);
    /// assert_eq!(format!("{secret:?}"), format!("IdentitySecret(of {public})"));
    /// # Ok::<(), vigo_core::KeyError>(())
    /// ```
    IdentitySecret
);
key_pair!(
    /// Verifies a server's replies and bundles.
    ServerKey,
    /// Signs a server's replies and bundles. Wiped when dropped.
    ///
    /// ```
    /// use vigo_core::{Bundle, ServerId, ServerKey, ServerSecret};
    /// use zeroize::Zeroizing;
    /// let secret = ServerSecret::from_seed(&Zeroizing::new([7; 32])); // random, in earnest
    /// let (bundle, _) = Bundle::default().sign(&secret, &ServerId::from_random([1; 16]))?;
    ///
    /// // An agent is told the key when it enrols.
    /// let key = ServerKey::try_from(secret.public().as_bytes().as_slice())?;
    /// assert!(bundle.verify(&key, &ServerId::from_random([1; 16])).is_ok());
    /// assert!(bundle.verify(&key, &ServerId::from_random([2; 16])).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ServerSecret
);
key_pair!(
    /// Verifies builds of the agent: compiled into it, so that no server and no network can change it.
    AgentSigningKey,
    /// Signs builds of the agent. It belongs where they are built, never on a server. Wiped when dropped.
    AgentSigningSecret
);
signs_frames!(IdentityKey, IdentitySecret);
signs_frames!(ServerKey, ServerSecret);

impl AgentSigningKey {
    /// Whether this key signed exactly this text.
    pub(crate) fn has_signed(&self, text: &[u8], signature: &Signature) -> bool {
        self.0.verify_strict(text, &ed25519_dalek::Signature::from_bytes(signature.as_bytes())).is_ok()
    }

    /// Reads SubjectPublicKeyInfo PEM (RFC 8410).
    ///
    /// # Errors
    /// `Pem` for anything else; what is wrong with the key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|_| KeyError::Pem)?;
        checked(key.as_bytes()).map(Self)
    }

    /// The pin of the key, as `--signing-pin` takes it.
    ///
    /// # Panics
    /// Never: an Ed25519 key always has an encoding.
    #[must_use]
    pub fn pin(&self) -> Pin {
        Pin::of_spki(self.0.to_public_key_der().expect("an Ed25519 key always has an SPKI encoding").as_bytes())
    }

    /// SubjectPublicKeyInfo PEM (RFC 8410), as `openssl pkeyutl -pubin` reads it.
    ///
    /// # Panics
    /// Never: an Ed25519 key always has an encoding.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("an Ed25519 key always has an SPKI encoding")
    }
}

impl AgentSigningSecret {
    pub(crate) fn sign_text(&self, text: &[u8]) -> Signature {
        Signature(self.0.sign(text).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hex: &str, expected: Result<(), KeyError>) {
        assert_eq!(IdentityKey::try_from(hex::decode(hex).unwrap().as_slice()).map(|_| ()), expected, "{hex}");
    }

    #[test]
    fn rule_11_weak_and_torsioned_keys_are_refused() {
        check("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", Ok(()));
        check(&"00".repeat(32), Err(KeyError::Weak));
        check("0100000000000000000000000000000000000000000000000000000000000000", Err(KeyError::Weak));
        check("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", Err(KeyError::Weak));
        check("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", Err(KeyError::Weak));
        // y = p: a second encoding of y = 0.
        check("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", Err(KeyError::NotAPoint));
        check("0200000000000000000000000000000000000000000000000000000000000000", Err(KeyError::NotAPoint));
        check(&"ab".repeat(31), Err(KeyError::Length));

        let eight = CompressedEdwardsY::from_slice(
            &hex::decode("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a").unwrap(),
        );
        let torsioned = curve25519_dalek::constants::ED25519_BASEPOINT_POINT + eight.unwrap().decompress().unwrap();
        check(&hex::encode(torsioned.compress().as_bytes()), Err(KeyError::Torsion));
    }

    #[test]
    fn rule_03_secrets_show_nothing() {
        let secret = IdentitySecret::from_seed(&Zeroizing::new([7; 32]));
        assert_eq!(format!("{secret:?}"), format!("IdentitySecret(of {})", secret.public()));
        let again = IdentitySecret::from_pem(&secret.to_pem()).unwrap();
        assert_eq!(again.public(), secret.public());
        assert_eq!(IdentitySecret::from_pem("-----BEGIN PRIVATE KEY-----").map(|_| ()).unwrap_err(), KeyError::Pem);
    }
}
