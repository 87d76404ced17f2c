//! `cargo xtask`: what is done where Vigo is built.

mod clock;
mod dist_agent;
mod docs;
mod files;
mod keygen;
mod pubkey;
mod sign;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What is done where Vigo is built: the agent for every system, keys and signatures of its builds, the book.
#[derive(Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    max_term_width = 100,
    after_help = "\
Examples:
  cargo xtask keygen signing.key
  cargo xtask sign --key signing.key --version 0.2.0 agents/linux-x86_64/vigo
  cargo xtask verify --pub signing.key.pub agents/linux-x86_64/vigo
  SIGN_KEY=signing.key cargo xtask dist-agent --targets linux-x86_64,windows-x86_64"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key that signs builds of the agent, and its public half
    #[command(after_help = "Examples:\n  cargo xtask keygen signing.key")]
    Keygen(keygen::Keygen),
    /// Print the public keys as builds have them compiled in, for VIGO_AGENT_SIGNING_PUBKEY
    #[command(
        after_help = "Examples:\n  cargo xtask pubkey --key signing.key\n  VIGO_AGENT_SIGNING_PUBKEY=$(cargo xtask pubkey --key signing.key) cargo build --release -p vigo-server"
    )]
    Pubkey(pubkey::Pubkey),
    /// Write the signed manifest of a build beside it
    #[command(
        after_help = "Examples:\n  cargo xtask sign --key signing.key --version 0.2.0 agents/linux-x86_64/vigo\n  cargo xtask sign --key signing.key --version 0.2.0 --minimum 0.1.3 --days 90 agents/linux-x86_64/vigo"
    )]
    Sign(sign::Sign),
    /// Check a build by its manifest, as an agent does
    #[command(after_help = "Examples:\n  cargo xtask verify --pub signing.key.pub agents/linux-x86_64/vigo")]
    Verify(verify::Verify),
    /// Build the agent for every system that it can be linked for here, and type-check it for the rest
    #[command(
        after_help = "Examples:\n  cargo xtask dist-agent\n  cargo xtask dist-agent --targets linux-x86_64,linux-aarch64\n  SIGN_KEY=signing.key cargo xtask dist-agent --all --out agents"
    )]
    DistAgent(dist_agent::DistAgent),
    /// Build the book in docs/, after writing its reference from the code; broken links fail
    #[command(after_help = "Examples:\n  cargo xtask docs\n  cargo xtask docs --check --out /tmp/book")]
    Docs(docs::Docs),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Keygen(keygen) => keygen.run(),
        Command::Pubkey(pubkey) => pubkey.run(),
        Command::Sign(sign) => sign.run(),
        Command::Verify(verify) => verify.run(),
        Command::DistAgent(dist) => dist.run(),
        Command::Docs(docs) => docs.run(),
    };
    match done {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }
}
