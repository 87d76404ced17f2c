//! The command lines, as the programs describe them themselves.

use clap::{Command, CommandFactory as _};

pub(super) fn vigocli() -> String {
    page(
        vigocli::Cli::command(),
        "The operator's command line. Every command takes the global options; with `-o json` a result is JSON on \
         standard output, and a failure is JSON on standard error.",
    )
}

pub(super) fn vigo_server() -> String {
    page(vigo_server::args::Arguments::command().name("vigo-server"), "The server. Without a command it serves.")
}

pub(super) fn vigo() -> String {
    page(
        vigo_agent::Cli::command(),
        "The agent, on every machine of the fleet. The folders shown are Linux's; those of other systems are in \
         [Services and folders](agents.md).",
    )
}

fn page(command: Command, intro: &str) -> String {
    let mut command = plain(command);
    command.build();
    let mut text = format!("# {}\n\n{intro}\n", command.get_name());
    section(&mut command, 1, &mut text);
    text
}

/// The same whatever terminal and environment this runs in.
fn plain(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = command.term_width(100).mut_args(|argument| argument.hide_env_values(true));
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, plain))
}

/// What `--help` prints of a command, and of those below it.
fn section(command: &mut Command, depth: usize, text: &mut String) {
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    if depth > 1 {
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
        text.push_str(&format!("\n{} {name}\n", "#".repeat(depth.min(3))));
    }
    text.push_str(&format!("\n```text\n{}\n```\n", help.join("\n").trim_end()));
    for sub in command.get_subcommands_mut() {
        if sub.get_name() != "help" && !sub.is_hide_set() {
            section(sub, depth + 1, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_every_command() {
        let text = vigocli();
        for part in ["# vigocli\n", "\n## vigocli tokens\n", "\n### vigocli tokens generate\n", "--pattern"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("vigocli tokens help\n"));
        assert!(vigo_server().contains("\n## vigo-server quickstart\n"));
        assert!(!vigo().contains("--trial"), "what is hidden is no part of the reference");
    }
}
