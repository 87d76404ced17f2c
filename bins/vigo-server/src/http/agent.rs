//! The agent's binaries: which there are, and the bytes. Served on 8443 to all and on 1530 to envoys.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::agents::Build;
use crate::app::App;
use crate::http::error::ApiError;

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

async fn find(app: &App, os: &str, arch: &str) -> Result<Build, ApiError> {
    match app.agents.find(os, arch).await {
        Ok(Some(build)) => Ok(build),
        Ok(None) => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "no_agent",
            "this server has no agent binary for that platform",
            "put one at <os>-<arch>/vigo in the folder `agents.dir` of the server's configuration",
        )),
        Err(error) => Err(ApiError::unavailable(&error)),
    }
}

async fn latest(
    State(app): State<Arc<App>>,
    Query(platform): Query<Platform>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let os = platform.os.as_deref().unwrap_or("linux");
    let arch = platform.arch.as_deref().unwrap_or("x86_64");
    let build = find(&app, os, arch).await?;
    let url = format!("{}/api/v1/agent/download/{os}/{arch}", app.script.api_addr());
    let accepted = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/plain"));
    let text = accepted || platform.format.as_deref() == Some("text");
    if text {
        let lines = format!(
            "version {}\nos {os}\narch {arch}\nsize {}\nsha256 {}\nurl {url}\n",
            build.version, build.size, build.sha256
        );
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], lines).into_response());
    }
    Ok(Json(json!({
        "version": build.version,
        "os": os,
        "arch": arch,
        "size": build.size,
        "sha256": build.sha256,
        "signature": null,
        "url": url,
        "manifest": null,
    }))
    .into_response())
}

async fn download(
    State(app): State<Arc<App>>,
    Path((os, arch)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let build = find(&app, &os, &arch).await?;
    let place = app.downloads.begin(crate::http::client(&app, &request)).await.ok_or_else(|| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "too many downloads at the moment",
            "try again in a minute",
        )
    })?;
    let file = tokio::fs::File::open(&build.path).await.map_err(|error| ApiError::unavailable(&error))?;
    // At most as many bytes as were announced, whatever becomes of the file meanwhile.
    let chunks = futures_util::stream::try_unfold((file.take(build.size), place), |(mut file, place)| async move {
        let mut chunk = vec![0; 64 * 1024];
        let count = file.read(&mut chunk).await?;
        place.goes_on();
        chunk.truncate(count);
        Ok::<_, std::io::Error>((count > 0).then(|| (Bytes::from(chunk), (file, place))))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, build.size.to_string()),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}
