use clap::Subcommand;
use serde::Deserialize;

use crate::Exit;
use crate::context::Context;
use crate::failure::Failure;
use crate::printable::Printable;
use crate::table::{Style, cell};
use crate::time::Moment;

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// List what was done, newest first
    #[command(after_help = "Examples:\n  vigocli audit list\n  vigocli audit list --limit 1000 -o jsonl")]
    List {
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Check that no record was changed, removed or slipped in
    #[command(after_help = "Examples:\n  vigocli audit verify\n\nExit code: 0 the chain holds, 8 it is broken.")]
    Verify,
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
        let client = context.client()?;
        match self {
            Self::List { limit } => {
                let reply = client.list("/api/v1/audit", limit).await?;
                context.out.show_list(&reply, list)?;
            }
            Self::Verify => {
                let reply = client.get("/api/v1/audit/verify").await.map_err(|failure| match failure.code() {
                    "audit_broken" => failure.ends(Exit::Findings),
                    _ => failure,
                })?;
                context.out.show(&reply, verified)?;
            }
        }
        Ok(Exit::Ok)
    }
}

fn list(acts: &[Act], style: &Style) -> String {
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
        assert_eq!(list(&serde_json::from_value::<Vec<Act>>(sent).unwrap(), &plain()), expected);
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
