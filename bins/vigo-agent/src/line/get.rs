//! What is fetched on the same connection by HTTP: descriptions and bytes of agents.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::{ANSWER, CallError, Line};
use vigo_core::FrameError;

use crate::refused::clean;
use crate::{Exit, Refused, ServerAddr};

/// The most bytes of a refusal.
const MAX_REFUSAL: usize = 16 * 1024;

/// The answer to one GET; its body is still to come.
pub(crate) struct Answer {
    status: StatusCode,
    body: tonic::body::Body,
    server: ServerAddr,
}

impl Line {
    /// Asks for a path. No redirect is followed: what was verified is what is spoken to.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, CallError> {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(tonic::body::Body::empty()).map_err(|error| self.lost(&error))?;
        let asked = timeout(ANSWER, self.channel.clone().oneshot(request)).await;
        let response = asked.map_err(|_| self.late())?.map_err(|error| self.lost(&error))?;
        let (head, body) = response.into_parts();
        let mut answer = Answer { status: head.status, body, server: self.server.clone() };
        if !matches!(head.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return Err(answer.refusal().await.into());
        }
        Ok(answer)
    }

    fn lost(&self, error: &dyn std::error::Error) -> CallError {
        CallError::Lost { server: self.server.clone(), what: crate::failure::with_causes(error) }
    }
}

impl Answer {
    /// Whether it begins where it was asked to.
    pub(crate) fn is_partial(&self) -> bool {
        self.status == StatusCode::PARTIAL_CONTENT
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        let lost = |what: String| CallError::Lost { server: self.server.clone(), what };
        loop {
            match timeout(ANSWER, self.body.frame()).await {
                Err(_) => return Err(lost(format!("nothing came for {} s", ANSWER.as_secs()))),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(lost(crate::failure::with_causes(&error))),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// All of it, if it is not more than `most` bytes and does not take for ever.
    pub(crate) async fn all(&mut self, most: usize) -> Result<Vec<u8>, CallError> {
        let server = self.server.clone();
        let late = || CallError::Lost { server, what: format!("its answer did not end within {} s", ANSWER.as_secs()) };
        timeout(ANSWER, self.gather(most)).await.map_err(|_| late())?
    }

    async fn gather(&mut self, most: usize) -> Result<Vec<u8>, CallError> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > most {
                return Err(FrameError::TooLarge { limit: most }.into());
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    /// The server's own words where it sent some.
    async fn refusal(&mut self) -> Refused {
        #[derive(Deserialize)]
        struct Envelope {
            error: Words,
        }
        #[derive(Deserialize)]
        struct Words {
            code: String,
            message: String,
            help: Option<String>,
        }
        let status = self.status;
        let exit = match status.as_u16() {
            401 | 403 => Exit::Auth,
            404 => Exit::NotFound,
            409 | 412 => Exit::Refused,
            408 | 429 | 500..=599 => Exit::Unreachable,
            _ => Exit::Failed,
        };
        let words = self.all(MAX_REFUSAL).await.ok().and_then(|text| serde_json::from_slice::<Envelope>(&text).ok());
        let is_code =
            |code: &str| (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        match words.map(|envelope| envelope.error).filter(|words| is_code(&words.code)) {
            Some(words) => Refused {
                code: words.code,
                message: clean(&words.message),
                help: words.help.map(|help| clean(&help)),
                exit,
            },
            None => Refused {
                code: "refused".to_owned(),
                message: format!("the server answered with status {status}"),
                help: None,
                exit,
            },
        }
    }
}
