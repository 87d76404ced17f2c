//! What is done to many envoys: which they are, the operator's yes, each one's outcome.

use std::io;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::Exit;
use crate::client::{Client, Reply};
use crate::command::envoys::{ALL, EnvoyName};
use crate::command::envoys_view::Envoy;
use crate::context::Context;
use crate::failure::Failure;
use crate::filters::Filters;
use crate::list;
use crate::printable::Printable;
use crate::table::{Style, cell};

/// More lines than any fleet has.
const MOST: usize = 10_000_000;

/// Which envoys are meant.
#[derive(Args)]
pub(crate) struct Selection {
    /// Their ids or hostnames; - reads them from stdin, one a line
    #[arg(value_name = "ENVOY", required_unless_present_any = ["status", "pattern", "search", "seen_before", "expires_before"])]
    envoys: Vec<Named>,
    #[command(flatten)]
    filters: Filters,
    /// Show whom it would be, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse when more envoys than this are meant; with --yes, more than one need it
    #[arg(long, value_name = "N", visible_alias = "at-most")]
    max: Option<usize>,
}

/// A name, or where they come from.
#[derive(Clone)]
enum Named {
    Envoy(EnvoyName),
    Stdin,
}

/// An envoy that is meant.
#[derive(Serialize)]
pub(crate) struct Target {
    id: String,
    hostname: String,
}

/// What became of one.
#[derive(Serialize)]
struct Outcome {
    id: Option<String>,
    hostname: Option<String>,
    result: &'static str,
    error: Option<Refusal>,
}

#[derive(Serialize)]
struct Refusal {
    code: String,
    message: String,
}

/// What is done to each.
pub(crate) trait Act {
    /// `Revokes`.
    const DOES: &'static str;
    /// `revoked`.
    const DONE: &'static str;
    /// Whether one of this status has it behind it.
    fn is_done(status: &str) -> bool;
    /// Does it to the envoy at this path.
    async fn act(&self, client: &Client, path: &str) -> Result<Reply, Failure>;
}

impl std::str::FromStr for Named {
    type Err = vigo_core::HostnameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" { Ok(Self::Stdin) } else { text.parse().map(Self::Envoy) }
    }
}

impl Selection {
    /// The one envoy that was named, where nothing else was.
    pub(crate) fn one(&self) -> Option<EnvoyName> {
        match &self.envoys[..] {
            [Named::Envoy(name)] if self.filters.is_empty() && !self.dry_run && self.max.is_none() => {
                Some(name.clone())
            }
            _ => None,
        }
    }

    /// Finds them, asks, and does it to each.
    pub(crate) async fn run<A: Act>(self, act: &A, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let client = context.client()?;
        let (targets, mut outcomes) = self.find::<A>(&client).await?;
        if self.dry_run {
            outcomes.extend(targets.iter().map(|target| target.outcome("would_be", None)));
            return show(context, &outcomes, 0);
        }
        self.allowed::<A>(context, &targets)?;
        let bar = bar(context, targets.len() as u64);
        for target in &targets {
            let done = act.act(&client, &format!("{ALL}/{}", target.id)).await;
            // Without a server the rest would fail the same way, each after a while.
            let gone = matches!(&done, Err(failure) if failure.exit() == Exit::Unreachable);
            outcomes.push(target.outcome(A::DONE, done.as_ref().err()));
            bar.inc(1);
            if gone {
                let rest = targets.iter().skip(usize::try_from(bar.position()).unwrap_or(usize::MAX));
                outcomes.extend(rest.map(|target| target.outcome("not_tried", None)));
                break;
            }
        }
        bar.finish_and_clear();
        let undone = outcomes.iter().filter(|outcome| outcome.result != A::DONE).count();
        show(context, &outcomes, undone)
    }

    async fn find<A: Act>(&self, client: &Client) -> Result<(Vec<Target>, Vec<Outcome>), Failure> {
        let (mut targets, mut outcomes): (Vec<Target>, Vec<Outcome>) = (Vec::new(), Vec::new());
        if self.envoys.is_empty() {
            for row in client.all(self.filters.query(ALL)).await? {
                let envoy: Envoy = list::row(row)?;
                // Asked for by status, it is meant all the same.
                if self.filters.status.is_empty() && A::is_done(envoy.status.as_str()) {
                    continue;
                }
                targets.push(Target::new(&envoy)?);
            }
            return Ok((targets, outcomes));
        }
        if !self.filters.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                "names_and_filters",
                "envoys were named, and filters were given too",
            )
            .help("Give either."));
        }
        for name in self.names()? {
            match client.get(&format!("{ALL}/{name}")).await {
                Ok(reply) => {
                    let target = Target::new(&reply.parse()?)?;
                    if !targets.iter().any(|other| other.id == target.id) {
                        targets.push(target);
                    }
                }
                Err(failure) if failure.exit() == Exit::NotFound => outcomes.push(Outcome::unknown(&name, &failure)),
                Err(failure) => return Err(failure),
            }
        }
        Ok((targets, outcomes))
    }

    fn names(&self) -> Result<Vec<EnvoyName>, Failure> {
        let mut names = Vec::new();
        for named in &self.envoys {
            match named {
                Named::Envoy(name) => names.push(name.clone()),
                Named::Stdin => names.extend(read(io::stdin().lock())?),
            }
        }
        Ok(names)
    }

    /// Whether so many may be, by `--max` and the operator's word.
    fn allowed<A: Act>(&self, context: &Context<'_>, targets: &[Target]) -> Result<(), Failure> {
        allowed(context, self.max, targets.len())?;
        match targets {
            [] => Ok(()),
            [one] => context.confirm(&format!("{} {} ({}).", A::DOES, one.hostname, one.id), "yes"),
            [first, .., last] => {
                let count = targets.len();
                let what = format!("{} {count} envoys, {} to {}.", A::DOES, first.hostname, last.hostname);
                context.confirm(&what, &count.to_string())
            }
        }
    }
}

