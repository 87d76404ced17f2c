//! Mistakes that show when variables are filled in, and what goes beyond a limit.

use super::{app, check};

#[test]
fn variables() {
    let two =
        "envoys:\n  - match: a\n    configcrates: [app]\n  - match: b\n    configcrates: [app]\n    vars: {n: [1]}\n";
    let list =
        "name: app\nresources:\n  - name: a\n    type: file\n    content: \"x ${n} ${m}\"\n    list: [\"${o}\"]\n";
    check(
        &[("envoys.vgo", two), ("configcrates/app.vgo", list)],
        r#"
configcrates/app.vgo:5:14: undefined variable `m`, needed by `a` at envoys.vgo:2:5
  fix: define `m` in the configcrate's `vars`, or in common.vgo, the block or its environment; for a `${` that is meant literally write `$${`
configcrates/app.vgo:5:14: undefined variable `n`, needed by `a` at envoys.vgo:2:5
  fix: define `n` in the configcrate's `vars`, or in common.vgo, the block or its environment; for a `${` that is meant literally write `$${`
configcrates/app.vgo:6:12: undefined variable `o`, needed by `a` at envoys.vgo:2:5
  fix: define `o` in the configcrate's `vars`, or in common.vgo, the block or its environment; for a `${` that is meant literally write `$${`
"#,
    );
    let vars = "envoys:\n  - match: a\n    configcrates: [app]\n    vars: {n: [1], m: ~, o: [1]}\n";
    check(
        &[("envoys.vgo", vars), ("configcrates/app.vgo", list)],
        r#"
configcrates/app.vgo:5:14: `m` is nothing for `a` at envoys.vgo:2:5, and cannot be put into a text
  fix: let the attribute be `${m}` alone, or make `m` a text
configcrates/app.vgo:5:14: `n` is a list for `a` at envoys.vgo:2:5, and cannot be put into a text
  fix: let the attribute be `${n}` alone, or make `n` a text
"#,
    );
    app(
        "name: app\nvars: {n: [1], e: \"\", x: a}\nresources:\n  - {name: \"${n}\", type: file, state: \"${e}\"}\n",
        r#"
configcrates/app.vgo:4:12: the name of a resource becomes a list
  fix: let the variable be one line of text
configcrates/app.vgo:4:39: the state of a resource becomes an empty text or one of several lines
  fix: let the variable be one line of text
"#,
    );
    app(
        "name: app\nvars: {x: a}\nresources:\n  - {name: a, type: file}\n  - {name: \"${x}\", type: file}\n",
        r#"
configcrates/app.vgo:5:12: with `*.example.com` this file becomes a second `a`
  fix: give the two different names
"#,
    );
    // A file that cannot be read may define what is missing: one mistake, one message.
    check(
        &[
            ("common.vgo", "vars: [\n"),
            ("configcrates/app.vgo", "name: app\nresources:\n  - {name: \"${x}\", type: file}\n"),
        ],
        r#"
common.vgo:1:7: unclosed bracket '['
  fix: correct the YAML: indent with spaces, and put text with `: `, ` #`, `[` or `{` in it between quotes
"#,
    );
    check(
        &[("configcrates/app.vgo", "name: app\nresources: [\n")],
        r#"
configcrates/app.vgo:2:12: unclosed bracket '['
  fix: correct the YAML: indent with spaces, and put text with `: `, ` #`, `[` or `{` in it between quotes
"#,
    );
}

#[test]
fn limits() {
    let deep =
        format!("name: app\nresources:\n  - {{name: a, type: file, x: {}1{}}}\n", "[".repeat(17), "]".repeat(17));
    app(
        &deep,
        r#"
configcrates/app.vgo:3:30: nested more than 16 deep
  fix: flatten it
"#,
    );
    let twice = format!(
        "name: app\nvars: {{v: {open}1{close}}}\nresources:\n  - {{name: a, type: file, x: [\"${{v}}\"]}}\n",
        open = "[".repeat(16),
        close = "]".repeat(16)
    );
    app(
        &twice,
        r#"
configcrates/app.vgo:4:27: `x` is nested more than 16 deep once its variables are filled in
  fix: flatten it
"#,
    );
    let long = "x".repeat(100_000);
    let items = vec!["\"${v}\""; 50].join(", ");
    app(
        &format!("name: app\nvars: {{v: {long}}}\nresources:\n  - {{name: a, type: file, x: [{items}]}}\n"),
        r#"
envoys.vgo:2:5: the bundle of `*.example.com` has more than 4 MiB
  fix: give its hosts fewer or smaller resources
"#,
    );
    app(
        &" ".repeat(vigo_policy::MAX_FILE_BYTES + 1),
        r#"
configcrates/app.vgo: more than 4 MiB
  fix: split it, or use patterns in place of single names
"#,
    );
    let mut bomb = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 0..9 {
        bomb += &format!("b{n}: &a{} [{}]\n", n + 1, vec![format!("*a{n}"); 10].join(", "));
    }
    app(
        &bomb,
        r#"
configcrates/app.vgo:6:20: too many values, aliases or levels for one file
  fix: split the file, and write out what its aliases stand for
"#,
    );
}
