use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use vigo_policy::{Problem, Stacks};

use crate::context::Context;
use crate::failure::Failure;
use crate::printable::Printable;
use crate::table::Style;
use crate::{Exit, socket};

#[derive(Subcommand)]
pub(crate) enum Config {
    /// Check the policies and print all that is wrong with them; needs no server
    #[command(after_help = "\
Examples:
  vigocli config validate
  vigocli config validate ./stacks -o json

Exit code: 0 they can be used, 8 they cannot. server.yaml itself is checked by `vigo-server check`.")]
    Validate {
        /// The folder with the .vgo files [default: stacks.dir of the server's configuration]
        dir: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct Report {
    #[serde(skip)]
    dir: PathBuf,
    #[serde(skip)]
    hostcrates: usize,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    severity: &'static str,
    file: String,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    help: String,
}

impl Finding {
    fn new(severity: &'static str, problem: &Problem) -> Self {
        Self {
            severity,
            file: problem.file.display().to_string(),
            line: problem.position.map(|at| at.line),
            column: problem.position.map(|at| at.column),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
}

impl Config {
    pub(crate) fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let Self::Validate { dir } = self;
        let dir = match dir {
            Some(dir) if dir.is_dir() => dir,
            Some(dir) => {
                return Err(Failure::new(Exit::NotFound, "not_found", format!("there is no folder {}", dir.display())));
            }
            None => stacks_dir(&socket::config_file(&context.global)?)?,
        };
        let (exit, report) = validate(dir);
        context.out.show_own(&report.findings, |_, style| show(&report, style))?;
        Ok(exit)
    }
}

fn validate(dir: PathBuf) -> (Exit, Report) {
    match Stacks::load(&dir) {
        Ok(stacks) => {
            let findings = stacks.warnings().iter().map(|problem| Finding::new("warning", problem)).collect();
            (Exit::Ok, Report { dir, hostcrates: stacks.hostcrates().len(), findings })
        }
        Err(errors) => {
            let findings = errors.problems().iter().map(|problem| Finding::new("error", problem)).collect();
            (Exit::Findings, Report { dir, hostcrates: 0, findings })
        }
    }
}

/// `stacks.dir`, relative to the configuration that names it. What else is in there is the server's to judge.
fn stacks_dir(config: &Path) -> Result<PathBuf, Failure> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Server {
        stacks: Section,
    }
    #[derive(Deserialize)]
    #[serde(default)]
    struct Section {
        dir: PathBuf,
    }
    impl Default for Section {
        fn default() -> Self {
            Self { dir: "stacks".into() }
        }
    }
    let unusable = |why: String| {
        Failure::new(Exit::Failed, "config_unreadable", format!("cannot use {}: {why}", config.display()))
            .help("`vigo-server check` tells what is wrong with it.")
    };
    let text = fs::read_to_string(config).map_err(|error| unusable(error.to_string()))?;
    let server = match text.trim() {
        "" => Server::default(),
        text => serde_saphyr::from_str::<Option<Server>>(text)
            .map_err(|error| unusable(Printable::new(&error.to_string()).to_string()))?
            .unwrap_or_default(),
    };
    Ok(socket::home(config).join(server.stacks.dir))
}

fn show(report: &Report, _: &Style) -> String {
    let errors = report.findings.iter().filter(|finding| finding.severity == "error").count();
    let mut shown = String::new();
    for finding in &report.findings {
        let at = match (finding.line, finding.column) {
            (Some(line), Some(column)) => format!(":{line}:{column}"),
            _ => String::new(),
        };
        let [file, message, help] = [&finding.file, &finding.message, &finding.help].map(|text| Printable::new(text));
        shown += &format!("{}: {file}{at}: {message}\n  fix: {help}\n", finding.severity);
    }
    let dir = Printable::new(&report.dir.display().to_string());
    shown += &match (errors, report.hostcrates) {
        (0, 1) => format!("{dir}: 1 hostcrate, no errors\n"),
        (0, n) => format!("{dir}: {n} hostcrates, no errors\n"),
        (1, _) => format!("{dir}: 1 error\n"),
        (n, _) => format!("{dir}: {n} errors\n"),
    };
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::plain;

    #[track_caller]
    fn check(yaml: &str, expected: Option<&str>) {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("server.yaml");
        fs::write(&config, yaml).unwrap();
        assert_eq!(stacks_dir(&config).ok(), expected.map(|dir| home.path().join(dir)), "{yaml}");
    }

    #[test]
    fn the_stacks_are_where_the_configuration_says() {
        check("", Some("stacks"));
        check("# nothing set\n", Some("stacks"));
        check("server:\n  hostname: a\n", Some("stacks"));
        check("stacks:\n  dir: policy\n", Some("policy"));
        check("stacks:\n  dir: /etc/policy\n", Some("/etc/policy"));
        check("stacks: [\n", None);
    }

    #[test]
    fn findings_have_their_place() {
        let finding = Finding {
            severity: "error",
            file: "envoys.vgo".to_owned(),
            line: Some(3),
            column: Some(5),
            message: "`x\u{1b}` is no key".to_owned(),
            help: "write `match`".to_owned(),
        };
        let report = Report { dir: "stacks".into(), hostcrates: 0, findings: vec![finding] };
        let expected = "error: envoys.vgo:3:5: `x\\u{1b}` is no key\n  fix: write `match`\nstacks: 1 error\n";
        assert_eq!(show(&report, &plain()), expected);
    }
}
