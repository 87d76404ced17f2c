use std::time::Duration;

use http::Method;
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Client, ClientError};
use crate::failure::Failure;

/// The server says something at least this often, be it that nothing happened.
const SILENCE: Duration = Duration::from_secs(90);

/// An answer that goes on.
pub(crate) struct Stream {
    body: Incoming,
    connection: JoinHandle<()>,
}

impl Client {
    /// Asks for a path whose answer is a stream of events.
    pub(crate) async fn stream(&self, path: &str) -> Result<Stream, Failure> {
        let opened = match timeout(self.limits.time, self.open(path)).await {
            Ok(opened) => opened,
            Err(_) => Err(ClientError::Slow(self.limits.time)),
        };
        let (response, connection) = opened.map_err(|error| error.failure(&self.transport, false))?;
        let (status, stream) = (response.status(), Stream { body: response.into_body(), connection });
        if status.is_success() {
            return Ok(stream);
        }
        let text = stream.text().await;
        Err(self.refused(status, &text))
    }

    async fn open(&self, path: &str) -> Result<(Response<Incoming>, JoinHandle<()>), ClientError> {
        let stream = self.transport.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Polled on its own: the answer outlives this call. What ends it shows in the body.
        let connection = tokio::spawn(async move {
            let _ = connection.await;
        });
        let request = self.request(Method::GET, path, "text/event-stream", Bytes::new())?;
        Ok((sender.send_request(request).await?, connection))
    }
}

impl Stream {
    /// The next bytes; none where the stream ended, broke, or was silent for too long.
    pub(crate) async fn chunk(&mut self) -> Option<Bytes> {
        loop {
            let frame = timeout(SILENCE, self.body.frame()).await.ok()??.ok()?;
            if let Ok(data) = frame.into_data() {
                return Some(data);
            }
        }
    }

    /// A refusal's text, as much as one has.
    async fn text(mut self) -> String {
        let mut text = Vec::new();
        while let Some(chunk) = self.chunk().await {
            text.extend_from_slice(&chunk);
            if text.len() > 64 << 10 {
                break;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
