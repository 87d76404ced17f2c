use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use vigo_core::Pin;

use crate::command::Command;
use crate::url::ServerUrl;

/// Vigo, from the operator's side: who may join, who has joined, and what was done.
#[derive(Parser)]
#[command(
    name = "vigocli",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "\
Examples:
  vigocli --config /srv/vigo/server.yaml envoys list
  vigocli tokens generate --pattern web3.example.com
  vigocli -o json envoys list

It speaks to the server of this host over its admin socket, which the server's own user and root
may open; where there is none, to the server that you logged in to last. `vigocli login` logs in;
VIGO_API_TOKEN is a token for --server, made by `vigocli api-tokens generate`.
Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 auth, 5 refused or in conflict, 6 unreachable,
7 done in part, 8 findings."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The form of the result
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
    /// Do it without asking
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// When to color
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// The server's configuration; its admin socket is run/admin.sock beside it [default: ./server.yaml]
    #[arg(long, global = true, value_name = "FILE", env = "VIGO_CONFIG_FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The server's admin socket itself; wins over --config
    #[arg(long, global = true, value_name = "PATH", env = "VIGO_ADMIN_SOCKET")]
    pub(crate) admin_socket: Option<PathBuf>,
    /// The server, over HTTPS; one that you are logged in to, or with VIGO_API_TOKEN. Wins over the two above
    #[arg(long, global = true, value_name = "URL", env = "VIGO_SERVER")]
    pub(crate) server: Option<ServerUrl>,
    /// The pin of the server's CA or key, as `vigocli ca show` prints it on its host; may be repeated
    #[arg(long, global = true, value_name = "PIN", env = "VIGO_CA_PIN", value_delimiter = ',')]
    pub(crate) ca_pin: Vec<Pin>,
}

/// The form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, times local
    #[default]
    Table,
    /// As the server sent it, times in UTC; a list is an array
    Json,
    /// JSON, one object a line
    Jsonl,
}

/// When to color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_sound() {
        Cli::command().debug_assert();
    }

    /// The examples under a command's help, as argument lists.
    fn examples(command: &clap::Command) -> Vec<Vec<String>> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let commands = lines.take_while(|line| line.starts_with("  "));
        commands.map(|line| line.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect()).collect()
    }

    #[track_caller]
    fn check(command: &clap::Command, path: &str) {
        let examples = examples(command);
        assert!(!examples.is_empty(), "`{path}` has no examples");
        for words in examples {
            let line: Vec<_> = words.iter().take_while(|word| *word != "|" && *word != ">").collect();
            if let Err(error) = Cli::try_parse_from(&line) {
                panic!("`{path}` shows {line:?}: {error}");
            }
        }
        for sub in command.get_subcommands() {
            check(sub, &format!("{path} {}", sub.get_name()));
        }
    }

    #[test]
    fn every_help_has_examples_that_parse() {
        check(&Cli::command(), "vigocli");
    }
}
