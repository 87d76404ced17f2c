use std::time::Duration;

use prost::Message as _;

use crate::frame::{Audience, FrameError, Label, parse};
use crate::{
    AgentVersion, Challenge, Directive, EnvoyId, Epoch, RequestDigest, Sequence, ServerId, ServerKey, ServerSecret,
    Signature, SignedBundle, UnixTime, wire,
};

/// What a server answers to a check-in.
///
/// ```
/// use vigo_core::{EnvoyId, FrameError, Reply, ReplyOutcome, ServerId, ServerSecret, UnixTime};
/// # use vigo_core::{ChallengeKey, CheckIn, Epoch, IdentitySecret, Platform, Resync, Sequence, StateReport};
/// # let seed = zeroize::Zeroizing::new([1; 32]);
/// # let (envoy, server) = (EnvoyId::from_random([2; 16]), ServerId::from_random([3; 16]));
/// # let (identity, signing) = (IdentitySecret::from_seed(&seed), ServerSecret::from_seed(&seed));
/// # let mut check_in = CheckIn {
/// #     envoy,
/// #     session: None,
/// #     platform: Platform::default(),
/// #     policy: None,
/// #     trusted_roots: vec![],
/// #     report: StateReport::default(),
/// # };
/// # let request = check_in.sign(&identity, &server)?;
/// # check_in.report.resources = 1;
/// # let another = check_in.sign(&identity, &server)?;
/// # let epoch = Epoch::from_random([4; 16]);
/// # let challenge = ChallengeKey::derive(&[5; 32]).issue(envoy, epoch, 1);
/// # let resync = Resync { epoch, next: Sequence::FIRST, challenge };
/// let outcome = ReplyOutcome::Resync(resync);
/// let reply = Reply { request: request.digest(), envoy, server_time: UnixTime::from_secs(1_780_272_000), outcome };
/// let signed = reply.sign(&signing, &server)?;
///
/// // It answers this request of this envoy, and no other.
/// let key = signing.public();
/// assert_eq!(signed.verify(&key, &server, envoy, request.digest())?, reply);
/// assert_eq!(signed.verify(&key, &server, envoy, another.digest()), Err(FrameError::OtherRequest));
/// # Ok::<(), FrameError>(())
/// ```
///
/// The [front page](crate) has a whole conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The request that it answers.
    pub request: RequestDigest,
    /// Whom it answers.
    pub envoy: EnvoyId,
    /// The server's clock.
    pub server_time: UnixTime,
    /// What became of the request.
    pub outcome: ReplyOutcome,
}

/// What became of a check-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyOutcome {
    /// It was taken.
    Accepted(Accepted),
    /// It was of another epoch, or of none: sign again, from this point on.
    Resync(Resync),
}

/// The answer to a check-in that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// To be echoed in the next frame.
    pub challenge: Challenge,
    /// When the next check-in is expected.
    pub interval: Duration,
    /// The policy to hold.
    pub policy: PolicyChange,
    /// What the machine's operator should read.
    pub notices: Vec<Notice>,
    /// What an operator wants done.
    pub directive: Option<Directive>,
    /// The agent that the server offers for the envoy's system, if it has one that is signed.
    pub offered: Option<AgentVersion>,
}

/// Whether the policy that an envoy holds is the one it should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    /// It is.
    None,
    /// It is this one from now on.
    Bundle(SignedBundle),
}

/// Something that an operator should read: a code for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A stable `snake_case` code.
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// Where a conversation goes on after a server's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resync {
    /// The server's epoch.
    pub epoch: Epoch,
    /// The sequence that the next frame must have.
    pub next: Sequence,
    /// The challenge that it must echo.
    pub challenge: Challenge,
}

/// How a reply is proved to be the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyProof {
    /// A signature over this reply alone.
    Single(Signature),
}

/// A reply with its proof. Not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedReply {
    /// The bytes that the proof covers.
    pub body: Vec<u8>,
    /// By the server's signing key.
    pub proof: ReplyProof,
}

impl Notice {
    /// As the wire has it.
    #[cfg(feature = "grpc")]
    #[must_use]
    pub fn to_wire(&self) -> wire::Notice {
        self.wire()
    }

    pub(crate) fn wire(&self) -> wire::Notice {
        wire::Notice { code: self.code.clone(), message: self.message.clone() }
    }

    /// From the wire: control characters and overlong text are refused, since it ends up on a terminal.
    ///
    /// # Errors
    /// `Malformed` for such text.
    pub fn from_wire(wire: wire::Notice) -> Result<Self, FrameError> {
        let clean = |text: &str, most: usize| text.len() <= most && !text.chars().any(char::is_control);
        if !clean(&wire.code, 64) || !clean(&wire.message, 1024) {
            return Err(FrameError::Malformed("a notice has control characters or is too long"));
        }
        Ok(Self { code: wire.code, message: wire.message })
    }
}

impl Reply {
    /// Encodes and signs.
    ///
    /// # Errors
    /// `TooLarge` above [`MAX_REPLY`](crate::frame::MAX_REPLY) bytes.
    pub fn sign(&self, secret: &ServerSecret, server: &ServerId) -> Result<SignedReply, FrameError> {
        let body = self.to_wire().encode_to_vec();
        let signature = secret.sign(Label::Reply, Audience::server(server), &body)?;
        Ok(SignedReply { body, proof: ReplyProof::Single(signature) })
    }

