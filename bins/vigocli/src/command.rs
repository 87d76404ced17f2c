//! One file for each noun: what its commands take, ask the server for, and show.

mod admin;
mod api_tokens;
mod approved;
mod audit;
mod bootstrap;
mod bulk;
mod ca;
mod completions;
mod config;
mod doctor;
mod enroll;
mod envoys;
mod envoys_act;
mod envoys_view;
mod listeners;
mod login;
mod man;
mod rebootstrap;
mod rules;
mod tokens;
mod tokens_view;
mod version;
mod watch;

use clap::{Subcommand, ValueEnum};
use vigo_core::{Breadth, HostPattern};

use crate::Exit;
use crate::context::Context;
use crate::failure::Failure;

/// What vigocli can do.
#[derive(Subcommand)]
#[non_exhaustive]
pub(crate) enum Command {
    /// Tokens, by which hosts may enrol
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Examples:\n  vigocli tokens generate --pattern web3.example.com\n  vigocli tokens list"
    )]
    Tokens(tokens::Tokens),
    /// Patterns of hostnames that may enrol without a token
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Examples:\n  vigocli approved add --pattern '*.dev.example.com'\n  vigocli approved list"
    )]
    Approved(approved::Approved),
    /// The hosts that have enrolled
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Examples:\n  vigocli envoys list\n  vigocli envoys revoke web3.example.com"
    )]
    Envoys(envoys::Envoys),
    /// Who would be let in, and why
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Examples:\n  vigocli enroll explain --hostname web3.example.com --ip 10.1.0.2"
    )]
    Enroll(enroll::Enroll),
    /// The rules that hosts are let in by
    #[command(subcommand, arg_required_else_help = true, after_help = "Examples:\n  vigocli rules show")]
    Rules(rules::Rules),
    /// The line that brings a new host in
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Examples:\n  vigocli bootstrap command\n  vigocli bootstrap command --local"
    )]
    Bootstrap(bootstrap::Bootstrap),
    /// The fleet's certificate authority
    #[command(subcommand, arg_required_else_help = true, after_help = "Examples:\n  vigocli ca show")]
    Ca(ca::Ca),
    /// Who did what
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Examples:\n  vigocli audit list --limit 20\n  vigocli audit verify"
    )]
    Audit(audit::Audit),
    /// The accounts of those who may log in
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Examples:\n  vigocli admin create ann --role operator\n  vigocli admin list"
    )]
    Admin(admin::Admin),
    /// Tokens by which programs use the server
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Examples:\n  vigocli api-tokens generate --name grafana --role viewer\n  vigocli api-tokens list"
    )]
    ApiTokens(api_tokens::ApiTokens),
    /// Log in to a server on another host
    Login(login::Login),
    /// End a login
    Logout(login::Logout),
    /// Who the server takes you for
    #[command(after_help = "Examples:\n  vigocli whoami\n  vigocli whoami --server https://vigo.example.com:8443")]
    Whoami,
    /// What is wrong with the server, and what to do about it
    #[command(after_help = "\
Examples:
  vigocli --config /srv/vigo/server.yaml doctor
  vigocli doctor -o json

Where the server does not answer, its configuration, socket folder and ports are looked at from outside.
Exit code: 0 all is well, 8 there is a warning or an error.")]
    Doctor,
    /// The policies under stacks/
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Examples:\n  vigocli config validate\n  vigocli config validate ./stacks"
    )]
    Config(config::Config),
    /// A script that completes vigocli's arguments in a shell
    Completions(completions::Completions),
    /// The manual's pages
    Man(man::Man),
    /// The version of vigocli
    #[command(after_help = "Examples:\n  vigocli version\n  vigocli version -o json")]
    Version,
}

impl Command {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Tokens(tokens) => tokens.run(context).await,
            Self::Approved(approved) => approved.run(context).await,
            Self::Envoys(envoys) => envoys.run(context).await,
            Self::Enroll(enroll) => enroll.run(context).await,
            Self::Bootstrap(bootstrap) => bootstrap.run(context).await,
            Self::Ca(ca) => ca.run(context).await,
            Self::Audit(audit) => audit.run(context).await,
            Self::Rules(rules) => rules.run(context).await,
            Self::Admin(admin) => admin.run(context).await,
            Self::ApiTokens(tokens) => tokens.run(context).await,
            Self::Login(login) => login.run(context).await,
            Self::Logout(logout) => logout.run(context).await,
            Self::Whoami => login::whoami(context).await,
            Self::Doctor => doctor::run(context).await,
            Self::Config(config) => config.run(context),
            Self::Completions(completions) => completions.run(context),
            Self::Man(man) => man.run(context),
            Self::Version => version::run(context),
        }
    }
}

/// The systems that a line can be made for.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Os {
    Linux,
    Macos,
    Freebsd,
    Openbsd,
    Netbsd,
    Illumos,
    Windows,
}

impl Os {
    fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Macos => "macos",
            Self::Freebsd => "freebsd",
            Self::Openbsd => "openbsd",
            Self::Netbsd => "netbsd",
            Self::Illumos => "illumos",
            Self::Windows => "windows",
        }
    }
}

/// What somebody who is logged in may.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Read
    Viewer,
    /// Change the fleet too
    Operator,
    /// Change accounts too
    Admin,
}

impl Role {
    /// As the server has it.
    fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Whether the pattern takes any host at all; if so, the operator has said that this is meant.
fn any_host(context: &Context<'_>, pattern: &HostPattern) -> Result<bool, Failure> {
    let any = pattern.breadth() == Breadth::Any;
    if any {
        context.confirm(&format!("The pattern {pattern} takes any host at all."), "any host")?;
    }
    Ok(any)
}
