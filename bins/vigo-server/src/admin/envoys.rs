//! The fleet: list, show, revoke, delete, allow to enrol again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::record::{EnvoyRecord, HostClaim, Record as _};
use vigo_core::{EnvoyId, HostPattern, Hostname, UnixTime, keyspace};
use vigo_enroll::operate::{self, Act};

use crate::access::Principal;
use crate::admin::envoy_body::{EnvoyBody, EnvoyDetails, PolicyBody};
use crate::admin::page::{self, Page, Params, a_page};
use crate::admin::{act, rfc3339};
use crate::app::App;
use crate::clock;
use crate::fleet::{Cursor, Direction, Envoy, Query, Sort, Standing, Wanted};
use crate::http::error::ApiError;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, delete))
        .routes(routes!(policy))
        .routes(routes!(check_ins))
        .routes(routes!(revoke))
        .routes(routes!(allow_reenroll))
}

/// Which envoys are listed, in which order.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Part of a hostname, the beginning of an id, or an address.
    pub(crate) search: String,
    /// `active`, `stale`, `expired`, `revoked`, `update_pending`, separated by commas; without it all.
    #[param(example = "active,stale")]
    pub(crate) status: String,
    /// A pattern over hostnames.
    #[param(example = "*.example.com")]
    pub(crate) pattern: Option<String>,
    /// Not seen since that time, RFC 3339.
    pub(crate) seen_before: Option<String>,
    /// Whose certificate ends before that time, RFC 3339.
    pub(crate) expires_before: Option<String>,
    /// `hostname`, `enrolled`, `last_seen`, `expires`, `version` or `status`; a `-` before it turns it around.
    #[param(example = "-last_seen")]
    pub(crate) sort: Option<String>,
    /// How many on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(crate) limit: Option<usize>,
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

pub(super) fn time(name: &str, text: Option<&str>) -> Result<Option<UnixTime>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let at: jiff::Timestamp = text.parse().map_err(|_| {
        ApiError::bad_request(format!("`{name}` is no time"), "as in `2026-05-13T13:03:00Z` (RFC 3339)")
    })?;
    Ok(Some(UnixTime::from_secs(u64::try_from(at.as_second()).unwrap_or(0))))
}

impl Filter {
    /// The query that it means.
    pub(crate) fn query(&self) -> Result<Query, ApiError> {
        let wanted = self.status.split(',').map(str::trim).filter(|word| !word.is_empty()).map(|word| {
            Wanted::of_word(word).ok_or_else(|| {
                ApiError::bad_request(
                    format!("`{}` is no status", word.escape_debug()),
                    "active, stale, expired, revoked or update_pending",
                )
            })
        });
        let pattern = match self.pattern.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => Some(text.parse::<HostPattern>().map_err(|error| {
                ApiError::bad_request(format!("the pattern is refused: {error}"), "for example `*.web.example.com`")
            })?),
            None => None,
        };
        let sort = self.sort.as_deref().filter(|text| !text.is_empty()).unwrap_or("enrolled");
        let (word, descending) = sort.strip_prefix('-').map_or((sort, false), |word| (word, true));
        let sort = Sort::of_word(word).ok_or_else(|| {
            ApiError::bad_request(
                "`sort` names no column",
                "hostname, enrolled, last_seen, expires, version or status, with a `-` before it to turn it around",
            )
        })?;
        let cursor = match self.cursor.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => Some((Direction::After, text.parse::<Cursor>().map_err(|_| page::bad_cursor())?)),
            None => None,
        };
        Ok(Query {
            search: self.search.clone(),
            wanted: wanted.collect::<Result<_, _>>()?,
            pattern,
            seen_before: time("seen_before", self.seen_before.as_deref())?,
            expires_before: time("expires_before", self.expires_before.as_deref())?,
            sort,
            descending,
            cursor,
            limit: page::limit(self.limit.unwrap_or_else(a_page))?,
        })
    }
}

impl App {
    /// What envoys are measured by, now.
    pub(crate) fn standing(&self, now: UnixTime) -> Standing<'_> {
        Standing { now, interval: self.checkins.interval, offers: &self.checkins.offers }
    }

    /// The envoy that a path names, by id or by hostname.
    pub(crate) fn find_envoy(&self, name: &str) -> Result<Arc<Envoy>, ApiError> {
        let id = match name.parse::<EnvoyId>() {
            Ok(id) => Some(id),
            Err(_) => name.parse::<Hostname>().ok().and_then(|name| self.fleet.named(&name)),
        };
        id.and_then(|id| self.fleet.get(&id)).ok_or_else(|| {
            ApiError::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is no envoy of that id or hostname",
                "`vigocli envoys list` names all",
            )
        })
    }
}

/// List envoys
#[utoipa::path(get, path = "/api/v1/envoys", tag = "envoys", params(Filter),
    responses((status = 200, body = Page<EnvoyBody>)))]
async fn list(State(app): State<Arc<App>>, Params(filter): Params<Filter>) -> Result<Json<Page<EnvoyBody>>, ApiError> {
    let standing = app.standing(clock::now());
    let found = app.fleet.find(&filter.query()?, &standing);
    let envoys = found.envoys.iter().filter_map(|id| app.fleet.get(id));
    let items = envoys.map(|envoy| EnvoyBody::of(&standing, &envoy.live())).collect();
    Ok(Json(Page { items, next: found.after.map(|cursor| cursor.to_string()), total: found.total }))
}

