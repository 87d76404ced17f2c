//! Approved patterns: add, list, remove.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::record::{ApprovedRecord, Record};
use vigo_core::{ApprovalId, keyspace, store};
use vigo_enroll::operate;

use crate::access::Principal;
use crate::admin::page::{Page, Params, Part};
use crate::admin::{act, rfc3339, tokens};
use crate::app::App;
use crate::clock;
use crate::http::error::ApiError;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// A pattern of hostnames that may enrol without a token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Approved)]
pub(super) struct Row {
    id: String,
    pattern: String,
    note: String,
    created_at: String,
    created_by: String,
}

pub(super) fn row(record: &ApprovedRecord) -> Row {
    Row {
        id: record.id.to_string(),
        pattern: record.pattern.to_string(),
        note: record.note.clone(),
        created_at: rfc3339(record.created_at),
        created_by: record.created_by.clone(),
    }
}

/// All approved patterns, the oldest first.
pub(crate) async fn all(app: &App) -> Result<Vec<ApprovedRecord>, ApiError> {
    let page = store::scan_all(app.store.as_ref(), keyspace::APPROVED.as_bytes()).await;
    let page = page.map_err(|error| ApiError::unavailable(&error))?;
    let records = page.entries.iter().map(|entry| ApprovedRecord::decode(&entry.value)).collect::<Result<Vec<_>, _>>();
    let mut records = records.map_err(|error| ApiError::unavailable(&error))?;
    records.sort_by_key(|record| (record.created_at, record.id));
    Ok(records)
}

/// List approved patterns
#[utoipa::path(get, path = "/api/v1/approved", tag = "rules", params(Part),
    responses((status = 200, body = Page<Row>)))]
async fn list(State(app): State<Arc<App>>, Params(part): Params<Part>) -> Result<Json<Page<Row>>, ApiError> {
    let key = |record: &ApprovedRecord| format!("{:020}{}", record.created_at.as_secs(), record.id);
    let page = part.of(all(&app).await?, key)?;
    Ok(Json(Page { items: page.items.iter().map(row).collect(), next: page.next, total: page.total }))
}

/// The pattern that is approved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Approval)]
struct Wish {
    #[schema(example = "*.dev.example.com")]
    pattern: String,
    #[serde(default)]
    #[schema(max_length = 256)]
    note: String,
    /// Confirms a pattern that takes any host.
    #[serde(default)]
    any_host: bool,
}

/// Approves a pattern, and has it in force.
pub(crate) async fn approve(
    app: &App,
    pattern: &str,
    note: &str,
    any_host: bool,
    by: &Principal,
) -> Result<ApprovedRecord, ApiError> {
    let pattern = tokens::pattern(pattern)?;
    let id = ApprovalId::from_random(clock::random());
    let any_host = tokens::confirmed(any_host);
    let record = operate::add_approval(app.store.as_ref(), id, pattern, any_host, note, &act(by)).await?;
    app.reload_rules().await.map_err(|error| ApiError::unavailable(&error))?;
    Ok(record)
}

/// Approve a pattern of hostnames
#[utoipa::path(post, path = "/api/v1/approved", tag = "rules", request_body = Wish,
    responses((status = 200, body = Row)))]
async fn add(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Json(body): Json<Wish>,
) -> Result<Json<Row>, ApiError> {
    Ok(Json(row(&approve(&app, &body.pattern, &body.note, body.any_host, &by).await?)))
}

/// Takes an approved pattern back.
pub(crate) async fn take_back(app: &App, id: &str, by: &Principal) -> Result<ApprovedRecord, ApiError> {
    let id: ApprovalId = id.parse().map_err(|error: vigo_core::IdError| {
        ApiError::bad_request(error.to_string(), "`vigocli approved list` shows the ids")
    })?;
    let record = operate::remove_approval(app.store.as_ref(), &id, &act(by)).await?;
    app.reload_rules().await.map_err(|error| ApiError::unavailable(&error))?;
    Ok(record)
}

/// Take an approved pattern back
#[utoipa::path(delete, path = "/api/v1/approved/{id}", tag = "rules", params(("id" = String, Path)),
    responses((status = 200, body = Row)))]
async fn remove(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<Json<Row>, ApiError> {
    Ok(Json(row(&take_back(&app, &name, &by).await?)))
}
