//! SECURITY.md and the tests agree: every rule of trust that is called built has a test that carries its number.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "support/tree.rs"]
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use tree::{Source, root, sources};

/// A rule as SECURITY.md has it: a heading `### 7. …`, and below it a line that starts with `Status: `.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rule {
    number: u32,
    statuses: Vec<String>,
}

/// A function whose name starts with `rule_` and a digit.
#[derive(Debug, PartialEq, Eq)]
struct Carrier {
    name: String,
    place: String,
    is_test: bool,
}

fn rules(security: &str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut inside = false;
    for line in security.lines() {
        if line.starts_with('#') {
            let number = line.strip_prefix("### ").and_then(|title| title.split_once(". ")?.0.parse().ok());
            inside = number.is_some();
            rules.extend(number.map(|number| Rule { number, ..Rule::default() }));
        } else if let (true, Some(status), Some(rule)) = (inside, line.strip_prefix("Status: "), rules.last_mut()) {
            rule.statuses.push(status.to_owned());
        }
    }
    rules
}

fn carriers(source: &Source) -> Vec<Carrier> {
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let named = lines.iter().enumerate().filter_map(|(at, line)| {
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn rule_")?;
        let name = rest.split(['(', '<', ' ']).next()?;
        name.starts_with(|c: char| c.is_ascii_digit()).then(|| Carrier {
            name: format!("rule_{name}"),
            place: format!("{}:{}", source.path, at + 1),
            is_test: is_test(&lines[..at]),
        })
    });
    named.collect()
}

/// Whether the attributes at the end of these lines make a test of the function after them.
fn is_test(before: &[&str]) -> bool {
    let attached = before.iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
    attached.into_iter().any(|line| ["#[test]", "#[tokio::test]", "#[tokio::test("].iter().any(|a| line.starts_with(a)))
}

/// The number in `rule_07_name`.
fn number(name: &str) -> Option<u32> {
    let (digits, rest) = name.strip_prefix("rule_")?.split_once('_')?;
    (digits.len() == 2 && !rest.is_empty()).then(|| digits.parse().ok())?
}

fn problems(rules: &[Rule], carriers: &[Carrier]) -> Vec<String> {
    let mut problems = Vec::new();
    let numbers: Vec<u32> = rules.iter().map(|rule| rule.number).collect();
    if numbers.is_empty() || !numbers.iter().copied().eq(1..=numbers.len() as u32) {
        problems.push(format!("SECURITY.md numbers its rules {numbers:?}: from 1 on, each once, without a gap"));
    }
    let mut tested: BTreeMap<u32, u32> = BTreeMap::new();
    let known: BTreeSet<u32> = numbers.into_iter().collect();
    for Carrier { name, place, is_test } in carriers {
        match number(name) {
            None => problems.push(format!("{place}: {name}: write rule_NN_ with two digits, then what it shows")),
            Some(_) if !is_test => problems.push(format!("{place}: {name} is not a test")),
            Some(number) if !known.contains(&number) => {
                problems.push(format!("{place}: {name}: SECURITY.md has no rule {number}"));
            }
            Some(number) => *tested.entry(number).or_default() += 1,
        }
    }
    for Rule { number, statuses } in rules {
        match statuses.as_slice() {
            [status] if status == "built" => {
                if !tested.contains_key(number) {
                    problems.push(format!("rule {number} is called built, and no test is named rule_{number:02}_…"));
                }
            }
            [status] if status == "not built yet" || status.starts_with("not built yet (") => {}
            [status] => problems.push(format!(
                "rule {number} has the status {status:?}: write `Status: built` or `Status: not built yet (…)`"
            )),
            [] => problems.push(format!("rule {number} has no line `Status: built` or `Status: not built yet (…)`")),
            _ => problems.push(format!("rule {number} has more than one status")),
        }
    }
    problems
}

#[test]
fn every_built_rule_has_a_test() {
    let security = std::fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let carriers: Vec<Carrier> = sources(".rs").iter().flat_map(carriers).collect();
    let problems = problems(&rules(&security), &carriers);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[track_caller]
fn check(security: &str, source: &str, expected: &[&str]) {
    let source = Source { path: "a.rs".into(), text: source.into() };
    assert_eq!(problems(&rules(security), &carriers(&source)), expected);
}

#[test]
fn what_is_found() {
    let built = "### 1. Pins\nText.\n\nStatus: built\n";
    let test = "#[test]\nfn rule_01_a() {}\n";
    check(built, test, &[]);
    check(built, "    #[tokio::test(flavor = \"x\")]\n    /// Text.\n    async fn rule_01_a() {}\n", &[]);
    check(&format!("{built}### 2. B\nStatus: not built yet (renewal)\n## Limits\nStatus: unknown\n"), test, &[]);

    let missing = "rule 1 is called built, and no test is named rule_01_…";
    check(built, "#[test]\nfn other() {}\n", &[missing]);
    check(built, "// fn rule_01_a() {}\n", &[missing]);
    check(built, "#[test]\n\nfn rule_01_a() {}\n", &["a.rs:3: rule_01_a is not a test", missing]);
    check(built, &format!("{test}#[test]\nfn rule_02_b() {{}}\n"), &["a.rs:4: rule_02_b: SECURITY.md has no rule 2"]);
    let form = "write rule_NN_ with two digits, then what it shows";
    check(built, &format!("{test}#[test]\nfn rule_1_b() {{}}\n"), &[&format!("a.rs:4: rule_1_b: {form}")]);

    let lines = "`Status: built` or `Status: not built yet (…)`";
    check("### 1. A\n", test, &[&format!("rule 1 has no line {lines}")]);
    check("### 1. A\nStatus: soon\n", test, &[&format!("rule 1 has the status \"soon\": write {lines}")]);
    check(&format!("{built}Status: built\n"), test, &["rule 1 has more than one status"]);
    let gap = "SECURITY.md numbers its rules [1, 1]: from 1 on, each once, without a gap";
    check(&format!("{built}{built}"), test, &[gap]);
    check("", "", &["SECURITY.md numbers its rules []: from 1 on, each once, without a gap"]);
}
