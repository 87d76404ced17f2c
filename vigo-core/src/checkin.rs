use prost::Message as _;
use sha2::{Digest, Sha256};

use crate::frame::{Audience, FrameError, Label, parse};
use crate::{
    Challenge, DirectiveResult, EnvoyId, Epoch, IdentityKey, IdentitySecret, Pin, Platform, PolicyState, Sequence,
    ServerId, Signature, UpdateFailure, wire,
};

/// What an envoy says at every interval.
///
/// ```
/// use vigo_core::{CheckIn, EnvoyId, FrameError, IdentitySecret, Platform, ServerId, StateReport};
/// # let seed = zeroize::Zeroizing::new([1; 32]);
/// let identity = IdentitySecret::from_seed(&seed);
/// let (envoy, server) = (EnvoyId::from_random([2; 16]), ServerId::from_random([3; 16]));
/// let check_in = CheckIn {
///     envoy,
///     session: None,
///     platform: Platform::default(),
///     policy: None,
///     trusted_roots: vec![],
///     report: StateReport::default(),
/// };
/// let frame = check_in.sign(&identity, &server)?;
/// assert_eq!(frame.verify(envoy, &identity.public(), &server)?, check_in);
/// // The server of another fleet has no use for it.
/// let other = ServerId::from_random([4; 16]);
/// assert_eq!(frame.verify(envoy, &identity.public(), &other), Err(FrameError::BadSignature));
/// # Ok::<(), FrameError>(())
/// ```
///
/// The [front page](crate) has a whole conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckIn {
    /// Who speaks.
    pub envoy: EnvoyId,
    /// Where the conversation stands; `None` in the first frame of an agent's process.
    pub session: Option<SessionPoint>,
    /// The agent and its system.
    pub platform: Platform,
    /// The policy that it holds.
    pub policy: Option<PolicyState>,
    /// The pins of the roots that it trusts; at most 16.
    pub trusted_roots: Vec<Pin>,
    /// The state of the machine.
    pub report: StateReport,
}

/// A frame's place in the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPoint {
    /// The server process that the sequence counts for.
    pub epoch: Epoch,
    /// One more than in the frame before.
    pub sequence: Sequence,
    /// The newest challenge that the envoy has seen.
    pub challenge: Challenge,
}

/// The state of the machine, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateReport {
    /// Configcrates held.
    pub configcrates: u32,
    /// Resources held.
    pub resources: u32,
    /// The last update that failed, if none was installed since.
    pub update_failure: Option<UpdateFailure>,
    /// What became of the last directive, for as long as replies carry it.
    pub directive: Option<DirectiveResult>,
}

/// A check-in with the envoy's signature. Not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckIn {
    /// The bytes that the signature covers.
    pub body: Vec<u8>,
    /// By the envoy's identity key.
    pub signature: Signature,
}

impl CheckIn {
    /// Encodes and signs.
    ///
    /// # Errors
    /// `TooLarge` above [`MAX_CHECK_IN`](crate::frame::MAX_CHECK_IN) bytes.
    pub fn sign(&self, secret: &IdentitySecret, server: &ServerId) -> Result<SignedCheckIn, FrameError> {
        let body = self.to_wire().encode_to_vec();
        let signature = secret.sign(Label::CheckIn, Audience::server(server), &body)?;
        Ok(SignedCheckIn { body, signature })
    }

    fn to_wire(&self) -> wire::CheckIn {
        wire::CheckIn {
            envoy: self.envoy.as_bytes().to_vec(),
            session: self.session.as_ref().map(|s| wire::SessionPoint {
                epoch: s.epoch.as_bytes().to_vec(),
                sequence: s.sequence.get(),
                challenge: s.challenge.as_bytes().to_vec(),
            }),
            platform: Some(self.platform.to_wire()),
            policy: self.policy.as_ref().map(PolicyState::to_wire),
            trusted_roots: self.trusted_roots.iter().map(|pin| pin.as_bytes().to_vec()).collect(),
            report: Some(wire::StateReport {
                configcrates: self.report.configcrates,
                resources: self.report.resources,
                update_failure: self.report.update_failure.as_ref().map(UpdateFailure::wire),
                directive: self.report.directive.as_ref().map(DirectiveResult::wire),
            }),
        }
    }

    fn from_wire(wire: wire::CheckIn) -> Result<Self, FrameError> {
        let session = match wire.session {
            None => None,
            Some(s) => Some(SessionPoint {
                epoch: Epoch::try_from(s.epoch.as_slice())
                    .map_err(|_| FrameError::Malformed("an epoch is 16 bytes"))?,
                sequence: Sequence::new(s.sequence),
                challenge: Challenge::try_from(s.challenge.as_slice())?,
            }),
        };
        if wire.trusted_roots.len() > 16 {
            return Err(FrameError::Malformed("at most 16 trusted roots"));
        }
        let trusted_roots =
            wire.trusted_roots.iter().map(|pin| Pin::try_from(pin.as_slice())).collect::<Result<_, _>>();
        let report = wire.report.unwrap_or_default();
        Ok(Self {
            envoy: EnvoyId::try_from(wire.envoy.as_slice())
                .map_err(|_| FrameError::Malformed("an envoy id is a version 4 UUID"))?,
            session,
            platform: Platform::from_wire(wire.platform)?,
            policy: wire.policy.map(PolicyState::from_wire).transpose()?,
            trusted_roots: trusted_roots.map_err(|_| FrameError::Malformed("a pin is 32 bytes"))?,
            report: StateReport {
                configcrates: report.configcrates,
                resources: report.resources,
                update_failure: report.update_failure.map(UpdateFailure::from_wire).transpose()?,
                directive: report.directive.map(DirectiveResult::from_wire).transpose()?,
            },
        })
    }
}

impl SignedCheckIn {
    /// Verifies the bytes as they were received, then parses them, and holds the frame to be `envoy`'s: the TLS
    /// identity, the key and the body must name the same one.
    ///
    /// # Errors
    /// When the signature does not fit, the body is malformed, or it speaks for another envoy.
    pub fn verify(&self, envoy: EnvoyId, key: &IdentityKey, server: &ServerId) -> Result<CheckIn, FrameError> {
        key.verify(Label::CheckIn, Audience::server(server), &self.body, &self.signature)?;
        let check_in = CheckIn::from_wire(parse(&self.body, Label::CheckIn)?)?;
        if check_in.envoy != envoy {
            return Err(FrameError::Malformed("the frame speaks for another envoy"));
        }
        Ok(check_in)
    }

    /// What the reply to this frame must carry.
    #[must_use]
    pub fn digest(&self) -> RequestDigest {
        RequestDigest(Sha256::digest(&self.body).into())
    }
}

#[cfg(feature = "grpc")]
impl From<SignedCheckIn> for wire::SignedCheckIn {
    fn from(frame: SignedCheckIn) -> Self {
        Self { body: frame.body, signature: frame.signature.as_bytes().to_vec() }
    }
}

#[cfg(feature = "grpc")]
impl TryFrom<wire::SignedCheckIn> for SignedCheckIn {
    type Error = FrameError;

    fn try_from(wire: wire::SignedCheckIn) -> Result<Self, FrameError> {
        Ok(Self { body: wire.body, signature: wire.signature.as_slice().try_into()? })
    }
}

/// SHA-256 of a request's body: ties a reply to its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestDigest(pub(crate) [u8; 32]);

impl RequestDigest {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
