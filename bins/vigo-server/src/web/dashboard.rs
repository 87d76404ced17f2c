//! The fleet in figures and charts.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use crate::access::Principal;
use crate::admin::summary::Summary;
use crate::app::App;
use crate::clock;
use crate::web::frame::Frame;
use crate::web::html;

struct Bar {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    middle: usize,
    above: usize,
    count: usize,
    label: String,
}

struct Chart {
    title: &'static str,
    /// The same in words.
    text: String,
    bars: Vec<Bar>,
}

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    frame: Frame,
    figures: Vec<(&'static str, String, &'static str)>,
    charts: Vec<Chart>,
}

/// Bars in a picture 600 wide, the highest 96 high.
fn chart(title: &'static str, values: &[(String, usize)]) -> Chart {
    let highest = values.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let each = 600 / values.len().max(1);
    let bar = |(n, (label, count)): (usize, &(String, usize))| {
        let height = (count * 96).div_ceil(highest);
        let (x, width) = (n * each + each / 8, each - each / 4);
        let (y, middle) = (112 - height, n * each + each / 2);
        Bar { x, y, width, height, middle, above: y.saturating_sub(4), count: *count, label: label.clone() }
    };
    let some = values.iter().filter(|(label, count)| *count > 0 && !label.is_empty());
    let said: Vec<String> = some.map(|(label, count)| format!("{label}: {count}")).collect();
    let sum: usize = values.iter().map(|(_, count)| count).sum();
    let text = match said.is_empty() {
        true => format!("{title}: {sum} in all"),
        false => format!("{title}: {sum} in all; {}", said.join(", ")),
    };
    Chart { title, text, bars: values.iter().enumerate().map(bar).collect() }
}

/// `GET /dashboard`
pub(super) async fn page(State(app): State<Arc<App>>, Extension(who): Extension<Principal>) -> Response {
    let summary = Summary::of(&app, clock::now());
    let named = |names: &[&str], counts: &[usize]| -> Vec<(String, usize)> {
        names.iter().map(ToString::to_string).zip(counts.iter().copied()).collect()
    };
    let states = [summary.active, summary.stale, summary.expired, summary.revoked];
    let hours: Vec<String> = (0..24)
        .map(|n| match 23 - n {
            0 => "now".to_owned(),
            ago if ago % 6 == 0 => format!("{ago} h ago"),
            _ => String::new(),
        })
        .collect();
    let charts = vec![
        chart("Fleet by state", &named(&["active", "stale", "expired", "revoked"], &states)),
        chart("Enrolments in the last day", &hours.into_iter().zip(summary.enrolments).collect::<Vec<_>>()),
        chart(
            "Certificates that end",
            &named(&["in 7 days", "in 30 days", "in 90 days", "in a year"], &summary.expiries),
        ),
    ];
    let figures = vec![
        ("active", summary.active.to_string(), "/envoys?status=active"),
        ("stale", summary.stale.to_string(), "/envoys?status=stale"),
        ("expired", summary.expired.to_string(), "/envoys?status=expired"),
        ("update pending", summary.update_pending.to_string(), "/envoys?status=update_pending"),
        ("check-ins a second", format!("{:.2}", summary.check_ins_per_second), ""),
    ];
    html(&DashboardPage { frame: Frame::new("Dashboard", "/dashboard", &who), figures, charts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_they_count() {
        let chart = chart("Fleet", &[("a".into(), 50), ("b".into(), 0), ("c".into(), 1), ("d".into(), 100)]);
        assert_eq!(chart.bars.iter().map(|bar| bar.height).collect::<Vec<_>>(), [48, 0, 1, 96]);
        assert_eq!(chart.bars.iter().map(|bar| bar.x).collect::<Vec<_>>(), [18, 168, 318, 468]);
        assert_eq!(chart.text, "Fleet: 151 in all; a: 50, c: 1, d: 100");
        assert!(super::chart("Fleet", &[]).bars.is_empty());
    }
}