    fn to_wire(&self) -> wire::Reply {
        use wire::{accepted::Policy, reply::Outcome};
        let outcome = match &self.outcome {
            ReplyOutcome::Accepted(a) => Outcome::Accepted(wire::Accepted {
                challenge: a.challenge.as_bytes().to_vec(),
                interval_secs: u32::try_from(a.interval.as_secs()).unwrap_or(u32::MAX),
                policy: Some(match &a.policy {
                    PolicyChange::None => Policy::NoChange(wire::NoChange {}),
                    PolicyChange::Bundle(bundle) => Policy::Bundle(bundle.to_wire()),
                }),
                notices: a.notices.iter().map(Notice::wire).collect(),
                directive: a.directive.map(Directive::wire),
                agent_version: a.offered.as_ref().map(ToString::to_string).unwrap_or_default(),
            }),
            ReplyOutcome::Resync(r) => Outcome::Resync(wire::Resync {
                epoch: r.epoch.as_bytes().to_vec(),
                next_sequence: r.next.get(),
                challenge: r.challenge.as_bytes().to_vec(),
            }),
        };
        wire::Reply {
            request_digest: self.request.0.to_vec(),
            envoy: self.envoy.as_bytes().to_vec(),
            server_time: self.server_time.as_secs(),
            outcome: Some(outcome),
        }
    }

    fn from_wire(wire: wire::Reply) -> Result<Self, FrameError> {
        use wire::{accepted::Policy, reply::Outcome};
        let outcome = match wire.outcome {
            Some(Outcome::Accepted(a)) => ReplyOutcome::Accepted(Accepted {
                challenge: a.challenge.as_slice().try_into()?,
                interval: Duration::from_secs(a.interval_secs.into()),
                policy: match a.policy {
                    Some(Policy::NoChange(_)) => PolicyChange::None,
                    Some(Policy::Bundle(bundle)) => PolicyChange::Bundle(bundle.try_into()?),
                    None => return Err(FrameError::Unsupported("this kind of policy change")),
                },
                notices: a.notices.into_iter().map(Notice::from_wire).collect::<Result<_, _>>()?,
                directive: a.directive.as_ref().map(Directive::from_wire).transpose()?,
                offered: match a.agent_version.as_str() {
                    "" => None,
                    text => Some(text.parse().map_err(|_| FrameError::Malformed("an agent's version is none"))?),
                },
            }),
            Some(Outcome::Resync(r)) => ReplyOutcome::Resync(Resync {
                epoch: r.epoch.as_slice().try_into().map_err(|_| FrameError::Malformed("an epoch is 16 bytes"))?,
                next: Sequence::new(r.next_sequence),
                challenge: r.challenge.as_slice().try_into()?,
            }),
            None => return Err(FrameError::Unsupported("this kind of reply")),
        };
        Ok(Self {
            request: RequestDigest(
                wire.request_digest.try_into().map_err(|_| FrameError::Malformed("a request digest is 32 bytes"))?,
            ),
            envoy: wire.envoy.as_slice().try_into().map_err(|_| FrameError::Malformed("an envoy id is 16 bytes"))?,
            server_time: UnixTime::from_secs(wire.server_time),
            outcome,
        })
    }
}

impl SignedReply {
    /// Verifies the bytes as they were received, parses them, and holds them to answer this request of this envoy.
    ///
    /// # Errors
    /// When the proof does not fit, the body is malformed, or it answers something else.
    pub fn verify(
        &self,
        key: &ServerKey,
        server: &ServerId,
        envoy: EnvoyId,
        request: RequestDigest,
    ) -> Result<Reply, FrameError> {
        let ReplyProof::Single(signature) = &self.proof;
        key.verify(Label::Reply, Audience::server(server), &self.body, signature)?;
        let reply = Reply::from_wire(parse(&self.body, Label::Reply)?)?;
        if reply.envoy != envoy || reply.request != request {
            return Err(FrameError::OtherRequest);
        }
        Ok(reply)
    }
}

#[cfg(feature = "grpc")]
impl From<SignedReply> for wire::SignedReply {
    fn from(frame: SignedReply) -> Self {
        let ReplyProof::Single(signature) = frame.proof;
        Self { body: frame.body, proof: Some(wire::signed_reply::Proof::Single(signature.as_bytes().to_vec())) }
    }
}

#[cfg(feature = "grpc")]
impl TryFrom<wire::SignedReply> for SignedReply {
    type Error = FrameError;

    fn try_from(wire: wire::SignedReply) -> Result<Self, FrameError> {
        match wire.proof {
            Some(wire::signed_reply::Proof::Single(signature)) => {
                Ok(Self { body: wire.body, proof: ReplyProof::Single(signature.as_slice().try_into()?) })
            }
            Some(wire::signed_reply::Proof::MerklePath(_)) | None => {
                Err(FrameError::Unsupported("this kind of reply signature"))
            }
        }
    }
}