/// Whether so many may be, by `--max`: nobody is asked with `--yes`, so it says how many are meant.
pub(super) fn allowed(context: &Context<'_>, max: Option<usize>, count: usize) -> Result<(), Failure> {
    match max {
        Some(max) if count > max => Err(Failure::new(
            Exit::Refused,
            "too_many",
            format!("{count} envoys are meant, more than {max}: nothing was changed"),
        )
        .help("`--dry-run` names them; narrow what is meant, or raise --max.")),
        None if count > 1 && context.confirmed() => Err(Failure::new(
            Exit::Usage,
            "max_required",
            format!("{count} envoys are meant: with --yes that needs --max"),
        )
        .help(format!("`--dry-run` names them; if they are meant: --max {count}"))),
        _ => Ok(()),
    }
}

/// One name a line; empty lines are none.
fn read(from: impl io::BufRead) -> Result<Vec<EnvoyName>, Failure> {
    let mut names = Vec::new();
    for (number, line) in from.lines().enumerate() {
        let wrong = |what: &str| {
            let what = Printable::new(what);
            Failure::new(Exit::Usage, "bad_stdin", format!("line {} of stdin is no id or hostname: {what}", number + 1))
                .help("`vigocli envoys list --quiet` prints ids, one a line.")
        };
        let line = line.map_err(|error| wrong(&error.to_string()))?;
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if names.len() == MOST {
            return Err(wrong("there are too many"));
        }
        names.push(line.parse().map_err(|error: vigo_core::HostnameError| wrong(&error.to_string()))?);
    }
    Ok(names)
}

/// A bar where somebody sees it.
fn bar(context: &Context<'_>, count: u64) -> ProgressBar {
    if !context.stderr_terminal || count < 2 {
        return ProgressBar::with_draw_target(Some(count), ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::with_draw_target(Some(count), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {pos}/{len}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Target {
    fn new(envoy: &Envoy) -> Result<Self, Failure> {
        // Part of a path from now on: a proper id, or nothing.
        let id: vigo_core::EnvoyId = envoy.id.as_str().parse().map_err(|_| {
            Failure::new(Exit::Failed, "bad_answer", "the server sent an envoy without a proper id")
                .help("Is that vigo-server?")
        })?;
        Ok(Self { id: id.to_string(), hostname: envoy.hostname.to_string() })
    }

    fn outcome(&self, done: &'static str, failure: Option<&Failure>) -> Outcome {
        Outcome {
            id: Some(self.id.clone()),
            hostname: Some(self.hostname.clone()),
            result: if failure.is_some() { "failed" } else { done },
            error: failure.map(Refusal::new),
        }
    }
}

impl Outcome {
    fn unknown(name: &EnvoyName, failure: &Failure) -> Self {
        let (id, hostname) = match name {
            EnvoyName::Id(id) => (Some(id.to_string()), None),
            EnvoyName::Hostname(hostname) => (None, Some(hostname.to_string())),
        };
        Self { id, hostname, result: "failed", error: Some(Refusal::new(failure)) }
    }
}

impl Refusal {
    fn new(failure: &Failure) -> Self {
        Self { code: failure.code().to_owned(), message: failure.to_string() }
    }
}

fn show(context: &mut Context<'_>, outcomes: &[Outcome], undone: usize) -> Result<Exit, Failure> {
    context.out.show_own(&outcomes, |rows, style| table(rows, style))?;
    Ok(match undone {
        0 => Exit::Ok,
        all if all == outcomes.len() => Exit::Failed,
        _ => Exit::Partial,
    })
}

fn table(outcomes: &[Outcome], style: &Style) -> String {
    let or_dash = |text: &Option<String>| cell(text.as_deref().unwrap_or("-"));
    let rows = outcomes.iter().map(|outcome| {
        let why =
            outcome.error.as_ref().map_or_else(|| "-".to_owned(), |error| format!("{}: {}", error.code, error.message));
        [or_dash(&outcome.id), or_dash(&outcome.hostname), cell(outcome.result), cell(why)]
    });
    style.table(["ID", "HOSTNAME", "RESULT", "~ERROR"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_one_a_line() {
        let text = "web1.example.com\n\n  3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90 \r\n";
        let names: Vec<_> = read(text.as_bytes()).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["web1.example.com", "3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90"]);
        for bad in ["web1\n../tokens\n", "a b\n", "\u{ff}\n"] {
            let failure = read(bad.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!((failure.exit(), failure.code()), (Exit::Usage, "bad_stdin"), "{bad:?}");
        }
    }
}
