use std::net::IpAddr;

use prost::Message as _;
use sha2::{Digest, Sha256};

use crate::frame::{Audience, FrameError, Label, parse};
use crate::{EnvoyId, Hostname, IdentityKey, IdentitySecret, Pin, Platform, RequestId, Signature, TokenText, wire};

/// What a machine says when it asks to join.
///
/// ```
/// use vigo_core::{Audience, FrameError, IdentitySecret, Pin, Registration, RegistrationError};
/// # use vigo_core::{Platform, RegistrationKind, RequestId, Takeover};
/// # let seed = zeroize::Zeroizing::new([1; 32]);
/// let secret = IdentitySecret::from_seed(&seed);
/// let registration = Registration {
///     kind: RegistrationKind::Enrol,
///     request: RequestId::from_random([2; 16]), // random, in earnest
///     identity: secret.public(),
///     csr: vec![], // of the TLS key
///     hostname: "web3.example.com".parse()?,
///     token: None,
///     takeover: Takeover::No,
///     reported_ip: None,
///     platform: Platform::default(),
/// };
/// // For the server whose root this machine verified, and for no other.
/// let (root, other) = (Pin::from([3; 32]), Pin::from([4; 32]));
/// let signed = registration.sign(&secret, None, Audience::root(&root))?;
/// let refused = signed.clone().verify(&[other]).unwrap_err();
/// assert_eq!(refused, RegistrationError::Frame(FrameError::BadSignature));
/// assert_eq!(signed.verify(&[other, root])?.registration().identity, secret.public());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Registration {
    /// What is asked for.
    pub kind: RegistrationKind,
    /// Drawn once and kept: asking again with an equal one finds the same answer.
    pub request: RequestId,
    /// The identity that signs this and every check-in after it.
    pub identity: IdentityKey,
    /// A PKCS#10 request for the TLS key, DER.
    pub csr: Vec<u8>,
    /// The name to be known by.
    pub hostname: Hostname,
    /// The token, where one is the way in.
    pub token: Option<TokenText>,
    /// Whether an envoy that has this name may be replaced, where a rule allows it.
    pub takeover: Takeover,
    /// What the machine thinks its address is: for display only.
    pub reported_ip: Option<IpAddr>,
    /// The agent and its system.
    pub platform: Platform,
}

/// What a registration asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistrationKind {
    /// To be let in; or, where an equal one was won before, its stored answer.
    #[default]
    Enrol,
    /// The stored answer of an equal one that was won before, and nothing else: what an agent sends that nobody told to
    /// enrol, so that a revoked machine never comes back by itself.
    Repeat,
}

/// Whether a registration asks to replace the envoy that has its name. Asking proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// A taken name is an error.
    No,
    /// Replace it, if a rule allows that.
    Asked,
}

/// The enrolment that a registration replaces, with the key that proves it.
#[derive(Debug)]
pub struct OldEnvoy<'a> {
    /// The old envoy's id.
    pub id: EnvoyId,
    /// Its identity key.
    pub secret: &'a IdentitySecret,
}

/// A registration ready to be sent.
///
/// One that replaces an enrolment carries a proof by the key of the old one, over the same body:
///
/// ```
/// use vigo_core::{Audience, EnvoyId, IdentitySecret, OldEnvoy, Pin, Registration};
/// # use vigo_core::{Platform, RegistrationKind, RequestId, Takeover};
/// # use zeroize::Zeroizing;
/// # let [secret, old_secret, stranger] = [1, 2, 3].map(|byte| IdentitySecret::from_seed(&Zeroizing::new([byte; 32])));
/// # let registration = Registration {
/// #     kind: RegistrationKind::Enrol,
/// #     request: RequestId::from_random([4; 16]),
/// #     identity: secret.public(),
/// #     csr: vec![],
/// #     hostname: "web3.example.com".parse()?,
/// #     token: None,
/// #     takeover: Takeover::Asked,
/// #     reported_ip: None,
/// #     platform: Platform::default(),
/// # };
/// let (root, old_id) = (Pin::from([5; 32]), EnvoyId::from_random([6; 16]));
/// let old = OldEnvoy { id: old_id, secret: &old_secret };
/// let signed = registration.sign(&secret, Some(&old), Audience::root(&root))?;
///
/// // The server looks the claimed envoy up, and asks whether its key made the proof.
/// let verified = signed.verify(&[root])?;
/// assert_eq!(verified.claims(), Some(old_id));
/// assert!(verified.proves(&old_secret.public()));
/// assert!(!verified.proves(&stranger.public()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRegistration {
    /// The bytes that the signatures cover.
    pub body: Vec<u8>,
    /// By the identity key that the body names.
    pub signature: Signature,
    /// By an older identity key, over the same body.
    pub proof: Option<Proof>,
}

