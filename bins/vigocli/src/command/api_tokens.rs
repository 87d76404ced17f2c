//! Tokens of the server's API, for programs.

use std::time::Duration;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;

use crate::Exit;
use crate::command::Role;
use crate::context::Context;
use crate::duration;
use crate::failure::Failure;
use crate::list;
use crate::printable::Printable;
use crate::query::{Query, encode};
use crate::table::{Style, cell, status};
use crate::time::Moment;

const ALL: &str = "/api/v1/api-tokens";

#[derive(Subcommand)]
pub(crate) enum ApiTokens {
    /// Make a token for a program; it is shown this once
    #[command(after_help = "\
Examples:
  vigocli api-tokens generate --name grafana --role viewer
  vigocli api-tokens generate --name deploy --role operator --ttl 30d -o json

A program gives it as VIGO_API_TOKEN with --server and --ca-pin, or as the header `Authorization: Bearer TOKEN`.")]
    Generate {
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it may: viewer reads, operator changes the fleet, admin changes accounts too
        #[arg(long, value_enum)]
        role: Role,
        /// How long it is good for
        #[arg(long, default_value = "90d", value_parser = duration::parse)]
        ttl: Duration,
    },
    /// List the tokens, never their secrets
    #[command(after_help = "Examples:\n  vigocli api-tokens list\n  vigocli api-tokens list -o json")]
    List,
    /// Make a token worthless
    #[command(after_help = "Examples:\n  vigocli api-tokens revoke 6f2b8c0d9e1a4f57")]
    Revoke {
        /// The token's id
        #[arg(value_parser = id)]
        id: String,
    },
}

/// A token's one showing. No `Debug`: it holds the secret.
#[derive(Deserialize)]
struct Generated {
    id: Printable,
    token: Printable,
    name: Printable,
    role: Printable,
    expires_at: Moment,
}

#[derive(Deserialize)]
struct Token {
    id: Printable,
    name: Printable,
    role: Printable,
    created_at: Moment,
    created_by: Printable,
    expires_at: Moment,
    status: Printable,
}

/// An id, as far as a path goes.
fn id(text: &str) -> Result<String, String> {
    // A token itself, pasted by mistake, must not be sent in a path.
    if text.starts_with("vgot_") {
        return Err("that is a token, and its id is wanted: `vigocli api-tokens list` has it".to_owned());
    }
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || text.len() > 100 || !text.chars().all(good) {
        return Err("that is no id of a token".to_owned());
    }
    Ok(text.to_owned())
}

impl ApiTokens {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Generate { name, role, ttl } => {
                let request = json!({"name": name, "role": role.name(), "ttl_secs": ttl.as_secs()});
                let reply = context.client()?.post(ALL, &request).await?;
                context.out.show(&reply, generated)?;
            }
            Self::List => return list::show(context, Query::new(ALL), None, show_all).await,
            Self::Revoke { id } => {
                context.client()?.post(&format!("{ALL}/{}/revoke", encode(&id)), &json!({})).await?;
                context.out.show_own(&json!({"id": id, "result": "revoked"}), |_, _| {
                    format!("Revoked the API token {id}: its next request is refused.\n")
                })?;
            }
        }
        Ok(Exit::Ok)
    }
}

fn generated(token: &Generated, style: &Style) -> String {
    let until = style.time(Some(&token.expires_at));
    format!(
        "{}\n\nThe API token {} ({}, {}) is good until {until}, and is not shown again.\n",
        token.token, token.id, token.name, token.role
    )
}

fn show_all(tokens: &[Token], style: &Style) -> String {
    let rows = tokens.iter().map(|token| {
        [
            cell(&token.id),
            cell(&token.name),
            cell(&token.role),
            cell(style.time(Some(&token.created_at))),
            cell(&token.created_by),
            cell(style.time(Some(&token.expires_at))),
            status(&token.status, style),
        ]
    });
    style.table(["ID", "NAME", "ROLE", "CREATED", "BY", "EXPIRES", "STATUS"], rows)
}
