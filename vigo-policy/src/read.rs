use std::collections::BTreeMap;

use vigo_core::{HostPattern, Value};

use crate::draft::{Block, Name, Role, Vars};
use crate::problem::{FileNo, Position, Report, Spot, shown};
use crate::template::{MAX_DEPTH, Part, Template, TextTemplate, depth, is_variable, parse};
use crate::tree::{Key, Node, Tree};

/// Reads one file's tree, reporting whatever does not fit and going on with the rest.
pub(crate) struct Reader<'r> {
    pub(crate) file: FileNo,
    pub(crate) report: &'r mut Report,
    /// Whether something was left out of what was read.
    pub(crate) broken: bool,
}

/// A map's entries by key.
pub(crate) type Fields = BTreeMap<String, (Spot, Node)>;

impl Reader<'_> {
    pub(crate) fn envoys(&mut self, root: Node) -> Vec<Block> {
        let Some((_, list)) = self.only_field(root, "envoys") else { return Vec::new() };
        let items = self.list(list, "`envoys`", "write `envoys:`, and under it one `- match: …` for each block");
        items.into_iter().filter_map(|item| self.block(item)).collect()
    }

    fn block(&mut self, node: Node) -> Option<Block> {
        const KEYS: [&str; 5] = ["match", "environment", "roles", "configcrates", "vars"];
        let spot = self.spot(node.at);
        let mut fields = self.fields(node, "a match block", &KEYS)?;
        let patterns = match fields.remove("match") {
            Some((_, node)) => self.patterns(node),
            None => {
                self.error(spot, "a match block without `match`", "add `match:` with a host pattern or a list of them");
                Vec::new()
            }
        };
        let environment = fields.remove("environment").and_then(|(_, node)| self.name(node, "an environment"));
        let roles = self.names(fields.remove("roles"), "roles", "a role");
        let configcrates = self.names(fields.remove("configcrates"), "configcrates", "a configcrate");
        let vars = self.vars(fields.remove("vars"), "`vars`");
        Some(Block { spot, patterns, environment, roles, configcrates, vars })
    }

    fn patterns(&mut self, node: Node) -> Vec<HostPattern> {
        let spot = self.spot(node.at);
        let items = match node.tree {
            Tree::List(items) => items,
            _ => vec![node],
        };
        if items.is_empty() {
            self.error(spot, "`match` takes no host: the list is empty", "name a host pattern, or remove the block");
        }
        let mut patterns = Vec::with_capacity(items.len());
        for item in items {
            let spot = self.spot(item.at);
            let Some(text) = self.text(item, "a host pattern", "write it between quotes: \"*.example.com\"") else {
                continue;
            };
            match text.parse::<HostPattern>() {
                Ok(pattern) if patterns.contains(&pattern) => {
                    self.error(spot, format!("`{pattern}` is in this block twice"), "remove one of them");
                }
                Ok(pattern) => patterns.push(pattern),
                Err(error) => self.error(
                    spot,
                    format!("bad host pattern `{}`: {error}", shown(&text)),
                    "use letters, digits, hyphens and dots, `*` for one or more characters, `?` for one that is no dot",
                ),
            }
        }
        patterns
    }

    pub(crate) fn roles(&mut self, root: Node) -> BTreeMap<String, Role> {
        let mut roles = BTreeMap::new();
        for (name, (_, node)) in self.named(root, "roles", "a role") {
            let Some(mut fields) = self.fields(node, "a role", &["configcrates", "vars"]) else { continue };
            let configcrates = self.names(fields.remove("configcrates"), "configcrates", "a configcrate");
            let vars = self.vars(fields.remove("vars"), "`vars`");
            roles.insert(name, Role { configcrates, vars });
        }
        roles
    }

    pub(crate) fn environments(&mut self, root: Node) -> BTreeMap<String, Vars> {
        let named = self.named(root, "environments", "an environment");
        named
            .into_iter()
            .map(|(name, field)| {
                let vars = self.vars(Some(field), "an environment");
                (name, vars)
            })
            .collect()
    }

    pub(crate) fn common(&mut self, root: Node) -> Vars {
        let field = self.only_field(root, "vars");
        self.vars(field, "`vars`")
    }

    /// The map under a file's one key, its keys checked as names.
    fn named(&mut self, root: Node, key: &str, what: &str) -> Fields {
        let Some((_, node)) = self.only_field(root, key) else { return Fields::new() };
        let fields = self.any_fields(node, &format!("`{key}`")).unwrap_or_default();
        fields.into_iter().filter(|(name, (spot, _))| self.check_name(name, *spot, what)).collect()
    }

    fn only_field(&mut self, root: Node, key: &str) -> Option<(Spot, Node)> {
        self.fields(root, "this file", &[key])?.remove(key).filter(|(_, node)| node.tree != Tree::Null)
    }

    /// The entries of a map with known keys only. Nothing at all is an empty map.
    pub(crate) fn fields(&mut self, node: Node, what: &str, known: &[&str]) -> Option<Fields> {
        let mut fields = self.any_fields(node, what)?;
        fields.retain(|key, (spot, _)| {
            let fits = known.contains(&key.as_str());
            if !fits {
                let help = format!("remove it, or write one of: {}", known.join(", "));
                self.error(*spot, format!("{what} has no key `{}`", shown(key)), help);
            }
            fits
        });
        Some(fields)
    }

    pub(crate) fn any_fields(&mut self, node: Node, what: &str) -> Option<Fields> {
        let entries: Vec<(Key, Node)> = match node.tree {
            Tree::Map(entries) => entries,
            Tree::Null => Vec::new(),
            other => {
                let message = format!("{what} must be a map, not {}", other.kind());
                self.error(self.spot(node.at), message, "write `key: value` lines");
                return None;
            }
        };
        let mut fields = Fields::new();
        for (key, value) in entries {
            let spot = self.spot(key.at);
            if let Some((first, _)) = fields.get(&key.name) {
                let message = format!("`{}` is already at line {}", shown(&key.name), first.position.line);
                self.error(spot, message, "keep one of them");
                continue;
            }
            fields.insert(key.name, (spot, value));
        }
        Some(fields)
    }

    pub(crate) fn list(&mut self, node: Node, what: &str, help: &str) -> Vec<Node> {
        match node.tree {
            Tree::List(items) => items,
            Tree::Null => Vec::new(),
            other => {
                self.error(self.spot(node.at), format!("{what} must be a list, not {}", other.kind()), help);
                Vec::new()
            }
        }
    }

    /// A list of names, none of them twice.
    pub(crate) fn names(&mut self, field: Option<(Spot, Node)>, key: &str, what: &str) -> Vec<Name> {
        let Some((_, node)) = field else { return Vec::new() };
        let items = self.list(node, &format!("`{key}`"), &format!("write `{key}: [one, two]`"));
        let mut names: Vec<Name> = Vec::with_capacity(items.len());
        for item in items {
            let Some(name) = self.name(item, what) else { continue };
            if names.iter().any(|n| n.text == name.text) {
                self.error(name.spot, format!("`{}` is in `{key}` twice", name.text), "remove one of them");
            } else {
                names.push(name);
            }
        }
        names
    }

    pub(crate) fn name(&mut self, node: Node, what: &str) -> Option<Name> {
        let spot = self.spot(node.at);
        let text =
            self.text(node, &format!("the name of {what}"), "write a name, between quotes if it looks like a number")?;
        self.check_name(&text, spot, what).then_some(Name { text, spot })
    }

    pub(crate) fn check_name(&mut self, name: &str, spot: Spot, what: &str) -> bool {
        let fits = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && name.len() <= 100;
        if !fits {
            let message = format!("`{}` cannot be the name of {what}", shown(name));
            self.error(spot, message, "use up to 100 letters, digits, `-`, `_` and `.`, a letter or digit first");
        }
        fits
    }

    pub(crate) fn text(&mut self, node: Node, what: &str, help: &str) -> Option<String> {
        if let Tree::Text(text) = node.tree {
            return Some(text);
        }
        self.error(self.spot(node.at), format!("{what} must be a text, not {}", node.tree.kind()), help);
        None
    }

    pub(crate) fn vars(&mut self, field: Option<(Spot, Node)>, what: &str) -> Vars {
        let Some((_, node)) = field else { return Vars::new() };
        let mut vars = Vars::new();
        for (name, (spot, node)) in self.any_fields(node, what).unwrap_or_default() {
            if !is_variable(&name) {
                let message = format!("`{}` cannot be the name of a variable", shown(&name));
                self.error(spot, message, "use letters, digits and `_`, no digit first");
                continue;
            }
            if let Some(value) = self.template(node).and_then(|template| self.plain(template)) {
                vars.insert(name, value);
            }
        }
        vars
    }

    /// The value of a template without variables.
    fn plain(&mut self, template: Template) -> Option<Value> {
        match template {
            Template::Plain(value) => Some(value),
            Template::Text(TextTemplate { spot, mut parts }) => match parts.pop() {
                None => Some(Value::Text(String::new())),
                Some(Part::Literal(text)) if parts.is_empty() => Some(Value::Text(text)),
                _ => {
                    let help =
                        "put the parts together in the attribute; for a `${` that is meant literally write `$${`";
                    self.error(spot, "variables are not filled into variables", help);
                    None
                }
            },
            Template::List(items) => {
                let items: Vec<_> = items.into_iter().map(|item| self.plain(item)).collect();
                items.into_iter().collect::<Option<_>>().map(Value::List)
            }
            Template::Map(map) => {
                let map: Vec<_> = map.into_iter().map(|(k, v)| (k, self.plain(v))).collect();
                map.into_iter().map(|(k, v)| Some((k, v?))).collect::<Option<_>>().map(Value::Map)
            }
        }
    }

    /// A value of an attribute, not nested too deeply.
    pub(crate) fn template(&mut self, node: Node) -> Option<Template> {
        let spot = self.spot(node.at);
        let template = self.nested(node)?;
        if nesting(&template) > MAX_DEPTH {
            self.error(spot, format!("nested more than {MAX_DEPTH} deep"), "flatten it");
            return None;
        }
        Some(template)
    }

    fn nested(&mut self, node: Node) -> Option<Template> {
        let spot = self.spot(node.at);
        Some(match node.tree {
            Tree::Null => Template::Plain(Value::Null),
            Tree::Bool(value) => Template::Plain(Value::Bool(value)),
            Tree::Int(value) => Template::Plain(Value::Int(value)),
            Tree::Float(value) => Template::Plain(Value::Float(value)),
            Tree::TooBig => {
                self.error(spot, "a whole number beyond 64 bits", "write it between quotes to keep it as a text");
                return None;
            }
            Tree::Text(text) => Template::Text(self.text_template(&text, spot)?),
            Tree::List(items) => {
                let items: Vec<_> = items.into_iter().map(|item| self.nested(item)).collect();
                Template::List(items.into_iter().collect::<Option<_>>()?)
            }
            Tree::Map(entries) => {
                let map = Node { at: node.at, tree: Tree::Map(entries) };
                let fields = self.any_fields(map, "a map")?;
                let map: Vec<_> = fields.into_iter().map(|(key, (_, value))| (key, self.nested(value))).collect();
                Template::Map(map.into_iter().map(|(k, v)| Some((k, v?))).collect::<Option<_>>()?)
            }
        })
    }

    pub(crate) fn text_template(&mut self, text: &str, spot: Spot) -> Option<TextTemplate> {
        match parse(text) {
            Ok(parts) => Some(TextTemplate { spot, parts }),
            Err(error) => {
                let message = error.to_string();
                self.error(spot, message, "write `${name}` for a variable, `$${` for a `${` that is meant literally");
                None
            }
        }
    }

    pub(crate) fn spot(&self, position: Position) -> Spot {
        Spot { file: self.file, position }
    }

    pub(crate) fn error(&mut self, spot: Spot, message: impl Into<String>, help: impl Into<String>) {
        self.broken = true;
        self.report.error(spot, message, help);
    }
}

fn nesting(template: &Template) -> usize {
    match template {
        Template::Plain(value) => depth(value),
        Template::Text(_) => 0,
        Template::List(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Template::Map(map) => 1 + map.values().map(nesting).max().unwrap_or(0),
    }
}
