use std::collections::BTreeMap;

use vigo_core::Value;

use crate::problem::{Spot, shown};

/// How deep lists and maps may be nested in one attribute, once its variables are filled in.
pub const MAX_DEPTH: usize = 16;

/// An attribute as it was written: variables are found, and not filled in yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    /// A number, true, false, nothing.
    Plain(Value),
    Text(TextTemplate),
    List(Vec<Template>),
    Map(BTreeMap<String, Template>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TextTemplate {
    pub(crate) spot: Spot,
    pub(crate) parts: Vec<Part>,
}

/// Two literals never follow each other, and none is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Literal(String),
    Variable(String),
}

/// Why a text with `${` in it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("`${{` without its `}}`")]
    Open,
    #[error("`${{{0}}}` names no variable")]
    Name(String),
}

/// Whether `name` may be the name of a variable: a letter or `_`, then letters, digits and `_`.
pub(crate) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Finds the variables in a text. `${name}` is one, `$${` stands for `${`, any other `$` for itself.
pub(crate) fn parse(text: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(kept) = before.strip_suffix('$') {
            literal.push_str(kept);
            literal.push_str("${");
            rest = after;
            continue;
        }
        literal.push_str(before);
        let (name, tail) = after.split_once('}').ok_or(TemplateError::Open)?;
        if !is_variable(name) {
            return Err(TemplateError::Name(shown(name)));
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Variable(name.to_owned()));
        rest = tail;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// What stops a template from being filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FillError {
    Undefined {
        spot: Spot,
        variable: String,
    },
    /// A list, a map or nothing in the middle of a text.
    NotText {
        spot: Spot,
        variable: String,
        kind: &'static str,
    },
    TooLarge,
}

/// Fills variables in, within a budget of bytes: one long value used a thousand times is a small file and a large bundle.
pub(crate) struct Filler<'v, 'f> {
    pub(crate) lookup: &'f dyn Fn(&str) -> Option<&'v Value>,
    pub(crate) budget: &'f mut usize,
    pub(crate) errors: &'f mut Vec<FillError>,
}

impl<'v> Filler<'v, '_> {
    /// The value, or `None` once the reason is in `errors`.
    pub(crate) fn fill(&mut self, template: &Template) -> Option<Value> {
        match template {
            Template::Plain(value) => self.charge(weight(value)).then(|| value.clone()),
            Template::Text(text) => self.fill_text(text),
            // Every item is tried, so that all errors are found.
            Template::List(items) => {
                let filled: Vec<_> = items.iter().map(|item| self.fill(item)).collect();
                filled.into_iter().collect::<Option<_>>().map(Value::List)
            }
            Template::Map(map) => {
                let filled: Vec<_> = map.iter().map(|(k, v)| (k.clone(), self.fill(v))).collect();
                filled.into_iter().map(|(k, v)| Some((k, v?))).collect::<Option<_>>().map(Value::Map)
            }
        }
    }

    /// A text that is one variable and nothing else keeps the type of the variable's value.
    pub(crate) fn fill_text(&mut self, text: &TextTemplate) -> Option<Value> {
        if let [Part::Variable(name)] = text.parts.as_slice() {
            let value = self.value(text.spot, name)?;
            return self.charge(weight(value)).then(|| value.clone());
        }
        let mut filled = String::new();
        let mut whole = true;
        for part in &text.parts {
            let shown = match part {
                Part::Literal(literal) => Some(literal.clone()),
                Part::Variable(name) => self.value(text.spot, name).and_then(|value| {
                    let shown = scalar(value);
                    if shown.is_none() {
                        let kind = kind(value);
                        self.errors.push(FillError::NotText { spot: text.spot, variable: name.clone(), kind });
                    }
                    shown
                }),
            };
            match shown {
                Some(shown) if self.charge(shown.len()) => filled.push_str(&shown),
                _ => whole = false,
            }
        }
        whole.then_some(Value::Text(filled))
    }

    fn value(&mut self, spot: Spot, name: &str) -> Option<&'v Value> {
        let value = (self.lookup)(name);
        if value.is_none() {
            self.errors.push(FillError::Undefined { spot, variable: name.to_owned() });
        }
        value
    }

    fn charge(&mut self, bytes: usize) -> bool {
        if let Some(left) = self.budget.checked_sub(bytes) {
            *self.budget = left;
            return true;
        }
        if !self.errors.contains(&FillError::TooLarge) {
            self.errors.push(FillError::TooLarge);
        }
        false
    }
}

/// About how many bytes a value has in a bundle.
fn weight(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len() + 4,
        Value::List(items) => items.iter().map(weight).sum::<usize>() + 4,
        Value::Map(map) => map.iter().map(|(k, v)| k.len() + weight(v) + 8).sum::<usize>() + 4,
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 4,
    }
}

/// How deep lists and maps are nested in it; 0 for a scalar.
pub(crate) fn depth(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Int(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Float(x) => Some(x.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

pub(crate) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn literal(text: &str) -> Part {
        Part::Literal(text.into())
    }

    fn variable(name: &str) -> Part {
        Part::Variable(name.into())
    }

    #[track_caller]
    fn check<const N: usize>(text: &str, expected: [Part; N]) {
        assert_eq!(parse(text), Ok(expected.into()), "{text}");
    }

    #[track_caller]
    fn refuse(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
    }

    #[test]
    fn finds_variables() {
        check("", []);
        check("plain", [literal("plain")]);
        check("${port}", [variable("port")]);
        check("a ${b}${_c1} d", [literal("a "), variable("b"), variable("_c1"), literal(" d")]);
        check("$HOME costs 5$", [literal("$HOME costs 5$")]);
        check("$${HOME}", [literal("${HOME}")]);
        check("a$${b}${c}", [literal("a${b}"), variable("c")]);
        check("$$${x}", [literal("$${x}")]);
        check("$${", [literal("${")]);
    }

    #[test]
    fn refuses_what_is_no_variable() {
        refuse("${port", "`${` without its `}`");
        refuse("${}", "`${}` names no variable");
        refuse("${ port }", "`${ port }` names no variable");
        refuse("${1st}", "`${1st}` names no variable");
        refuse("${a:-b}", "`${a:-b}` names no variable");
        refuse("${a${b}}", "`${a${b}` names no variable");
    }

    proptest! {
        #[test]
        fn any_text_can_be_escaped(text in "[a${}]{0,20}") {
            let escaped = text.replace("${", "$${");
            let expected = if text.is_empty() { vec![] } else { vec![literal(&text)] };
            prop_assert_eq!(parse(&escaped), Ok(expected));
        }

        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }
    }
}
