//! The gRPC service: `Register`, open to all, and everything else, open to envoys in service.

use std::sync::Arc;

use axum::extract::{Request as HttpRequest, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response as HttpResponse};
use http_body_util::Limited;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Response, Status};
use vigo_core::audit::AuditRecord;
use vigo_core::wire::{self, fleet_server};
use vigo_core::{FrameError, SignedCheckIn, SignedRegistration};
use vigo_enroll::operate::{Act, settle_directive};
use vigo_enroll::{Refusal, RefusalKind};

use crate::app::App;
use crate::checkins::{CheckInRefusal, no_hostcrate};
use crate::clock;
use crate::happenings::Change;
use crate::peer::Peer;

/// The most bytes of a registration's request, with what wraps it.
const MAX_REGISTRATION: usize = vigo_core::frame::MAX_REGISTER + 4096;

/// The methods that a peer without a client certificate may call.
const ANONYMOUS: [&str; 1] = ["/vigo.v1.Fleet/Register"];

/// The service and its guard, for the listener on 1530.
pub(crate) fn router(app: &Arc<App>) -> axum::Router {
    let service = fleet_server::FleetServer::new(Fleet { app: Arc::clone(app) })
        .max_decoding_message_size(vigo_core::frame::MAX_CHECK_IN + 4096)
        .max_encoding_message_size(vigo_core::frame::MAX_REPLY + 4096);
    tonic::service::Routes::new(service)
        .prepare()
        .into_axum_router()
        .merge(crate::http::agent::router(app))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), guard))
}

/// Refuses every method that is not on the list to a peer without a certificate, and every method to a denied one.
async fn guard(State(app): State<Arc<App>>, request: HttpRequest, next: Next) -> HttpResponse {
    let refusal = match request.extensions().get::<Peer>() {
        Some(Peer { identity: Some(identity), .. }) if app.denies(identity) => Some(CheckInRefusal::Revoked),
        // A connection may outlive the certificate that it began with.
        Some(Peer { identity: Some(identity), .. }) if identity.not_after <= clock::now() => {
            Some(CheckInRefusal::Expired)
        }
        Some(Peer { identity: Some(_), .. }) => None,
        Some(Peer { identity: None, .. }) if ANONYMOUS.contains(&request.uri().path()) => None,
        Some(_) | None => Some(CheckInRefusal::CertificateRequired),
    };
    match refusal {
        Some(refusal) => refused(refusal).into_http::<axum::body::Body>().into_response(),
        // A registration is small, and who sends it is not known yet.
        None if ANONYMOUS.contains(&request.uri().path()) => {
            next.run(request.map(|body| axum::body::Body::new(Limited::new(body, MAX_REGISTRATION)))).await
        }
        None => next.run(request).await,
    }
}

struct Fleet {
    app: Arc<App>,
}

#[tonic::async_trait]
impl fleet_server::Fleet for Fleet {
    async fn register(&self, request: Request<wire::SignedRegistration>) -> Result<Response<wire::Registered>, Status> {
        let peer = peer(&request)?;
        let frame =
            SignedRegistration::try_from(request.into_inner()).map_err(CheckInRefusal::from).map_err(refused)?;
        let registered = register(&self.app, frame, peer.addr).await.map_err(|refusal| status(&refusal))?;
        Ok(Response::new(registered))
    }

    async fn check_in(&self, request: Request<wire::SignedCheckIn>) -> Result<Response<wire::SignedReply>, Status> {
        let peer = peer(&request)?;
        match check_in(&self.app, &peer, request.into_inner()).await {
            Ok(reply) => {
                metrics::counter!("vigo_checkins_total", "outcome" => "ok").increment(1);
                Ok(Response::new(reply))
            }
            Err(refusal) => {
                metrics::counter!("vigo_checkins_total", "outcome" => refusal.code()).increment(1);
                tracing::info!(from = %peer.addr, code = refusal.code(), "check-in refused: {refusal}");
                Err(refused(refusal))
            }
        }
    }
}

fn peer<T>(request: &Request<T>) -> Result<Peer, Status> {
    request.extensions().get::<Peer>().cloned().ok_or_else(|| Status::internal("the connection has no peer"))
}

