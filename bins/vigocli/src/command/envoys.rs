use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use vigo_core::{EnvoyId, Hostname, HostnameError};

use crate::Exit;
use crate::command::bulk::{Act, Selection};
use crate::command::envoys_act::{AllowReenroll, Delete, Revoke};
use crate::command::envoys_view::{self, Envoy};
use crate::command::rebootstrap::Rebootstrap;
use crate::command::watch::Watch;
use crate::context::Context;
use crate::duration;
use crate::failure::Failure;
use crate::filters::Filters;
use crate::list;

pub(super) const ALL: &str = "/api/v1/envoys";

#[derive(Subcommand)]
pub(crate) enum Envoys {
    /// List the envoys
    #[command(after_help = "\
Examples:
  vigocli envoys list
  vigocli envoys list --status stale,expired --sort last-seen
  vigocli envoys list --pattern '*.web.example.com' --expires-before 30d -o jsonl
  vigocli envoys list --seen-before 90d --quiet | vigocli envoys delete - --dry-run")]
    List(Listed),
    /// Show what happens to envoys as it happens, until Ctrl-C
    #[command(after_help = "\
Examples:
  vigocli envoys watch
  vigocli envoys watch --pattern '*.web.example.com' -o jsonl

One line a change: time, hostname, status, change (enrolled, checked_in, revoked, deleted, changed).")]
    Watch(Watch),
    /// Show one envoy with all that is known of it
    #[command(
        after_help = "Examples:\n  vigocli envoys show web3.example.com\n  vigocli envoys show web3.example.com -o json"
    )]
    Show {
        /// Its id or hostname
        envoy: EnvoyName,
    },
    /// Refuse an envoy from its next request on, for ever; its host may enrol anew where the rules let it
    #[command(after_help = "\
Examples:
  vigocli envoys revoke web3.example.com --reason stolen
  vigocli envoys revoke 3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90 --yes
  vigocli envoys revoke web3.example.com web4.example.com --dry-run
  vigocli envoys revoke --pattern '*.old.example.com' --max 20 --yes

Of one envoy that is named, JSON is the envoy; of any others a list of id, hostname, result and error. Exit code 7 when it was done to some of them only.")]
    Revoke {
        #[command(flatten)]
        envoys: Selection,
        /// Why, for the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Revoke an envoy and list it no more; its id and keys stay refused
    #[command(
        after_help = "Examples:\n  vigocli envoys delete web3.example.com\n  vigocli envoys delete web3.example.com --yes\n  vigocli envoys delete --seen-before 90d --dry-run\n  vigocli envoys delete - --max 20 --yes"
    )]
    Delete {
        #[command(flatten)]
        envoys: Selection,
    },
    /// Have envoys update, or enrol anew in place, at their next check-in
    #[command(after_help = "\
Examples:
  vigocli envoys rebootstrap web3.example.com
  vigocli envoys rebootstrap '*.example.com' --dry-run
  vigocli envoys rebootstrap '*.example.com' --max 20 --yes
  vigocli envoys rebootstrap web3.example.com --action reenroll

`vigocli envoys show` tells what became of it, by the old id after a new enrolment. Exit code 7 when it could be asked of some of them only.")]
    Rebootstrap(Rebootstrap),
    /// Let the host of that name enrol again, once, in place of the envoy that has it
    #[command(
        after_help = "Examples:\n  vigocli envoys allow-reenroll web3.example.com --ttl 2h\n  vigocli envoys allow-reenroll --pattern '*.lab.example.com' --max 20 --yes"
    )]
    AllowReenroll {
        #[command(flatten)]
        envoys: Selection,
        /// For how long: 30m, 1h, 1d
        #[arg(long, default_value = "1h", value_parser = duration::parse)]
        ttl: Duration,
    },
}

