//! What was done for each target, as a table.

use super::target::{Provider, Target};

/// How far one step of a target went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Done, by what where that matters.
    Done(String),
    /// Not done, for this reason.
    NotDone(String),
}

#[derive(Debug)]
pub(crate) struct Row {
    name: &'static str,
    provider: Provider,
    pub(crate) checked: Step,
    pub(crate) linked: Step,
    pub(crate) ran: Step,
    pub(crate) size: Option<u64>,
    pub(crate) seconds: u64,
    pub(crate) failed: Option<String>,
}

impl Row {
    pub(crate) fn new(target: &Target, provider: Provider) -> Self {
        let not = || Step::NotDone(String::new());
        let (checked, linked, ran) = (not(), not(), not());
        Self { name: target.name, provider, checked, linked, ran, size: None, seconds: 0, failed: None }
    }
}

/// The table, and below it why something was not done.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut lines = vec![["TARGET", "CHECKED", "LINKED", "RAN", "PROVIDER", "SIZE", "SECONDS"].map(str::to_owned)];
    let mut reasons = String::new();
    for row in rows {
        let cell = |step: &Step| match step {
            Step::Done(how) if how.is_empty() => "yes".to_owned(),
            Step::Done(how) => format!("yes, {how}"),
            Step::NotDone(_) => "no".to_owned(),
        };
        lines.push([
            row.name.to_owned(),
            cell(&row.checked),
            cell(&row.linked),
            cell(&row.ran),
            row.provider.feature().to_owned(),
            row.size.map_or_else(|| "-".to_owned(), megabytes),
            row.seconds.to_string(),
        ]);
        if let Some(why) = &row.failed {
            reasons += &format!("{}: FAILED: {why}\n", row.name);
            continue;
        }
        for (step, what) in [(&row.linked, "linked"), (&row.ran, "run")] {
            if let Step::NotDone(why) = step
                && !why.is_empty()
            {
                reasons += &format!("{}: not {what}: {why}\n", row.name);
            }
        }
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text + &reasons
}

/// With one digit after the point, rounded up: a limit is never met on paper alone.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::super::target::TARGETS;
    use super::*;

    #[test]
    fn what_was_done_is_told_from_what_was_not() {
        let done = |how: &str| Step::Done(how.to_owned());
        let not = |why: &str| Step::NotDone(why.to_owned());
        let mut linux = Row::new(&TARGETS[0], Provider::AwsLc);
        (linux.checked, linux.linked, linux.ran) = (done(""), done(""), done("natively"));
        (linux.size, linux.seconds) = (Some(4_310_001), 312);
        let mut openbsd = Row::new(&TARGETS[5], Provider::Ring);
        (openbsd.checked, openbsd.linked) = (done(""), not("no libc"));
        let mut windows = Row::new(&TARGETS[8], Provider::AwsLc);
        windows.failed = Some("cargo ended with exit status: 101".to_owned());
        assert_eq!(
            text(&[linux, openbsd, windows]),
            "TARGET          CHECKED  LINKED  RAN            PROVIDER  SIZE    SECONDS\n\
             linux-x86_64    yes      yes     yes, natively  aws-lc    4.4 MB  312\n\
             openbsd-x86_64  yes      no      no             ring      -       0\n\
             windows-x86_64  no       no      no             aws-lc    -       0\n\
             openbsd-x86_64: not linked: no libc\n\
             windows-x86_64: FAILED: cargo ended with exit status: 101\n"
        );
    }
}
