//! The agent's binaries: which there are, and the bytes. Served on 8443 to all and on 1530 to envoys.

use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use vigo_core::AgentTarget;

use crate::agents::{AgentError, Build};
use crate::app::App;
use crate::http::error::ApiError;
use crate::peer::Peer;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/agent/latest", get(latest))
        .route("/api/v1/agent/download/{os}/{arch}", get(download))
        .with_state(Arc::clone(app))
}

#[derive(Deserialize)]
struct Platform {
    os: Option<String>,
    arch: Option<String>,
    /// `text` for what cannot choose its headers, as the downloaders of some systems.
    format: Option<String>,
}

async fn find(app: &App, os: &str, arch: &str) -> Result<(AgentTarget, Build), ApiError> {
    let absent = || {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "no_agent",
            "this server has no agent binary for that platform",
            "put one at <os>-<arch>/vigo in the folder `agents.dir` of the server's configuration",
        )
    };
    let target: AgentTarget = format!("{os}-{arch}").parse().map_err(|_| absent())?;
    match app.agents.find(&target).await {
        Ok(Some(build)) => Ok((target, build)),
        Ok(None) => Err(absent()),
        Err(AgentError::Refused(refused)) => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "agent_unsigned",
            refused.to_string(),
            "sign it with `cargo xtask sign`, by a key of `agents.signing_keys`",
        )),
        Err(AgentError::Io(error)) => Err(ApiError::unavailable(&error)),
    }
}

/// What is told of a build; a shell reads it as `key value` lines.
#[derive(Serialize)]
struct Latest {
    version: String,
    os: String,
    arch: String,
    size: u64,
    sha256: String,
    url: String,
    /// Base64 of the exact bytes that were signed.
    manifest: Option<String>,
    /// Base64 of the 64 bytes.
    signature: Option<String>,
    /// The public key whose signature it is, in hexadecimal.
    signing_key: Option<String>,
}

impl Latest {
    fn of(build: &Build, target: &AgentTarget, api_addr: &str) -> Self {
        let (os, arch) = (target.os().to_owned(), target.arch().to_owned());
        let signed = build.signed.as_ref();
        Self {
            version: build.version.clone(),
            size: build.size,
            sha256: hex::encode(build.sha256),
            url: format!("{api_addr}/api/v1/agent/download/{os}/{arch}"),
            os,
            arch,
            manifest: signed.map(|signed| STANDARD.encode(&signed.manifest.text)),
            signature: signed.map(|signed| STANDARD.encode(signed.manifest.signature.as_bytes())),
            signing_key: signed.map(|signed| signed.key.to_string()),
        }
    }

    fn text(&self) -> String {
        let Self { version, os, arch, size, sha256, url, manifest, signature, signing_key } = self;
        let mut text = format!("version {version}\nos {os}\narch {arch}\nsize {size}\nsha256 {sha256}\nurl {url}\n");
        for (name, value) in [("manifest", manifest), ("signature", signature), ("signing_key", signing_key)] {
            if let Some(value) = value {
                text += &format!("{name} {value}\n");
            }
        }
        text
    }
}

async fn latest(
    State(app): State<Arc<App>>,
    Query(platform): Query<Platform>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let os = platform.os.as_deref().unwrap_or("linux");
    let arch = platform.arch.as_deref().unwrap_or("x86_64");
    let (target, build) = find(&app, os, arch).await?;
    let latest = Latest::of(&build, &target, app.script.api_addr());
    let accepted = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/plain"));
    if accepted || platform.format.as_deref() == Some("text") {
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], latest.text()).into_response());
    }
    Ok(Json(latest).into_response())
}

async fn download(
    State(app): State<Arc<App>>,
    Path((os, arch)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (_, build) = find(&app, &os, &arch).await?;
    let tag = format!("\"{}\"", hex::encode(build.sha256));
    if request.headers().get(header::IF_MATCH).is_some_and(|wanted| wanted.as_bytes() != tag.as_bytes()) {
        return Err(ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "agent_changed",
            "the agent that is offered is another one by now",
            "ask for /api/v1/agent/latest again",
        ));
    }
    let Some(from) = first_byte(request.headers()).filter(|&from| from < build.size) else {
        return Err(ApiError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "range_refused",
            "a range here is `bytes=N-`, with N less than the size",
            "leave the range out",
        ));
    };
    let is_envoy = request.extensions().get::<Peer>().is_some_and(|peer| peer.identity.is_some());
    let places = if is_envoy { &app.envoy_downloads } else { &app.downloads };
    let place = places.begin(crate::http::client(&app, &request)).await.ok_or_else(|| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "too many downloads at the moment",
            "try again in a minute",
        )
    })?;
    let mut file = tokio::fs::File::open(&build.path).await.map_err(|error| ApiError::unavailable(&error))?;
    file.seek(SeekFrom::Start(from)).await.map_err(|error| ApiError::unavailable(&error))?;
    // At most as many bytes as were announced, whatever becomes of the file meanwhile.
    let rest = build.size - from;
    let chunks = futures_util::stream::try_unfold((file.take(rest), place), |(mut file, place)| async move {
        let mut chunk = vec![0; 64 * 1024];
        let count = file.read(&mut chunk).await?;
        place.goes_on();
        chunk.truncate(count);
        Ok::<_, std::io::Error>((count > 0).then(|| (Bytes::from(chunk), (file, place))))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, rest.to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, tag),
    ];
    let mut response = (headers, Body::from_stream(chunks)).into_response();
    if request.headers().contains_key(header::RANGE) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {from}-{}/{}", build.size - 1, build.size);
        response.headers_mut().insert(
            header::CONTENT_RANGE,
            HeaderValue::try_from(range).map_err(|error| ApiError::unavailable(&error))?,
        );
    }
    Ok(response)
}

/// Where a download begins: what an agent that was interrupted asks for (RFC 9110 §14.1.2), nothing more.
fn first_byte(headers: &HeaderMap) -> Option<u64> {
    let Some(range) = headers.get(header::RANGE) else { return Some(0) };
    let digits = range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
        assert_eq!(first_byte(&headers), expected, "{range}");
    }

    #[test]
    fn where_a_download_begins() {
        assert_eq!(first_byte(&HeaderMap::new()), Some(0));
        check("bytes=0-", Some(0));
        check("bytes=4096-", Some(4096));
        for refused in
            ["bytes=-5", "bytes=1-2", "bytes=+1-", "bytes=", "bytes=1-,3-", "lines=1-", "bytes=99999999999999999999-"]
        {
            check(refused, None);
        }
    }
}
