//! Tokens, rules, certificates and the audit log.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use vigo_core::record::TokenRecord;
use vigo_enroll::operate;

use crate::access::Principal;
use crate::admin::page::Params;
use crate::admin::summary::Summary;
use crate::admin::{act, approved, audit, enroll, rules, tokens};
use crate::app::App;
use crate::clock;
use crate::web::frame::{Frame, When, operates};
use crate::web::{Filled, Refused, encoded, html};

struct TokenRow {
    id: String,
    /// What is typed to revoke it.
    short: String,
    pattern: String,
    status: &'static str,
    used: usize,
    uses: u32,
    cidrs: String,
    expires: When,
    created: When,
    by: String,
    note: String,
    replaces: bool,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    frame: Frame,
    operates: bool,
    wrong: Option<String>,
    rows: Vec<TokenRow>,
}

/// So many characters of an id are typed.
const SHORT: usize = 8;

async fn show_tokens(app: &App, who: &Principal, wrong: Option<String>) -> Result<Response, Refused> {
    let now = clock::now();
    let row = |record: &TokenRecord| TokenRow {
        id: record.id.to_string(),
        short: record.id.to_string().chars().take(SHORT).collect(),
        pattern: record.pattern.to_string(),
        status: tokens::status(record, now),
        used: record.uses.len(),
        uses: record.uses_allowed,
        cidrs: match record.cidrs.is_empty() {
            true => "any".to_owned(),
            false => record.cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        },
        expires: When::new(now, record.expires_at),
        created: When::new(now, record.created_at),
        by: record.created_by.clone(),
        note: record.note.clone(),
        replaces: record.allow_replace,
    };
    let rows = tokens::all(app).await?.iter().rev().map(row).collect();
    Ok(html(&TokensPage { frame: Frame::new("Tokens", "/tokens", who), operates: operates(who), wrong, rows }))
}

/// `GET /tokens`
pub(super) async fn tokens_page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Result<Response, Refused> {
    show_tokens(&app, &who, None).await
}

#[derive(Deserialize)]
pub(super) struct Confirmed {
    confirm: String,
}

/// `POST /tokens/{id}/revoke`
pub(super) async fn revoke_token(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    Filled(form): Filled<Confirmed>,
) -> Result<Response, Refused> {
    let id = tokens::id(&id)?;
    let typed = form.confirm.trim();
    if typed.len() < SHORT || !id.to_string().starts_with(typed) {
        let wrong = "Nothing was done: what you typed is not that token's id.".to_owned();
        return show_tokens(&app, &who, Some(wrong)).await;
    }
    operate::revoke_token(app.store.as_ref(), &id, "", &act(&who)).await.map_err(crate::http::error::ApiError::from)?;
    Ok(Redirect::to("/tokens").into_response())
}

struct ApprovedRow {
    id: String,
    pattern: String,
    note: String,
    by: String,
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage {
    frame: Frame,
    operates: bool,
    wrong: Option<String>,
    asked: Asked,
    explained: Option<enroll::Explained>,
    reenroll: &'static str,
    trusted: Vec<rules::Trusted>,
    approved: Vec<ApprovedRow>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    hostname: String,
    ip: String,
}

async fn show_rules(app: &App, who: &Principal, asked: Asked, mut wrong: Option<String>) -> Result<Response, Refused> {
    let mut explained = None;
    if !asked.hostname.is_empty() || !asked.ip.is_empty() {
        match enroll::ask(app, asked.hostname.trim(), asked.ip.trim(), None).await {
            Ok(told) => explained = Some(told),
            Err(refusal) => wrong = Some(format!("{}: {}", refusal.message, refusal.help)),
        }
    }
    let approved = approved::all(app).await?;
    let approved = approved.iter().map(|record| ApprovedRow {
        id: record.id.to_string(),
        pattern: record.pattern.to_string(),
        note: record.note.clone(),
        by: record.created_by.clone(),
    });
    Ok(html(&RulesPage {
        frame: Frame::new("Rules", "/rules", who),
        operates: operates(who),
        wrong,
        asked,
        explained,
        reenroll: rules::reenroll(app),
        trusted: rules::trusted(app),
        approved: approved.collect(),
    }))
}

/// `GET /rules`
pub(super) async fn rules_page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Params(asked): Params<Asked>,
) -> Result<Response, Refused> {
    show_rules(&app, &who, asked, None).await
}

