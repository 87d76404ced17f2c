//! Add machines: a token, the line with it, and who enrols.

use std::num::NonZeroU32;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use vigo_core::record::TokenRecord;
use vigo_enroll::script::System;

use crate::access::Principal;
use crate::admin::envoy_body::EnvoyBody;
use crate::admin::tokens::{self, Wish};
use crate::app::App;
use crate::clock;
use crate::web::frame::Frame;
use crate::web::{Filled, Refused, html};

/// The form, as it is filled in.
#[derive(Clone, Deserialize)]
pub(super) struct Form {
    pattern: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    cidrs: String,
    #[serde(default)]
    uses: String,
    /// Hours.
    #[serde(default)]
    ttl: String,
    #[serde(default)]
    note: String,
    allow_replace: Option<String>,
    any_host: Option<String>,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            pattern: String::new(),
            os: System::default().name().to_owned(),
            cidrs: String::new(),
            uses: "1".into(),
            ttl: "1".into(),
            note: String::new(),
            allow_replace: None,
            any_host: None,
        }
    }
}

#[derive(Template)]
#[template(path = "add.html")]
struct AddPage {
    frame: Frame,
    wrong: Option<String>,
    wish: Form,
    systems: Vec<&'static str>,
}

#[derive(Template)]
#[template(path = "added.html")]
struct AddedPage {
    frame: Frame,
    id: String,
    command: Option<String>,
    expires: String,
    pattern: String,
    status: &'static str,
    used: usize,
    uses: u32,
    rows: Vec<EnvoyBody>,
}

fn form(who: &Principal, wish: Form, wrong: Option<String>) -> Response {
    let systems = System::ALL.iter().map(|system| system.name()).collect();
    html(&AddPage { frame: Frame::new("Add machines", "/envoys", who), wrong, wish, systems })
}

/// `GET /add`
pub(super) async fn page(Extension(who): Extension<Principal>) -> Response {
    form(&who, Form::default(), None)
}

impl Form {
    fn is_for(&self, os: &str) -> bool {
        self.os == os
    }

    fn wish(&self) -> Result<Wish, &'static str> {
        let hours: u64 = self.ttl.trim().parse().map_err(|_| "the hours are no number")?;
        let uses: NonZeroU32 = self.uses.trim().parse().map_err(|_| "the number of machines is none")?;
        let cidrs = self.cidrs.split(|c: char| c.is_whitespace() || c == ',').filter(|net| !net.is_empty());
        Ok(Wish {
            pattern: self.pattern.trim().to_owned(),
            ttl_secs: hours.saturating_mul(3600),
            uses,
            cidrs: cidrs.map(str::to_owned).collect(),
            note: self.note.clone(),
            allow_replace: self.allow_replace.is_some(),
            os: Some(self.os.clone()).filter(|os| !os.is_empty()),
            any_host: self.any_host.is_some(),
        })
    }
}

fn added(app: &App, who: &Principal, record: &TokenRecord, command: Option<String>) -> Response {
    let now = clock::now();
    let standing = app.standing(now);
    let envoys = record.uses.iter().filter_map(|one| app.fleet.get(&one.envoy));
    html(&AddedPage {
        frame: Frame::new("Add machines", "/envoys", who),
        id: record.id.to_string(),
        command,
        expires: crate::admin::rfc3339(record.expires_at),
        pattern: record.pattern.to_string(),
        status: tokens::status(record, now),
        used: record.uses.len(),
        uses: record.uses_allowed,
        rows: envoys.map(|envoy| EnvoyBody::of(&standing, &envoy.live())).collect(),
    })
}

/// `POST /add`
pub(super) async fn make(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Filled(filled): Filled<Form>,
) -> Result<Response, Refused> {
    let wish = match filled.wish() {
        Ok(wish) => wish,
        Err(wrong) => {
            let page = form(&who, filled, Some(format!("Nothing was made: {wrong}.")));
            return Ok((StatusCode::BAD_REQUEST, page).into_response());
        }
    };
    match tokens::make(&app, wish, &who).await {
        Ok(made) => {
            let record = tokens::read(&app, &tokens::id(&made.id)?).await?;
            Ok(added(&app, &who, &record, Some(made.command)))
        }
        Err(refusal) => {
            let help = match refusal.code {
                "any_host" => "if any host is meant, tick that below; else name the domain, as in `*.example.com`",
                _ => refusal.help.as_str(),
            };
            let page = form(&who, filled, Some(format!("Nothing was made: {}. {help}", refusal.message)));
            Ok((refusal.status, page).into_response())
        }
    }
}

/// `GET /add/{id}`
pub(super) async fn progress(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let record = tokens::read(&app, &tokens::id(&id)?).await?;
    Ok(added(&app, &who, &record, None))
}
