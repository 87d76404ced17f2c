//! The script in a grammar of PowerShell that others wrote, whole and cut at every byte.

use tree_sitter::{InputEdit, Node, Parser, Point, Tree};
use vigo_enroll::script::WebCertificate;

use crate::script;

fn parser() -> Parser {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("the grammar fits the parser");
    parser
}

fn parse(text: &str) -> Tree {
    parser().parse(text, None).expect("a tree")
}

/// The innermost nodes that are wrong, each with its line.
fn wrong(node: Node<'_>, text: &str, found: &mut Vec<String>) {
    if node.is_error() || node.is_missing() {
        let line = node.start_position().row;
        found.push(format!("line {}: {}: {}", line + 1, node.kind(), text.lines().nth(line).unwrap_or_default()));
    }
    let mut cursor = node.walk();
    for child in node.children(&mut cursor).filter(Node::has_error) {
        wrong(child, text, found);
    }
}

#[test]
fn the_grammar_knows_all_of_it() {
    for certificate in [WebCertificate::OwnCa, WebCertificate::PubliclyTrusted] {
        let text = script(certificate);
        let mut found = Vec::new();
        wrong(parse(&text).root_node(), &text, &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }
}

fn end_of(text: &str) -> Point {
    let line = text.rfind('\n').map_or(0, |at| at + 1);
    Point::new(text.matches('\n').count(), text.len() - line)
}

#[test]
fn rule_02_no_prefix_is_powershell() {
    let text = script(WebCertificate::OwnCa);
    let (mut parser, mut tree) = (parser(), parse(&text));
    let mut end = end_of(&text);
    // Each from the tree of the one before: only what the cut touched is parsed again.
    for length in (1..text.len()).rev() {
        let prefix = &text[..length];
        let cut = if text.as_bytes()[length] == b'\n' { end_of(prefix) } else { Point::new(end.row, end.column - 1) };
        tree.edit(&InputEdit {
            start_byte: length,
            old_end_byte: length + 1,
            new_end_byte: length,
            start_position: cut,
            old_end_position: end,
            new_end_position: cut,
        });
        end = cut;
        tree = parser.parse(prefix, Some(&tree)).expect("a tree");
        assert!(tree.root_node().has_error(), "the first {length} of {} bytes are PowerShell", text.len());
    }
}

fn parameters(node: Node<'_>, text: &str, found: &mut Vec<String>) {
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        if child.kind() == "script_parameter" {
            let text = &text[child.byte_range()];
            let name = text.rsplit('$').next().unwrap_or_default();
            found.push(name.to_owned());
        } else {
            parameters(child, text, found);
        }
    }
}

/// The first parameter list of the text is the script's own.
#[test]
fn the_flags_are_those_of_the_other_script() {
    let text = script(WebCertificate::OwnCa);
    let tree = parse(&text);
    let mut found = Vec::new();
    parameters(tree.root_node(), &text, &mut found);
    let rest = found.iter().position(|name| name == "Rest").expect("what is left over");
    let flags = [
        "Token",
        "TokenFile",
        "TokenPrompt",
        "CaPin",
        "SigningPin",
        "Server",
        "ApiAddr",
        "Hostname",
        "ConfigDir",
        "StateDir",
        "BinDir",
        "NoService",
        "Help",
    ];
    assert_eq!(found[..rest], flags);
    for flag in flags {
        assert!(text.contains(&format!("  -{flag} ")), "the help has -{flag}");
    }
}