#[derive(Deserialize)]
pub(super) struct Approval {
    pattern: String,
    #[serde(default)]
    note: String,
    any_host: Option<String>,
}

/// `POST /rules/approved`
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Filled(form): Filled<Approval>,
) -> Result<Response, Refused> {
    match approved::approve(&app, form.pattern.trim(), &form.note, form.any_host.is_some(), &who).await {
        Ok(_) => Ok(Redirect::to("/rules").into_response()),
        Err(refusal) => {
            let wrong = Some(format!("Nothing was approved: {}. {}", refusal.message, refusal.help));
            let page = show_rules(&app, &who, Asked::default(), wrong).await?;
            Ok((refusal.status, page).into_response())
        }
    }
}

/// `POST /rules/approved/{id}/remove`
pub(super) async fn remove_approved(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    approved::take_back(&app, &id, &who).await?;
    Ok(Redirect::to("/rules").into_response())
}

#[derive(Template)]
#[template(path = "ca.html")]
struct CaPage {
    frame: Frame,
    ca_pin: String,
    ca_until: When,
    can_sign: bool,
    fleet: String,
    leaf_pin: String,
    leaf_until: When,
    expiries: Vec<(String, usize)>,
}

/// `GET /ca`
pub(super) async fn ca(State(app): State<Arc<App>>, Extension(who): Extension<Principal>) -> Response {
    let now = clock::now();
    let (root, leaf) = (app.authority.root(), app.certificates.leaf());
    let counts = Summary::of(&app, now).expiries;
    let names = ["within 7 days", "within 30 days", "within 90 days", "within a year"];
    html(&CaPage {
        frame: Frame::new("Certificates", "/ca", &who),
        ca_pin: root.pin.to_string(),
        ca_until: When::new(now, root.not_after),
        can_sign: app.authority.can_sign(),
        fleet: app.server.to_string(),
        leaf_pin: leaf.pin().to_string(),
        leaf_until: When::new(now, leaf.not_after()),
        expiries: names.iter().map(ToString::to_string).zip(counts).collect(),
    })
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    search: String,
    verified: Option<String>,
    broken: Option<String>,
    total: usize,
    rows: Vec<audit::Row>,
    next: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Look {
    search: String,
    cursor: Option<String>,
    verify: Option<String>,
}

/// `GET /audit`
pub(super) async fn audit_page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Params(look): Params<Look>,
) -> Result<Response, Refused> {
    let (mut verified, mut broken) = (None, None);
    if look.verify.is_some() {
        match audit::check(&app).await {
            Ok(it) => {
                verified = Some(format!(
                    "Nobody changed it: {} records are covered by {} links, {} of the last moments not yet. Head: {}",
                    it.covered, it.links, it.uncovered, it.head
                ));
            }
            Err(refusal) if refusal.status == StatusCode::CONFLICT => {
                broken = Some(format!("The chain is broken: {}. {}.", refusal.message, refusal.help));
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let filter = audit::Filter { search: look.search.clone(), cursor: look.cursor, ..audit::Filter::default() };
    let page = filter.page(&app).await?;
    let next = page.next.map(|cursor| match look.search.is_empty() {
        true => format!("/audit?cursor={cursor}"),
        false => format!("/audit?search={}&cursor={cursor}", encoded(&look.search)),
    });
    Ok(html(&AuditPage {
        frame: Frame::new("Audit log", "/audit", &who),
        search: look.search,
        verified,
        broken,
        total: page.total,
        rows: page.items,
        next,
    }))
}
