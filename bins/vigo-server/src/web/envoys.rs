//! The fleet as a table.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use futures_util::Stream;
use serde::Deserialize;
use vigo_core::UnixTime;

use crate::access::Principal;
use crate::admin::envoy_body::EnvoyBody;
use crate::admin::envoys::Filter;
use crate::admin::page::{self, Params};
use crate::app::App;
use crate::clock;
use crate::fleet::{Direction, Live, Query, Standing, Status};
use crate::listening::Listening;
use crate::web::frame::{Frame, When, operates};
use crate::web::{Refused, encoded, html};

/// How many envoys a page shows.
const ROWS: usize = 50;

/// What stands behind the `?` of the page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct View {
    search: String,
    status: String,
    sort: Option<String>,
    after: Option<String>,
    before: Option<String>,
}

/// One envoy of the table.
pub(super) struct Row {
    pub(super) body: EnvoyBody,
    pub(super) enrolled: When,
    pub(super) seen: Option<When>,
    /// Days of its certificate that are left.
    pub(super) days: String,
}

impl Row {
    pub(super) fn of(standing: &Standing<'_>, live: &Live) -> Self {
        let now = standing.now;
        let days =
            live.record.certificate().map_or_else(String::new, |certificate| match certificate.not_after > now {
                true => (certificate.not_after.since(now).as_secs() / 86_400).to_string(),
                false => "0".to_owned(),
            });
        Self {
            body: EnvoyBody::of(standing, live),
            enrolled: When::new(now, live.record.enrolled_at),
            seen: live.seen.as_ref().map(|seen| When::new(now, seen.at)),
            days,
        }
    }
}

struct Chip {
    name: &'static str,
    count: usize,
    url: String,
    on: bool,
}

struct Column {
    name: &'static str,
    url: Option<String>,
    order: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "envoys.html")]
struct EnvoysPage {
    frame: Frame,
    operates: bool,
    none: bool,
    view: View,
    chips: Vec<Chip>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    total: usize,
    before: Option<String>,
    after: Option<String>,
    csv: String,
    json: String,
}

impl View {
    /// What it means for the list, without the page.
    fn filter(&self) -> Filter {
        Filter {
            search: self.search.clone(),
            status: self.status.clone(),
            sort: self.sort.clone(),
            ..Filter::default()
        }
    }

    fn query(&self) -> Result<Query, Refused> {
        let mut query = self.filter().query()?;
        query.limit = ROWS;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let cursor = |text: String| text.parse().map_err(|_| page::bad_cursor());
        query.cursor = match (given(&self.after), given(&self.before)) {
            (Some(after), _) => Some((Direction::After, cursor(after)?)),
            (None, Some(before)) => Some((Direction::Before, cursor(before)?)),
            (None, None) => None,
        };
        Ok(query)
    }

    /// The address of this view under a path; what is empty is left out.
    fn url(&self, path: &str) -> String {
        let some = |text: &Option<String>| text.clone().unwrap_or_default();
        let values = [
            ("search", self.search.clone()),
            ("status", self.status.clone()),
            ("sort", some(&self.sort)),
            ("after", some(&self.after)),
            ("before", some(&self.before)),
        ];
        let given = values.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }

    fn first_page(&self) -> Self {
        Self { after: None, before: None, ..self.clone() }
    }

    fn chip(&self, name: &'static str, word: &str, count: usize) -> Chip {
        let on = self.status == word;
        let status = if on { String::new() } else { word.to_owned() };
        Chip { name, count, url: Self { status, ..self.first_page() }.url("/envoys"), on: on && !word.is_empty() }
    }

    fn column(&self, name: &'static str, word: &str) -> Column {
        if word.is_empty() {
            return Column { name, url: None, order: None };
        }
        let now = self.sort.as_deref().unwrap_or("enrolled");
        let (sort, order) = match now.strip_prefix('-') {
            Some(now) if now == word => (word.to_owned(), Some("descending")),
            None if now == word => (format!("-{word}"), Some("ascending")),
            _ => (word.to_owned(), None),
        };
        Column { name, url: Some(Self { sort: Some(sort), ..self.first_page() }.url("/envoys")), order }
    }
}

