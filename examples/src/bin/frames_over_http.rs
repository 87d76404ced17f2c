//! Signed check-ins over another transport: JSON over plain HTTP/1.1, without TLS. Both ends are made of `vigo-core`.
//!
//! ```sh
//! cargo run -p vigo-examples --bin frames_over_http
//! ```
//!
//! Frames prove who speaks, that nothing was changed and that nothing comes twice, whatever carries them. They hide
//! nothing: over an open network, add TLS.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Request, StatusCode};
use axum::{Json, Router, extract::State, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::{Deserialize, Serialize};
use vigo_core::{
    Accepted, ChallengeKey, CheckIn, EnvoyId, Epoch, IdentityKey, IdentitySecret, Platform, PolicyChange, Reply,
    ReplyOutcome, ReplyProof, ServerId, ServerKey, ServerSecret, Session, SessionPoint, Signature, SignedCheckIn,
    SignedReply, StateReport, Step,
};

/// What goes over the line, either way: the signed bytes and the signature, in base64.
#[derive(Serialize, Deserialize)]
struct Sealed {
    body: String,
    signature: String,
}

impl Sealed {
    fn new(body: &[u8], signature: &Signature) -> Self {
        Self { body: BASE64.encode(body), signature: BASE64.encode(signature.as_bytes()) }
    }

    fn open(&self) -> anyhow::Result<(Vec<u8>, Signature)> {
        Ok((BASE64.decode(&self.body)?, BASE64.decode(&self.signature)?.as_slice().try_into()?))
    }
}

/// A server of one envoy. `session` is all that it has to keep: 32 bytes.
struct Server {
    id: ServerId,
    signing: ServerSecret,
    challenges: ChallengeKey,
    epoch: Epoch,
    envoy: (EnvoyId, IdentityKey),
    session: Mutex<Session>,
}

async fn answer(State(server): State<Arc<Server>>, Json(sealed): Json<Sealed>) -> Result<Json<Sealed>, StatusCode> {
    let (body, signature) = sealed.open().map_err(|_| StatusCode::BAD_REQUEST)?;
    let (frame, (envoy, identity)) = (SignedCheckIn { body, signature }, server.envoy);
    let said = frame.verify(envoy, &identity, &server.id).map_err(|_| StatusCode::UNAUTHORIZED)?;
    let mut session = server.session.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = match session.step(&server.challenges, envoy, server.epoch, said.session.as_ref()) {
        Step::Fresh(challenge) => {
            let (interval, notices) = (Duration::from_secs(300), Vec::new());
            ReplyOutcome::Accepted(Accepted {
                challenge,
                interval,
                policy: PolicyChange::None,
                notices,
                directive: None,
                offered: None,
            })
        }
        Step::Resync(resync) | Step::Clone(resync) => ReplyOutcome::Resync(resync),
        Step::Replayed | Step::Forged => return Err(StatusCode::CONFLICT),
    };
    let reply = Reply { request: frame.digest(), envoy, server_time: vigo_examples::now(), outcome };
    let signed = reply.sign(&server.signing, &server.id).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let ReplyProof::Single(signature) = &signed.proof else { return Err(StatusCode::INTERNAL_SERVER_ERROR) };
    Ok(Json(Sealed::new(&signed.body, signature)))
}

/// An envoy, and where its conversation with the server stands.
struct Envoy {
    url: String,
    server: (ServerId, ServerKey),
    id: EnvoyId,
    identity: IdentitySecret,
    point: Option<SessionPoint>,
}

impl Envoy {
    fn sign(&self) -> anyhow::Result<SignedCheckIn> {
        let (session, platform, report) = (self.point.clone(), Platform::default(), StateReport::default());
        let said = CheckIn { envoy: self.id, session, platform, policy: None, trusted_roots: Vec::new(), report };
        Ok(said.sign(&self.identity, &self.server.0)?)
    }

    /// Sends a frame, and takes the reply if it is the server's, to this frame and to no other.
    async fn send(&mut self, frame: &SignedCheckIn) -> anyhow::Result<String> {
        let body = serde_json::to_vec(&Sealed::new(&frame.body, &frame.signature))?;
        let request = Request::post(&self.url).header("content-type", "application/json");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.body(Full::<axum::body::Bytes>::from(body))?).await?;
        if response.status() != StatusCode::OK {
            return Ok(format!("refused, {}", response.status()));
        }
        let sealed: Sealed = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
        let (body, signature) = sealed.open()?;
        let signed = SignedReply { body, proof: ReplyProof::Single(signature) };
        let reply = signed.verify(&self.server.1, &self.server.0, self.id, frame.digest())?;
        Ok(match (reply.outcome, &mut self.point) {
            (ReplyOutcome::Resync(to), point) => {
                *point = Some(SessionPoint { epoch: to.epoch, sequence: to.next, challenge: to.challenge });
                format!("resync, the next frame is number {}", to.next.get())
            }
            (ReplyOutcome::Accepted(accepted), Some(point)) => {
                (point.sequence, point.challenge) = (point.sequence.next(), accepted.challenge);
                format!("accepted, the next is due in {} s", accepted.interval.as_secs())
            }
            (ReplyOutcome::Accepted(_), None) => anyhow::bail!("a frame of no session was accepted"),
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let identity = IdentitySecret::from_seed(&vigo_examples::seed());
    let id = EnvoyId::from_random(vigo_examples::id());
    let server = Server {
        id: ServerId::from_random(vigo_examples::id()),
        signing: ServerSecret::from_seed(&vigo_examples::seed()),
        challenges: ChallengeKey::derive(&vigo_examples::seed()),
        epoch: Epoch::from_random(vigo_examples::id()),
        envoy: (id, identity.public()),
        session: Mutex::default(),
    };
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/check-in", socket.local_addr()?);
    let mut envoy = Envoy { url, server: (server.id, server.signing.public()), id, identity, point: None };
    let routes = Router::new().route("/check-in", post(answer)).with_state(Arc::new(server));
    tokio::spawn(async { axum::serve(socket, routes).await });

    println!("the first frame of a process: {}", envoy.send(&envoy.sign()?).await?);
    let second = envoy.sign()?;
    println!("the second: {}", envoy.send(&second).await?);
    println!("the second again: {}", envoy.send(&second).await?);
    let mut third = envoy.sign()?;
    third.body[0] ^= 1;
    println!("the third, a bit of it changed: {}", envoy.send(&third).await?);
    println!("the third: {}", envoy.send(&envoy.sign()?).await?);
    envoy.server.1 = ServerSecret::from_seed(&vigo_examples::seed()).public();
    match envoy.send(&envoy.sign()?).await {
        Ok(told) => anyhow::bail!("a reply of another server was taken: {told}"),
        Err(error) => println!("a reply of another server: not taken, {error}"),
    }
    Ok(())
}
