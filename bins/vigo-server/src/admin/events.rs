//! What happens to envoys, as it happens: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::Principal;
use crate::app::App;
use crate::clock;
use crate::fleet::Status;
use crate::listening::{Heard, Listening};

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
async fn events(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = futures_util::stream::unfold(Listening::new(&app, who), |mut listening| async move {
        loop {
            let (id, change) = match listening.next().await? {
                Heard::Lost => {
                    return Some((Ok(Event::default().event("lost").data("list again")), listening));
                }
                Heard::Change(id, change) => (id, change),
            };
            let Some(envoy) = listening.app.fleet.get(&id) else { continue };
            let body = {
                let live = envoy.live();
                ChangeBody {
                    id: id.to_string(),
                    hostname: live.record.hostname.to_string(),
                    status: Status::of(&live, listening.app.checkins.interval, clock::now()).word(),
                    change: change.word(),
                }
            };
            return match Event::default().event("envoy").json_data(&body) {
                Ok(event) => Some((Ok(event), listening)),
                Err(error) => {
                    tracing::error!(%error, "an event cannot be written");
                    None
                }
            };
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