/// `GET /envoys`
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Params(view): Params<View>,
) -> Result<Response, Refused> {
    let standing = app.standing(clock::now());
    let found = app.fleet.find(&view.query()?, &standing);
    let envoys = found.envoys.iter().filter_map(|id| app.fleet.get(id));
    let rows: Vec<Row> = envoys.map(|envoy| Row::of(&standing, &envoy.live())).collect();
    let [active, stale, expired, revoked] = found.counts;
    let turned = |cursor: Option<crate::fleet::Cursor>, forth: bool| {
        let cursor = cursor?.to_string();
        let (after, before) = if forth { (Some(cursor), None) } else { (None, Some(cursor)) };
        Some(View { after, before, ..view.clone() }.url("/envoys"))
    };
    let (before, after) = (turned(found.before, false), turned(found.after, true));
    Ok(html(&EnvoysPage {
        frame: Frame::new("Envoys", "/envoys", &who),
        operates: operates(&who),
        none: view.search.is_empty() && found.counts == [0; 4],
        chips: vec![
            view.chip("active", Status::Active.word(), active),
            view.chip("stale", Status::Stale.word(), stale),
            view.chip("expired", Status::Expired.word(), expired),
            view.chip("revoked", Status::Revoked.word(), revoked),
            view.chip("update pending", "update_pending", found.update_pending),
        ],
        columns: vec![
            view.column("Hostname", "hostname"),
            view.column("State", "status"),
            view.column("System", ""),
            view.column("Agent", "version"),
            view.column("Address", ""),
            view.column("Enrolled", "enrolled"),
            view.column("Last seen", "last_seen"),
            view.column("Resources", ""),
            view.column("Drift", ""),
            view.column("Certificate, days", "expires"),
        ],
        rows,
        total: found.total,
        before,
        after,
        csv: view.first_page().url("/envoys.csv"),
        json: view.first_page().url("/envoys.json"),
        view,
    }))
}

/// All envoys of a view.
fn whole(app: &App, view: &View, now: UnixTime) -> Result<Vec<EnvoyBody>, Refused> {
    let standing = app.standing(now);
    let mut query = view.query()?;
    (query.limit, query.cursor) = (usize::MAX - 1, None);
    let found = app.fleet.find(&query, &standing);
    let envoys = found.envoys.iter().filter_map(|id| app.fleet.get(id));
    Ok(envoys.map(|envoy| EnvoyBody::of(&standing, &envoy.live())).collect())
}

/// `GET /envoys.json`
pub(super) async fn json(State(app): State<Arc<App>>, Params(view): Params<View>) -> Result<Response, Refused> {
    let headers = [(header::CONTENT_DISPOSITION, "attachment; filename=\"envoys.json\"")];
    Ok((headers, Json(whole(&app, &view, clock::now())?)).into_response())
}

/// A field of a CSV file (RFC 4180); a spreadsheet takes none for a formula.
fn field(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// `GET /envoys.csv`
pub(super) async fn csv(State(app): State<Arc<App>>, Params(view): Params<View>) -> Result<Response, Refused> {
    let mut text =
        "id,hostname,status,os,arch,agent_version,ip,enrolled_at,last_seen_at,resources,certificate_expires_at\r\n"
            .to_owned();
    for envoy in whole(&app, &view, clock::now())? {
        let resources = envoy.resources.map(|n| n.to_string()).unwrap_or_default();
        let fields = [
            &envoy.id,
            &envoy.hostname,
            envoy.status,
            &envoy.os,
            &envoy.arch,
            &envoy.agent_version,
            &envoy.ip,
            &envoy.enrolled_at,
            envoy.last_seen_at.as_deref().unwrap_or_default(),
            &resources,
            envoy.certificate_expires_at.as_deref().unwrap_or_default(),
        ];
        text += &fields.map(field).join(",");
        text += "\r\n";
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"envoys.csv\""),
    ];
    Ok((headers, text).into_response())
}

/// `GET /envoys/events`: that something happened to the fleet, at most once a second.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let begin = (Listening::new(&app, who), 0u64);
    let stream = futures_util::stream::unfold(begin, |(mut listening, number)| async move {
        listening.next().await?;
        // Whatever else happens meanwhile is told with it.
        tokio::time::sleep(Duration::from_secs(1)).await;
        listening.forget();
        let event = Event::default().event("fleet").data(number.to_string());
        Some((Ok(event), (listening, number + 1)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_its_address() {
        let view = View {
            search: "a&b=\"<".into(),
            status: "stale".into(),
            sort: None,
            after: Some("x".into()),
            before: None,
        };
        assert_eq!(view.url("/envoys"), "/envoys?search=a%26b%3D%22%3C&status=stale&after=x");
        assert_eq!(View::default().url("/envoys"), "/envoys");
        let column = view.column("Enrolled", "enrolled");
        assert_eq!(column.order, Some("ascending"));
        assert_eq!(column.url.unwrap(), "/envoys?search=a%26b%3D%22%3C&status=stale&sort=-enrolled");
        let chip = view.chip("stale", "stale", 3);
        assert_eq!((chip.on, chip.url.as_str()), (true, "/envoys?search=a%26b%3D%22%3C"));
    }

    #[test]
    fn a_spreadsheet_finds_no_formula() {
        for (text, expected) in
            [("web1", "web1"), ("=1+1", "'=1+1"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("-1", "'-1")]
        {
            assert_eq!(field(text), expected);
        }
    }
}
