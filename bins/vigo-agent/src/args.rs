use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use vigo_core::{Hostname, Pin};

use crate::{ApiAddr, Paths, ServerAddr};

/// Brings this machine under management: enrols it with a Vigo server, and checks in from then on.
#[derive(Parser)]
#[command(
    name = "vigo",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  vigo bootstrap --server fleet.example.com:1530 --ca-pin sha256:… --token-file /root/token
  vigo status
  vigo run

Without a command it runs the daemon.
Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 auth, 5 refused or in conflict, 6 unreachable, 7 done in part."
)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) folders: Folders,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Cli {
    /// Whether it asks for the daemon, which services start.
    #[must_use]
    pub const fn is_daemon(&self) -> bool {
        matches!(self.command, None | Some(Command::Daemon { .. }))
    }
}

/// Where the agent keeps its files.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Folders {
    /// Configuration, keys and certificates
    #[arg(long, global = true, value_name = "DIR", env = "VIGO_CONFIG_DIR", default_value_os_t = Paths::usual().config_dir().to_owned())]
    pub(crate) config_dir: PathBuf,
    /// State: the cached policy and the last check-in
    #[arg(long, global = true, value_name = "DIR", env = "VIGO_STATE_DIR", default_value_os_t = Paths::usual().state_dir().to_owned())]
    pub(crate) state_dir: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Enrol, install the service, and wait for the first check-in
    #[command(
        after_help = "Examples:\n  vigo bootstrap --server fleet.example.com --ca-pin sha256:… --token-file /root/token\n  vigo bootstrap --server 10.0.0.5 --ca-pin sha256:… --config-dir ./etc --state-dir ./state --no-service"
    )]
    Bootstrap(Bootstrap),
    /// Enrol, and nothing else
    #[command(
        after_help = "Examples:\n  vigo register --server fleet.example.com --ca-pin sha256:… --token-stdin <token\n  vigo register --server fleet.example.com --ca-pin sha256:… --hostname web3.example.com --force"
    )]
    Register(Register),
    /// Check in at every interval, until told to stop
    #[command(after_help = "Examples:\n  vigo daemon\n  vigo --config-dir ./etc --state-dir ./state daemon")]
    Daemon {
        /// Stop when standard input ends, as a pipe does once the program that started this one is gone
        #[arg(long)]
        until_stdin_ends: bool,
        /// Show another version's daemon that this one checks in, twice with this pause (milliseconds) between
        #[arg(long, value_name = "PAUSE", hide = true)]
        trial: Option<u64>,
    },
    /// Check in once, now
    #[command(after_help = "Examples:\n  vigo run")]
    Run,
    /// Show who this machine is, what it holds, and when it last checked in
    #[command(after_help = "Examples:\n  vigo status\n  vigo status --json")]
    Status {
        /// As one JSON object, times in UTC
        #[arg(long)]
        json: bool,
    },
    /// Install the agent that the server offers, if the compiled-in key signed it and it checks in on trial
    #[command(after_help = "Examples:\n  vigo update --check\n  vigo update")]
    Update {
        /// Only show what is offered
        #[arg(long)]
        check: bool,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove the service, the program, the enrolment and the state from this machine
    #[command(
        after_help = "Examples:\n  vigo uninstall\n  vigo uninstall --yes\n  vigo uninstall --yes --config-dir ./etc --state-dir ./state"
    )]
    Uninstall {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show the version
    #[command(after_help = "Examples:\n  vigo version")]
    Version,
}

#[derive(Args)]
pub(crate) struct Register {
    /// The server's gRPC address, HOST[:1530] [default: the one that this machine is enrolled with]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) server: Option<ServerAddr>,
    /// The server's HTTPS address [default: the same host, port 8443]
    #[arg(long, value_name = "URL")]
    pub(crate) api_addr: Option<ApiAddr>,
    #[command(flatten)]
    pub(crate) token: TokenSource,
    /// A key that the server must show: its CA's, or its own; may be given more than once
    #[arg(long, value_name = "sha256:HEX")]
    pub(crate) ca_pin: Vec<Pin>,
    /// The name to enrol under [default: this machine's own]
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<Hostname>,
    /// Replace the envoy that has this name, if a rule allows it
    #[arg(long)]
    pub(crate) force: bool,
}

/// Where a token comes from. `VIGO_TOKEN` counts where none of these is given.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct TokenSource {
    /// The token (others on this machine can see it in the process list)
    #[arg(long, value_name = "T")]
    pub(crate) token: Option<String>,
    /// A file whose first line is the token
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The token is the first line of standard input
    #[arg(long)]
    pub(crate) token_stdin: bool,
}

#[derive(Args)]
pub(crate) struct Bootstrap {
    #[command(flatten)]
    pub(crate) register: Register,
    /// Install and start no service
    #[arg(long)]
    pub(crate) no_service: bool,
    /// Where to put this program [default: /usr/local/sbin with a service, else where it is]
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,
    /// The key that must have signed this very program, and by which it must take updates from now on
    #[arg(long, value_name = "sha256:HEX")]
    pub(crate) signing_pin: Option<Pin>,
    /// This program's manifest, as the server tells it: base64
    #[arg(long, value_name = "BASE64")]
    pub(crate) manifest: Option<String>,
    /// Its signature: base64
    #[arg(long, value_name = "BASE64")]
    pub(crate) signature: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!(" {}", command.get_name())), "{}", command.get_name());
        }
    }

    #[track_caller]
    fn check(line: &str, expected: Result<(), clap::error::ErrorKind>) {
        let parsed = Cli::try_parse_from(line.split(' ')).map(drop).map_err(|error| error.kind());
        assert_eq!(parsed, expected, "{line}");
    }

    #[test]
    fn what_is_taken() {
        use clap::error::ErrorKind::{ArgumentConflict, UnknownArgument, ValueValidation};
        let pin = format!("sha256:{}", "ab".repeat(32));
        check("vigo", Ok(()));
        check("vigo daemon", Ok(()));
        check("vigo status --json --config-dir ./etc", Ok(()));
        check(&format!("vigo register --server a:1 --ca-pin {pin} --ca-pin {pin} --token T --force"), Ok(()));
        check("vigo bootstrap --server a --token-stdin --no-service --bin-dir /b --hostname web3.example.com", Ok(()));
        check("vigo register --server a --token T --token-stdin", Err(ArgumentConflict));
        check("vigo register --server a:0", Err(ValueValidation));
        check("vigo register --ca-pin sha256:ab", Err(ValueValidation));
        check("vigo register --hostname web_3", Err(ValueValidation));
        check("vigo register --hostname 10.0.0.1", Err(ValueValidation));
        check("vigo register --no-service", Err(UnknownArgument));
    }
}
