//! One registration, from what was asked to an enrolment on disk. Safe to repeat at every point of it.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use vigo_ca::VerifiedCsr;
use vigo_ca::tls::{Contact, ContactError, FirstContact, TlsError, TrustedBy};
use vigo_core::frame::Audience;
use vigo_core::{
    EnvoyId, FrameError, Hostname, Notice, OldEnvoy, Pin, Platform, Registration, RegistrationKind, Takeover, TokenText,
};

use crate::answer::{Answer, AnswerError, Asked};
use crate::line::{self, CallError, DialError, Line};
use crate::{
    ApiAddr, Config, ConfigError, Enrolment, EnrolmentError, Exit, KnownRoot, Lock, LockError, Paths, Pending,
    PendingError, Policy, PolicyError, Purpose, ServerAddr, Trust, clock,
};

/// What is asked for.
#[derive(Debug)]
pub struct Order {
    /// Whom to ask.
    pub server: ServerAddr,
    /// Its HTTPS side.
    pub api: ApiAddr,
    /// The pins of which the server must show one; with none, the token's; with neither, whoever answers is trusted.
    pub pins: Vec<Pin>,
    /// The token, where one is the way in.
    pub token: Option<TokenText>,
    /// The name to be known by.
    pub hostname: Hostname,
    /// Whether an envoy of that name may be replaced, if a rule allows it.
    pub takeover: Takeover,
}

/// A registration that was won and is on disk.
#[derive(Debug)]
pub struct Registered {
    /// What counts from now on.
    pub config: Config,
    /// The pin of the root that this machine trusts from now on.
    pub root: Pin,
    /// The server's words for whoever runs this machine.
    pub notices: Vec<Notice>,
    /// What came with the answer: version, number of configcrates, number of resources.
    pub policy: Option<(String, usize, usize)>,
}

