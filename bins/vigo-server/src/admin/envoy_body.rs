//! An envoy as JSON.

use serde::Serialize;
use utoipa::ToSchema;
use vigo_core::Hostname;
use vigo_core::record::{DirectiveRecord, RevocationCause};

use crate::admin::rfc3339;
use crate::app::App;
use crate::fleet::{Live, Standing, Status};
use crate::http::error::ApiError;

/// An envoy as a list shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnvoyBody {
    pub(crate) id: String,
    pub(crate) hostname: String,
    pub(crate) ip: String,
    pub(crate) enrolled_at: String,
    pub(crate) last_seen_at: Option<String>,
    /// `active`, `stale`, `expired` or `revoked`.
    pub(crate) status: &'static str,
    pub(crate) agent_version: String,
    /// A newer one is offered.
    pub(crate) agent_is_old: bool,
    pub(crate) os: String,
    pub(crate) arch: String,
    pub(crate) certificate_expires_at: Option<String>,
    pub(crate) policy_version: Option<String>,
    /// As it said at its last check-in with this server process.
    pub(crate) configcrates: Option<u32>,
    /// As it said at its last check-in with this server process.
    pub(crate) resources: Option<u32>,
    /// Resources found differing; null: no agent reports that yet.
    pub(crate) drift: Option<u32>,
    /// Two machines were found to speak for it.
    pub(crate) possible_clone: bool,
    /// It was told to update or to enrol anew, or a newer agent is offered.
    pub(crate) update_pending: bool,
}

/// An envoy with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnvoyDetails {
    #[serde(flatten)]
    row: EnvoyBody,
    identity_key: String,
    /// The rule that admitted it.
    admitted_by: String,
    reported_ip: Option<String>,
    certificates: Vec<CertificateBody>,
    revocation: Option<RevocationBody>,
    directive: Option<DirectiveBody>,
    update_failure: Option<FailureBody>,
}

/// What it was last told to do.
#[derive(Debug, Serialize, ToSchema)]
struct DirectiveBody {
    id: String,
    action: String,
    at: String,
    by: String,
    /// `pending`, `done` or `failed`.
    outcome: &'static str,
    settled_at: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

/// The update that last failed there.
#[derive(Debug, Serialize, ToSchema)]
struct FailureBody {
    version: String,
    code: String,
    message: String,
}

/// A certificate that it was given.
#[derive(Debug, Serialize, ToSchema)]
struct CertificateBody {
    serial: String,
    key_pin: String,
    not_after: String,
}

/// Why it is out of service.
#[derive(Debug, Serialize, ToSchema)]
struct RevocationBody {
    /// `operator`, `replaced` or `deleted`.
    cause: &'static str,
    at: String,
    by: String,
    reason: String,
}

/// The word for a cause.
pub(crate) const fn cause(cause: RevocationCause) -> &'static str {
    match cause {
        RevocationCause::Operator => "operator",
        RevocationCause::Replaced => "replaced",
        RevocationCause::Deleted => "deleted",
    }
}

impl EnvoyBody {
    pub(crate) fn of(standing: &Standing<'_>, live: &Live) -> Self {
        let record = &live.record;
        let seen = live.seen.as_ref();
        let platform = seen.map_or(&record.platform, |seen| &seen.platform);
        Self {
            id: record.id.to_string(),
            hostname: record.hostname.to_string(),
            ip: seen.map_or(record.address, |seen| seen.address).to_string(),
            enrolled_at: rfc3339(record.enrolled_at),
            last_seen_at: seen.map(|seen| rfc3339(seen.at)),
            status: Status::of(live, standing.interval, standing.now).word(),
            agent_version: platform.agent_version.clone(),
            agent_is_old: standing.is_old(live),
            os: platform.os.clone(),
            arch: platform.arch.clone(),
            certificate_expires_at: record.certificate().map(|certificate| rfc3339(certificate.not_after)),
            policy_version: seen.and_then(|seen| seen.policy.as_ref()).map(|policy| policy.version.clone()),
            configcrates: live.holds.map(|holds| holds.0),
            resources: live.holds.map(|holds| holds.1),
            drift: None,
            possible_clone: live.clone_at.is_some(),
            update_pending: standing.update_pending(live),
        }
    }
}

