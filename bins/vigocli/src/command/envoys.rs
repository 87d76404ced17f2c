use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;
use vigo_core::{EnvoyId, Hostname, HostnameError};

use crate::Exit;
use crate::command::envoys_view::{self, Envoy};
use crate::command::rebootstrap::Rebootstrap;
use crate::context::Context;
use crate::duration;
use crate::failure::Failure;

const ALL: &str = "/api/v1/envoys";

#[derive(Subcommand)]
pub(crate) enum Envoys {
    /// List the envoys
    #[command(after_help = "Examples:\n  vigocli envoys list\n  vigocli envoys list -o jsonl")]
    List,
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
  vigocli envoys revoke 3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90 --yes")]
    Revoke {
        /// Its id or hostname
        envoy: EnvoyName,
        /// Why, for the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Revoke an envoy and list it no more; its id and keys stay refused
    #[command(
        after_help = "Examples:\n  vigocli envoys delete web3.example.com\n  vigocli envoys delete web3.example.com --yes"
    )]
    Delete {
        /// Its id or hostname
        envoy: EnvoyName,
    },
    /// Have envoys update, or enrol anew in place, at their next check-in
    #[command(after_help = "\
Examples:
  vigocli envoys rebootstrap web3.example.com
  vigocli envoys rebootstrap '*.example.com' --dry-run
  vigocli envoys rebootstrap '*.example.com' --at-most 20 --yes
  vigocli envoys rebootstrap web3.example.com --action reenroll

`vigocli envoys show` tells what became of it, by the old id after a new enrolment. Exit code 7 when it could be asked of some of them only.")]
    Rebootstrap(Rebootstrap),
    /// Let the host of that name enrol again, once, in place of the envoy that has it
    #[command(after_help = "Examples:\n  vigocli envoys allow-reenroll web3.example.com --ttl 2h")]
    AllowReenroll {
        /// Its id or hostname
        envoy: EnvoyName,
        /// For how long: 30m, 1h, 1d
        #[arg(long, default_value = "1h", value_parser = duration::parse)]
        ttl: Duration,
    },
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
        let client = context.client()?;
        match self {
            Self::List => context.out.show_list(&client.list(ALL, usize::MAX).await?, envoys_view::list)?,
            Self::Show { envoy } => {
                context.out.show(&client.get(&format!("{ALL}/{envoy}")).await?, envoys_view::one)?;
            }
            Self::Revoke { envoy, reason } => {
                let envoy = confirmed(context, envoy, "Revokes").await?;
                let reply = client.post(&format!("{ALL}/{envoy}/revoke"), &json!({"reason": reason})).await?;
                context.out.show(&reply, envoys_view::revoked)?;
            }
            Self::Delete { envoy } => {
                let envoy = confirmed(context, envoy, "Revokes and deletes").await?;
                context.out.show(&client.delete(&format!("{ALL}/{envoy}")).await?, envoys_view::deleted)?;
            }
            Self::Rebootstrap(rebootstrap) => return rebootstrap.run(context).await,
            Self::AllowReenroll { envoy, ttl } => {
                let path = format!("{ALL}/{envoy}/allow-reenroll");
                let reply = client.post(&path, &json!({"ttl_secs": ttl.as_secs()})).await?;
                context.out.show(&reply, envoys_view::allowed)?;
            }
        }
        Ok(Exit::Ok)
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
