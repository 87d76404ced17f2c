use std::fmt;

use vigo_core::frame::FrameError;
use vigo_core::{ClientAddr, EnvoyId, Hostname, HostnameError, IssueError, KeyError, RegistrationError, Takeover};

use crate::HookAnswer;
use crate::rules::Reenroll;

/// Why a registration was refused, with all that we know. For our side alone; a stranger is shown a [`Refusal`].
///
/// ```
/// use vigo_enroll::{Reason, Refusal, TokenFault};
/// let refuse = |fault| Refusal::from(Reason::Token { fault, hostname: "web3.example.com".parse().unwrap() });
/// let (unknown, expired) = (refuse(TokenFault::Unknown), refuse(TokenFault::Expired));
///
/// // Who tries tokens out cannot tell which of them there are; the audit log can.
/// assert_eq!((unknown.code(), unknown.message()), (expired.code(), expired.message()));
/// assert_eq!((unknown.audit_code(), expired.audit_code()), ("token_unknown", "token_expired"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The frame is no registration.
    Malformed(FrameError),
    /// The frame is not signed by the key that it names, for this server.
    BadSignature,
    /// Its identity key is weak.
    Key(KeyError),
    /// Its hostname is none.
    Hostname(HostnameError),
    /// Its certificate request is bad.
    Csr(String),
    /// Its address asks too often, or the name changes hands too often.
    RateLimited {
        /// When it may ask again.
        wait_secs: u64,
    },
    /// Too much at once.
    Busy,
    /// The store or the authority failed. The text is for the log.
    Unavailable(String),
    /// There is no key to sign certificates with.
    NoCaKey,
    /// A token was given and it is no way in.
    Token {
        /// What is wrong with it.
        fault: TokenFault,
        /// Who gave it.
        hostname: Hostname,
    },
    /// No way in was won.
    NotAdmitted {
        /// Who asked.
        hostname: Hostname,
        /// From where.
        from: ClientAddr,
    },
    /// The envoy that this key or request belongs to was revoked.
    EnvoyRevoked(EnvoyId),
    /// The identity key belongs to an envoy already.
    IdentityUsed(EnvoyId),
    /// The request id was used for another registration.
    RequestReused,
    /// An envoy that was not revoked has the name.
    HostnameTaken {
        /// The name.
        hostname: Hostname,
        /// Whether its replacement was asked for.
        takeover: Takeover,
        /// What may replace it.
        reenroll: Reenroll,
    },
    /// An operator revoked the last envoy of that name.
    HostnameRevoked {
        /// The name.
        hostname: Hostname,
        /// What may bring it back.
        reenroll: Reenroll,
    },
    /// The answer of a registration was asked for that was never won.
    NeverWon,
    /// The rules admit it, and the embedder's hook does not.
    RefusedByHook {
        /// The hook's words.
        message: String,
    },
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// Not of the form of a token.
    Malformed,
    /// Its MAC does not fit.
    Forged,
    /// Its id is not in the store.
    Unknown,
    /// Its secret is another.
    WrongSecret,
    /// All its uses are spent.
    UsedUp,
    /// An operator revoked it.
    Revoked,
    /// Its time is over.
    Expired,
    /// It is for other hostnames.
    OtherHost,
    /// It is for other networks.
    OtherNetwork,
}

/// What kind of thing was refused: how a transport maps a refusal to its statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The rules do not allow it (gRPC `PermissionDenied`, HTTP 403; 409 for a name that is taken).
    Policy,
    /// Who is asking is not, or no longer, who they must be (gRPC `Unauthenticated`, HTTP 401).
    Identity,
    /// The request itself is wrong (gRPC `InvalidArgument`, HTTP 400).
    Malformed,
    /// Asked too often (gRPC `ResourceExhausted`, HTTP 429).
    Limited,
    /// Our fault, or the moment's: asking again later may succeed (gRPC `Unavailable`, HTTP 503).
    Unavailable,
}

