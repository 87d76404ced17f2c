//! The fleet: list, show, revoke, delete, allow to enrol again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use vigo_core::record::{DirectiveRecord, HostClaim, Record as _, RevocationCause};
use vigo_core::{EnvoyId, Hostname, UnixTime, keyspace};
use vigo_enroll::operate::{self, Act};

use crate::admin::{Operator, act, rfc3339};
use crate::app::App;
use crate::clock;
use crate::fleet::{Envoy, Live};
use crate::http::error::ApiError;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/envoys", get(list))
        .route("/api/v1/envoys/{envoy}", get(show).delete(delete))
        .route("/api/v1/envoys/{envoy}/revoke", post(revoke))
        .route("/api/v1/envoys/{envoy}/allow-reenroll", post(allow_reenroll))
        .with_state(Arc::clone(app))
}

/// An envoy as a list shows it.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    hostname: String,
    ip: String,
    enrolled_at: String,
    last_seen_at: Option<String>,
    status: &'static str,
    agent_version: String,
    os: String,
    arch: String,
    certificate_expires_at: Option<String>,
    policy_version: Option<String>,
    possible_clone: bool,
}

/// An envoy with all that is known of it.
#[derive(Debug, Serialize)]
struct Details {
    #[serde(flatten)]
    row: Row,
    identity_key: String,
    admitted_by: String,
    reported_ip: Option<String>,
    certificates: Vec<Certificate>,
    revocation: Option<RevocationBody>,
    directive: Option<DirectiveBody>,
    update_failure: Option<FailureBody>,
}

/// What it was last told to do.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
struct FailureBody {
    version: String,
    code: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct Certificate {
    serial: String,
    key_pin: String,
    not_after: String,
}

#[derive(Debug, Serialize)]
struct RevocationBody {
    cause: &'static str,
    at: String,
    by: String,
    reason: String,
}

/// Where an envoy stands: revoked before expired before stale.
pub(crate) fn status(live: &Live, interval: Duration, now: UnixTime) -> &'static str {
    let last = live.seen.as_ref().map_or(live.record.enrolled_at, |seen| seen.at);
    let expired = live.record.certificate().is_none_or(|certificate| certificate.not_after <= now);
    if live.record.revocation.is_some() {
        "revoked"
    } else if expired {
        "expired"
    } else if now.since(last) > interval * 5 / 2 {
        "stale"
    } else {
        "active"
    }
}

fn row(app: &App, live: &Live, now: UnixTime) -> Row {
    let record = &live.record;
    let seen = live.seen.as_ref();
    let platform = seen.map_or(&record.platform, |seen| &seen.platform);
    Row {
        id: record.id.to_string(),
        hostname: record.hostname.to_string(),
        ip: seen.map_or(record.address, |seen| seen.address).to_string(),
        enrolled_at: rfc3339(record.enrolled_at),
        last_seen_at: seen.map(|seen| rfc3339(seen.at)),
        status: status(live, app.checkins.interval, now),
        agent_version: platform.agent_version.clone(),
        os: platform.os.clone(),
        arch: platform.arch.clone(),
        certificate_expires_at: record.certificate().map(|certificate| rfc3339(certificate.not_after)),
        policy_version: seen.and_then(|seen| seen.policy.as_ref()).map(|policy| policy.version.clone()),
        possible_clone: live.clone_at.is_some(),
    }
}

fn details(app: &App, live: &Live, now: UnixTime) -> Details {
    let record = &live.record;
    Details {
        row: row(app, live, now),
        identity_key: record.identity.to_string(),
        admitted_by: record.admitted_by.clone(),
        reported_ip: record.reported_ip.map(|ip| ip.to_string()),
        certificates: record
            .certificates
            .iter()
            .map(|certificate| Certificate {
                serial: certificate.serial.to_string(),
                key_pin: certificate.key_pin.to_string(),
                not_after: rfc3339(certificate.not_after),
            })
            .collect(),
        revocation: record.revocation.as_ref().map(|revocation| RevocationBody {
            cause: match revocation.cause {
                RevocationCause::Operator => "operator",
                RevocationCause::Replaced => "replaced",
                RevocationCause::Deleted => "deleted",
            },
            at: rfc3339(revocation.at),
            by: revocation.by.clone(),
            reason: revocation.reason.clone(),
        }),
        directive: record.directive.as_ref().map(directive),
        update_failure: live.seen.as_ref().and_then(|seen| seen.update_failure.as_ref()).map(|failure| FailureBody {
            version: failure.version.to_string(),
            code: failure.why.code.clone(),
            message: failure.why.message.clone(),
        }),
    }
}

