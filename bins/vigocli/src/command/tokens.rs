use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use vigo_core::{Cidr, HostPattern, TokenId};

use crate::Exit;
use crate::command::{Os, any_host, tokens_view};
use crate::context::Context;
use crate::duration;
use crate::failure::Failure;
use crate::list;
use crate::query::Query;

const ALL: &str = "/api/v1/tokens";

#[derive(Subcommand)]
pub(crate) enum Tokens {
    /// Make a token; it is shown this once, with the line to run on the new host
    #[command(after_help = "\
Examples:
  vigocli tokens generate --pattern web3.example.com
  vigocli tokens generate --pattern '*.web.example.com' --uses 20 --ttl 7d --cidr 10.1.0.0/24
  vigocli tokens generate --pattern web3.example.com --os freebsd
  vigocli tokens generate --pattern web3.example.com -o json

A pattern is anchored at both ends; * stands for one or more characters, dots included, ? for one that is no dot.")]
    Generate(Generate),
    /// List the tokens
    #[command(after_help = "Examples:\n  vigocli tokens list\n  vigocli tokens list -o jsonl")]
    List,
    /// Show one token, and which envoys used it; never its secret
    #[command(after_help = "Examples:\n  vigocli tokens show 6f2b8c0d9e1a4f57b3c2d1e0f9a8b7c6")]
    Show {
        /// The token's id
        id: TokenId,
    },
    /// Make a token worthless
    #[command(after_help = "\
Examples:
  vigocli tokens revoke 6f2b8c0d9e1a4f57b3c2d1e0f9a8b7c6
  vigocli tokens revoke 6f2b8c0d9e1a4f57b3c2d1e0f9a8b7c6 --reason mailed")]
    Revoke {
        /// The token's id
        id: TokenId,
        /// Why, for the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Args)]
pub(crate) struct Generate {
    /// The hostnames that may use it; one that takes any host must be confirmed
    #[arg(long)]
    pattern: HostPattern,
    /// How long it is good for: 30m, 1h, 7d
    #[arg(long, default_value = "1h", value_parser = duration::parse)]
    ttl: Duration,
    /// How many hosts may use it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    uses: u32,
    /// A network that it may be used from; may be repeated [default: any]
    #[arg(long = "cidr", value_name = "CIDR")]
    cidrs: Vec<Cidr>,
    /// What it is for
    #[arg(long, default_value = "")]
    note: String,
    /// Let it replace an envoy that has the name already; a token for exactly one name always may
    #[arg(long)]
    allow_replace: bool,
    /// The system that the line is for, as in `bootstrap command`
    #[arg(long, default_value = "linux")]
    os: Os,
}

impl Tokens {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Generate(request) => request.run(context).await?,
            Self::List => return list::show(context, Query::new(ALL), None, tokens_view::list).await,
            Self::Show { id } => {
                let reply = context.client()?.get(&format!("{ALL}/{id}")).await?;
                context.out.show(&reply, tokens_view::one)?;
            }
            Self::Revoke { id, reason } => {
                let reply = context.client()?.post(&format!("{ALL}/{id}/revoke"), &json!({"reason": reason})).await?;
                context.out.show(&reply, tokens_view::revoked)?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl Generate {
    async fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        let request = json!({
            "pattern": self.pattern.as_str(),
            "ttl_secs": self.ttl.as_secs(),
            "uses": self.uses,
            "cidrs": self.cidrs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "note": self.note,
            "allow_replace": self.allow_replace,
            "os": self.os.name(),
            "any_host": any_host(context, &self.pattern)?,
        });
        let reply = context.client()?.post(ALL, &request).await?;
        context.out.show(&reply, tokens_view::generated)
    }
}
