//! Policy files: every mistake has its place, and what has none gives bundles that verify.
//!
//! The data is one text. A line `@@ path` begins a file; the lines behind it are its content.

use std::collections::BTreeMap;
use std::path::Path;

use vigo_core::{FrameError, Hostname};
use vigo_policy::{Catalogue, Problem, Stacks};

use crate::Seed;
use crate::place::holds;
use crate::scene::{self, SERVER};

const LONGEST: usize = 8 * 1024;
const MOST_FILES: usize = 16;

/// The target.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(LONGEST)]) else { return };
    let files = files(text);
    match Stacks::from_texts(files.clone()) {
        Ok(stacks) => {
            stacks.warnings().iter().for_each(|warning| in_place(warning, &files));
            published(&stacks);
        }
        Err(errors) => {
            assert!(!errors.problems().is_empty());
            errors.problems().iter().for_each(|problem| in_place(problem, &files));
        }
    }
}

/// The last of several files with one path counts, as on a disk.
fn files(text: &str) -> BTreeMap<&str, String> {
    let mut files = BTreeMap::new();
    for part in text.split("@@ ").skip(1).take(MOST_FILES) {
        let (path, content) = part.split_once('\n').unwrap_or((part, ""));
        files.insert(path, content.to_owned());
    }
    files
}

fn in_place(problem: &Problem, files: &BTreeMap<&str, String>) {
    let file = files.iter().find(|(path, _)| Path::new(path) == problem.file);
    let (_, text) = file.unwrap_or_else(|| panic!("about no file: {problem}"));
    if let Some(at) = problem.position {
        assert!(holds(text, at.line.into(), at.column.into()), "no place in {text:?}: {problem}");
    }
    for said in [&problem.message, &problem.help] {
        assert!(!said.trim().is_empty() && !said.contains(char::is_control), "{said:?}");
    }
    // As an operator sees it: two lines, the file's own name too.
    let shown = problem.to_string();
    assert!(shown.lines().count() == 2 && !shown.replace('\n', "").contains(char::is_control), "{shown:?}");
}

fn published(stacks: &Stacks) {
    let secret = scene::server();
    let catalogue = match Catalogue::sign(stacks, secret, &SERVER) {
        Ok(catalogue) => catalogue,
        // A small text can name a large list very often.
        Err(error) if matches!(error.source, FrameError::TooLarge { .. }) => return,
        Err(error) => panic!("{error}: {}", error.source),
    };
    let again = Catalogue::sign(stacks, secret, &SERVER).expect("the same policy");
    for name in names(stacks) {
        let first = stacks.hostcrates().iter().find(|block| block.patterns.iter().any(|p| p.matches(&name)));
        assert_eq!(stacks.hostcrate(&name), first, "{name}");
        let published = catalogue.bundle_for(&name);
        assert_eq!(published, again.bundle_for(&name), "{name}");
        assert_eq!(published.hostcrate.as_deref(), first.map(|block| block.name.as_str()), "{name}");
        let verified = published.signed.verify(&secret.public(), &SERVER);
        let verified = verified.unwrap_or_else(|error| panic!("the bundle of {name} does not verify: {error}"));
        assert_eq!(verified.state, published.state, "{name}");
        // As text: a bundle may hold NaN, which is not equal to itself.
        let expected = first.map(|block| block.bundle.clone()).unwrap_or_default();
        assert_eq!(format!("{:?}", verified.bundle), format!("{expected:?}"), "{name}");
    }
}

/// A name that no pattern was made for, and one for each of the first patterns.
fn names(stacks: &Stacks) -> Vec<Hostname> {
    let patterns = stacks.hostcrates().iter().flat_map(|block| &block.patterns).take(8);
    let fitting = patterns.map(|pattern| pattern.as_str().replace('*', "x").replace('?', "0"));
    fitting.chain(["web1.example.com".to_owned()]).filter_map(|name| name.parse().ok()).collect()
}

