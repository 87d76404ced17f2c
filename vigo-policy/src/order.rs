use std::collections::{BTreeMap, HashMap};

use crate::draft::{ConfigcrateDraft, Name};
use crate::problem::Report;

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Open,
    Done,
}

/// Dependencies first, otherwise in the order of `wanted`. Unknown names are left out, and so is an edge that would
/// close a cycle: both are reported elsewhere.
pub(crate) fn order<'a>(
    wanted: impl IntoIterator<Item = &'a str>,
    configcrates: &'a BTreeMap<String, ConfigcrateDraft>,
) -> Vec<&'a ConfigcrateDraft> {
    let mut ordered = Vec::new();
    let mut marks = HashMap::new();
    for name in wanted {
        walk(name, configcrates, &mut marks, |c| ordered.push(c), |_, _| {});
    }
    ordered
}

/// Reports every `depends_on` entry that closes a cycle.
pub(crate) fn report_cycles(configcrates: &BTreeMap<String, ConfigcrateDraft>, report: &mut Report) {
    let mut marks = HashMap::new();
    for name in configcrates.keys() {
        walk(
            name,
            configcrates,
            &mut marks,
            |_| {},
            |path, closing| {
                let from = path.iter().position(|n| *n == closing.text).unwrap_or(0);
                let cycle = path[from..].iter().copied().chain([closing.text.as_str()]).collect::<Vec<_>>().join(" → ");
                report.error(
                    closing.spot,
                    format!("configcrates depend on each other in a circle: {cycle}"),
                    "remove one of these dependencies; what two need of each other belongs in a third",
                );
            },
        );
    }
}

/// Depth first, without recursion: a chain of dependencies may be longer than the stack is deep.
fn walk<'a>(
    name: &'a str,
    configcrates: &'a BTreeMap<String, ConfigcrateDraft>,
    marks: &mut HashMap<&'a str, Mark>,
    mut done: impl FnMut(&'a ConfigcrateDraft),
    mut cycle: impl FnMut(&[&'a str], &'a Name),
) {
    let Some(start) = configcrates.get(name).filter(|_| !marks.contains_key(name)) else { return };
    marks.insert(name, Mark::Open);
    let mut path = vec![name];
    let mut stack = vec![(start, 0)];
    while let Some((configcrate, next)) = stack.last_mut() {
        let Some(dependency) = configcrate.depends_on.get(*next) else {
            marks.insert(&configcrate.name.text, Mark::Done);
            done(configcrate);
            stack.pop();
            path.pop();
            continue;
        };
        *next += 1;
        match marks.get(dependency.text.as_str()) {
            Some(Mark::Open) => cycle(&path, dependency),
            Some(Mark::Done) => {}
            None => {
                if let Some(found) = configcrates.get(&dependency.text) {
                    marks.insert(&dependency.text, Mark::Open);
                    path.push(&dependency.text);
                    stack.push((found, 0));
                }
            }
        }
    }
}
