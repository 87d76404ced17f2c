//! Tokens: make, list, show, revoke.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vigo_core::record::{Record, TokenRecord};
use vigo_core::{Cidr, HostPattern, TokenId, TokenText, UnixTime, keyspace, store};
use vigo_enroll::operate::{self, Act, AnyHost, OperateError, TokenDice, TokenRequest};
use vigo_enroll::script::{OneLiner, one_liner};

use crate::admin::{Operator, act, rfc3339, system};
use crate::app::App;
use crate::clock;
use crate::http::error::ApiError;
use zeroize::Zeroizing;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/tokens", get(list).post(create))
        .route("/api/v1/tokens/{id}", get(show))
        .route("/api/v1/tokens/{id}/revoke", post(revoke))
        .with_state(Arc::clone(app))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    pattern: String,
    #[serde(default = "an_hour")]
    ttl_secs: u64,
    #[serde(default = "once")]
    uses: NonZeroU32,
    #[serde(default)]
    cidrs: Vec<String>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    allow_replace: bool,
    #[serde(default)]
    os: Option<String>,
    #[serde(default)]
    any_host: bool,
}

fn an_hour() -> u64 {
    3600
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// A pattern, or what is wrong with it.
pub(super) fn pattern(text: &str) -> Result<HostPattern, ApiError> {
    text.parse().map_err(|error| {
        ApiError::bad_request(format!("the pattern `{text}` is refused: {error}"), "for example `*.web.example.com`")
    })
}

/// Whether a pattern that takes any host is meant.
pub(super) fn confirmed(any_host: bool) -> AnyHost {
    if any_host { AnyHost::Confirmed } else { AnyHost::Unconfirmed }
}

async fn create(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Operator>,
    Json(body): Json<Request>,
) -> Result<Json<Value>, ApiError> {
    let system = system(body.os.as_deref())?;
    let cidrs: Vec<Cidr> = body
        .cidrs
        .iter()
        .map(|net| net.parse().map_err(|error: vigo_core::CidrError| ApiError::bad_request(error.to_string(), "")))
        .collect::<Result<_, _>>()?;
    let request = TokenRequest {
        pattern: pattern(&body.pattern)?,
        any_host: confirmed(body.any_host),
        ttl: Duration::from_secs(body.ttl_secs),
        uses: body.uses,
        cidrs,
        note: body.note,
        allow_replace: body.allow_replace,
    };
    let (text, record) = create_token(&app, request, &act(by)).await?;
    let signing_pin = app.signing_pin(system.name());
    let command = one_liner(&app.script, &OneLiner { system, token: Some(&text), signing_pin, local: false });
    Ok(Json(json!({
        "id": record.id.to_string(),
        "token": text.reveal(),
        "command": command,
        "ca_pin": app.authority.root().pin.to_string(),
        "expires_at": rfc3339(record.expires_at),
        "pattern": record.pattern.to_string(),
        "uses": record.uses_allowed,
        "cidrs": record.cidrs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "note": record.note,
        "allow_replace": record.allow_replace,
    })))
}

/// Makes a token with this server's keys.
pub(crate) async fn create_token(
    app: &App,
    request: TokenRequest,
    act: &Act,
) -> Result<(TokenText, TokenRecord), OperateError> {
    let dice = TokenDice { id: clock::random(), secret: Zeroizing::new(clock::random()), salt: clock::random() };
    let pin = app.authority.root().pin;
    operate::create_token(app.store.as_ref(), &app.hashes, &app.token_key, request, &pin, act, dice).await
}

/// A token as a list shows it.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    pattern: String,
    cidrs: Vec<String>,
    uses: u32,
    used: usize,
    created_at: String,
    expires_at: String,
    note: String,
    allow_replace: bool,
    status: &'static str,
    created_by: String,
}

#[derive(Debug, Serialize)]
struct Details {
    #[serde(flatten)]
    row: Row,
    used_by: Vec<Use>,
}

#[derive(Debug, Serialize)]
struct Use {
    envoy: String,
    at: String,
}

fn row(record: &TokenRecord, now: UnixTime) -> Row {
    Row {
        id: record.id.to_string(),
        pattern: record.pattern.to_string(),
        cidrs: record.cidrs.iter().map(ToString::to_string).collect(),
        uses: record.uses_allowed,
        used: record.uses.len(),
        created_at: rfc3339(record.created_at),
        expires_at: rfc3339(record.expires_at),
        note: record.note.clone(),
        allow_replace: record.allow_replace,
        status: if record.revocation.is_some() {
            "revoked"
        } else if record.is_used_up() {
            "used"
        } else if record.expires_at <= now {
            "expired"
        } else {
            "active"
        },
        created_by: record.created_by.clone(),
    }
}

fn decode(value: &[u8]) -> Result<TokenRecord, ApiError> {
    TokenRecord::decode(value).map_err(|error| ApiError::unavailable(&error))
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<Row>>, ApiError> {
    let now = clock::now();
    let page = store::scan_all(app.store.as_ref(), keyspace::TOKENS.as_bytes()).await;
    let page = page.map_err(|error| ApiError::unavailable(&error))?;
    let mut records = page.entries.iter().map(|entry| decode(&entry.value)).collect::<Result<Vec<_>, _>>()?;
    records.sort_by_key(|record| (record.created_at, record.id));
    Ok(Json(records.iter().map(|record| row(record, now)).collect()))
}

fn id(text: &str) -> Result<TokenId, ApiError> {
    text.parse().map_err(|error: vigo_core::IdError| {
        ApiError::bad_request(error.to_string(), "`vigocli tokens list` shows the ids")
    })
}

async fn read(app: &App, id: &TokenId) -> Result<TokenRecord, ApiError> {
    let entry = app.store.get(keyspace::token(id).as_bytes()).await.map_err(|error| ApiError::unavailable(&error))?;
    let entry = entry.ok_or(OperateError::NotFound { what: "token", name: id.to_string() })?;
    decode(&entry.value)
}

async fn show(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Details>, ApiError> {
    let record = read(&app, &id(&name)?).await?;
    let used_by = record.uses.iter().map(|one| Use { envoy: one.envoy.to_string(), at: rfc3339(one.at) }).collect();
    Ok(Json(Details { row: row(&record, clock::now()), used_by }))
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
    let act = act(by);
    let record = operate::revoke_token(app.store.as_ref(), &id(&name)?, &body.reason, &act).await?;
    Ok(Json(row(&record, act.now)))
}
