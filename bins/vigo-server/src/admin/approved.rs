//! Approved patterns: add, list, remove.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{delete, get};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use vigo_core::record::{ApprovedRecord, Record};
use vigo_core::{ApprovalId, keyspace, store};
use vigo_enroll::operate;

use crate::admin::{Operator, act, rfc3339, tokens};
use crate::app::App;
use crate::clock;
use crate::http::error::ApiError;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/approved", get(list).post(add))
        .route("/api/v1/approved/{id}", delete(remove))
        .with_state(Arc::clone(app))
}

#[derive(Debug, Serialize)]
struct Row {
    id: String,
    pattern: String,
    note: String,
    created_at: String,
    created_by: String,
}

fn row(record: &ApprovedRecord) -> Row {
    Row {
        id: record.id.to_string(),
        pattern: record.pattern.to_string(),
        note: record.note.clone(),
        created_at: rfc3339(record.created_at),
        created_by: record.created_by.clone(),
    }
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<Row>>, ApiError> {
    let page = store::scan_all(app.store.as_ref(), keyspace::APPROVED.as_bytes()).await;
    let page = page.map_err(|error| ApiError::unavailable(&error))?;
    let records = page.entries.iter().map(|entry| ApprovedRecord::decode(&entry.value)).collect::<Result<Vec<_>, _>>();
    let mut records = records.map_err(|error| ApiError::unavailable(&error))?;
    records.sort_by_key(|record| (record.created_at, record.id));
    Ok(Json(records.iter().map(row).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    pattern: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    any_host: bool,
}

async fn add(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Operator>,
    Json(body): Json<Request>,
) -> Result<Json<Row>, ApiError> {
    let pattern = tokens::pattern(&body.pattern)?;
    let id = ApprovalId::from_random(clock::random());
    let any_host = tokens::confirmed(body.any_host);
    let record = operate::add_approval(app.store.as_ref(), id, pattern, any_host, &body.note, &act(by)).await?;
    app.reload_rules().await.map_err(|error| ApiError::unavailable(&error))?;
    Ok(Json(row(&record)))
}

async fn remove(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Operator>,
    Path(name): Path<String>,
) -> Result<Json<Row>, ApiError> {
    let id: ApprovalId = name.parse().map_err(|error: vigo_core::IdError| {
        ApiError::bad_request(error.to_string(), "`vigocli approved list` shows the ids")
    })?;
    let record = operate::remove_approval(app.store.as_ref(), &id, &act(by)).await?;
    app.reload_rules().await.map_err(|error| ApiError::unavailable(&error))?;
    Ok(Json(row(&record)))
}
