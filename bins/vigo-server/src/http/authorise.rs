//! Who may ask what: one table, and the layer that holds every route to it. What the table does not name is refused.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::csrf::ProtectionError;
use tower_sessions::Session;
use zeroize::Zeroizing;

use crate::access::{By, Principal, Role, of_bearer, of_session};
use crate::app::App;
use crate::http::error::{self, ApiError};

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing.
    Nobody,
    /// Somebody who is logged in; the handler looks at whose it is.
    Anybody,
    /// A role, or one above it.
    Role(Role),
}

use Needs::{Anybody, Nobody};
const VIEWER: Needs = Needs::Role(Role::Viewer);
const OPERATOR: Needs = Needs::Role(Role::Operator);
const ADMIN: Needs = Needs::Role(Role::Admin);

/// Every route of the API, with what it needs.
pub(crate) const API: &[(&str, &str, Needs)] = &[
    ("GET", "/api/v1/envoys", VIEWER),
    ("GET", "/api/v1/envoys/{envoy}", VIEWER),
    ("DELETE", "/api/v1/envoys/{envoy}", OPERATOR),
    ("GET", "/api/v1/envoys/{envoy}/policy", VIEWER),
    ("GET", "/api/v1/envoys/{envoy}/check-ins", VIEWER),
    ("POST", "/api/v1/envoys/{envoy}/revoke", OPERATOR),
    ("POST", "/api/v1/envoys/{envoy}/allow-reenroll", OPERATOR),
    ("POST", "/api/v1/rebootstraps", OPERATOR),
    ("GET", "/api/v1/events", VIEWER),
    ("GET", "/api/v1/summary", VIEWER),
    ("GET", "/api/v1/tokens", VIEWER),
    ("POST", "/api/v1/tokens", OPERATOR),
    ("GET", "/api/v1/tokens/{id}", VIEWER),
    ("POST", "/api/v1/tokens/{id}/revoke", OPERATOR),
    ("GET", "/api/v1/approved", VIEWER),
    ("POST", "/api/v1/approved", OPERATOR),
    ("DELETE", "/api/v1/approved/{id}", OPERATOR),
    ("GET", "/api/v1/rules", VIEWER),
    ("POST", "/api/v1/enroll/explain", VIEWER),
    ("GET", "/api/v1/bootstrap/command", VIEWER),
    ("GET", "/api/v1/ca", VIEWER),
    ("GET", "/api/v1/audit", VIEWER),
    ("GET", "/api/v1/audit/verify", VIEWER),
    ("GET", "/api/v1/audit/head", VIEWER),
    ("GET", "/api/v1/accounts", ADMIN),
    ("POST", "/api/v1/accounts", ADMIN),
    ("DELETE", "/api/v1/accounts/{name}", ADMIN),
    ("POST", "/api/v1/accounts/{name}/role", ADMIN),
    ("POST", "/api/v1/accounts/{name}/password", Anybody),
    ("GET", "/api/v1/api-tokens", Anybody),
    ("POST", "/api/v1/api-tokens", Anybody),
    ("POST", "/api/v1/api-tokens/{id}/revoke", Anybody),
    ("POST", "/api/v1/login", Nobody),
    ("POST", "/api/v1/logout", Anybody),
    ("GET", "/api/v1/whoami", Anybody),
    ("GET", "/api/v1/doctor", ADMIN),
    ("GET", "/api/v1/openapi.json", VIEWER),
    ("GET", "/metrics", VIEWER),
];

/// Every route of the web pages, with what it needs.
const PAGES: &[(&str, &str, Needs)] = &[
    ("GET", "/", VIEWER),
    ("GET", "/login", Nobody),
    ("POST", "/login", Nobody),
    ("POST", "/logout", Nobody),
    ("GET", "/assets/{file}", Nobody),
    ("GET", "/envoys", VIEWER),
    ("GET", "/envoys.csv", VIEWER),
    ("GET", "/envoys.json", VIEWER),
    ("GET", "/envoys/events", VIEWER),
    ("GET", "/envoys/{envoy}", VIEWER),
    ("POST", "/envoys/{envoy}/revoke", OPERATOR),
    ("POST", "/envoys/{envoy}/delete", OPERATOR),
    ("POST", "/envoys/{envoy}/allow-reenroll", OPERATOR),
    ("POST", "/envoys/{envoy}/rebootstrap", OPERATOR),
    ("GET", "/add", OPERATOR),
    ("POST", "/add", OPERATOR),
    ("GET", "/add/{id}", VIEWER),
    ("GET", "/tokens", VIEWER),
    ("POST", "/tokens/{id}/revoke", OPERATOR),
    ("GET", "/rules", VIEWER),
    ("POST", "/rules/approved", OPERATOR),
    ("POST", "/rules/approved/{id}/remove", OPERATOR),
    ("GET", "/ca", VIEWER),
    ("GET", "/audit", VIEWER),
    ("GET", "/dashboard", VIEWER),
    ("GET", "/access", ADMIN),
    ("POST", "/access/accounts", ADMIN),
    ("POST", "/access/accounts/{name}/role", ADMIN),
    ("POST", "/access/accounts/{name}/password", ADMIN),
    ("POST", "/access/accounts/{name}/delete", ADMIN),
    ("POST", "/access/tokens", ADMIN),
    ("POST", "/access/tokens/{id}/revoke", ADMIN),
    ("GET", "/account", VIEWER),
    ("POST", "/account", VIEWER),
];

/// What a route needs; `None`: it is in no table.
fn needs(table: &[(&str, &str, Needs)], method: &Method, path: &str) -> Option<Needs> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    table.iter().find(|row| row.0 == method && row.1 == path).map(|row| row.2)
}