impl EnvoyDetails {
    pub(crate) fn of(standing: &Standing<'_>, live: &Live) -> Self {
        let record = &live.record;
        let failure = live.seen.as_ref().and_then(|seen| seen.update_failure.as_ref());
        Self {
            row: EnvoyBody::of(standing, live),
            identity_key: record.identity.to_string(),
            admitted_by: record.admitted_by.clone(),
            reported_ip: record.reported_ip.map(|ip| ip.to_string()),
            certificates: record
                .certificates
                .iter()
                .map(|certificate| CertificateBody {
                    serial: certificate.serial.to_string(),
                    key_pin: certificate.key_pin.to_string(),
                    not_after: rfc3339(certificate.not_after),
                })
                .collect(),
            revocation: record.revocation.as_ref().map(|revocation| RevocationBody {
                cause: cause(revocation.cause),
                at: rfc3339(revocation.at),
                by: revocation.by.clone(),
                reason: revocation.reason.clone(),
            }),
            directive: record.directive.as_ref().map(directive),
            update_failure: failure.map(|failure| FailureBody {
                version: failure.version.to_string(),
                code: failure.why.code.clone(),
                message: failure.why.message.clone(),
            }),
        }
    }
}

/// The word for what became of a directive.
pub(crate) fn outcome(given: &DirectiveRecord) -> &'static str {
    match given.outcome.as_ref().map(|outcome| outcome.failure.is_some()) {
        None => "pending",
        Some(false) => "done",
        Some(true) => "failed",
    }
}

fn directive(given: &DirectiveRecord) -> DirectiveBody {
    let failure = given.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
    DirectiveBody {
        id: given.directive.id.to_string(),
        action: given.directive.action.to_string(),
        at: rfc3339(given.at),
        by: given.by.clone(),
        outcome: outcome(given),
        settled_at: given.outcome.as_ref().map(|outcome| rfc3339(outcome.at)),
        code: failure.map(|failure| failure.code.clone()),
        message: failure.map(|failure| failure.message.clone()),
    }
}

/// The policy that a hostname is given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyBody {
    pub(crate) version: String,
    pub(crate) digest: String,
    /// The match block that chose it; null where none takes the hostname.
    pub(crate) hostcrate: Option<String>,
    pub(crate) configcrates: Vec<ConfigcrateBody>,
}

/// A named set of resources.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigcrateBody {
    pub(crate) name: String,
    pub(crate) resources: Vec<ResourceBody>,
}

/// One piece of desired state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResourceBody {
    /// `file`, `package`, `service`, …
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) state: String,
}

impl PolicyBody {
    pub(crate) fn of(app: &App, hostname: &Hostname) -> Result<Self, ApiError> {
        let catalogue = app.checkins.catalogue.load();
        let published = catalogue.bundle_for(hostname);
        let bundle = published.signed.verify(&app.checkins.signing.public(), &app.server);
        let bundle = bundle.map_err(|error| ApiError::unavailable(&error))?;
        Ok(Self {
            version: published.state.version.clone(),
            digest: hex::encode(published.state.digest),
            hostcrate: published.hostcrate.clone(),
            configcrates: bundle
                .bundle
                .configcrates
                .iter()
                .map(|crated| ConfigcrateBody {
                    name: crated.name.clone(),
                    resources: crated
                        .resources
                        .iter()
                        .map(|resource| ResourceBody {
                            kind: resource.kind.clone(),
                            name: resource.name.clone(),
                            state: resource.state.clone(),
                        })
                        .collect(),
                })
                .collect(),
        })
    }
}