#[derive(Args)]
pub(crate) struct Listed {
    #[command(flatten)]
    filters: Filters,
    /// In the order of
    #[arg(long, value_enum, value_name = "COLUMN")]
    sort: Option<Sort>,
    /// The other way round
    #[arg(long)]
    reverse: bool,
    /// Only the ids, one a line
    #[arg(short, long)]
    quiet: bool,
}

/// What a list can be sorted by.
#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    Hostname,
    Enrolled,
    LastSeen,
    Expires,
    Version,
    Status,
}

/// What operators call an envoy by.
#[derive(Clone)]
pub(crate) enum EnvoyName {
    Id(EnvoyId),
    Hostname(Hostname),
}

impl FromStr for EnvoyName {
    type Err = HostnameError;

    fn from_str(text: &str) -> Result<Self, HostnameError> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::Hostname))
    }
}

impl fmt::Display for EnvoyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Hostname(hostname) => hostname.fmt(f),
        }
    }
}

impl Envoys {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Self::List(listed) => return listed.run(context).await,
            Self::Watch(watch) => return watch.run(context).await,
            Self::Show { envoy } => {
                let reply = context.client()?.get(&format!("{ALL}/{envoy}")).await?;
                context.out.show(&reply, envoys_view::one)?;
            }
            Self::Revoke { envoys, reason } => {
                let act = Revoke { reason };
                let Some(envoy) = envoys.one() else { return envoys.run(&act, context).await };
                let envoy = confirmed(context, envoy, Revoke::DOES).await?;
                let reply = act.act(&context.client()?, &format!("{ALL}/{envoy}")).await?;
                context.out.show(&reply, envoys_view::revoked)?;
            }
            Self::Delete { envoys } => {
                let Some(envoy) = envoys.one() else { return envoys.run(&Delete, context).await };
                let envoy = confirmed(context, envoy, Delete::DOES).await?;
                let reply = Delete.act(&context.client()?, &format!("{ALL}/{envoy}")).await?;
                context.out.show(&reply, envoys_view::deleted)?;
            }
            Self::Rebootstrap(rebootstrap) => return rebootstrap.run(context).await,
            Self::AllowReenroll { envoys, ttl } => {
                let act = AllowReenroll { ttl };
                let Some(envoy) = envoys.one() else { return envoys.run(&act, context).await };
                let reply = act.act(&context.client()?, &format!("{ALL}/{envoy}")).await?;
                context.out.show(&reply, envoys_view::allowed)?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl Listed {
    async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let sort = match (self.sort, self.reverse) {
            (None, false) => None,
            (sort, reverse) => {
                Some(format!("{}{}", if reverse { "-" } else { "" }, sort.map_or("enrolled", Sort::name)))
            }
        };
        let query = self.filters.query(ALL).with_some("sort", sort.as_deref());
        if self.quiet {
            return list::ids(context, query).await;
        }
        list::show(context, query, None, envoys_view::list).await
    }
}

impl Sort {
    /// As the server has it.
    fn name(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::Enrolled => "enrolled",
            Self::LastSeen => "last_seen",
            Self::Expires => "expires",
            Self::Version => "version",
            Self::Status => "status",
        }
    }
}

/// The envoy that the operator was shown and said yes to, by its id: another that takes the name meanwhile is not meant.
async fn confirmed(context: &Context<'_>, envoy: EnvoyName, does: &str) -> Result<EnvoyName, Failure> {
    if context.confirmed() {
        return Ok(envoy);
    }
    let found: Envoy = context.client()?.get(&format!("{ALL}/{envoy}")).await?.parse()?;
    let id = found.id.as_str().parse().map_err(|_| {
        Failure::new(Exit::Failed, "bad_answer", "the server sent an envoy without a proper id")
            .help("Is that socket vigo-server's?")
    })?;
    let what = format!("{does} {} ({id}, {}, {}).", found.hostname, found.ip, found.status);
    context.confirm(&what, "yes")?;
    Ok(EnvoyName::Id(id))
}
