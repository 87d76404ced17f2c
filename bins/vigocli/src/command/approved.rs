use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;
use vigo_core::{ApprovalId, HostPattern};

use crate::Exit;
use crate::command::any_host;
use crate::context::Context;
use crate::failure::Failure;
use crate::list;
use crate::printable::Printable;
use crate::query::Query;
use crate::table::{Style, cell};
use crate::time::Moment;

const ALL: &str = "/api/v1/approved";

#[derive(Subcommand)]
pub(crate) enum Approved {
    /// Let hosts of a pattern enrol without a token
    #[command(after_help = "\
Examples:
  vigocli approved add --pattern '*.dev.example.com' --note laptops")]
    Add {
        /// The hostnames; a pattern that takes any host must be confirmed
        #[arg(long)]
        pattern: HostPattern,
        /// What it is for
        #[arg(long, default_value = "")]
        note: String,
    },
    /// List the approved patterns
    #[command(after_help = "Examples:\n  vigocli approved list\n  vigocli approved list -o json")]
    List,
    /// Take an approval back; envoys that it let in stay
    #[command(after_help = "Examples:\n  vigocli approved remove 6f2b8c0d9e1a4f57b3c2d1e0f9a8b7c6")]
    Remove {
        /// The approval's id
        id: ApprovalId,
    },
}

#[derive(Deserialize)]
struct Approval {
    id: Printable,
    pattern: Printable,
    note: Printable,
    created_at: Moment,
    created_by: Printable,
}

impl Approved {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Add { pattern, note } => {
                let any_host = any_host(context, &pattern)?;
                let request = json!({"pattern": pattern.as_str(), "note": note, "any_host": any_host});
                let reply = context.client()?.post(ALL, &request).await?;
                context.out.show(&reply, added)?;
            }
            Self::List => return list::show(context, Query::new(ALL), None, show_all).await,
            Self::Remove { id } => {
                let reply = context.client()?.delete(&format!("{ALL}/{id}")).await?;
                context.out.show(&reply, removed)?;
            }
        }
        Ok(Exit::Ok)
    }
}

fn show_all(approvals: &[Approval], style: &Style) -> String {
    let rows = approvals.iter().map(|approval| {
        [
            cell(&approval.id),
            cell(&approval.pattern),
            cell(style.time(Some(&approval.created_at))),
            cell(&approval.created_by),
            cell(if approval.note.as_str().is_empty() { "-" } else { approval.note.as_str() }),
        ]
    });
    style.table(["ID", "PATTERN", "CREATED", "BY", "~NOTE"], rows)
}

fn added(approval: &Approval, _: &Style) -> String {
    format!("Approved {} ({}): its hosts enrol without a token.\n", approval.pattern, approval.id)
}

fn removed(approval: &Approval, _: &Style) -> String {
    format!("Removed the approval of {} ({}). Envoys that it let in stay.\n", approval.pattern, approval.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::plain;

    #[test]
    fn approvals() {
        let sent = json!([{"id": "6f2b", "pattern": "*.dev.example.com", "note": "",
            "created_at": "2026-05-13T11:03:00Z", "created_by": "operator:uid=0"}]);
        let approvals: Vec<Approval> = serde_json::from_value(sent).unwrap();
        let expected = "\
ID    PATTERN            CREATED           BY              NOTE
6f2b  *.dev.example.com  2026-05-13 13:03  operator:uid=0  -
";
        assert_eq!(show_all(&approvals, &plain()), expected);
        assert_eq!(
            added(&approvals[0], &plain()),
            "Approved *.dev.example.com (6f2b): its hosts enrol without a token.\n"
        );
        assert_eq!(
            removed(&approvals[0], &plain()),
            "Removed the approval of *.dev.example.com (6f2b). Envoys that it let in stay.\n"
        );
    }
}
