//! This machine as an envoy: its enrolment, its conversation with the server, the connection that is held, its policy.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{AlertDescription, ClientConfig};
use vigo_ca::tls::{ClientIdentity, TlsError, client_config};
use vigo_core::{
    Accepted, AgentVersion, CheckIn, Directive, DirectiveId, DirectiveResult, EnvoyId, FrameError, Notice,
    PolicyChange, StateReport, UnixTime, UpdateFailure,
};

use crate::explain::is_about_trust;
use crate::line::{self, CallError, DialError, Line};
use crate::record::PolicyRecord;
use crate::update::{Build, Ledger};
use crate::{
    Conversation, ConversationError, Enrolment, EnrolmentError, Lock, Outcome, Paths, Pending, Policy, PolicyError,
    Record, Turn, clock,
};

/// This machine as an enrolled envoy.
pub(crate) struct Envoy {
    enrolment: Enrolment,
    tls: Arc<ClientConfig>,
    conversation: Conversation,
    policy: Policy,
    line: Option<Line>,
    record: Record,
    build: Build,
    telling: Option<DirectiveId>,
    /// What became of a directive where that cannot be written down.
    unwritten: Option<DirectiveResult>,
}

/// A check-in that was accepted.
#[derive(Clone, Debug)]
pub struct Taken {
    /// When the next one is due, before jitter.
    pub interval: std::time::Duration,
    /// The server's words for whoever runs this machine.
    pub notices: Vec<Notice>,
    /// The version of a policy that came with it.
    pub new_policy: Option<String>,
    /// The server's clock.
    pub server_time: UnixTime,
    /// What an operator wants done.
    pub directive: Option<Directive>,
    /// The agent that the server offers.
    pub offered: Option<AgentVersion>,
}