/// One registration, for gRPC and for the JSON endpoint alike.
pub(crate) async fn register(
    app: &App,
    frame: SignedRegistration,
    from: vigo_core::ClientAddr,
) -> Result<wire::Registered, Refusal> {
    let enrolled = match app.registrar.register(frame, from, clock::now(), crate::dice()).await {
        Ok(enrolled) => enrolled,
        Err(refusal) => {
            metrics::counter!("vigo_enrolments_total", "outcome" => refusal.code()).increment(1);
            if refusal.kind() == RefusalKind::Limited {
                // As many as somebody likes to send.
                tracing::debug!(%from, code = refusal.audit_code(), "registration refused");
            } else {
                tracing::info!(%from, code = refusal.audit_code(), "registration refused: {}", refusal.message());
            }
            return Err(refusal);
        }
    };
    let outcome = if enrolled.repeated { "repeated" } else { "ok" };
    metrics::counter!("vigo_enrolments_total", "outcome" => outcome).increment(1);
    let record = enrolled.record;
    tracing::info!(%from, envoy = %record.id, hostname = %record.hostname, by = record.admitted_by, outcome, "enrolled");
    if let Some(replaced) = enrolled.replaced {
        app.apply(replaced);
    }
    let catalogue = app.checkins.catalogue.load();
    let published = catalogue.bundle_for(&record.hostname);
    let warned = published.hostcrate.is_none();
    if warned {
        tracing::warn!(hostname = %record.hostname, "no match block in envoys.vgo takes this envoy: nothing to apply");
    }
    let registered = wire::Registered {
        envoy: record.id.as_bytes().to_vec(),
        certificate: enrolled.certificate,
        roots: vec![app.authority.root().der.clone()],
        server: app.server.as_bytes().to_vec(),
        signing_key: app.checkins.signing.public().as_bytes().to_vec(),
        interval_secs: u32::try_from(app.checkins.interval.as_secs()).unwrap_or(u32::MAX),
        bundle: Some((&published.signed).into()),
        notices: warned.then(no_hostcrate).iter().map(vigo_core::Notice::to_wire).collect(),
    };
    app.apply(record);
    Ok(registered)
}

async fn check_in(app: &App, peer: &Peer, frame: wire::SignedCheckIn) -> Result<wire::SignedReply, CheckInRefusal> {
    let identity = peer.identity.as_ref().ok_or(CheckInRefusal::CertificateRequired)?;
    let frame = SignedCheckIn::try_from(frame)?;
    let envoy = app.envoy(identity.envoy).await.map_err(|error| {
        tracing::error!(%error, "cannot look an envoy up");
        CheckInRefusal::Unavailable
    })?;
    let envoy = envoy.ok_or(CheckInRefusal::UnknownEnvoy)?;
    let now = clock::now();
    let answer = app.checkins.answer(&envoy, identity, peer.addr, &frame, now)?;
    app.happenings.tell(identity.envoy, Change::CheckedIn);
    if let Some(result) = &answer.settled {
        let act = Act { by: String::new(), now, audit: clock::random() };
        match settle_directive(app.store.as_ref(), &identity.envoy, result, &act).await {
            Ok(Some(record)) => drop(app.apply(record)),
            Ok(None) => {}
            // It stays pending, so the envoy is asked again and says it again.
            Err(error) => {
                tracing::error!(%error, envoy = %identity.envoy, "what became of a directive was not written");
            }
        }
    }
    if answer.clone_alarm {
        tracing::warn!(envoy = %identity.envoy, from = %peer.addr, "two machines speak for one envoy");
        app.note(&AuditRecord {
            at: now,
            actor: format!("address:{}", peer.addr),
            action: "envoy.clone_suspected".into(),
            subject: identity.envoy.to_string(),
            outcome: "ok".into(),
            detail: "a burnt challenge came back: revoke the envoy if its key may have been copied".into(),
        })
        .await;
    }
    Ok(answer.reply.into())
}

/// A refused check-in, as gRPC says it.
fn refused(refusal: CheckInRefusal) -> Status {
    let (code, help) = match refusal {
        CheckInRefusal::CertificateRequired => (Code::Unauthenticated, "enrol first: `vigo bootstrap`"),
        CheckInRefusal::UnknownEnvoy => {
            (Code::Unauthenticated, "the server may have been restored from before the enrolment: enrol again")
        }
        CheckInRefusal::Revoked => {
            (Code::Unauthenticated, "an operator revoked it: ask for a token and run the bootstrap line again")
        }
        CheckInRefusal::Expired => (
            Code::Unauthenticated,
            "run a bootstrap line with --force on that machine: its identity is a way in for the same name",
        ),
        CheckInRefusal::IdentityMismatch => (Code::PermissionDenied, "enrol again: `vigo bootstrap`"),
        CheckInRefusal::Frame(FrameError::BadSignature) => (Code::Unauthenticated, "enrol again: `vigo bootstrap`"),
        CheckInRefusal::Frame(_) => (Code::InvalidArgument, "agent and server may not be of fitting versions"),
        CheckInRefusal::Replayed | CheckInRefusal::ForgedChallenge => {
            (Code::Aborted, "start the conversation anew: send a frame without a session")
        }
        CheckInRefusal::Unavailable => (Code::Unavailable, "try again later"),
    };
    with_code(code, &refusal.to_string(), refusal.code(), help)
}

/// A refused registration, as gRPC says it.
fn status(refusal: &Refusal) -> Status {
    let code = match refusal.kind() {
        RefusalKind::Policy => Code::PermissionDenied,
        RefusalKind::Identity => Code::Unauthenticated,
        RefusalKind::Malformed => Code::InvalidArgument,
        RefusalKind::Limited => Code::ResourceExhausted,
        RefusalKind::Unavailable => Code::Unavailable,
    };
    with_code(code, refusal.message(), refusal.code(), refusal.help())
}

fn with_code(grpc: Code, message: &str, code: &'static str, help: &str) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("vigo-code", MetadataValue::from_static(code));
    metadata.insert_bin("vigo-help-bin", MetadataValue::from_bytes(help.as_bytes()));
    Status::with_metadata(grpc, message, metadata)
}
