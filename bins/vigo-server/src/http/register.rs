//! `POST /api/v1/bootstrap/register`: the registration of clients that have no gRPC.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use vigo_core::{EnvoyId, Proof, Signature, SignedBundle, SignedRegistration};

use crate::app::App;
use crate::http::error::ApiError;

/// Base64 of the largest frame, and room for the rest.
const MAX_BODY: usize = vigo_core::frame::MAX_REGISTER * 4 / 3 + 4096;

pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/bootstrap/register", post(register))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::clone(app))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    frame: String,
    signature: String,
    proof: Option<ProofBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofBody {
    envoy: String,
    signature: String,
}

impl TryFrom<Body> for SignedRegistration {
    type Error = ApiError;

    fn try_from(body: Body) -> Result<Self, ApiError> {
        let decode =
            |name: &str, text: &str| STANDARD.decode(text).map_err(|_| malformed(&format!("`{name}` is not base64")));
        let signature = |name: &str, text: &str| {
            Signature::try_from(decode(name, text)?.as_slice()).map_err(|error| malformed(&error.to_string()))
        };
        let proof = match body.proof {
            Some(proof) => Some(Proof {
                envoy: proof.envoy.parse::<EnvoyId>().map_err(|error| malformed(&error.to_string()))?,
                signature: signature("proof.signature", &proof.signature)?,
            }),
            None => None,
        };
        let signature = signature("signature", &body.signature)?;
        Ok(Self { body: decode("frame", &body.frame)?, signature, proof })
    }
}

fn malformed(message: &str) -> ApiError {
    ApiError::bad_request(message, "send {\"frame\": base64, \"signature\": base64}")
}

async fn register(State(app): State<Arc<App>>, request: Request) -> Result<Json<Value>, ApiError> {
    let from = crate::http::client(&app, &request);
    let bytes: Bytes = axum::RequestExt::extract(request).await.map_err(|rejection: BytesRejection| ApiError {
        status: rejection.status(),
        ..malformed("the body is too large or did not arrive")
    })?;
    let body: Body = serde_json::from_slice(&bytes).map_err(|error| malformed(&error.to_string()))?;
    let frame = SignedRegistration::try_from(body)?;
    let answer = crate::grpc::register(&app, frame, from).await.map_err(|refusal| ApiError::from(&refusal))?;
    let envoy = EnvoyId::try_from(answer.envoy.as_slice()).map_err(|error| ApiError::unavailable(&error))?;
    let bundle =
        answer.bundle.map(SignedBundle::try_from).transpose().map_err(|error| ApiError::unavailable(&error))?;
    Ok(Json(json!({
        "envoy_id": envoy.to_string(),
        "certificate": vigo_ca::pem::encode_certificate(&answer.certificate),
        "ca": answer.roots.iter().map(|der| vigo_ca::pem::encode_certificate(der)).collect::<String>(),
        "server_id": app.server.to_string(),
        "signing_key": hex::encode(&answer.signing_key),
        "interval_secs": answer.interval_secs,
        "bundle": bundle.map(|bundle| STANDARD.encode(bundle.to_bytes())),
        "notices": answer.notices.iter().map(|n| json!({"code": n.code, "message": n.message})).collect::<Vec<_>>(),
    })))
}