/// Why a registration was not won.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another `vigo` registers at this moment.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The registration could not be kept on disk. Nothing was sent.
    #[error(transparent)]
    Pending(#[from] PendingError),
    /// The configuration that is there cannot be read. Nothing was sent.
    #[error(transparent)]
    Config(ConfigError),
    /// This machine is an envoy of that server already. Nothing was sent.
    #[error("this machine is enrolled with {server} already, as {hostname} ({envoy})")]
    Enrolled {
        /// As whom.
        envoy: EnvoyId,
        /// Under which name.
        hostname: Hostname,
        /// With whom.
        server: ServerAddr,
    },
    /// No TLS configuration could be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server is not the one that was pinned. No secret was sent.
    #[error(transparent)]
    Contact(ContactError),
    /// The token is for a server with another CA. It was not sent.
    #[error("the token is for a server whose CA is {expected}, and this one's is {found}")]
    TokenPin {
        /// What the token carries.
        expected: Pin,
        /// What the server showed.
        found: Pin,
    },
    /// Trusted by its own key alone, and dialled by a name that its certificate does not have. Nothing was sent.
    #[error("the server's certificate is not for the name or address {0} that was dialled")]
    Name(ServerAddr),
    /// No connection.
    #[error(transparent)]
    Dial(DialError),
    /// The server refused, or no answer came.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is not what was asked for.
    #[error("the server's answer is refused: {0}")]
    Answer(#[from] AnswerError),
    /// The frame could not be made.
    #[error("the registration could not be signed: {0}")]
    Frame(#[from] FrameError),
    /// The enrolment was won and could not be written; the same line again finishes it.
    #[error("enrolled, but it could not be written down: {0}")]
    Write(#[from] EnrolmentError),
    /// The bundle was won and could not be written; the first check-in brings it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// How often a call is made whose answer is lost or that the server has no time for.
const TRIES: u32 = 3;

/// Registers. One at a time on a machine.
///
/// # Errors
/// With what went wrong. Whatever it is, asking again with an equal order is safe, and finishes what was begun.
pub(crate) async fn register(
    paths: &Paths,
    provider: &Arc<CryptoProvider>,
    order: &Order,
    kind: RegistrationKind,
) -> Result<Registered, RegisterError> {
    crate::os::private_folder(paths.config_dir()).map_err(PendingError::from)?;
    let _lock = Lock::take(&paths.enrol_lock())?;
    let purpose = Purpose {
        server: order.server.clone(),
        api: order.api.clone(),
        hostname: order.hostname.clone(),
        takeover: order.takeover,
    };
    let folder = paths.pending();
    let kept = Pending::read(&folder)?.filter(|kept| kept.serves(&purpose));
    let old = old_enrolment(paths)?;
    if let (Some(old), None, Takeover::No) = (&old, &kept, order.takeover)
        && old.config.server == order.server
    {
        let Config { envoy, hostname, server, .. } = old.config.clone();
        return Err(RegisterError::Enrolled { envoy, hostname, server });
    }
    let drawn = kept.is_none();
    if drawn && kind == RegistrationKind::Repeat {
        return Err(PendingError::Damaged { path: folder, what: "nothing to repeat".to_owned() }.into());
    }
    let mut pending = match kept {
        Some(kept) => {
            tracing::info!(request = %kept.request, "going on with the registration that was begun here");
            kept
        }
        None => Pending::draw(&folder, purpose)?,
    };

    let mut contact = None;
    let mut attempt = 1;
    let answer = loop {
        let (mut line, met, local_ip) = meet(provider, order, &mut contact).await?;
        let known = match pending.contact {
            // Repeated by a daemon, whose only pin is what it met then: why that was trusted stays what it was.
            Some(before) if kind == RegistrationKind::Repeat && before.pin == met.root_pin => before,
            _ => KnownRoot { pin: met.root_pin, trust: trust(met.by) },
        };
        pending.note(&folder, known, order.takeover)?;
        let registration = Registration {
            kind,
            request: pending.request,
            identity: pending.identity.public(),
            csr: pending.csr.clone(),
            hostname: order.hostname.clone(),
            token: order.token.as_ref().map(|token| TokenText::new(token.reveal().to_owned())),
            takeover: order.takeover,
            reported_ip: local_ip,
            platform: platform(),
        };
        let already = old.as_ref().filter(|old| {
            old.trusts(met.root_pin) && old.config.server == order.server && old.config.hostname == order.hostname
        });
        // An identity of the same fleet is a way in, and what allows it to be replaced.
        let old = old.as_ref().filter(|old| old.trusts(met.root_pin));
        let old = old.map(|old| OldEnvoy { id: old.config.envoy, secret: &old.identity });
        let frame = registration.sign(&pending.identity, old.as_ref(), Audience::root(&met.root_pin))?;
        match line.register(frame).await {
            Ok(answer) => break answer,
            Err(error) if attempt < TRIES && may_pass(&error) => {
                tracing::warn!(%error, attempt, "asking again: a registration is made once, however often it is sent");
                tokio::time::sleep(Duration::from_secs(1 << attempt)).await;
                attempt += 1;
            }
            Err(error) => {
                let over = match &error {
                    // What was won then is over; the next run is a new machine's.
                    CallError::Refused(refused) if refused.code == "envoy_revoked" => true,
                    // Refused at its first try: nothing was won, so there is nothing to finish.
                    CallError::Refused(refused) => drawn && attempt == 1 && refused.exit != Exit::Unreachable,
                    _ => false,
                };
                if over {
                    Pending::discard(&folder)?;
                }
                if let (CallError::Refused(refused), Some(already)) = (&error, already)
                    && refused.code == "token_used"
                {
                    return Ok(finished_before(paths, already, met.root_pin));
                }
                return Err(error.into());
            }
        }
    };
    let Some(met) = contact else { return Err(FrameError::Unsupported("a call without a contact").into()) };
    finish(paths, pending, order, answer, &met)
}

/// The same line again on a machine that it has enrolled: nothing is left to do, and nothing is changed.
fn finished_before(paths: &Paths, enrolment: &Enrolment, root: Pin) -> Registered {
    let held = Policy::read(&paths.bundle(), &enrolment.server_key, &enrolment.config.server_id);
    let policy =
        held.held().map(|held| (held.state.version.clone(), held.bundle.configcrates.len(), held.bundle.resources()));
    let notice = Notice {
        code: "enrolled_before".to_owned(),
        message: "this machine was enrolled before and stays what it is: the token has been used".to_owned(),
    };
    Registered { config: enrolment.config.clone(), root, notices: vec![notice], policy }
}

/// Whether the same call may succeed a moment later.
fn may_pass(error: &CallError) -> bool {
    match error {
        CallError::Lost { .. } => true,
        CallError::Refused(refused) => refused.exit == Exit::Unreachable && refused.code != "no_ca_key",
        CallError::Alert(_) | CallError::Answer(_) => false,
    }
}

/// The enrolment that is there; none where none is, or where its keys are lost: then there is nothing to prove it by.
fn old_enrolment(paths: &Paths) -> Result<Option<Enrolment>, RegisterError> {
    match Enrolment::read(paths) {
        Ok(old) => Ok(Some(old)),
        Err(EnrolmentError::Config(ConfigError::NotEnrolled { .. })) => Ok(None),
        Err(EnrolmentError::Config(error)) => Err(RegisterError::Config(error)),
        Err(error) => {
            tracing::warn!(%error, "the enrolment before this one cannot be used as a proof");
            Ok(None)
        }
    }
}

/// Connects to a server and finds out whether it is the right one, before any secret is sent.
async fn meet(
    provider: &Arc<CryptoProvider>,
    order: &Order,
    before: &mut Option<Contact>,
) -> Result<(Line, Contact, Option<std::net::IpAddr>), RegisterError> {
    let carried = order.token.as_ref().and_then(TokenText::ca_pin);
    let mut pins = order.pins.clone();
    if pins.is_empty() {
        pins.extend(carried);
    }
    let first = FirstContact::new(Arc::clone(provider), pins);
    let config = Arc::new(first.client_config()?);
    let dialled = line::dial(&order.server, config).await.map_err(|error| match first.failure() {
        Some(failure) => RegisterError::Contact(failure),
        None => RegisterError::Dial(error),
    })?;
    let Some(met) = first.verified() else {
        return Err(RegisterError::Contact(first.failure().unwrap_or(ContactError::NoRoot)));
    };
    if let Some(before) = before.as_ref().filter(|before| before.root_pin != met.root_pin) {
        let (before, now) = (before.root_pin, met.root_pin);
        return Err(RegisterError::Contact(ContactError::Changed { before, now }));
    }
    if !met.name_matches {
        return Err(RegisterError::Name(order.server.clone()));
    }
    if let Some(expected) = carried.filter(|pin| *pin != met.root_pin && !order.pins.contains(pin)) {
        return Err(RegisterError::TokenPin { expected, found: met.root_pin });
    }
    *before = Some(met.clone());
    let local_ip = dialled.local_ip();
    let line = dialled.open().await.map_err(RegisterError::Dial)?;
    Ok((line, met, local_ip))
}

/// Checks the answer and writes it down: from the last line on, the new enrolment counts.
fn finish(
    paths: &Paths,
    pending: Pending,
    order: &Order,
    answer: vigo_core::wire::Registered,
    met: &Contact,
) -> Result<Registered, RegisterError> {
    let csr = VerifiedCsr::from_der(&pending.csr)
        .map_err(|error| PendingError::Damaged { path: paths.pending(), what: format!("csr: {error}") })?;
    let asked =
        Asked { identity: pending.identity.public(), tls_key: csr.key_pin(), root: met.root_pin, now: clock::now() };
    let answer = Answer::check(answer, &asked)?;
    let enrolment = Enrolment {
        config: Config {
            envoy: answer.envoy,
            server: order.server.clone(),
            api: order.api.clone(),
            server_id: answer.server,
            hostname: order.hostname.clone(),
            interval: answer.interval,
            trust: pending.contact.map_or(trust(met.by), |contact| contact.trust),
        },
        identity: pending.identity,
        tls_key: pending.tls_key,
        certificate: answer.certificate,
        roots: answer.roots,
        server_key: answer.server_key,
    };
    enrolment.commit(paths)?;
    let policy = answer.bundle.as_ref().map(|(_, verified)| {
        (verified.state.version.clone(), verified.bundle.configcrates.len(), verified.bundle.resources())
    });
    if let Some((signed, _)) = &answer.bundle {
        keep(paths, signed, &enrolment)?;
    }
    Ok(Registered { config: enrolment.config, root: met.root_pin, notices: answer.notices, policy })
}

/// Keeps the first bundle, unless a daemon writes the state: then its next check-in brings it.
fn keep(paths: &Paths, bundle: &vigo_core::SignedBundle, enrolment: &Enrolment) -> Result<(), RegisterError> {
    vigo_ca::files::create_private_dir(paths.state_dir()).map_err(PolicyError::from)?;
    match Lock::take(&paths.lock()) {
        Ok(_lock) => {
            let mut policy = Policy::default();
            policy.take(bundle, &paths.bundle(), &enrolment.server_key, &enrolment.config.server_id)?;
            Ok(())
        }
        Err(LockError::Held { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

const fn trust(by: TrustedBy) -> Trust {
    match by {
        TrustedBy::CaPin => Trust::CaPin,
        TrustedBy::LeafPin => Trust::LeafPin,
        // The enum may grow; what is not known counts as the least.
        _ => Trust::FirstUse,
    }
}

/// What this agent says of itself.
pub(crate) fn platform() -> Platform {
    Platform {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
    }
}
