//! Who may enrol without a token, and what may replace an envoy.

use clap::Subcommand;
use serde::Deserialize;

use crate::Exit;
use crate::context::Context;
use crate::failure::Failure;
use crate::printable::Printable;
use crate::table::{Style, cell};

#[derive(Subcommand)]
pub(crate) enum Rules {
    /// Show the rules that hosts are let in by
    #[command(after_help = "\
Examples:
  vigocli rules show
  vigocli rules show -o json

`vigocli enroll explain` tells what they mean for one host.")]
    Show,
}

#[derive(Deserialize)]
struct Shown {
    reenroll: Printable,
    trusted: Vec<Trusted>,
    approved: Vec<Approved>,
}

#[derive(Deserialize)]
struct Trusted {
    pattern: Printable,
    cidrs: Vec<Printable>,
}

#[derive(Deserialize)]
struct Approved {
    id: Printable,
    pattern: Printable,
    note: Printable,
}

impl Rules {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let Self::Show = self;
        let reply = context.client()?.get("/api/v1/rules").await?;
        context.out.show(&reply, show)?;
        Ok(Exit::Ok)
    }
}

fn show(rules: &Shown, style: &Style) -> String {
    let trusted = rules.trusted.iter().map(|rule| {
        let cidrs: Vec<_> = rule.cidrs.iter().map(Printable::as_str).collect();
        [cell(&rule.pattern), cell(cidrs.join(", "))]
    });
    let approved = rules.approved.iter().map(|rule| {
        let note = if rule.note.as_str().is_empty() { "-" } else { rule.note.as_str() };
        [cell(&rule.id), cell(&rule.pattern), cell(note)]
    });
    format!(
        "{}\n{}\n{}",
        style.fields([("Replaces an envoy", rules.reenroll.to_string())]),
        style.table(["TRUSTED", "~FROM"], trusted),
        style.table(["APPROVED", "PATTERN", "~NOTE"], approved)
    )
}
