//! The audit log: read it, and check its chain.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use vigo_core::audit::{self, AuditRecord, ChainLink};
use vigo_core::record::Record;
use vigo_core::{keyspace, store};

use crate::admin::rfc3339;
use crate::app::App;
use crate::http::error::ApiError;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/audit", get(list))
        .route("/api/v1/audit/verify", get(verify))
        .with_state(Arc::clone(app))
}

#[derive(Deserialize)]
struct Limit {
    #[serde(default = "a_screen")]
    limit: usize,
}

fn a_screen() -> usize {
    100
}

async fn entries(app: &App, prefix: &str) -> Result<Vec<store::Entry>, ApiError> {
    let page = store::scan_all(app.store.as_ref(), prefix.as_bytes()).await;
    Ok(page.map_err(|error| ApiError::unavailable(&error))?.entries)
}

async fn list(State(app): State<Arc<App>>, Query(limit): Query<Limit>) -> Result<Json<Vec<Value>>, ApiError> {
    let mut entries = entries(&app, keyspace::AUDIT_RECORDS).await?;
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.revision));
    let shown = entries.iter().take(limit.limit.min(10_000)).map(|entry| {
        let record = AuditRecord::decode(&entry.value).map_err(|error| ApiError::unavailable(&error))?;
        Ok(json!({
            "at": rfc3339(record.at),
            "actor": record.actor,
            "action": record.action,
            "subject": record.subject,
            "outcome": record.outcome,
            "detail": record.detail,
        }))
    });
    shown.collect::<Result<_, ApiError>>().map(Json)
}

async fn verify(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    // Links first: a record written meanwhile is newer than all of them and counts as not yet covered.
    let links = entries(&app, keyspace::AUDIT_CHAIN).await?;
    let records = entries(&app, keyspace::AUDIT_RECORDS).await?;
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
    Ok(Json(json!({
        "links": verified.links,
        "covered": verified.covered,
        "uncovered": verified.uncovered,
        "head": hex::encode(verified.head),
    })))
}
