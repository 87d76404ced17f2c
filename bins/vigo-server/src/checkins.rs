//! One check-in: from a verified TLS identity and a signed frame to a signed reply, without asking the store.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use vigo_ca::PeerIdentity;
use vigo_core::record::Seen;
use vigo_core::{
    Accepted, ChallengeKey, CheckIn, ClientAddr, DirectiveResult, Epoch, FrameError, Notice, PolicyChange, Reply,
    ReplyOutcome, ServerId, ServerSecret, SignedCheckIn, SignedReply, Step, UnixTime,
};
use vigo_policy::Catalogue;

pub use crate::agents::Offers;
use crate::fleet::Envoy;

/// A possible clone is told of at most once in this time for each envoy.
const CLONE_ALARM: Duration = Duration::from_hours(1);

/// Answers check-ins.
pub struct CheckIns {
    /// The fleet.
    pub server: ServerId,
    /// Signs replies.
    pub signing: ServerSecret,
    /// Makes and checks challenges.
    pub challenges: ChallengeKey,
    /// This process.
    pub epoch: Epoch,
    /// When the next check-in is expected.
    pub interval: Duration,
    /// The policies in force.
    pub catalogue: ArcSwap<Catalogue>,
    /// The agents that may be fetched.
    pub offers: Offers,
}

/// A reply, and what else must be done.
#[derive(Debug)]
pub struct Answer {
    /// To be sent.
    pub reply: SignedReply,
    /// Two machines were found to speak for this envoy, and that was not told of lately.
    pub clone_alarm: bool,
    /// What became of the directive that is pending for this envoy: to be written down.
    pub settled: Option<DirectiveResult>,
}

/// Why a check-in is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckInRefusal {
    /// No client certificate was sent.
    #[error("a client certificate is required")]
    CertificateRequired,
    /// No such envoy.
    #[error("this server knows no such envoy")]
    UnknownEnvoy,
    /// The certificate is over.
    #[error("this machine's certificate has expired")]
    Expired,
    /// The envoy was revoked.
    #[error("this envoy was revoked")]
    Revoked,
    /// Certificate, key and frame name different envoys.
    #[error("the certificate, the key and the frame do not name the same envoy")]
    IdentityMismatch,
    /// The frame itself.
    #[error("the frame is refused: {0}")]
    Frame(#[from] FrameError),
    /// The frame was seen before.
    #[error("this frame, or one after it, was seen before")]
    Replayed,
    /// The challenge was never issued.
    #[error("the challenge in the frame was never issued to this envoy")]
    ForgedChallenge,
    /// The store could not be asked.
    #[error("the server cannot answer at the moment")]
    Unavailable,
}

impl CheckInRefusal {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::CertificateRequired => "certificate_required",
            Self::UnknownEnvoy => "unknown_envoy",
            Self::Expired => "certificate_expired",
            Self::Revoked => "envoy_revoked",
            Self::IdentityMismatch => "identity_mismatch",
            Self::Frame(FrameError::BadSignature) => "bad_signature",
            Self::Frame(_) => "malformed",
            Self::Replayed => "replayed",
            Self::ForgedChallenge => "forged_challenge",
            Self::Unavailable => "unavailable",
        }
    }
}

impl CheckIns {
    /// Answers one frame of `peer`, whose envoy is `envoy`.
    ///
    /// # Errors
    /// With the reason, and then nothing of the frame was taken.
    pub fn answer(
        &self,
        envoy: &Envoy,
        peer: &PeerIdentity,
        from: ClientAddr,
        frame: &SignedCheckIn,
        now: UnixTime,
    ) -> Result<Answer, CheckInRefusal> {
        let record = Arc::clone(&envoy.live().record);
        if record.revocation.is_some() {
            return Err(CheckInRefusal::Revoked);
        }
        let digest: [u8; 32] = Sha256::digest(record.identity.as_bytes()).into();
        if peer.envoy != record.id || peer.server != self.server || peer.identity_digest != digest {
            return Err(CheckInRefusal::IdentityMismatch);
        }
        let check_in = frame.verify(record.id, &record.identity, &self.server)?;
        let mut live = envoy.live();
        let (mut clone_alarm, mut settled) = (false, None);
        let outcome = match live.session.step(&self.challenges, record.id, self.epoch, check_in.session.as_ref()) {
            Step::Replayed => return Err(CheckInRefusal::Replayed),
            Step::Forged => return Err(CheckInRefusal::ForgedChallenge),
            Step::Resync(resync) => ReplyOutcome::Resync(resync),
            Step::Clone(resync) => {
                clone_alarm = live.clone_at.is_none_or(|at| now.since(at) >= CLONE_ALARM);
                if clone_alarm {
                    live.clone_at = Some(now);
                }
                ReplyOutcome::Resync(resync)
            }
            Step::Fresh(challenge) => {
                let (policy, notices) = self.policy(&record.hostname, &check_in);
                let pending = record.directive.as_ref().filter(|given| given.outcome.is_none());
                let pending = pending.map(|given| given.directive);
                settled = check_in.report.directive.filter(|result| pending.is_some_and(|given| given.id == result.id));
                let directive = pending.filter(|_| settled.is_none());
                let offered = self.offers.version(&check_in.platform);
                live.seen = Some(Seen {
                    envoy: record.id,
                    at: now,
                    address: from,
                    platform: check_in.platform,
                    policy: check_in.policy,
                    update_failure: check_in.report.update_failure,
                });
                live.unwritten = true;
                live.holds = Some((check_in.report.configcrates, check_in.report.resources));
                live.check_ins.push(now);
                ReplyOutcome::Accepted(Accepted {
                    challenge,
                    interval: self.interval,
                    policy,
                    notices,
                    directive,
                    offered,
                })
            }
        };
        drop(live);
        let reply = Reply { request: frame.digest(), envoy: record.id, server_time: now, outcome };
        Ok(Answer { reply: reply.sign(&self.signing, &self.server)?, clone_alarm, settled })
    }

    fn policy(&self, hostname: &vigo_core::Hostname, check_in: &CheckIn) -> (PolicyChange, Vec<Notice>) {
        let catalogue = self.catalogue.load();
        let published = catalogue.bundle_for(hostname);
        let held = check_in.policy.as_ref().is_some_and(|held| held.digest == published.state.digest);
        let change = if held { PolicyChange::None } else { PolicyChange::Bundle(published.signed.clone()) };
        (change, published.hostcrate.is_none().then(no_hostcrate).into_iter().collect())
    }
}

/// What an envoy that no match block takes is told.
#[must_use]
pub fn no_hostcrate() -> Notice {
    Notice {
        code: "no_hostcrate".into(),
        message: "no match block in envoys.vgo takes this hostname: enrolled, with nothing to apply".into(),
    }
}