/// Why a check-in was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckInError {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server refused, or no answer came.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is not the server's.
    #[error(transparent)]
    Answer(#[from] ConversationError),
    /// The frame could not be made.
    #[error("the check-in could not be signed: {0}")]
    Frame(#[from] FrameError),
    /// The bundle that came is not held.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// This machine's certificate is over.
    #[error("this machine's certificate has expired")]
    Expired,
}

/// Why there is no envoy to check in as.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvoyError {
    /// The enrolment.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// Its keys and certificates do not make a TLS configuration.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Envoy {
    /// Reads the enrolment that counts and what is held of its policy.
    pub(crate) fn read(paths: &Paths, provider: &Arc<CryptoProvider>, build: &Build) -> Result<Self, EnvoyError> {
        let enrolment = Enrolment::read(paths)?;
        let key = vigo_ca::pem::private_key(&enrolment.tls_key).map_err(TlsError::from)?;
        let identity = ClientIdentity::new(vec![enrolment.certificate.clone()], key);
        let tls = Arc::new(client_config(Arc::clone(provider), &enrolment.roots, Some(identity))?);
        let id = enrolment.config.envoy;
        let policy = Policy::read(&paths.bundle(), &enrolment.server_key, &enrolment.config.server_id);
        let record = Record::read(&paths.status(), id).unwrap_or_else(|| Record::new(id, &policy));
        let conversation = Conversation::new(id, enrolment.config.server_id, enrolment.server_key);
        Ok(Self {
            enrolment,
            tls,
            conversation,
            policy,
            line: None,
            record,
            build: build.clone(),
            telling: None,
            unwritten: None,
        })
    }

    pub(crate) fn id(&self) -> EnvoyId {
        self.enrolment.config.envoy
    }

    pub(crate) fn config(&self) -> &crate::Config {
        &self.enrolment.config
    }

    pub(crate) fn pins(&self) -> Vec<vigo_core::Pin> {
        self.enrolment.pins()
    }

    /// One check-in, and what it came to written down.
    pub(crate) async fn check_in(&mut self, paths: &Paths) -> Result<Taken, CheckInError> {
        let result = match self.exchange(paths).await {
            Ok((accepted, server_time)) => self.take(paths, accepted, server_time),
            Err(error) => Err(error),
        };
        match &result {
            Ok(_) => {
                self.record.accepted(clock::now());
                self.retire_what_was_before(paths);
            }
            Err(error) => self.record.failed(clock::now(), error.code(), &error.to_string()),
        }
        self.record.policy = PolicyRecord::of(&self.policy);
        self.note(paths, None);
        result
    }

    /// Writes down what is known, and when the next check-in is.
    pub(crate) fn note(&mut self, paths: &Paths, next: Option<UnixTime>) {
        self.record.next_check_in_at = next;
        if let Err(error) = self.record.write(&paths.status()) {
            tracing::error!(%error, "`vigo status` will not know of this check-in");
        }
    }

    /// Signs, sends, and signs again for as long as the server has reason to ask for it.
    async fn exchange(&mut self, paths: &Paths) -> Result<(Accepted, UnixTime), CheckInError> {
        self.conversation.begin();
        // A connection that was held may have ended long ago without a word; that costs one more try.
        let mut held = self.line.is_some();
        loop {
            let mut line = match self.line.take() {
                Some(line) => line,
                None => self.dial().await?,
            };
            let frame = self.conversation.sign(self.facts(paths), &self.enrolment.identity)?;
            match line.check_in(frame.clone()).await {
                Ok(reply) => {
                    let turn = self.conversation.answer(frame.digest(), &reply)?;
                    self.line = Some(line);
                    match turn {
                        Turn::Accepted(accepted, server_time) => return Ok((*accepted, server_time)),
                        Turn::Again => {}
                    }
                }
                Err(CallError::Refused(refused)) if self.conversation.refused(&refused.code) => {
                    self.line = Some(line);
                }
                Err(CallError::Lost { server, what }) if held => {
                    tracing::debug!(%server, what, "the held connection was gone");
                }
                Err(error) => return Err(error.into()),
            }
            held = false;
        }
    }

    async fn dial(&self) -> Result<Line, CheckInError> {
        let expires = vigo_ca::PeerIdentity::from_certificate(&self.enrolment.certificate).map(|peer| peer.not_after);
        if expires.is_ok_and(|expires| expires <= clock::now()) {
            return Err(CheckInError::Expired);
        }
        let dialled = line::dial(&self.enrolment.config.server, Arc::clone(&self.tls)).await?;
        Ok(dialled.open().await?)
    }

    /// The connection that is held, or a new one: for what is fetched besides check-ins.
    pub(crate) async fn line(&mut self) -> Result<&Line, CheckInError> {
        let line = match self.line.take() {
            Some(line) => line,
            None => self.dial().await?,
        };
        Ok(self.line.insert(line))
    }

    /// Has the next check-in say what became of a directive.
    pub(crate) fn tell(&mut self, id: DirectiveId) {
        self.telling = Some(id);
    }

    /// The same for what is known to this process alone.
    pub(crate) fn tell_result(&mut self, result: DirectiveResult) {
        self.telling = Some(result.id);
        self.unwritten = Some(result);
    }

    /// Whether a result that is known to this process alone was told, or is about to be.
    pub(crate) fn has_told(&self, id: DirectiveId) -> bool {
        self.unwritten.as_ref().is_some_and(|result| result.id == id)
    }

    /// Lets go of the connection: the next check-in opens a new one.
    pub(crate) fn hang_up(&mut self) {
        self.line = None;
    }

    fn facts(&self, paths: &Paths) -> CheckIn {
        let (update_failure, directive) = match Ledger::read(paths) {
            Ok(ledger) => ledger.report(),
            Err(error) => {
                let failure = UpdateFailure { version: self.build.version.clone(), why: error.notice() };
                (Some(failure), None)
            }
        };
        let directive = self.unwritten.clone().or(directive).filter(|result| self.telling == Some(result.id));
        CheckIn {
            envoy: self.id(),
            session: None,
            platform: self.build.platform(),
            policy: self.policy.state(),
            trusted_roots: self.enrolment.pins(),
            report: StateReport { update_failure, directive, ..self.policy.report() },
        }
    }

    fn take(&mut self, paths: &Paths, accepted: Accepted, server_time: UnixTime) -> Result<Taken, CheckInError> {
        let Enrolment { server_key, config, .. } = &self.enrolment;
        let new_policy = match &accepted.policy {
            PolicyChange::None => None,
            PolicyChange::Bundle(bundle) => {
                let verified = self.policy.take(bundle, &paths.bundle(), server_key, &config.server_id)?;
                Some(verified.state.version.clone())
            }
        };
        let Accepted { interval, notices, directive, offered, .. } = accepted;
        Ok(Taken { interval, notices, new_policy, server_time, directive, offered })
    }

    /// After the first accepted check-in of this enrolment: the registration is finished, the enrolments before it go.
    fn retire_what_was_before(&self, paths: &Paths) {
        if !paths.pending().exists() {
            return;
        }
        // Whoever registers at this moment has begun anew; then it is not for us to finish.
        let Ok(_lock) = Lock::take(&paths.enrol_lock()) else { return };
        let ours = match Pending::read(&paths.pending()) {
            Ok(Some(pending)) => pending.identity.public() == self.enrolment.identity.public(),
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(%error, "the registration that is pending cannot be read; it stays");
                false
            }
        };
        if !ours {
            return;
        }
        if let Err(error) = Enrolment::retire_others(paths, self.id()) {
            tracing::warn!(%error, "the enrolment before this one stays on disk");
        }
        if let Err(error) = Pending::discard(&paths.pending()) {
            tracing::warn!(%error, "the finished registration stays on disk");
        }
    }
}

impl CheckInError {
    /// A stable code.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Call(CallError::Refused(refused)) => &refused.code,
            Self::Call(CallError::Alert(AlertDescription::CertificateRevoked)) => "envoy_revoked",
            Self::Call(CallError::Alert(AlertDescription::CertificateExpired)) | Self::Expired => "certificate_expired",
            Self::Call(CallError::Alert(_)) => "certificate_refused",
            Self::Dial(DialError::Tls { source, .. }) if is_about_trust(source) => "server_not_trusted",
            Self::Dial(_) | Self::Call(CallError::Lost { .. }) => "server_unreachable",
            Self::Answer(_) | Self::Call(CallError::Answer(_)) => "reply_refused",
            Self::Frame(_) => "malformed",
            Self::Policy(PolicyError::Refused(_)) => "policy_refused",
            Self::Policy(PolicyError::File(_)) => "not_writable",
        }
    }

    /// What it means for the next one.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.code() == "envoy_revoked" { Outcome::Revoked } else { Outcome::Failed }
    }
}
