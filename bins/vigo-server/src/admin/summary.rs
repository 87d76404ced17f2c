//! The fleet in a few numbers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vigo_core::UnixTime;

use crate::app::App;
use crate::clock;
use crate::fleet::{Query, Status};

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The fleet in a few numbers.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Summary {
    pub(crate) active: usize,
    pub(crate) stale: usize,
    pub(crate) expired: usize,
    pub(crate) revoked: usize,
    pub(crate) update_pending: usize,
    /// Of the last minute, as envoys were last seen.
    pub(crate) check_ins_per_second: f64,
    /// Enrolments in each of the last 24 hours, the oldest first.
    pub(crate) enrolments: Vec<usize>,
    /// Certificates of envoys in service that end within 7, 30, 90 and 365 days, each counted once.
    pub(crate) expiries: Vec<usize>,
}

impl Summary {
    pub(crate) fn of(app: &App, now: UnixTime) -> Self {
        const DAY: Duration = Duration::from_hours(24);
        let found = app.fleet.find(&Query { limit: 1, ..Query::default() }, &app.standing(now));
        let [active, stale, expired, revoked] = found.counts;
        let (mut enrolments, mut expiries, mut lately) = (vec![0; 24], vec![0; 4], 0usize);
        for envoy in app.fleet.all() {
            let live = envoy.live();
            let hours = now.since(live.record.enrolled_at).as_secs() / 3600;
            if let Some(count) = usize::try_from(hours).ok().and_then(|hours| enrolments.iter_mut().rev().nth(hours)) {
                *count += 1;
            }
            lately += usize::from(live.seen.as_ref().is_some_and(|seen| now.since(seen.at) < Duration::from_mins(1)));
            let status = Status::of(&live, app.checkins.interval, now);
            if matches!(status, Status::Active | Status::Stale)
                && let Some(certificate) = live.record.certificate()
            {
                let left = certificate.not_after.since(now);
                if let Some(n) = [7, 30, 90, 365].iter().position(|days| left <= DAY * *days) {
                    expiries[n] += 1;
                }
            }
        }
        // An envoy checks in once an interval: who was seen in the last minute did so at most so often.
        let per_second = lately as f64 / app.checkins.interval.as_secs_f64().clamp(1.0, 60.0);
        Self {
            active,
            stale,
            expired,
            revoked,
            update_pending: found.update_pending,
            check_ins_per_second: (per_second * 100.0).round() / 100.0,
            enrolments,
            expiries,
        }
    }
}

/// The fleet in a few numbers
#[utoipa::path(get, path = "/api/v1/summary", tag = "envoys", responses((status = 200, body = Summary)))]
async fn show(State(app): State<Arc<App>>) -> Json<Summary> {
    Json(Summary::of(&app, clock::now()))
}
