//! The command line of `vigo-server`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Brings machines under management: enrolment, certificates, signed check-ins.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  vigo-server quickstart            a server here, this host enrolled\n  vigo-server --config /srv/vigo/server.yaml\n  vigo-server check --config /srv/vigo/server.yaml"
)]
pub struct Arguments {
    /// Where the configuration is.
    #[command(flatten)]
    pub file: File,
    /// What to do; nothing said: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where the configuration is.
#[derive(Args)]
pub struct File {
    /// The configuration; its folder is the server's home
    #[arg(long, value_name = "FILE", env = "VIGO_CONFIG_FILE", default_value = "server.yaml", global = true)]
    pub config: PathBuf,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Check configuration, keys, policies and store, then exit (0 good, 1 not)
    Check,
    /// Ask the running server whether it is ready, then exit (0 ready, 1 not, 6 nothing of this home answers)
    #[command(
        after_help = "Examples:\n  vigo-server health --config /srv/vigo/server.yaml\n  vigo-server health --timeout 2"
    )]
    Health {
        /// How long to wait for the answer
        #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
    },
    /// Make a home, start, enrol this very host, and print the line for the next machine
    #[command(
        after_help = "Examples:\n  vigo-server quickstart\n  vigo-server quickstart --dir /tmp/try --grpc-port 11530 --api-port 18443 --once"
    )]
    Quickstart {
        /// The home to make, or to use again
        #[arg(long, default_value = "vigo-quickstart")]
        dir: PathBuf,
        /// Where agents enrol and check in [default: 1530]
        #[arg(long, value_name = "PORT")]
        grpc_port: Option<u16>,
        /// Where bootstrap and the API are [default: 8443]
        #[arg(long, value_name = "PORT")]
        api_port: Option<u16>,
        /// Stop once this host is shown
        #[arg(long)]
        once: bool,
    },
}
