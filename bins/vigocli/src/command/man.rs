//! The manual, made from the same definitions as the help.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;
use crate::{Cli, Exit};

#[derive(Args)]
#[command(after_help = "\
Examples:
  vigocli man --out /usr/local/share/man/man1
  vigocli man > vigocli.1")]
pub(crate) struct Man {
    /// Write a page for each command into this folder [default: vigocli's own page, to stdout]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// A page of the manual.
struct Page {
    file: String,
    text: Vec<u8>,
}

impl Man {
    pub(crate) fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let pages = pages().map_err(|error| unwritable("the manual", &error))?;
        let Some(out) = self.out else {
            let first = pages.first().map(|page| String::from_utf8_lossy(&page.text).into_owned());
            context.out.write(&first.unwrap_or_default())?;
            return Ok(Exit::Ok);
        };
        fs::create_dir_all(&out).map_err(|error| unwritable(&out.display().to_string(), &error))?;
        let mut written = Vec::new();
        for page in pages {
            let path = out.join(&page.file);
            fs::write(&path, page.text).map_err(|error| unwritable(&path.display().to_string(), &error))?;
            written.push(json!({"file": path.display().to_string()}));
        }
        context.out.show_own(&written, |written, _| format!("{} pages in {}\n", written.len(), out.display()))?;
        Ok(Exit::Ok)
    }
}

fn unwritable(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, "unwritable", format!("cannot write {what}: {error}"))
        .help("Name a folder that you may write to with --out.")
}

/// One page for each command, vigocli's own first.
fn pages() -> io::Result<Vec<Page>> {
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    add(&command, "vigocli", &mut pages)?;
    Ok(pages)
}

fn add(command: &clap::Command, name: &str, pages: &mut Vec<Page>) -> io::Result<()> {
    let mut text = Vec::new();
    // Built, a command knows its whole name: vigocli-envoys-list(1).
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    pages.push(Page { file: format!("{name}.1"), text });
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        add(sub, &format!("{name}-{}", sub.get_name()), pages)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(command: &clap::Command, name: &str, pages: &[Page]) {
        let page = pages.iter().find(|page| page.file == format!("{name}.1"));
        let text = String::from_utf8_lossy(&page.unwrap_or_else(|| panic!("no page {name}")).text).into_owned();
        assert!(text.contains(&format!(".TH {name} 1")) && text.contains("Examples:"), "{name}: {text:.200}");
        for sub in command.get_subcommands() {
            check(sub, &format!("{name}-{}", sub.get_name()), pages);
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let pages = pages().unwrap();
        check(&Cli::command(), "vigocli", &pages);
        assert!(pages.len() > 40, "{}", pages.len());
    }
}
