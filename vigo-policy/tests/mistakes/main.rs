//! What is said about each mistake, word for word.
#![allow(clippy::unwrap_used, reason = "a test")]

mod filling;

use std::fs;

use vigo_policy::Stacks;

type Files<'a> = &'a [(&'a str, &'a str)];

/// A policy without mistakes; a test puts its own files over these.
const GOOD: Files<'static> = &[
    ("envoys.vgo", "envoys:\n  - match: \"*.example.com\"\n    configcrates: [app]\n"),
    ("configcrates/app.vgo", "name: app\nresources:\n  - {name: app, type: package}\n"),
];

fn load(files: Files<'_>) -> Result<Stacks, String> {
    let good = GOOD.iter().filter(|(path, _)| !files.iter().any(|(p, _)| p == path));
    Stacks::from_texts(good.chain(files).copied()).map_err(|errors| errors.to_string())
}

#[track_caller]
fn check(files: Files<'_>, expected: &str) {
    let found = match load(files) {
        Ok(stacks) => format!("accepted: {:?}", stacks.hostcrates()),
        Err(errors) => errors,
    };
    assert_eq!(found, expected.trim_end().trim_start_matches('\n'), "{files:?}");
}

#[track_caller]
fn envoys(text: &str, expected: &str) {
    check(&[("envoys.vgo", text)], expected);
}

#[track_caller]
fn app(text: &str, expected: &str) {
    check(&[("configcrates/app.vgo", text)], expected);
}

#[track_caller]
fn warns(files: Files<'_>, expected: &str) {
    let stacks = load(files).unwrap();
    let warnings: Vec<_> = stacks.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.join("\n"), expected.trim_end().trim_start_matches('\n'), "{files:?}");
}

#[test]
fn the_good_policy_is_good() {
    assert!(load(&[]).unwrap().warnings().is_empty());
}

#[test]
fn match_blocks() {
    envoys(
        "envoy: []\n",
        r#"
envoys.vgo:1:1: this file has no key `envoy`
  fix: remove it, or write one of: envoys
"#,
    );
    envoys(
        "- match: a\n",
        r#"
envoys.vgo:1:1: this file must be a map, not a list
  fix: write `key: value` lines
"#,
    );
    envoys(
        "envoys: web\n",
        r#"
envoys.vgo:1:9: `envoys` must be a list, not a text
  fix: write `envoys:`, and under it one `- match: …` for each block
"#,
    );
    envoys(
        "envoys:\n  - web\n",
        r#"
envoys.vgo:2:5: a match block must be a map, not a text
  fix: write `key: value` lines
"#,
    );
    envoys(
        "envoys:\n  - roles: []\n",
        r#"
envoys.vgo:2:5: a match block without `match`
  fix: add `match:` with a host pattern or a list of them
"#,
    );
    envoys(
        "envoys:\n  - match: []\n",
        r#"
envoys.vgo:2:12: `match` takes no host: the list is empty
  fix: name a host pattern, or remove the block
"#,
    );
    envoys(
        "envoys:\n  - match: 5\n",
        r#"
envoys.vgo:2:12: a host pattern must be a text, not a number
  fix: write it between quotes: "*.example.com"
"#,
    );
    envoys(
        "envoys:\n  - match: [a, \"[ab].c\", A, b..c, 10.0.0.1]\n",
        r#"
envoys.vgo:2:16: bad host pattern `[ab].c`: `[` is not a sign of host patterns: `*` is one or more characters, `?` one that is no dot
  fix: use letters, digits, hyphens and dots, `*` for one or more characters, `?` for one that is no dot
envoys.vgo:2:26: `a` is in this block twice
  fix: remove one of them
envoys.vgo:2:29: bad host pattern `b..c`: not a host pattern: a hostname may not have an empty label (two dots in a row, or one at the start)
  fix: use letters, digits, hyphens and dots, `*` for one or more characters, `?` for one that is no dot
envoys.vgo:2:35: bad host pattern `10.0.0.1`: not a host pattern: an IP address is no hostname
  fix: use letters, digits, hyphens and dots, `*` for one or more characters, `?` for one that is no dot
"#,
    );
    envoys(
        "envoys:\n  - match: a\n    match: b\n    hosts: c\n",
        r#"
envoys.vgo:3:5: `match` is already at line 2
  fix: keep one of them
envoys.vgo:4:5: a match block has no key `hosts`
  fix: remove it, or write one of: match, environment, roles, configcrates, vars
"#,
    );
    envoys(
        "envoys:\n  - match: a\n    roles: web\n",
        r#"
envoys.vgo:3:12: `roles` must be a list, not a text
  fix: write `roles: [one, two]`
"#,
    );
    envoys(
        "envoys:\n  - match: a\n    configcrates: [app, app]\n",
        r#"
envoys.vgo:3:25: `app` is in `configcrates` twice
  fix: remove one of them
"#,
    );
    envoys(
        "envoys:\n  - match: a\n    configcrates: [apq]\n    roles: [web]\n    environment: prod\n",
        r#"
envoys.vgo:3:20: unknown configcrate `apq`
  fix: add configcrates/apq.vgo with `name: apq`, or use a known one: app
envoys.vgo:4:13: unknown role `web`
  fix: add `web:` under `roles:` in roles.vgo
envoys.vgo:5:18: unknown environment `prod`
  fix: add `prod:` under `environments:` in environments.vgo
"#,
    );
    envoys(
        "envoys:\n  - match: a\n    environment: [prod]\n    vars: {1a: b, c: \"${d}\", e: \"$${f}\"}\n",
        r#"
envoys.vgo:3:18: the name of an environment must be a text, not a list
  fix: write a name, between quotes if it looks like a number
envoys.vgo:4:12: `1a` cannot be the name of a variable
  fix: use letters, digits and `_`, no digit first
envoys.vgo:4:22: variables are not filled into variables
  fix: put the parts together in the attribute; for a `${` that is meant literally write `$${`
"#,
    );
    envoys(
        "envoys:\n  - match: *.example.com\n",
        r#"
envoys.vgo:2:12: a value that starts with `*` is an alias in YAML, and nothing has that name
  fix: put the value between quotes: "*.example.com"
"#,
    );
}

