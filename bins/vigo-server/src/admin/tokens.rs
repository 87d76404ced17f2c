//! Tokens: make, list, show, revoke.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::record::{Record, TokenRecord};
use vigo_core::{Cidr, HostPattern, TokenId, TokenText, UnixTime, keyspace, store};
use vigo_enroll::operate::{self, Act, AnyHost, OperateError, TokenDice, TokenRequest};
use vigo_enroll::script::{OneLiner, one_liner};

use crate::access::Principal;
use crate::admin::envoys::Reason;
use crate::admin::page::{Page, Params, Part};
use crate::admin::{act, rfc3339, system};
use crate::app::App;
use crate::clock;
use crate::http::error::ApiError;
use zeroize::Zeroizing;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show)).routes(routes!(revoke))
}

/// The token that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The hostnames that it admits.
    #[schema(example = "web*.example.com")]
    pub(crate) pattern: String,
    #[serde(default = "an_hour")]
    #[schema(default = 3600, minimum = 1)]
    pub(crate) ttl_secs: u64,
    #[serde(default = "once")]
    #[schema(default = 1, value_type = u32, minimum = 1)]
    pub(crate) uses: NonZeroU32,
    /// The networks that it admits from; empty: any.
    #[serde(default)]
    #[schema(example = json!(["10.0.0.0/8"]))]
    pub(crate) cidrs: Vec<String>,
    #[serde(default)]
    #[schema(max_length = 256)]
    pub(crate) note: String,
    /// Whether it may replace an active envoy under a name that its pattern does not spell out.
    #[serde(default)]
    pub(crate) allow_replace: bool,
    /// The system that the line is for; linux unless said.
    #[serde(default)]
    pub(crate) os: Option<String>,
    /// Confirms a pattern that takes any host.
    #[serde(default)]
    pub(crate) any_host: bool,
}

/// A token that was made: shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Made {
    pub(crate) id: String,
    /// The secret text.
    token: String,
    /// The line for the new machine, token and pins in it.
    pub(crate) command: String,
    ca_pin: String,
    pub(crate) expires_at: String,
    pub(crate) pattern: String,
    uses: u32,
    cidrs: Vec<String>,
    note: String,
    allow_replace: bool,
}

fn an_hour() -> u64 {
    3600
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// A pattern, or what is wrong with it.
pub(crate) fn pattern(text: &str) -> Result<HostPattern, ApiError> {
    text.parse().map_err(|error| {
        ApiError::bad_request(format!("the pattern `{text}` is refused: {error}"), "for example `*.web.example.com`")
    })
}

/// Whether a pattern that takes any host is meant.
pub(crate) fn confirmed(any_host: bool) -> AnyHost {
    if any_host { AnyHost::Confirmed } else { AnyHost::Unconfirmed }
}

/// Make a token
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = Wish,
    responses((status = 200, body = Made)))]
async fn create(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Json(wish): Json<Wish>,
) -> Result<Json<Made>, ApiError> {
    make(&app, wish, &by).await.map(Json)
}

/// Makes the token that is wished for, and the line with it.
pub(crate) async fn make(app: &App, wish: Wish, by: &Principal) -> Result<Made, ApiError> {
    let system = system(wish.os.as_deref())?;
    let read = |net: &String| {
        net.parse().map_err(|error: vigo_core::CidrError| {
            ApiError::bad_request(error.to_string(), "for example `10.1.0.0/16` or `fd00:a::/32`")
        })
    };
    let cidrs: Vec<Cidr> = wish.cidrs.iter().map(read).collect::<Result<_, _>>()?;
    let request = TokenRequest {
        pattern: pattern(&wish.pattern)?,
        any_host: confirmed(wish.any_host),
        ttl: Duration::from_secs(wish.ttl_secs),
        uses: wish.uses,
        cidrs,
        note: wish.note,
        allow_replace: wish.allow_replace,
    };
    let (text, record) = create_token(app, request, &act(by)).await?;
    let signing_pin = app.signing_pin(system.name());
    let command = one_liner(&app.script, &OneLiner { system, token: Some(&text), signing_pin, local: false });
    Ok(Made {
        id: record.id.to_string(),
        token: text.reveal().to_owned(),
        command,
        ca_pin: app.authority.root().pin.to_string(),
        expires_at: rfc3339(record.expires_at),
        pattern: record.pattern.to_string(),
        uses: record.uses_allowed,
        cidrs: record.cidrs.iter().map(ToString::to_string).collect(),
        note: record.note,
        allow_replace: record.allow_replace,
    })
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
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
    /// `active`, `used`, `expired` or `revoked`.
    status: &'static str,
    created_by: String,
}

