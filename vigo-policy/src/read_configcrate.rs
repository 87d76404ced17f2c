use std::collections::HashMap;

use crate::draft::{AttributeDraft, ConfigcrateDraft, ResourceDraft};
use crate::problem::{Spot, shown};
use crate::read::Reader;
use crate::template::{Part, TextTemplate};
use crate::tree::{Node, Tree};

/// The state of a resource that names none.
const DEFAULT_STATE: &str = "present";

impl Reader<'_> {
    pub(crate) fn configcrate(&mut self, root: Node) -> Option<ConfigcrateDraft> {
        let spot = self.spot(root.at);
        let mut fields = self.fields(root, "a configcrate", &["name", "vars", "depends_on", "resources"])?;
        let name = match fields.remove("name") {
            Some((_, node)) => self.name(node, "a configcrate"),
            None => {
                self.error(
                    spot,
                    "a configcrate without `name`",
                    "add `name:` with the name that match blocks and roles use",
                );
                None
            }
        };
        let vars = self.vars(fields.remove("vars"), "`vars`");
        let depends_on = self.names(fields.remove("depends_on"), "depends_on", "a configcrate");
        let resources = match fields.remove("resources") {
            Some((_, node)) => {
                self.list(node, "`resources`", "write one `- name: …` with its `type: …` for each resource")
            }
            None => Vec::new(),
        };
        let mut resources: Vec<_> = resources.into_iter().filter_map(|node| self.resource(node)).collect();
        self.refuse_doubles(&mut resources);
        Some(ConfigcrateDraft { name: name?, vars, depends_on, resources })
    }

    fn resource(&mut self, node: Node) -> Option<ResourceDraft> {
        let spot = self.spot(node.at);
        let mut fields = self.any_fields(node, "a resource")?;
        let name = match fields.remove("name") {
            Some((_, node)) => self.resource_text(node, "the name of a resource"),
            None => {
                self.error(
                    spot,
                    "a resource without `name`",
                    "add `name:`, for a file its path, for a package its name",
                );
                None
            }
        };
        let kind = match fields.remove("type") {
            Some((_, node)) => self.name(node, "a type").map(|name| name.text),
            None => {
                self.error(spot, "a resource without `type`", "add `type:`, such as file, package or service");
                None
            }
        };
        let state = match fields.remove("state") {
            Some((_, node)) => self.resource_text(node, "the state of a resource"),
            None => Some(TextTemplate { spot, parts: vec![Part::Literal(DEFAULT_STATE.into())] }),
        };
        let mut attributes = Vec::with_capacity(fields.len());
        for (name, (spot, node)) in fields {
            if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
                let message = format!("`{}` cannot be the name of an attribute", shown(&name));
                self.error(spot, message, "use up to 100 printable characters");
            } else if let Some(value) = self.template(node) {
                attributes.push(AttributeDraft { name, spot, value });
            }
        }
        Some(ResourceDraft { name: name?, kind: kind?, state: state?, attributes })
    }

    fn resource_text(&mut self, node: Node, what: &str) -> Option<TextTemplate> {
        let spot = self.spot(node.at);
        if matches!(&node.tree, Tree::Text(text) if text.is_empty() || text.chars().any(char::is_control)) {
            self.error(
                spot,
                format!("{what} must be one line of text"),
                "write it on one line, without control characters",
            );
            return None;
        }
        let text = self.text(node, what, "write it between quotes")?;
        self.text_template(&text, spot)
    }

    fn refuse_doubles(&mut self, resources: &mut Vec<ResourceDraft>) {
        let mut seen: HashMap<(String, Vec<Part>), Spot> = HashMap::new();
        resources.retain(|resource| {
            let spot = resource.name.spot;
            let first = *seen.entry((resource.kind.clone(), resource.name.parts.clone())).or_insert(spot);
            if first != spot {
                let message = format!("this {} is already at line {}", resource.kind, first.position.line);
                self.error(spot, message, "keep one of the two, or give them different names");
            }
            first == spot
        });
    }
}