fn directive(given: &DirectiveRecord) -> DirectiveBody {
    let failure = given.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
    DirectiveBody {
        id: given.directive.id.to_string(),
        action: given.directive.action.to_string(),
        at: rfc3339(given.at),
        by: given.by.clone(),
        outcome: match (&given.outcome, failure) {
            (None, _) => "pending",
            (Some(_), None) => "done",
            (Some(_), Some(_)) => "failed",
        },
        settled_at: given.outcome.as_ref().map(|outcome| rfc3339(outcome.at)),
        code: failure.map(|failure| failure.code.clone()),
        message: failure.map(|failure| failure.message.clone()),
    }
}

fn is_deleted(live: &Live) -> bool {
    live.record.revocation.as_ref().is_some_and(|revocation| revocation.cause == RevocationCause::Deleted)
}

async fn list(State(app): State<Arc<App>>) -> Json<Vec<Row>> {
    let now = clock::now();
    let mut rows: Vec<(UnixTime, Row)> = Vec::new();
    for envoy in app.fleet.all() {
        let live = envoy.live();
        if !is_deleted(&live) {
            rows.push((live.record.enrolled_at, row(&app, &live, now)));
        }
    }
    rows.sort_by(|(a, x), (b, y)| (a, &x.hostname, &x.id).cmp(&(b, &y.hostname, &y.id)));
    Json(rows.into_iter().map(|(_, row)| row).collect())
}

/// The envoy that a path names, by id or by hostname.
fn find(app: &App, name: &str) -> Result<Arc<Envoy>, ApiError> {
    let id = match name.parse::<EnvoyId>() {
        Ok(id) => Some(id),
        Err(_) => name.parse::<Hostname>().ok().and_then(|name| app.fleet.named(&name)),
    };
    id.and_then(|id| app.fleet.get(&id)).ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is no envoy of that id or hostname",
            "`vigocli envoys list` names all",
        )
    })
}

async fn show(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Details>, ApiError> {
    let envoy = find(&app, &name)?;
    let shown = details(&app, &envoy.live(), clock::now());
    Ok(Json(shown))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    #[serde(default)]
    reason: String,
}

async fn revoke(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Operator>,
    Path(name): Path<String>,
    Json(body): Json<Reason>,
) -> Result<Json<Row>, ApiError> {
    let mut id = find(&app, &name)?.live().record.id;
    let act = act(by);
    let mut record = operate::revoke_envoy(app.store.as_ref(), &id, &body.reason, &act).await?;
    // Named by its hostname, and replaced in this very moment: the successor is meant.
    if let Ok(hostname) = name.parse::<Hostname>() {
        let claim = keyspace::host(&hostname);
        for _ in 0..8 {
            let holder = app.store.get(claim.as_bytes()).await.map_err(|error| ApiError::unavailable(&error))?;
            let holder = holder.and_then(|entry| HostClaim::decode(&entry.value).ok()).map(|claim| claim.envoy);
            match holder {
                Some(holder) if holder != id => id = holder,
                _ => break,
            }
            app.apply(record);
            let act = Act { by: act.by.clone(), now: act.now, audit: clock::random() };
            record = operate::revoke_envoy(app.store.as_ref(), &id, &body.reason, &act).await?;
        }
    }
    let envoy = app.apply(record);
    let row = row(&app, &envoy.live(), clock::now());
    Ok(Json(row))
}

async fn delete(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Operator>,
    Path(name): Path<String>,
) -> Result<Json<Row>, ApiError> {
    let id = find(&app, &name)?.live().record.id;
    let record = operate::delete_envoy(app.store.as_ref(), &id, "", &act(by)).await?;
    let envoy = app.apply(record);
    let row = row(&app, &envoy.live(), clock::now());
    Ok(Json(row))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Leave {
    #[serde(default = "an_hour")]
    ttl_secs: u64,
}

fn an_hour() -> u64 {
    3600
}

#[derive(Serialize)]
struct Left {
    hostname: String,
    until: String,
}

async fn allow_reenroll(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Operator>,
    Path(name): Path<String>,
    Json(body): Json<Leave>,
) -> Result<Json<Left>, ApiError> {
    let hostname = find(&app, &name)?.live().record.hostname.clone();
    let act = act(by);
    let until = act.now.after(Duration::from_secs(body.ttl_secs.min(30 * 86400)));
    operate::allow_reenroll(app.store.as_ref(), &hostname, until, &act).await?;
    Ok(Json(Left { hostname: hostname.to_string(), until: rfc3339(until) }))
}