/// A token, and who enrolled with it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenDetails)]
struct Details {
    #[serde(flatten)]
    row: Row,
    used_by: Vec<Use>,
}

/// An enrolment with a token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenUse)]
struct Use {
    envoy: String,
    at: String,
}

/// The word for where a token stands.
pub(crate) fn status(record: &TokenRecord, now: UnixTime) -> &'static str {
    if record.revocation.is_some() {
        "revoked"
    } else if record.is_used_up() {
        "used"
    } else if record.expires_at <= now {
        "expired"
    } else {
        "active"
    }
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
        status: status(record, now),
        created_by: record.created_by.clone(),
    }
}

fn decode(value: &[u8]) -> Result<TokenRecord, ApiError> {
    TokenRecord::decode(value).map_err(|error| ApiError::unavailable(&error))
}

/// All tokens, the oldest first.
pub(crate) async fn all(app: &App) -> Result<Vec<TokenRecord>, ApiError> {
    let page = store::scan_all(app.store.as_ref(), keyspace::TOKENS.as_bytes()).await;
    let page = page.map_err(|error| ApiError::unavailable(&error))?;
    let mut records = page.entries.iter().map(|entry| decode(&entry.value)).collect::<Result<Vec<_>, _>>()?;
    records.sort_by_key(|record| (record.created_at, record.id));
    Ok(records)
}

/// List tokens
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(Part),
    responses((status = 200, body = Page<Row>)))]
async fn list(State(app): State<Arc<App>>, Params(part): Params<Part>) -> Result<Json<Page<Row>>, ApiError> {
    let now = clock::now();
    let key = |record: &TokenRecord| format!("{:020}{}", record.created_at.as_secs(), record.id);
    let page = part.of(all(&app).await?, key)?;
    let items = page.items.iter().map(|record| row(record, now)).collect();
    Ok(Json(Page { items, next: page.next, total: page.total }))
}

/// An id, or what is wrong with it.
pub(crate) fn id(text: &str) -> Result<TokenId, ApiError> {
    text.parse().map_err(|error: vigo_core::IdError| {
        ApiError::bad_request(error.to_string(), "`vigocli tokens list` shows the ids")
    })
}

/// The token of an id.
pub(crate) async fn read(app: &App, id: &TokenId) -> Result<TokenRecord, ApiError> {
    let entry = app.store.get(keyspace::token(id).as_bytes()).await.map_err(|error| ApiError::unavailable(&error))?;
    let entry = entry.ok_or(OperateError::NotFound { what: "token", name: id.to_string() })?;
    decode(&entry.value)
}

/// Show one token and who enrolled with it
#[utoipa::path(get, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 200, body = Details)))]
async fn show(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Details>, ApiError> {
    let record = read(&app, &id(&name)?).await?;
    let used_by = record.uses.iter().map(|one| Use { envoy: one.envoy.to_string(), at: rfc3339(one.at) }).collect();
    Ok(Json(Details { row: row(&record, clock::now()), used_by }))
}

/// Refuse a token from now on, for ever
#[utoipa::path(post, path = "/api/v1/tokens/{id}/revoke", tag = "tokens", params(("id" = String, Path)),
    request_body = Reason, responses((status = 200, body = Row)))]
async fn revoke(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
    Json(body): Json<Reason>,
) -> Result<Json<Row>, ApiError> {
    let act = act(&by);
    let record = operate::revoke_token(app.store.as_ref(), &id(&name)?, &body.reason, &act).await?;
    Ok(Json(row(&record, act.now)))
}