/// What a stranger is told: a stable code, one sentence and the next step. Made from a [`Reason`] and says less.
///
/// ```
/// use vigo_enroll::{Reason, Refusal, RefusalKind};
/// let refusal = Refusal::from(Reason::RateLimited { wait_secs: 40 });
/// assert_eq!((refusal.code(), refusal.kind()), ("rate_limited", RefusalKind::Limited));
/// assert_eq!(refusal.help(), "wait 40 s, then run the line again");
///
/// // What failed on our side is for our log.
/// let refusal = Refusal::from(Reason::Unavailable("the disk is full".to_owned()));
/// assert_eq!(refusal.log(), Some("the disk is full"));
/// assert!(!format!("{} {}", refusal.message(), refusal.help()).contains("disk"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: &'static str,
    kind: RefusalKind,
    message: String,
    help: String,
    audit_code: &'static str,
    log: Option<String>,
}

impl Refusal {
    /// The stable snake_case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What kind of thing was refused.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// One sentence that says what was wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The next step.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The finer code, for the audit log and metrics; never for whoever was refused.
    #[must_use]
    pub fn audit_code(&self) -> &'static str {
        self.audit_code
    }

    /// What a log needs to know of a fault on our side; never for whoever was refused.
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }

    fn new(kind: RefusalKind, code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, kind, message: message.into(), help: help.into(), audit_code: code, log: None }
    }

    fn audited_as(self, audit_code: &'static str) -> Self {
        Self { audit_code, ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

const PENDING: &str = "remove the folder `pending` beside the agent's configuration, then run the line again";

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        use RefusalKind::{Identity, Limited, Malformed, Policy, Unavailable};
        match reason {
            Reason::Malformed(error) => Self::new(
                Malformed,
                "malformed",
                format!("The registration cannot be read: {error}"),
                "use an agent of a version that this server knows: the one that its /bootstrap script installs",
            ),
            Reason::BadSignature => Self::new(
                Identity,
                "bad_signature",
                "The registration's signature does not fit its identity key and this server",
                "if a proxy in between answers with a certificate of its own, let the agent reach this server directly",
            ),
            Reason::Key(error) => Self::new(
                Malformed,
                "key_refused",
                format!("The identity key is refused: {error}"),
                format!("draw a new key: {PENDING}"),
            ),
            Reason::Hostname(error) => Self::new(
                Malformed,
                "hostname_refused",
                format!("The hostname is refused: {error}"),
                "give a name that fits with `--hostname NAME`",
            ),
            Reason::Csr(error) => Self::new(
                Malformed,
                "csr_refused",
                format!("The certificate request is refused: {error}"),
                format!("draw new keys: {PENDING}"),
            ),
            Reason::RateLimited { wait_secs } => Self::new(
                Limited,
                "rate_limited",
                "Too many registrations from this address, or of this name",
                format!("wait {wait_secs} s, then run the line again"),
            ),
            Reason::Busy => Self::new(
                Unavailable,
                "busy",
                "The server has too many registrations at the moment",
                "run the line again in a few seconds",
            ),
            Reason::Unavailable(log) => Self {
                log: Some(log),
                ..Self::new(
                    Unavailable,
                    "unavailable",
                    "The server cannot enrol at the moment",
                    "run the line again in a minute; the server's log says what failed",
                )
            },
            Reason::NoCaKey => Self::new(
                Unavailable,
                "no_ca_key",
                "This server has no CA key, so it enrols nobody",
                "set server.tls.ca_key_file on the server, or enrol at a server of the fleet that has it",
            ),
            Reason::Token { fault, hostname } => refused_token(fault, &hostname),
            Reason::NotAdmitted { hostname, from } => Self::new(
                Policy,
                "not_admitted",
                format!("No rule admits {hostname} from {from}"),
                format!(
                    "get a token from the server's operator (`vigocli tokens generate --pattern {hostname}`) and run \
                     the line again with `--token`; \
                     `vigocli enroll explain --hostname {hostname} --ip {from}` shows why each rule lost"
                ),
            ),
            Reason::EnvoyRevoked(envoy) => Self::new(
                Identity,
                "envoy_revoked",
                format!("The envoy {envoy} that this host enrolled as was revoked"),
                "run the bootstrap line again to enrol as a new envoy, by a way that the operator allows",
            ),
            Reason::IdentityUsed(envoy) => Self::new(
                Identity,
                "identity_used",
                format!("The identity key belongs to the envoy {envoy} already"),
                format!("draw new keys: {PENDING}"),
            ),
            Reason::RequestReused => Self::new(
                Malformed,
                "request_reused",
                "The request id was used for another registration",
                format!("draw a new one: {PENDING}"),
            ),
            Reason::HostnameTaken { hostname, takeover, reenroll } => Self::new(
                Policy,
                "hostname_taken",
                "An active envoy with this hostname already exists",
                match takeover {
                    Takeover::Asked => permits(&hostname, reenroll),
                    Takeover::No => {
                        let permits = permits(&hostname, reenroll);
                        format!("to replace it, add `--force` to the line; should that be refused, {permits}")
                    }
                },
            ),
            Reason::HostnameRevoked { hostname, reenroll } => Self::new(
                Policy,
                "hostname_revoked",
                "The last envoy with this hostname was revoked by an operator",
                permits(&hostname, reenroll),
            ),
            Reason::NeverWon => Self::new(
                Policy,
                "never_won",
                "This registration was never won, so there is no answer to repeat",
                "run the bootstrap line again",
            ),
            Reason::RefusedByHook { message } => Self::new(
                Policy,
                "refused_by_hook",
                hook_message(&message),
                "ask the server's operator, then run the line again; the rules themselves admit this host",
            ),
        }
    }
}

