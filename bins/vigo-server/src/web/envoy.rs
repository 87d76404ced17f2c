//! One envoy, and what may be done with it.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use vigo_core::UnixTime;

use crate::access::Principal;
use crate::admin::audit;
use crate::admin::envoy_body::{EnvoyDetails, PolicyBody};
use crate::admin::{envoys, rebootstrap as orders};
use crate::app::App;
use crate::clock;
use crate::fleet::Envoy;
use crate::http::error::ApiError;
use crate::web::envoys::Row;
use crate::web::frame::{Frame, When, operates};
use crate::web::{Filled, Refused, html};

#[derive(Template)]
#[template(path = "envoy.html")]
struct EnvoyPage {
    frame: Frame,
    operates: bool,
    said: Option<&'static str>,
    wrong: Option<String>,
    row: Row,
    details: EnvoyDetails,
    policy: PolicyBody,
    /// What the audit log says of its admission.
    admitted: Vec<(String, String)>,
    /// The newest first.
    check_ins: Vec<When>,
    /// Where they stand in the picture, 600 wide.
    marks: Vec<u64>,
    audit: Vec<audit::Row>,
}

#[derive(Default, Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    done: String,
}

impl Said {
    fn words(&self) -> Option<&'static str> {
        Some(match self.done.as_str() {
            "revoked" => "Revoked: it is refused from now on.",
            "allowed" => "Its host may enrol again, once.",
            "told" => "It is told at its next check-in.",
            _ => return None,
        })
    }
}

/// Places of times in a picture from the oldest to now.
fn marks(now: UnixTime, times: &[UnixTime]) -> Vec<u64> {
    let Some(oldest) = times.last() else { return Vec::new() };
    let span = now.since(*oldest).as_secs().max(1);
    times.iter().map(|at| at.since(*oldest).as_secs().min(span) * 594 / span).collect()
}

async fn show(
    app: &App,
    who: &Principal,
    envoy: &Envoy,
    said: Option<&'static str>,
    wrong: Option<String>,
) -> Result<Response, Refused> {
    let now = clock::now();
    let standing = app.standing(now);
    let (row, details, hostname, times) = {
        let live = envoy.live();
        let row = Row::of(&standing, &live);
        (row, EnvoyDetails::of(&standing, &live), live.record.hostname.clone(), live.check_ins.times())
    };
    let by_id = audit::Filter { search: row.body.id.clone(), limit: Some(20), ..audit::Filter::default() };
    let audit = by_id.page(app).await?.items;
    let enrolment = audit.iter().find(|record| record.action == "envoy.enrol");
    let admitted = enrolment.map(|record| {
        vec![("Asked by".to_owned(), record.actor.clone()), ("Written down".to_owned(), record.detail.clone())]
    });
    Ok(html(&EnvoyPage {
        frame: Frame::new(hostname.to_string(), "/envoys", who),
        operates: operates(who),
        said,
        wrong,
        policy: PolicyBody::of(app, &hostname)?,
        admitted: admitted.unwrap_or_default(),
        marks: marks(now, &times),
        check_ins: times.into_iter().map(|at| When::new(now, at)).collect(),
        row,
        details,
        audit,
    }))
}

/// `GET /envoys/{envoy}`
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    Query(said): Query<Said>,
) -> Result<Response, Refused> {
    let envoy = app.find_envoy(&name)?;
    show(&app, &who, &envoy, said.words(), None).await
}

/// A form whose sender typed which machine they mean.
#[derive(Deserialize)]
pub(super) struct Act {
    confirm: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    hours: Option<u64>,
    #[serde(default)]
    action: Option<String>,
}

/// Does what a form asks for, if the name that was typed is the machine's; what goes wrong is said on its page.
async fn carry_out(
    app: &App,
    who: &Principal,
    name: &str,
    form: &Act,
    done: &'static str,
    act: impl AsyncFnOnce(&str) -> Result<(), ApiError>,
) -> Result<Response, Refused> {
    let envoy = app.find_envoy(name)?;
    let (id, hostname) = {
        let live = envoy.live();
        (live.record.id.to_string(), live.record.hostname.to_string())
    };
    if form.confirm.trim().trim_end_matches('.').to_ascii_lowercase() != hostname {
        let wrong = format!("Nothing was done: what you typed is not {hostname}.");
        return show(app, who, &envoy, None, Some(wrong)).await;
    }
    match act(&id).await {
        Ok(()) => Ok(Redirect::to(&format!("/envoys/{id}?done={done}")).into_response()),
        Err(refusal) => {
            let wrong = format!("Nothing was done: {}. {}.", refusal.message, refusal.help);
            show(app, who, &envoy, None, Some(wrong)).await
        }
    }
}

/// `POST /envoys/{envoy}/revoke`
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    Filled(form): Filled<Act>,
) -> Result<Response, Refused> {
    let act = async |id: &str| envoys::revoke_named(&app, id, &form.reason, &who).await.map(drop);
    carry_out(&app, &who, &name, &form, "revoked", act).await
}

/// `POST /envoys/{envoy}/delete`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    Filled(form): Filled<Act>,
) -> Result<Response, Refused> {
    let act = async |id: &str| envoys::delete_named(&app, id, &form.reason, &who).await.map(drop);
    let answer = carry_out(&app, &who, &name, &form, "", act).await?;
    // Its page is gone with it.
    Ok(if answer.status().is_redirection() { Redirect::to("/envoys").into_response() } else { answer })
}

/// `POST /envoys/{envoy}/allow-reenroll`
pub(super) async fn allow(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    Filled(form): Filled<Act>,
) -> Result<Response, Refused> {
    let ttl = Duration::from_hours(form.hours.unwrap_or(1).clamp(1, 720));
    let act = async |id: &str| envoys::allow_named(&app, id, ttl, &who).await.map(drop);
    carry_out(&app, &who, &name, &form, "allowed", act).await
}

/// `POST /envoys/{envoy}/rebootstrap`
pub(super) async fn rebootstrap(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    Filled(form): Filled<Act>,
) -> Result<Response, Refused> {
    let act = async |id: &str| {
        let action = form.action.clone().unwrap_or_else(|| "update".to_owned());
        let order = orders::Order { envoys: id.to_owned(), action, dry_run: false, at_most: Some(1) };
        let told = orders::carry_out(&app, &order, &who).await?;
        match told.into_iter().find_map(|row| row.message) {
            Some(message) => Err(ApiError::new(axum::http::StatusCode::CONFLICT, "failed", message, "try again")),
            None => Ok(()),
        }
    };
    carry_out(&app, &who, &name, &form, "told", act).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_ins_stand_where_they_were_in_time() {
        let at = |secs: &u64| UnixTime::from_secs(*secs);
        for (now, times, expected) in [
            (100, &[][..], &[][..]),
            (100, &[100], &[0]),
            (200, &[200, 150, 100], &[594, 297, 0]),
            (300, &[200, 100], &[297, 0]),
        ] {
            let times: Vec<UnixTime> = times.iter().map(at).collect();
            assert_eq!(marks(UnixTime::from_secs(now), &times), expected, "{times:?}");
        }
    }
}