/// A claim to be the continuation of an older envoy: its id, and a signature by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The older envoy.
    pub envoy: EnvoyId,
    /// By the older envoy's identity key over the registration's body, under a label of its own.
    pub signature: Signature,
}

impl Registration {
    /// Encodes and signs. `audience` is [`Audience::root`] of the root that the sender verified.
    ///
    /// # Errors
    /// `TooLarge` above [`MAX_REGISTER`](crate::frame::MAX_REGISTER) bytes; `BadSignature` when `secret` is not the key
    /// that the registration names.
    pub fn sign(
        &self,
        secret: &IdentitySecret,
        old: Option<&OldEnvoy<'_>>,
        audience: Audience,
    ) -> Result<SignedRegistration, FrameError> {
        if secret.public() != self.identity {
            return Err(FrameError::BadSignature);
        }
        let body = self.to_wire().encode_to_vec();
        let signature = secret.sign(Label::Register, audience, &body)?;
        let proof = match old {
            Some(old) => Some(Proof { envoy: old.id, signature: old.secret.sign(Label::Proof, audience, &body)? }),
            None => None,
        };
        Ok(SignedRegistration { body, signature, proof })
    }

    fn to_wire(&self) -> wire::Registration {
        use wire::registration::{Kind, Takeover as WireTakeover};
        wire::Registration {
            kind: match self.kind {
                RegistrationKind::Enrol => Kind::Enrol.into(),
                RegistrationKind::Repeat => Kind::Repeat.into(),
            },
            request_id: self.request.as_bytes().to_vec(),
            identity_key: self.identity.as_bytes().to_vec(),
            csr: self.csr.clone(),
            hostname: self.hostname.to_string(),
            token: self.token.as_ref().map(|t| t.reveal().to_owned()).unwrap_or_default(),
            takeover: match self.takeover {
                Takeover::No => WireTakeover::No.into(),
                Takeover::Asked => WireTakeover::Asked.into(),
            },
            reported_ip: self.reported_ip.map(|ip| ip.to_string()).unwrap_or_default(),
            platform: Some(self.platform.to_wire()),
        }
    }
}