/// The words of a hook end up on a terminal and in the audit log, and it may have them from elsewhere.
fn hook_message(message: &str) -> String {
    let clean: String = message.chars().filter(|c| !c.is_control()).take(HookAnswer::MAX_MESSAGE).collect();
    if clean.trim().is_empty() { "The server's operator does not admit this host".to_owned() } else { clean }
}

/// The commands that would let a name be enrolled anew.
fn permits(hostname: &Hostname, reenroll: Reenroll) -> String {
    let window = format!("allow it on the server with `vigocli envoys allow-reenroll {hostname}`");
    let token = match reenroll {
        Reenroll::Proof => String::new(),
        Reenroll::Token | Reenroll::Any => format!(
            ", or make a token for exactly that name with `vigocli tokens generate --pattern {hostname}` and give it \
             with `--token`"
        ),
    };
    format!("{window}{token}; then run the line again")
}

/// Only who proved the secret is told that it is spent; all else is one code.
fn refused_token(fault: TokenFault, hostname: &Hostname) -> Refusal {
    let audit_code = match fault {
        TokenFault::Malformed => "token_malformed",
        TokenFault::Forged => "token_forged",
        TokenFault::Unknown => "token_unknown",
        TokenFault::WrongSecret => "token_wrong_secret",
        TokenFault::UsedUp => "token_used",
        TokenFault::Revoked => "token_revoked",
        TokenFault::Expired => "token_expired",
        TokenFault::OtherHost => "token_other_host",
        TokenFault::OtherNetwork => "token_other_network",
    };
    let (code, message) = match fault {
        TokenFault::UsedUp => ("token_used", "The token has been used"),
        TokenFault::Malformed
        | TokenFault::Forged
        | TokenFault::Unknown
        | TokenFault::WrongSecret
        | TokenFault::Revoked
        | TokenFault::Expired
        | TokenFault::OtherHost
        | TokenFault::OtherNetwork => ("token_rejected", "The token is not accepted for this host"),
    };
    let spent = match fault {
        TokenFault::UsedUp => {
            "; if this machine is not the one that used it, give it a name of its own with `--hostname`"
        }
        _ => "",
    };
    let help = format!(
        "make a new one on the server with `vigocli tokens generate --pattern {hostname}`, then run the line that it \
         prints; `vigocli audit list` says why this one was refused{spent}"
    );
    Refusal::new(RefusalKind::Policy, code, message, help).audited_as(audit_code)
}

impl From<RegistrationError> for Reason {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::Frame(FrameError::BadSignature) => Self::BadSignature,
            RegistrationError::Frame(error) => Self::Malformed(error),
            RegistrationError::Key(error) => Self::Key(error),
            RegistrationError::Hostname(error) => Self::Hostname(error),
            // The enum may grow; what is not known here is refused all the same.
            _ => Self::Malformed(FrameError::Malformed("a registration that this version does not know")),
        }
    }
}

impl From<IssueError> for Reason {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Request(what) => Self::Csr(what),
            IssueError::NoKey => Self::NoCaKey,
            IssueError::Authority(source) => Self::Unavailable(format!("the certificate authority failed: {source}")),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