/// Show one envoy
#[utoipa::path(get, path = "/api/v1/envoys/{envoy}", tag = "envoys",
    params(("envoy" = String, Path, description = "its id or hostname")), responses((status = 200, body = EnvoyDetails)))]
async fn show(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<EnvoyDetails>, ApiError> {
    let envoy = app.find_envoy(&name)?;
    let shown = EnvoyDetails::of(&app.standing(clock::now()), &envoy.live());
    Ok(Json(shown))
}

/// The policy that an envoy is given
#[utoipa::path(get, path = "/api/v1/envoys/{envoy}/policy", tag = "envoys",
    params(("envoy" = String, Path, description = "its id or hostname")), responses((status = 200, body = PolicyBody)))]
async fn policy(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<PolicyBody>, ApiError> {
    let hostname = app.find_envoy(&name)?.live().record.hostname.clone();
    Ok(Json(PolicyBody::of(&app, &hostname)?))
}

/// One check-in.
#[derive(Debug, Serialize, ToSchema)]
struct CheckInBody {
    at: String,
}

/// The last check-ins that this server process remembers, the newest first
#[utoipa::path(get, path = "/api/v1/envoys/{envoy}/check-ins", tag = "envoys",
    params(("envoy" = String, Path, description = "its id or hostname")),
    responses((status = 200, body = Vec<CheckInBody>)))]
async fn check_ins(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Vec<CheckInBody>>, ApiError> {
    let times = app.find_envoy(&name)?.live().check_ins.times();
    Ok(Json(times.into_iter().map(|at| CheckInBody { at: rfc3339(at) }).collect()))
}

/// Why something is done, for the audit log.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    #[serde(default)]
    #[schema(max_length = 256)]
    pub(super) reason: String,
}

/// Revokes the envoy that a name means, and its successor where it was replaced in this very moment.
pub(crate) async fn revoke_named(app: &App, name: &str, reason: &str, by: &Principal) -> Result<Arc<Envoy>, ApiError> {
    let mut id = app.find_envoy(name)?.live().record.id;
    let act = act(by);
    let mut record = operate::revoke_envoy(app.store.as_ref(), &id, reason, &act).await?;
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
            record = operate::revoke_envoy(app.store.as_ref(), &id, reason, &act).await?;
        }
    }
    Ok(app.apply(record))
}

/// Refuse an envoy from its next request on, for ever
#[utoipa::path(post, path = "/api/v1/envoys/{envoy}/revoke", tag = "envoys",
    params(("envoy" = String, Path, description = "its id or hostname")), request_body = Reason,
    responses((status = 200, body = EnvoyBody)))]
async fn revoke(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
    Json(body): Json<Reason>,
) -> Result<Json<EnvoyBody>, ApiError> {
    let envoy = revoke_named(&app, &name, &body.reason, &by).await?;
    let shown = EnvoyBody::of(&app.standing(clock::now()), &envoy.live());
    Ok(Json(shown))
}

/// Revokes an envoy and lists it no more.
pub(crate) async fn delete_named(app: &App, name: &str, reason: &str, by: &Principal) -> Result<Arc<Envoy>, ApiError> {
    let id = app.find_envoy(name)?.live().record.id;
    let record: EnvoyRecord = operate::delete_envoy(app.store.as_ref(), &id, reason, &act(by)).await?;
    Ok(app.apply(record))
}

/// Revoke an envoy and list it no more
#[utoipa::path(delete, path = "/api/v1/envoys/{envoy}", tag = "envoys",
    params(("envoy" = String, Path, description = "its id or hostname")), responses((status = 200, body = EnvoyBody)))]
async fn delete(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<Json<EnvoyBody>, ApiError> {
    let envoy = delete_named(&app, &name, "", &by).await?;
    let shown = EnvoyBody::of(&app.standing(clock::now()), &envoy.live());
    Ok(Json(shown))
}

/// For how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Leave {
    #[serde(default = "an_hour")]
    #[schema(minimum = 1, default = 3600)]
    ttl_secs: u64,
}

fn an_hour() -> u64 {
    3600
}

/// A name that may be enrolled anew.
#[derive(Debug, Serialize, ToSchema)]
struct Left {
    hostname: String,
    until: String,
}

/// Lets a name be enrolled once more, for a month at most.
pub(crate) async fn allow_named(
    app: &App,
    name: &str,
    ttl: Duration,
    by: &Principal,
) -> Result<(Hostname, UnixTime), ApiError> {
    let hostname = app.find_envoy(name)?.live().record.hostname.clone();
    let act = act(by);
    let until = act.now.after(ttl.min(Duration::from_hours(30 * 24)));
    operate::allow_reenroll(app.store.as_ref(), &hostname, until, &act).await?;
    Ok((hostname, until))
}

/// Let the host of that name enrol again, once, in place of the envoy that has it
#[utoipa::path(post, path = "/api/v1/envoys/{envoy}/allow-reenroll", tag = "envoys",
    params(("envoy" = String, Path, description = "its id or hostname")), request_body = Leave,
    responses((status = 200, body = Left)))]
async fn allow_reenroll(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
    Json(body): Json<Leave>,
) -> Result<Json<Left>, ApiError> {
    let (hostname, until) = allow_named(&app, &name, Duration::from_secs(body.ttl_secs), &by).await?;
    Ok(Json(Left { hostname: hostname.to_string(), until: rfc3339(until) }))
}
