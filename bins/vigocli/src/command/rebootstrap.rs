//! Has envoys update or enrol anew at their next check-in.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Exit;
use crate::command::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::printable::Printable;
use crate::table::{Style, cell};

const PATH: &str = "/api/v1/rebootstraps";

#[derive(Args)]
pub(crate) struct Rebootstrap {
    /// An envoy's id, its hostname, or a pattern over hostnames
    envoys: String,
    /// What they are to do at their next check-in
    #[arg(long, value_enum, default_value_t = Action::Update)]
    action: Action,
    /// Show whom it would be, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse when more envoys than this are meant; with --yes, more than one need it
    #[arg(long, value_name = "N", visible_alias = "at-most")]
    max: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// Install the agent that the server offers, also one that failed there before
    Update,
    /// Enrol anew in place, proved by the identity key: new id, new keys, same name
    Reenroll,
}

#[derive(Deserialize)]
struct Row {
    id: Printable,
    hostname: Printable,
    action: Printable,
    outcome: Printable,
    message: Option<Printable>,
}

impl Rebootstrap {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let client = context.client()?;
        let action = match self.action {
            Action::Update => "update",
            Action::Reenroll => "reenroll",
        };
        let order = |dry_run: bool, at_most: Option<usize>| -> Value {
            json!({"envoys": self.envoys, "action": action, "dry_run": dry_run, "at_most": at_most})
        };
        let would = client.post(PATH, &order(true, self.max)).await?;
        if self.dry_run {
            context.out.show(&would, |rows: &Vec<Row>, style| list(rows, style))?;
            return Ok(Exit::Ok);
        }
        let count = would.parse::<Vec<Row>>()?.len();
        bulk::allowed(context, self.max, count)?;
        let many = if count == 1 { "" } else { "s" };
        let does = match self.action {
            Action::Update => "to install the agent that is offered",
            Action::Reenroll => "to enrol anew, with a new id and new keys",
        };
        let what = format!("Asks {count} envoy{many} ({}) {does}.", Printable::new(&self.envoys));
        context.confirm(&what, &count.to_string())?;
        // Those that were counted, and none that has joined meanwhile.
        let reply = client.post(PATH, &order(false, Some(self.max.unwrap_or(count).min(count)))).await?;
        let failed = reply.parse::<Vec<Row>>()?.iter().filter(|row| row.outcome.as_str() == "failed").count();
        context.out.show(&reply, |rows: &Vec<Row>, style| list(rows, style))?;
        Ok(match failed {
            0 => Exit::Ok,
            all if all == count => Exit::Failed,
            _ => Exit::Partial,
        })
    }
}

fn list(rows: &[Row], style: &Style) -> String {
    let cells = rows.iter().map(|row| [cell(&row.id), cell(&row.hostname), cell(&row.action), cell(&row.outcome)]);
    let mut text = style.table(["ID", "HOSTNAME", "ACTION", "OUTCOME"], cells);
    for row in rows {
        if let Some(message) = &row.message {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}: {message}", row.hostname);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::plain;

    #[test]
    fn what_became_of_each() {
        let rows: Vec<Row> = serde_json::from_value(json!([
            {"id": "3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90", "hostname": "web3.example.com", "action": "update",
             "outcome": "pending", "code": null, "message": null},
            {"id": "4f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90", "hostname": "web4.example.com", "action": "update",
             "outcome": "failed", "code": "conflict", "message": "somebody else is changing the same thing: try again"},
        ]))
        .unwrap();
        let expected = "\
ID                                    HOSTNAME          ACTION  OUTCOME
3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90  web3.example.com  update  pending
4f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90  web4.example.com  update  failed
web4.example.com: somebody else is changing the same thing: try again
";
        assert_eq!(list(&rows, &plain()), expected);
    }
}