/// A whole directory, and small ones with one mistake each.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    const CRATE: &str = "@@ configcrates/a.vgo\nname: a\nresources:\n  - {name: x, type: file}\n";
    let block = |more: &str| format!("@@ envoys.vgo\nenvoys:\n  - match: \"*.example.com\"\n    {more}\n{CRATE}");
    let whole = [
        ("common.vgo", include_str!("../../vigo-policy/tests/stacks/common.vgo")),
        ("environments.vgo", include_str!("../../vigo-policy/tests/stacks/environments.vgo")),
        ("envoys.vgo", include_str!("../../vigo-policy/tests/stacks/envoys.vgo")),
        ("roles.vgo", include_str!("../../vigo-policy/tests/stacks/roles.vgo")),
        ("configcrates/base.vgo", include_str!("../../vigo-policy/tests/stacks/configcrates/base.vgo")),
        ("configcrates/nginx.vgo", include_str!("../../vigo-policy/tests/stacks/configcrates/nginx.vgo")),
        ("configcrates/metrics.vgo", include_str!("../../vigo-policy/tests/stacks/configcrates/metrics.vgo")),
        ("configcrates/postgres.vgo", include_str!("../../vigo-policy/tests/stacks/configcrates/postgres.vgo")),
        ("configcrates/site.vgo", include_str!("../../vigo-policy/tests/stacks/configcrates/site.vgo")),
    ];
    let deep = |depth: usize| {
        let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        block(&format!("configcrates: [b]\n    vars: {{deep: {value}}}"))
            + "@@ configcrates/b.vgo\nname: b\nresources:\n  - {name: y, type: file, content: \"${deep}\"}\n"
    };
    let maps = format!("{}1{}", "{k: ".repeat(15), "}".repeat(15));
    let texts = [
        ("whole", whole.map(|(path, text)| format!("@@ {path}\n{text}")).concat()),
        ("small", block("configcrates: [a]")),
        ("unknown-name", block("configcrates: [b]")),
        ("unknown-key", block("configcrate: [a]")),
        ("circle", block("configcrates: [a]") + "@@ configcrates/b.vgo\nname: b\ndepends_on: [b]\n"),
        ("odd-file-name", "@@ configcrates/\u{1b}[2J.vgo\nname: a\n@@ configcrates/b.vgo\nname: a\n".to_owned()),
        ("double", block("configcrates: [a]") + "@@ configcrates/b.vgo\nname: a\n"),
        (
            "undefined",
            block("configcrates: [a]")
                + "@@ configcrates/a.vgo\nname: a\nresources:\n  - {name: \"${x}\", type: file}\n",
        ),
        ("odd-template", block("vars: {x: \"${\", y: \"$${\", z: \"${y}\"}")),
        ("bad-pattern", "@@ envoys.vgo\nenvoys:\n  - match: [\"[a]\", \"a b\", \"\"]\n".to_owned()),
        ("shadowed", "@@ envoys.vgo\nenvoys:\n  - match: \"*\"\n  - match: a.b\n".to_owned()),
        ("misplaced", block("configcrates: [a]") + "@@ other.yaml\na: 1\n"),
        ("not-yaml", "@@ envoys.vgo\nenvoys: [\n@@ roles.vgo\n\t- x\n@@ common.vgo\nvars: 7\n".to_owned()),
        ("anchors", block("configcrates: [a]\n    vars: {x: &x [1, 2], y: *x, z: [*x, *x]}")),
        ("numbers", block("vars: {a: 0x1f, b: 1e400, c: .nan, d: -.inf, e: 99999999999999999999, f: 1_000, g: ~}")),
        ("deep-16", deep(16)),
        ("deep-17", deep(17)),
        (
            "deep-maps",
            format!("@@ common.vgo\nvars: {{m: {maps}}}\n")
                + &block("configcrates: [b]")
                + "@@ configcrates/b.vgo\nname: b\nresources:\n  - {name: y, type: file, content: \"${m}\"}\n",
        ),
    ];
    texts.into_iter().map(|(name, text)| Seed::new(name, text)).collect()
}