/// What a request says of who asks.
enum Claim {
    Nothing,
    /// The connection told.
    Known(Principal),
    /// The text behind `Authorization: Bearer`.
    Bearer(Zeroizing<String>),
    Session(Session),
}

impl Claim {
    /// A token that is none does not fall through to a session.
    fn of(request: &Request) -> Self {
        if let Some(principal) = request.extensions().get::<Principal>() {
            return Self::Known(principal.clone());
        }
        if request.headers().contains_key(header::AUTHORIZATION) {
            return bearer(request.headers())
                .map_or(Self::Nothing, |text| Self::Bearer(Zeroizing::new(text.to_owned())));
        }
        request.extensions().get::<Session>().map_or(Self::Nothing, |session| Self::Session(session.clone()))
    }

    async fn prove(self, app: &App) -> Result<Option<Principal>, ApiError> {
        let found = match self {
            Self::Nothing => Ok(None),
            Self::Known(principal) => Ok(Some(principal)),
            Self::Bearer(text) => of_bearer(app.store.as_ref(), &text).await,
            Self::Session(session) => of_session(app.store.as_ref(), &session).await,
        };
        found.map_err(|error| ApiError::unavailable(&error))
    }
}

/// The text behind `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}

fn not_allowed(role: Role, needed: Role) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "not_allowed",
        format!("this needs the role {needed}, and yours is {role}"),
        "ask an admin, or log in as somebody with that role",
    )
}

fn not_logged_in() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "not_logged_in",
        "this needs a login or an API token that is in force",
        "`vigocli login URL`, or send `Authorization: Bearer vgot_…`",
    )
}

/// Lets a request of the API through, with its [`Principal`], or refuses it.
pub(crate) async fn api(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else { return next.run(request).await };
    let Some(needs) = needs(API, request.method(), path.as_str()) else {
        return error::method_not_allowed().await.into_response();
    };
    match admit(&app, Claim::of(&request), needs).await {
        Ok(principal) => {
            if let Some(principal) = principal {
                request.extensions_mut().insert(principal);
            }
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Who asks, if they may; nobody where nobody need be known.
async fn admit(app: &App, claim: Claim, needs: Needs) -> Result<Option<Principal>, ApiError> {
    let principal = claim.prove(app).await?;
    match (needs, &principal) {
        (Nobody, _) | (Anybody, Some(_)) => Ok(principal),
        (Needs::Role(needed), Some(principal)) => principal.demand(needed).map(|()| Some(principal.clone())),
        (_, None) => Err(not_logged_in()),
    }
}

/// Lets a request of the web pages through, with its [`Principal`]; who is not logged in is sent to log in.
pub(crate) async fn pages(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else { return next.run(request).await };
    let Some(needs) = needs(PAGES, request.method(), path.as_str()) else {
        return crate::web::refused(&error::method_not_allowed().await);
    };
    let reads = request.method() == Method::GET;
    let asked = request.uri().path_and_query().filter(|_| reads).map(ToString::to_string);
    match admit(&app, Claim::of(&request), needs).await {
        Ok(principal) => {
            if let Some(principal) = principal {
                request.extensions_mut().insert(principal);
            }
            next.run(request).await
        }
        Err(refusal) if refusal.code == "not_logged_in" => crate::web::log_in_first(asked.as_deref()),
        Err(refusal) => crate::web::refused(&refusal),
    }
}

impl Principal {
    /// Whoever may open the operators' socket.
    pub(crate) fn of_socket(uid: u32) -> Self {
        Self { name: format!("uid={uid}"), role: Role::Admin, by: By::Socket, expires_at: None }
    }

    /// That they have a role.
    pub(crate) fn demand(&self, needed: Role) -> Result<(), ApiError> {
        if self.role >= needed { Ok(()) } else { Err(not_allowed(self.role, needed)) }
    }
}

/// What a page of another site gets that has a browser send something here (see tower-http's `csrf`).
pub(crate) fn cross_site(_: ProtectionError) -> Response {
    from_another_site().into_response()
}

/// What it is told.
pub(crate) fn from_another_site() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "cross_site",
        "the request comes from a page of another site",
        "open the server's own page and try again there; a proxy must leave `Host` and `Origin` as they are",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_of_the_api_is_in_the_table_and_the_table_has_no_other() {
        let (_, document) = crate::admin::parts();
        let mut described = BTreeSet::from([("GET", "/metrics".to_owned())]);
        for (path, item) in document.paths.paths {
            let operations = [("GET", item.get), ("POST", item.post), ("DELETE", item.delete), ("PUT", item.put)];
            described.extend(operations.into_iter().filter(|row| row.1.is_some()).map(|row| (row.0, path.clone())));
        }
        let table: BTreeSet<_> = API.iter().map(|row| (row.0, row.1.to_owned())).collect();
        assert_eq!(table.len(), API.len(), "a route stands twice");
        assert_eq!(described, table);
    }

    #[test]
    fn what_is_in_no_table_is_let_through_to_nobody() {
        for (method, path, expected) in [
            (Method::GET, "/api/v1/envoys", Some(VIEWER)),
            (Method::HEAD, "/api/v1/envoys", Some(VIEWER)),
            (Method::PUT, "/api/v1/envoys", None),
            (Method::POST, "/api/v1/envoys", None),
            (Method::GET, "/api/v1/envoys/", None),
            (Method::GET, "/api/v1/accounts", Some(ADMIN)),
        ] {
            assert_eq!(needs(API, &method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn only_a_bearer_token_is_one() {
        for (value, expected) in [
            ("Bearer vgot_x", Some("vgot_x")),
            ("bearer  vgot_x ", Some("vgot_x")),
            ("Basic dTpw", None),
            ("vgot_x", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), expected, "{value}");
        }
    }
}
