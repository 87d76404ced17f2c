use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::Exit;
use crate::context::Context;
use crate::failure::Failure;
use crate::printable::Printable;
use crate::query::Query;
use crate::table::{Style, cell};
use crate::time::Moment;
use crate::when::When;
use crate::{clock, list};

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// List what was done, newest first
    #[command(after_help = "\
Examples:
  vigocli audit list
  vigocli audit list --limit 1000 -o jsonl
  vigocli audit list --subject web3.example.com --since 7d
  vigocli audit list --action token.create --actor operator:uid=0")]
    List(Wanted),
    /// Check that no record was changed, removed or slipped in
    #[command(after_help = "Examples:\n  vigocli audit verify\n\nExit code: 0 the chain holds, 8 it is broken.")]
    Verify,
    /// Print the head of the chain: kept elsewhere, it tells whether the log was cut or written anew
    #[command(after_help = "Examples:\n  vigocli audit head\n  vigocli audit head -o json")]
    Head,
}

#[derive(Args)]
pub(crate) struct Wanted {
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// With this text in it
    #[arg(long)]
    search: Option<String>,
    /// Done by
    #[arg(long)]
    actor: Option<String>,
    /// Of this kind, as in the column ACTION
    #[arg(long)]
    action: Option<String>,
    /// Done to
    #[arg(long)]
    subject: Option<String>,
    /// Not before: 7d (ago) or 2026-05-13T11:03:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Not after: 1h (ago) or 2026-05-13T11:03:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
}

#[derive(Deserialize)]
struct Head {
    links: u64,
    head: Printable,
}

#[derive(Deserialize)]
struct Act {
    at: Moment,
    actor: Printable,
    action: Printable,
    subject: Printable,
    outcome: Printable,
    detail: Printable,
}

#[derive(Deserialize)]
struct Verified {
    links: u64,
    covered: u64,
    uncovered: u64,
    head: Printable,
}

impl Audit {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Self::List(wanted) => return list::show(context, wanted.query(), Some(wanted.limit), show).await,
            Self::Head => {
                let reply = context.client()?.get("/api/v1/audit/head").await?;
                context.out.show(&reply, head)?;
            }
            Self::Verify => {
                let reply =
                    context.client()?.get("/api/v1/audit/verify").await.map_err(|failure| match failure.code() {
                        "audit_broken" => failure.ends(Exit::Findings),
                        _ => failure,
                    })?;
                context.out.show(&reply, verified)?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl Wanted {
    fn query(&self) -> Query {
        let now = clock::now();
        let past = |when: Option<When>| when.map(|when| when.past(now).to_string());
        Query::new("/api/v1/audit")
            .with_some("search", self.search.as_deref())
            .with_some("actor", self.actor.as_deref())
            .with_some("action", self.action.as_deref())
            .with_some("subject", self.subject.as_deref())
            .with_some("since", past(self.since).as_deref())
            .with_some("until", past(self.until).as_deref())
    }
}

fn show(acts: &[Act], style: &Style) -> String {
    let rows = acts.iter().map(|act| {
        [
            cell(style.time(Some(&act.at))),
            cell(&act.actor),
            cell(&act.action),
            cell(&act.subject),
            cell(&act.outcome),
            cell(if act.detail.as_str().is_empty() { "-" } else { act.detail.as_str() }),
        ]
    });
    style.table(["TIME", "ACTOR", "ACTION", "SUBJECT", "OUTCOME", "~DETAIL"], rows)
}

fn verified(chain: &Verified, style: &Style) -> String {
    format!(
        "The audit chain holds.\n\n{}",
        style.fields([
            ("Links", chain.links.to_string()),
            ("Records covered", chain.covered.to_string()),
            ("Not yet covered", chain.uncovered.to_string()),
            ("Head", chain.head.to_string()),
        ])
    )
}

fn head(chain: &Head, style: &Style) -> String {
    style.fields([("Links", chain.links.to_string()), ("Head", chain.head.to_string())])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::tests::plain;

    #[test]
    fn acts() {
        let sent = json!([
            {"at": "2026-05-13T11:03:00Z", "actor": "address:10.1.0.2", "action": "envoy.enrol",
             "subject": "web3.example.com", "outcome": "token_rejected", "detail": "expired"},
            {"at": "2026-05-13T11:02:00Z", "actor": "server", "action": "ca.create", "subject": "77aa",
             "outcome": "ok", "detail": ""},
        ]);
        let expected = "\
TIME              ACTOR             ACTION       SUBJECT           OUTCOME         DETAIL
2026-05-13 13:03  address:10.1.0.2  envoy.enrol  web3.example.com  token_rejected  expired
2026-05-13 13:02  server            ca.create    77aa              ok              -
";
        assert_eq!(show(&serde_json::from_value::<Vec<Act>>(sent).unwrap(), &plain()), expected);
    }

    #[test]
    fn a_chain() {
        let sent = json!({"links": 3, "covered": 40, "uncovered": 2, "head": "00ff"});
        let expected = "\
The audit chain holds.

Links:            3
Records covered:  40
Not yet covered:  2
Head:             00ff
";
        assert_eq!(verified(&serde_json::from_value(sent).unwrap(), &plain()), expected);
    }
}
