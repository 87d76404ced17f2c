//! The audit log: read it, and check its chain.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::audit::{self, AuditRecord, ChainLink};
use vigo_core::record::Record;
use vigo_core::store::Revision;
use vigo_core::{UnixTime, keyspace, store};

use crate::admin::envoys::time;
use crate::admin::page::{Page, Params, Part, a_page};
use crate::admin::rfc3339;
use crate::app::App;
use crate::http::error::ApiError;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify)).routes(routes!(head))
}

/// Which records.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Part of any field.
    pub(crate) search: String,
    /// Exactly that actor, as in `operator:ada`.
    pub(crate) actor: Option<String>,
    /// Exactly that action, as in `envoy.revoke`.
    pub(crate) action: Option<String>,
    /// Exactly that subject: an id or a hostname.
    pub(crate) subject: Option<String>,
    /// Not before that time, RFC 3339.
    pub(crate) since: Option<String>,
    /// Before that time, RFC 3339.
    pub(crate) until: Option<String>,
    /// How many on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(crate) limit: Option<usize>,
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

/// One act.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub(crate) struct Row {
    pub(crate) at: String,
    /// `operator:NAME`, `operator:token:NAME`, `envoy:ID`, `address:IP` or `server`.
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) subject: String,
    /// `ok`, or the code of the refusal.
    pub(crate) outcome: String,
    pub(crate) detail: String,
    #[serde(skip)]
    pub(crate) time: UnixTime,
}

fn row(record: AuditRecord) -> Row {
    Row {
        at: rfc3339(record.at),
        actor: record.actor,
        action: record.action,
        subject: record.subject,
        outcome: record.outcome,
        detail: record.detail,
        time: record.at,
    }
}

async fn entries(app: &App, prefix: &str) -> Result<Vec<store::Entry>, ApiError> {
    let page = store::scan_all(app.store.as_ref(), prefix.as_bytes()).await;
    Ok(page.map_err(|error| ApiError::unavailable(&error))?.entries)
}

impl Filter {
    /// The page that is asked for, the newest first.
    pub(crate) async fn page(&self, app: &App) -> Result<Page<Row>, ApiError> {
        let (since, until) = (time("since", self.since.as_deref())?, time("until", self.until.as_deref())?);
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().filter(|wanted| !wanted.is_empty()).is_none_or(|wanted| wanted == found)
        };
        let text = self.search.to_lowercase();
        let mut found: Vec<(Revision, AuditRecord)> = Vec::new();
        for entry in entries(app, keyspace::AUDIT_RECORDS).await? {
            let record = AuditRecord::decode(&entry.value).map_err(|error| ApiError::unavailable(&error))?;
            let fields = [&record.actor, &record.action, &record.subject, &record.outcome, &record.detail];
            let fits = since.is_none_or(|since| record.at >= since)
                && until.is_none_or(|until| record.at < until)
                && is(&self.actor, &record.actor)
                && is(&self.action, &record.action)
                && is(&self.subject, &record.subject)
                && (text.is_empty() || fields.iter().any(|field| field.to_lowercase().contains(&text)));
            if fits {
                found.push((entry.revision, record));
            }
        }
        found.sort_by_key(|(revision, _)| std::cmp::Reverse(*revision));
        let part =
            Part { limit: self.limit.unwrap_or_else(a_page), cursor: self.cursor.clone().filter(|it| !it.is_empty()) };
        let page = part.of(found, |(revision, _)| format!("{:020}", u64::MAX - revision.get()))?;
        let items = page.items.into_iter().map(|(_, record)| row(record)).collect();
        Ok(Page { items, next: page.next, total: page.total })
    }
}

/// List what was done, the newest first
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(Filter),
    responses((status = 200, body = Page<Row>)))]
async fn list(State(app): State<Arc<App>>, Params(filter): Params<Filter>) -> Result<Json<Page<Row>>, ApiError> {
    filter.page(&app).await.map(Json)
}

/// What a check of the chain found: all is as it was written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditVerified)]
pub(crate) struct Verified {
    pub(crate) links: u64,
    /// Records that the chain covers.
    pub(crate) covered: u64,
    /// Records of the last moments, not yet covered.
    pub(crate) uncovered: u64,
    /// The hash of the newest link, hexadecimal: keep it elsewhere.
    pub(crate) head: String,
}

/// Checks the chain over all records.
pub(crate) async fn check(app: &App) -> Result<Verified, ApiError> {
    // Links first: a record written meanwhile is newer than all of them and counts as not yet covered.
    let links = entries(app, keyspace::AUDIT_CHAIN).await?;
    let records = entries(app, keyspace::AUDIT_RECORDS).await?;
    let broken = |message: String| {
        ApiError::new(
            StatusCode::CONFLICT,
            "audit_broken",
            message,
            "compare with a backup: somebody changed the store around the server",
        )
    };
    let links: Vec<ChainLink> = links
        .iter()
        .map(|entry| ChainLink::decode(&entry.value).map_err(|error| broken(error.to_string())))
        .collect::<Result<_, _>>()?;
    let verified = audit::verify(&links, &records).map_err(|error| broken(error.to_string()))?;
    Ok(Verified {
        links: verified.links,
        covered: verified.covered,
        uncovered: verified.uncovered,
        head: hex::encode(verified.head),
    })
}

/// Check that nobody changed the audit log
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit", responses((status = 200, body = Verified)))]
async fn verify(State(app): State<Arc<App>>) -> Result<Json<Verified>, ApiError> {
    check(&app).await.map(Json)
}

/// The newest link of the chain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditHead)]
struct Head {
    links: u64,
    head: String,
}

/// The newest link of the chain, checked
#[utoipa::path(get, path = "/api/v1/audit/head", tag = "audit", responses((status = 200, body = Head)))]
async fn head(State(app): State<Arc<App>>) -> Result<Json<Head>, ApiError> {
    let verified = check(&app).await?;
    Ok(Json(Head { links: verified.links, head: verified.head }))
}
