//! What happens to envoys, as it happens: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::clock;
use crate::fleet::Status;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(events))
}

/// One change of one envoy.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeBody {
    id: String,
    hostname: String,
    status: &'static str,
    /// `enrolled`, `checked_in`, `revoked`, `deleted` or `changed`.
    change: &'static str,
}

/// Follow envoys: `event: envoy` for each change, `event: lost` where the reader was too slow and must list again
#[utoipa::path(get, path = "/api/v1/events", tag = "envoys",
    responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn events(State(app): State<Arc<App>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let happenings = app.happenings.listen();
    let stream = futures_util::stream::unfold((app, happenings), |(app, mut happenings)| async move {
        loop {
            let event = match happenings.recv().await {
                Ok((id, change)) => {
                    let Some(envoy) = app.fleet.get(&id) else { continue };
                    let live = envoy.live();
                    let status = Status::of(&live, app.checkins.interval, clock::now()).word();
                    let hostname = live.record.hostname.to_string();
                    let body = ChangeBody { id: id.to_string(), hostname, status, change: change.word() };
                    drop(live);
                    match Event::default().event("envoy").json_data(&body) {
                        Ok(event) => event,
                        Err(error) => {
                            tracing::error!(%error, "an event cannot be written");
                            return None;
                        }
                    }
                }
                Err(RecvError::Lagged(_)) => Event::default().event("lost").data("list again"),
                Err(RecvError::Closed) => return None,
            };
            return Some((Ok(event), (app, happenings)));
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
