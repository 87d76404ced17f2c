use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Error, Location, MessageFormatter as _, Spanned, UserMessageFormatter};

use crate::problem::{Position, shown};

/// A YAML node and where it stands. The whole file is read into these before anything is asked of it, so that every
/// mistake in it can be reported at once; serde's own structs would stop at the first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) tree: Tree,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// Keys as they were written, doubles included.
    Map(Vec<(Key, Node)>),
    /// A whole number that no attribute can hold.
    TooBig,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) name: String,
}

impl Tree {
    /// What it is, for an error message.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) | Self::TooBig => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Why a text is no YAML that we take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) at: Position,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

const START: Position = Position { line: 1, column: 1 };

/// Reads one YAML document, with budgets against alias bombs and deep nesting. An empty one is `Null`.
pub(crate) fn parse(text: &str) -> Result<Node, Unreadable> {
    let budget = serde_saphyr::budget! {
        max_events: 1_000_000,
        max_nodes: 400_000,
        max_depth: 40,
        flow_nesting_limit: 40,
        max_documents: 2,
        max_anchors: 1_000,
        max_aliases: 10_000,
        max_recorded_anchor_events: 400_000,
        max_total_scalar_bytes: 8 * 1024 * 1024,
        max_total_comment_bytes: 8 * 1024 * 1024,
    };
    let mut options = serde_saphyr::options! {
        budget: budget,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    options.alias_limits.max_total_replayed_events = 400_000;
    match serde_saphyr::from_str_with_options::<Option<Node>>(text, options) {
        Ok(node) => Ok(node.unwrap_or(Node { at: START, tree: Tree::Null })),
        Err(error) => Err(Unreadable::from(&error)),
    }
}

impl From<&Error> for Unreadable {
    fn from(error: &Error) -> Self {
        let at = error.location().map_or(START, |location| position(&location));
        let error = match error.without_snippet() {
            Error::AliasError { error, .. } => error.without_snippet(),
            other => other,
        };
        let (message, help) = match error {
            Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } => (
                "too many values, aliases or levels for one file".to_owned(),
                "split the file, and write out what its aliases stand for",
            ),
            Error::UnknownAnchor { .. } => (
                "a value that starts with `*` is an alias in YAML, and nothing has that name".to_owned(),
                "put the value between quotes: \"*.example.com\"",
            ),
            other => (
                shown(&UserMessageFormatter.format_message(other)),
                "correct the YAML: indent with spaces, and put text with `: `, ` #`, `[` or `{` in it between quotes",
            ),
        };
        Self { at, message, help }
    }
}

fn position(location: &Location) -> Position {
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    Position { line: count(location.line()), column: count(location.column()) }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Tree>::deserialize(deserializer)?;
        Ok(Self { at: position(&referenced), tree: value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { at: position(&referenced), name: value })
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(i64::try_from(value).map_or(Tree::TooBig, Tree::Int))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Tree, E> {
        Ok(i64::try_from(value).map_or(Tree::TooBig, Tree::Int))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Tree, E> {
        Ok(i64::try_from(value).map_or(Tree::TooBig, Tree::Int))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Tree, E> {
        if !value.is_finite() {
            return Err(E::custom("a number must be finite"));
        }
        // A whole number of too many digits arrives here, rounded.
        Ok(if value.abs() < 9.2e18 { Tree::Float(value) } else { Tree::TooBig })
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Tree, E> {
        Err(E::custom("binary values are not supported"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry::<Key, Node>()? {
            entries.push(entry);
        }
        if entries.len() > 100_000 {
            return Err(A::Error::custom("a map of more than 100,000 keys"));
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tree in one line, each node with its place.
    fn show(node: &Node) -> String {
        let Position { line, column } = node.at;
        let body = match &node.tree {
            Tree::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
            Tree::Map(entries) => {
                let entry = |(k, v): &(Key, Node)| format!("{}@{}:{}={}", k.name, k.at.line, k.at.column, show(v));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(" "))
            }
            scalar => format!("{scalar:?}"),
        };
        format!("{body}@{line}:{column}")
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match parse(text) {
            Ok(node) => show(&node),
            Err(Unreadable { at, message, .. }) => format!("error@{}:{} {message}", at.line, at.column),
        };
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn reads_values_with_their_places() {
        check("", "Null@1:1");
        check("# nothing\n", "Null@1:1");
        check("a: 1\nb:\n  - x\n  - 0644\n", r#"{a@1:1=Int(1)@1:4 b@2:1=[Text("x")@3:5 Text("0644")@4:5]@3:3}@1:1"#);
        check(
            "a: yes\nb: true\nc: ~\nd:\n",
            r#"{a@1:1=Text("yes")@1:4 b@2:1=Bool(true)@2:4 c@3:1=Null@3:4 d@4:1=Null@4:2}@1:1"#,
        );
        check("a: 1\na: 2\n", "{a@1:1=Int(1)@1:4 a@2:1=Int(2)@2:4}@1:1");
        check("80: x\n'yes': 1.5\n", r#"{80@1:1=Text("x")@1:5 yes@2:1=Float(1.5)@2:8}@1:1"#);
        check(
            "a: 9223372036854775807\nb: 9223372036854775808\nc: 99999999999999999999999999999999999999999999\n",
            "{a@1:1=Int(9223372036854775807)@1:4 b@2:1=TooBig@2:4 c@3:1=TooBig@3:4}@1:1",
        );
        check(
            "a: 0x1f\nb: 1e3\nc: 1_000\nd: .5\n",
            r#"{a@1:1=Int(31)@1:4 b@2:1=Float(1000.0)@2:4 c@3:1=Text("1_000")@3:4 d@4:1=Float(0.5)@4:4}@1:1"#,
        );
        check("x: &a [1]\ny: *a\n", "{x@1:1=[Int(1)@1:8]@1:7 y@2:1=[Int(1)@2:4]@2:4}@1:1");
    }

    #[test]
    fn refuses() {
        check("a: [1\n", "error@1:4 unclosed bracket '['");
        check("a: 1\n  b: 2\n", "error@2:4 mapping values are not allowed in this context");
        check("a: .nan\n", "error@1:4 value `.nan` is not a finite number");
        check("a: !custom x\n", "error@1:12 unsupported tag `!custom`");
        check("a: {<<: {b: 1}}\n", "error@1:5 merge key not allowed here");
        check("a: *nowhere\n", "error@1:4 a value that starts with `*` is an alias in YAML, and nothing has that name");
        check("a: 1\n---\nb: 2\n", "error@3:1 only single YAML document expected but multiple found");
        check("? [a, b]\n: 1\n", "error@1:3 expected string scalar");
        check("? ~\n: 1\n", "error@1:3 null is not allowed here");
        check("a: \"\u{1b}[31m\n", r#"error@1:5 unexpected character: `\u{1b}'"#);
        check(&"[".repeat(100), "error@1:41 recursion limit exceeded");
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn never_panics_on_yaml_signs(text in "[a-c0-9:{}\\[\\]&*!|>'\"#%@,?~<\n -]{0,120}") {
            let _ = parse(&text);
        }
    }
}
