//! The HTTPS listener: what a machine needs before it is enrolled, and the health of the server. Nothing here takes a
//! login; each route is exact.

pub(crate) mod agent;
mod bootstrap;
pub(crate) mod error;
mod health;
mod register;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderMap;
use vigo_core::ClientAddr;

use crate::app::App;
use crate::peer::Peer;

/// The routes of the HTTPS listener.
pub(crate) fn router(app: &Arc<App>) -> axum::Router {
    axum::Router::new()
        .merge(bootstrap::router(app))
        .merge(agent::router(app))
        .merge(register::router(app))
        .merge(health::router(app))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(axum::middleware::from_fn(error::secure_headers))
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