#[test]
fn roles_and_environments() {
    check(
        &[("roles.vgo", "roles:\n  web: {configcrates: [nginx], resources: []}\n  \"a b\": {}\n")],
        r#"
roles.vgo:2:24: unknown configcrate `nginx`
  fix: add configcrates/nginx.vgo with `name: nginx`, or use a known one: app
roles.vgo:2:32: a role has no key `resources`
  fix: remove it, or write one of: configcrates, vars
roles.vgo:3:3: `a b` cannot be the name of a role
  fix: use up to 100 letters, digits, `-`, `_` and `.`, a letter or digit first
"#,
    );
    check(
        &[("environments.vgo", "environments:\n  prod: [a]\n  prod: {a: 1}\n")],
        r#"
environments.vgo:2:9: an environment must be a map, not a list
  fix: write `key: value` lines
environments.vgo:3:3: `prod` is already at line 2
  fix: keep one of them
"#,
    );
    check(
        &[("common.vgo", "port: 80\n")],
        r#"
common.vgo:1:1: this file has no key `port`
  fix: remove it, or write one of: vars
"#,
    );
    check(
        &[
            (
                "envoys.vgo",
                "envoys:\n  - match: a\n    roles: [x, y]\n  - match: b\n    roles: [x, y]\n    vars: {v: 3}\n",
            ),
            ("roles.vgo", "roles:\n  x: {vars: {v: 1, w: 1}}\n  y: {vars: {v: 2, w: 1}}\n"),
        ],
        r#"
envoys.vgo:3:16: the roles `x` and `y` give `v` two values
  fix: set `v` in this block's `vars`, which counts for more than roles
"#,
    );
}

#[test]
fn configcrates() {
    app(
        "resources: []\n",
        r#"
configcrates/app.vgo:1:1: a configcrate without `name`
  fix: add `name:` with the name that match blocks and roles use
"#,
    );
    app(
        "name: app\nresources:\n  - {name: a}\n  - {type: file}\n  - a\n",
        r#"
configcrates/app.vgo:3:5: a resource without `type`
  fix: add `type:`, such as file, package or service
configcrates/app.vgo:4:5: a resource without `name`
  fix: add `name:`, for a file its path, for a package its name
configcrates/app.vgo:5:5: a resource must be a map, not a text
  fix: write `key: value` lines
"#,
    );
    app(
        "name: app\nresources:\n  - {name: a, type: file}\n  - {name: a, type: package}\n  - {name: a, type: file, state: absent}\n",
        r#"
configcrates/app.vgo:5:12: this file is already at line 3
  fix: keep one of the two, or give them different names
"#,
    );
    app(
        "name: app\ndepends_on: [db, app]\n",
        r#"
configcrates/app.vgo:2:14: unknown configcrate `db`
  fix: add configcrates/db.vgo with `name: db`, or use a known one: app
configcrates/app.vgo:2:18: configcrates depend on each other in a circle: app → app
  fix: remove one of these dependencies; what two need of each other belongs in a third
"#,
    );
    app(
        "name: app\nresources:\n  - {name: 5, type: 6, state: true}\n",
        r#"
configcrates/app.vgo:3:12: the name of a resource must be a text, not a number
  fix: write it between quotes
configcrates/app.vgo:3:21: the name of a type must be a text, not a number
  fix: write a name, between quotes if it looks like a number
configcrates/app.vgo:3:31: the state of a resource must be a text, not true or false
  fix: write it between quotes
"#,
    );
    app(
        "name: app\nresources:\n  - {name: \"\", type: file, state: \"a\\nb\"}\n",
        r#"
configcrates/app.vgo:3:12: the name of a resource must be one line of text
  fix: write it on one line, without control characters
configcrates/app.vgo:3:35: the state of a resource must be one line of text
  fix: write it on one line, without control characters
"#,
    );
    app(
        "name: app\nresources:\n  - {name: a, type: file, content: \"${x\", size: 99999999999999999999, mode: \"${1}\"}\n",
        r#"
configcrates/app.vgo:3:36: `${` without its `}`
  fix: write `${name}` for a variable, `$${` for a `${` that is meant literally
configcrates/app.vgo:3:49: a whole number beyond 64 bits
  fix: write it between quotes to keep it as a text
configcrates/app.vgo:3:77: `${1}` names no variable
  fix: write `${name}` for a variable, `$${` for a `${` that is meant literally
"#,
    );
    app(
        "name: other\n",
        r#"
envoys.vgo:3:20: unknown configcrate `app`
  fix: add configcrates/app.vgo with `name: app`, or use a known one: other
"#,
    );
    check(
        &[("configcrates/b.vgo", "name: app\n")],
        r#"
configcrates/b.vgo:1:7: the configcrate `app` is already at app.vgo:1:7
  fix: rename one of the two
"#,
    );
    check(
        &[
            ("configcrates/app.vgo", "name: app\ndepends_on: [b]\n"),
            ("configcrates/b.vgo", "name: b\ndepends_on: [c]\n"),
            ("configcrates/c.vgo", "name: c\ndepends_on:\n  - b\n  - app\n"),
        ],
        r#"
configcrates/c.vgo:3:5: configcrates depend on each other in a circle: b → c → b
  fix: remove one of these dependencies; what two need of each other belongs in a third
configcrates/c.vgo:4:5: configcrates depend on each other in a circle: app → b → c → app
  fix: remove one of these dependencies; what two need of each other belongs in a third
"#,
    );
}

