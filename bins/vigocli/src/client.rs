//! Requests to the server, over its admin socket or over HTTPS: one connection for each.

mod error;
mod pages;
mod refusal;
mod stream;
mod transport;

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Response;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::Exit;
use crate::failure::Failure;
use crate::printable::Printable;

pub(crate) use error::ClientError;
pub(crate) use stream::Stream;
pub(crate) use transport::{Https, Secret, Transport};

/// What a server may send and how long it may take.
struct Limits {
    bytes: usize,
    time: Duration,
}

/// Room for the list of a fleet of half a million; bcrypt behind a busy queue answers in seconds.
const LIMITS: Limits = Limits { bytes: 256 << 20, time: Duration::from_mins(1) };

/// The server.
pub(crate) struct Client {
    transport: Transport,
    limits: Limits,
}

/// What the server answered to a request that it carried out.
pub(crate) struct Reply(String);

impl Client {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport, limits: LIMITS }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Reply, Failure> {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Reply, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::new(Exit::Failed, "internal", format!("cannot write the request: {error}")))?;
        self.send(Method::POST, path, body.into()).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Reply, Failure> {
        let changes = method != Method::GET;
        let sent = match timeout(self.limits.time, self.exchange(method, path, body)).await {
            Ok(sent) => sent,
            Err(_) => Err(ClientError::Slow(self.limits.time)),
        };
        match sent {
            Ok((status, body)) if status.is_success() => Ok(Reply(body)),
            Ok((status, body)) => Err(self.refused(status, &body)),
            Err(error) => Err(error.failure(&self.transport, changes)),
        }
    }

    fn refused(&self, status: StatusCode, body: &str) -> Failure {
        let failure = refusal::refusal(status, body);
        match &self.transport {
            Transport::Https(https) if status == StatusCode::UNAUTHORIZED && https.has_token() => {
                failure.help(format!("Log in again: vigocli login {}", https.url()))
            }
            _ => failure,
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, String), ClientError> {
        let stream = self.transport.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = self.request(method, path, "application/json", body)?;
        let answer = async {
            let response: Response<Incoming> = sender.send_request(request).await?;
            let status = response.status();
            Ok((status, self.read(response.into_body()).await?))
        };
        // The connection is polled beside the answer, and what ends it shows in the answer.
        tokio::pin!(connection);
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.transport.host())
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(bearer) = self.transport.bearer() {
            request = request.header(header::AUTHORIZATION, bearer?);
        }
        Ok(request.body(Full::new(body))?)
    }

    async fn read(&self, body: Incoming) -> Result<String, ClientError> {
        if body.size_hint().lower() > self.limits.bytes as u64 {
            return Err(ClientError::TooLarge);
        }
        let bytes = Limited::new(body, self.limits.bytes).collect().await.map_err(ClientError::from_body)?.to_bytes();
        String::from_utf8(bytes.into()).map_err(|_| ClientError::NotText)
    }
}

impl Reply {
    #[cfg(test)]
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The body as it came.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The body as what it should be.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.0).map_err(|error| bad_answer(&error.to_string()))
    }
}

/// The server sent something else than it should.
pub(crate) fn bad_answer(what: &str) -> Failure {
    let what = Printable::new(what);
    Failure::new(Exit::Failed, "bad_answer", format!("the server's answer is not what was expected: {what}"))
        .help("Is this vigocli as old as the server? Compare `vigocli version` and `vigo-server --version`.")
}
