//! The HTTPS listener: what a machine needs before it is enrolled and the health of the server, without a login; the API
//! and the web pages, by the authorisation table. Each route is exact. What is not found here is asked of the routes of
//! whoever embeds the server.

pub(crate) mod agent;
pub(crate) mod authorise;
mod bootstrap;
pub(crate) mod error;
mod health;
mod register;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tower_http::csrf::CsrfLayer;
use vigo_core::ClientAddr;

use crate::app::App;
use crate::http::error::ApiError;
use crate::peer::Peer;
use crate::{access, admin, web};

/// The routes of the HTTPS listener: ours, and those of whoever embeds the server.
pub(crate) fn router(app: &Arc<App>, theirs: Option<Router>) -> Router {
    let ours = Router::new()
        .merge(bootstrap::router(app))
        .merge(agent::router(app))
        .merge(register::router(app))
        .merge(health::router(app))
        .merge(operators(app));
    let ours = in_json(ours).merge(web::router(app));
    let ours = ours.layer(from_fn_with_state(Arc::clone(app), tell_client));
    beside(ours, theirs.map(|theirs| theirs.layer(from_fn_with_state(Arc::clone(app), tell_client))))
}

/// With all errors in the form that the API has.
fn in_json(ours: Router) -> Router {
    ours.method_not_allowed_fallback(error::method_not_allowed).layer(from_fn(error::finish))
}

/// The routes of operators, for who may use them.
fn operators(app: &Arc<App>) -> Router {
    admin::router(app)
        .layer(CsrfLayer::new().with_rejection_response(authorise::cross_site))
        .layer(access::layer(&app.store))
        .layer(from_fn(whole))
}

/// Takes a request's whole body before anybody answers: of an answer that comes earlier, some clients see nothing but that
/// the server wants no more of what they are sending (curl 7.88 over HTTP/2).
pub(crate) async fn whole(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match axum::body::to_bytes(body, admin::MOST).await {
        Ok(body) => next.run(Request::from_parts(head, body.into())).await,
        Err(_) => {
            let (message, help) = ("the request is cut off, or larger than 64 KiB", "send less");
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message, help).into_response()
        }
    }
}

/// What we have no route for is theirs. Our headers would forbid their pages to load anything, so they get none.
fn beside(ours: Router, theirs: Option<Router>) -> Router {
    match theirs {
        Some(theirs) => ours.fallback_service(theirs),
        None => ours.fallback_service(in_json(Router::new().fallback(error::not_found))),
    }
}

async fn tell_client(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let from = client(&app, &request);
    request.extensions_mut().insert(from);
    next.run(request).await
}

/// Where a request came from: the socket's address, or what trusted proxies say of it, the rightmost hop that is none.
pub(crate) fn client(app: &App, request: &Request) -> ClientAddr {
    let socket = request.extensions().get::<Peer>().map(|peer| peer.addr);
    let socket = socket.unwrap_or_else(|| ClientAddr::new(IpAddr::from([0, 0, 0, 0])));
    forwarded(&app.config.server.trusted_proxies, socket, request.headers())
}

fn forwarded(trusted: &[crate::config::Network], socket: ClientAddr, headers: &HeaderMap) -> ClientAddr {
    let is_proxy = |addr: ClientAddr| trusted.iter().any(|net| net.0.contains(addr));
    let mut addr = socket;
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.iter().rev() {
        if !is_proxy(addr) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(ip) => addr = ClientAddr::new(ip),
            Err(_) => break,
        }
    }
    addr
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::{get, post};
    use tower::ServiceExt as _;

    async fn ask(router: Router, method: &str, path: &str) -> (u16, String, bool) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (status, ours) = (response.status().as_u16(), response.headers().contains_key("content-security-policy"));
        let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap(), ours)
    }

    #[tokio::test]
    async fn routes_of_others_stand_beside_ours_and_never_before_them() {
        let ours = Router::new().route("/readyz", get(|| async { "ours" }));
        let theirs = Router::new()
            .route("/readyz", get(|| async { "theirs" }).post(|| async { "theirs" }))
            .route("/inventory", post(|| async { "theirs" }))
            .fallback(|| async { (axum::http::StatusCode::IM_A_TEAPOT, "theirs") });
        let both = beside(in_json(ours.clone()), Some(theirs));
        for (method, path, status, body, is_ours) in [
            ("GET", "/readyz", 200, "ours", true),
            ("POST", "/readyz", 405, r#""code":"method_not_allowed""#, true),
            ("POST", "/inventory", 200, "theirs", false),
            ("GET", "/inventory", 405, "", false),
            ("GET", "/readyz/", 418, "theirs", false),
        ] {
            let told = ask(both.clone(), method, path).await;
            assert!((told.0, told.2) == (status, is_ours) && told.1.contains(body), "{method} {path}: {told:?}");
        }
        let told = ask(beside(in_json(ours), None), "GET", "/inventory").await;
        assert!((told.0, told.2) == (404, true) && told.1.contains(r#""code":"not_found""#), "{told:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_told_as_json() {
        type Query = axum::extract::Query<std::collections::BTreeMap<String, u8>>;
        let ours = Router::new()
            .route("/number", get(|_: Query| async { "ours" }))
            .route("/path/{number}", get(|_: axum::extract::Path<u8>| async { "ours" }));
        for (path, said) in [("/number?a=b", "query"), ("/path/%ff", "UTF-8"), ("/path/x", "URL")] {
            let (status, body, _) = ask(beside(in_json(ours.clone()), None), "GET", path).await;
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!((status, &body["error"]["code"]), (400, &"malformed".into()), "{path}");
            assert!(body["error"]["message"].as_str().unwrap().contains(said), "{body}");
        }
        assert_eq!(ask(beside(in_json(ours), None), "GET", "/number?a=1").await.1, "ours");
    }

    #[track_caller]
    fn check(trusted: &[&str], socket: &str, headers: &[&str], expected: &str) {
        let trusted: Vec<_> = trusted.iter().map(|net| crate::config::Network(net.parse().unwrap())).collect();
        let mut map = HeaderMap::new();
        for value in headers {
            map.append("x-forwarded-for", value.parse().unwrap());
        }
        let found = forwarded(&trusted, ClientAddr::new(socket.parse().unwrap()), &map);
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn rule_06_forwarding_headers_count_from_trusted_proxies_alone() {
        check(&[], "10.1.0.2", &["192.168.5.2"], "10.1.0.2");
        check(&["10.9.0.0/16"], "10.1.0.2", &["192.168.5.2"], "10.1.0.2");
        check(&["10.9.0.0/16"], "10.9.0.1", &["192.168.5.2"], "192.168.5.2");
        check(&["10.9.0.0/16"], "::ffff:10.9.0.1", &["192.168.5.2"], "192.168.5.2");
        check(&["10.9.0.0/16"], "10.9.0.1", &["6.6.6.6, 192.168.5.2, 10.9.0.7"], "192.168.5.2");
        check(&["10.9.0.0/16"], "10.9.0.1", &["6.6.6.6", "192.168.5.2"], "192.168.5.2");
        check(&["10.9.0.0/16"], "10.9.0.1", &["192.168.5.2, nonsense"], "10.9.0.1");
        check(&["10.9.0.0/16"], "10.9.0.1", &[], "10.9.0.1");
    }
}