#[test]
fn all_mistakes_of_all_files_come_at_once_in_order() {
    check(
        &[
            ("envoys.vgo", "envoys:\n  - match: a\n    rolles: [web]\n  - match: b b\n    environment: prod\n"),
            ("roles.vgo", "roles: {web: {configcrates: [nope]}}\n"),
            ("configcrates/z.vgo", "name: z\nresources: {}\n"),
            ("configcrates/bad.vgo", "name: [\n"),
        ],
        r#"
configcrates/bad.vgo:1:7: unclosed bracket '['
  fix: correct the YAML: indent with spaces, and put text with `: `, ` #`, `[` or `{` in it between quotes
configcrates/z.vgo:2:12: `resources` must be a list, not a map
  fix: write one `- name: …` with its `type: …` for each resource
envoys.vgo:3:5: a match block has no key `rolles`
  fix: remove it, or write one of: match, environment, roles, configcrates, vars
envoys.vgo:4:12: bad host pattern `b b`: not a host pattern: a hostname has letters, digits, hyphens and dots only (byte 0x20 found)
  fix: use letters, digits, hyphens and dots, `*` for one or more characters, `?` for one that is no dot
envoys.vgo:5:18: unknown environment `prod`
  fix: add `prod:` under `environments:` in environments.vgo
"#,
    );
}

#[test]
fn blocks_that_never_match() {
    warns(
        &[(
            "envoys.vgo",
            "envoys:\n  - match: \"*.example.com\"\n  - match: [web.example.com, \"*.dev.example.com\"]\n  \
             - match: [db.example.com, db.example.net]\n  - match: db.example.net\n",
        )],
        r#"
envoys.vgo:3:5: this block can never match: what `web.example.com (+1)` takes is taken by `*.example.com` at envoys.vgo:2:5 first
  fix: move it above that block, or remove it
envoys.vgo:5:5: this block can never match: what `db.example.net` takes is taken by `db.example.com (+1)` at envoys.vgo:4:5 first
  fix: move it above that block, or remove it
"#,
    );
    warns(
        &[("config.vgo", ""), ("envoys.yaml", ""), ("README.md", "")],
        r#"
config.vgo: this file is not read
  fix: policy is read from envoys.vgo, roles.vgo, common.vgo, environments.vgo and configcrates/*.vgo; rename it or move it away
envoys.yaml: this file is not read
  fix: policy is read from envoys.vgo, roles.vgo, common.vgo, environments.vgo and configcrates/*.vgo; rename it or move it away
"#,
    );
}

#[test]
fn files_that_are_no_texts() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("configcrates")).unwrap();
    fs::write(path("envoys.vgo"), b"envoys: []\n# \xc3\xa4\xff\n").unwrap();
    fs::create_dir(path("roles.vgo")).unwrap();
    fs::write(path("configcrates/.#a.vgo"), "left alone: [").unwrap();
    let shown = Stacks::load(dir.path()).unwrap_err().to_string().replace(&dir.path().display().to_string(), "");
    assert_eq!(
        shown,
        r#"/envoys.vgo:2:4: not UTF-8
  fix: save the file as UTF-8
/roles.vgo: not a regular file
  fix: put a file with this name there, or remove it"#
    );
    let shown = Stacks::load(&path("envoys.vgo")).unwrap_err().to_string();
    assert!(shown.contains("cannot be listed"), "{shown}");
}