/// Why a registration did not become a [`VerifiedRegistration`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The frame itself.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Its identity key.
    #[error("the identity key is refused: {0}")]
    Key(#[from] crate::KeyError),
    /// Its hostname.
    #[error("the hostname is refused: {0}")]
    Hostname(#[from] crate::HostnameError),
}

/// A registration whose signature was verified: it comes from the holder of its identity key and is meant for us.
#[derive(Debug)]
pub struct VerifiedRegistration {
    registration: Registration,
    proof: Option<Proof>,
    audience: Audience,
    body: Vec<u8>,
}

impl SignedRegistration {
    /// Verifies against every live root. The key to verify with is in the body, so the body is parsed first, within
    /// [`MAX_REGISTER`](crate::frame::MAX_REGISTER) bytes, and nothing of it is used before the signature fits.
    ///
    /// # Errors
    /// When the frame is malformed, its key weak, its hostname bad, or its signature not for one of `roots`.
    pub fn verify(self, roots: &[Pin]) -> Result<VerifiedRegistration, RegistrationError> {
        let wire: wire::Registration = parse(&self.body, Label::Register)?;
        let identity = IdentityKey::try_from(wire.identity_key.as_slice())?;
        let audience = roots
            .iter()
            .map(Audience::root)
            .find(|&audience| identity.verify(Label::Register, audience, &self.body, &self.signature).is_ok())
            .ok_or(FrameError::BadSignature)?;
        let registration = Registration::from_wire(wire, identity)?;
        Ok(VerifiedRegistration { registration, proof: self.proof, audience, body: self.body })
    }

    /// As the gRPC method takes it.
    #[cfg(feature = "grpc")]
    #[must_use]
    pub fn into_wire(self) -> wire::SignedRegistration {
        wire::SignedRegistration {
            body: self.body,
            signature: self.signature.as_bytes().to_vec(),
            proof: self.proof.map(|p| wire::Proof {
                envoy: p.envoy.as_bytes().to_vec(),
                signature: p.signature.as_bytes().to_vec(),
            }),
        }
    }
}

#[cfg(feature = "grpc")]
impl TryFrom<wire::SignedRegistration> for SignedRegistration {
    type Error = FrameError;

    fn try_from(wire: wire::SignedRegistration) -> Result<Self, FrameError> {
        let proof = match wire.proof {
            Some(proof) => Some(Proof {
                envoy: EnvoyId::try_from(proof.envoy.as_slice())
                    .map_err(|_| FrameError::Malformed("a proof names an envoy by 16 bytes"))?,
                signature: proof.signature.as_slice().try_into()?,
            }),
            None => None,
        };
        Ok(Self { body: wire.body, signature: wire.signature.as_slice().try_into()?, proof })
    }
}

impl Registration {
    fn from_wire(wire: wire::Registration, identity: IdentityKey) -> Result<Self, RegistrationError> {
        use wire::registration::{Kind, Takeover as WireTakeover};
        let kind = match wire.kind() {
            Kind::Enrol => RegistrationKind::Enrol,
            Kind::Repeat => RegistrationKind::Repeat,
            Kind::Unspecified => return Err(FrameError::Unsupported("this kind of registration").into()),
        };
        Ok(Self {
            kind,
            request: RequestId::try_from(wire.request_id.as_slice())
                .map_err(|_| FrameError::Malformed("a request id is 16 bytes"))?,
            identity,
            takeover: match wire.takeover() {
                WireTakeover::No => Takeover::No,
                WireTakeover::Asked => Takeover::Asked,
                WireTakeover::Unspecified => return Err(FrameError::Unsupported("this kind of takeover").into()),
            },
            hostname: wire.hostname.parse()?,
            token: (!wire.token.is_empty()).then(|| TokenText::new(wire.token)),
            reported_ip: match wire.reported_ip.as_str() {
                "" => None,
                text => Some(text.parse().map_err(|_| FrameError::Malformed("the reported address"))?),
            },
            platform: Platform::from_wire(wire.platform)?,
            csr: wire.csr,
        })
    }
}

impl VerifiedRegistration {
    /// What was asked.
    #[must_use]
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    /// The older envoy that the sender claims to continue; proved only by [`proves`](Self::proves).
    #[must_use]
    pub fn claims(&self) -> Option<EnvoyId> {
        self.proof.map(|proof| proof.envoy)
    }

    /// Whether the sender holds the identity key of the older envoy that it claims to continue.
    #[must_use]
    pub fn proves(&self, old: &IdentityKey) -> bool {
        self.proof.is_some_and(|proof| old.verify(Label::Proof, self.audience, &self.body, &proof.signature).is_ok())
    }

    /// SHA-256 of the certificate request: part of what makes two registrations equal.
    #[must_use]
    pub fn csr_digest(&self) -> [u8; 32] {
        Sha256::digest(&self.registration.csr).into()
    }
}
