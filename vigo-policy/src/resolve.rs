use std::collections::{BTreeMap, HashSet};

use vigo_core::frame::MAX_BUNDLE;
use vigo_core::{Breadth, Bundle, Configcrate, HostPattern, Hostname, PatternSet, Resource, Value};

use crate::cover::covers;
use crate::draft::{Block, ConfigcrateDraft, Draft, Name, ResourceDraft};
use crate::order::order;
use crate::problem::{Report, Spot};
use crate::stacks::Hostcrate;
use crate::template::{FillError, Filler, MAX_DEPTH, TextTemplate, depth, kind, scalar};

/// How many patterns with wildcards are compared with each other when looking for blocks that can never match: the time
/// grows with the square.
const MOST_COMPARED: usize = 1_000;

/// Reports every name that stands for nothing.
pub(crate) fn report_unknown(draft: &Draft, report: &mut Report) {
    let Draft { blocks, roles, environments, configcrates, broken, .. } = draft;
    let mut look_up = |names: &mut dyn Iterator<Item = &Name>, known: &dyn Fn(&str) -> bool, what: &str, help: &str| {
        for name in names.filter(|name| !known(&name.text)) {
            report.error(name.spot, format!("unknown {what} `{}`", name.text), help.replace("{}", &name.text));
        }
    };
    if !broken.roles {
        let mut names = blocks.iter().flat_map(|b| &b.roles);
        let help = one_of("add `{}:` under `roles:` in roles.vgo", roles.keys());
        look_up(&mut names, &|name| roles.contains_key(name), "role", &help);
    }
    if !broken.environments {
        let mut names = blocks.iter().filter_map(|b| b.environment.as_ref());
        let help = one_of("add `{}:` under `environments:` in environments.vgo", environments.keys());
        look_up(&mut names, &|name| environments.contains_key(name), "environment", &help);
    }
    if !broken.configcrates {
        let of_blocks = blocks.iter().flat_map(|b| &b.configcrates);
        let of_roles = roles.values().flat_map(|r| &r.configcrates);
        let of_configcrates = configcrates.values().flat_map(|c| &c.depends_on);
        let help = one_of("add configcrates/{}.vgo with `name: {}`", configcrates.keys());
        let mut names = of_blocks.chain(of_roles).chain(of_configcrates);
        look_up(&mut names, &|name| configcrates.contains_key(name), "configcrate", &help);
    }
}

fn one_of<'a>(help: &str, names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.take(10).map(String::as_str).collect();
    if names.is_empty() { help.to_owned() } else { format!("{help}, or use a known one: {}", names.join(", ")) }
}

/// Warns of every block whose patterns are all taken by blocks above it.
pub(crate) fn warn_shadowed(blocks: &[Block], patterns: &PatternSet, owners: &[usize], report: &mut Report) {
    let mut wild: Vec<(usize, &HostPattern)> = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let mut above: Option<usize> = None;
        let shadowed = block.patterns.iter().all(|pattern| {
            let by = match pattern.as_str().parse::<Hostname>() {
                Ok(name) => patterns.matches(&name).first().map(|&first| owners[first]),
                Err(_) => wild.iter().find(|(_, wide)| covers(wide, pattern)).map(|(owner, _)| *owner),
            };
            above = above.or(by.filter(|by| *by < number));
            by.is_some_and(|by| by < number)
        });
        if let (true, Some(above)) = (shadowed, above) {
            let other = &blocks[above];
            report.warn(
                block.spot,
                format!(
                    "this block can never match: what `{}` takes is taken by `{}` at {} first",
                    block.name(),
                    other.name(),
                    report.show(other.spot)
                ),
                "move it above that block, or remove it",
            );
        }
        let room = MOST_COMPARED.saturating_sub(wild.len());
        wild.extend(block.patterns.iter().filter(|p| p.breadth() != Breadth::One).take(room).map(|p| (number, p)));
    }
}

/// Fills the blocks in. What is unknown is left out: it is reported already.
pub(crate) struct Resolver<'a> {
    pub(crate) draft: &'a Draft,
    pub(crate) report: &'a mut Report,
    /// What was reported of a place, whatever block it was found for.
    pub(crate) seen: HashSet<(Spot, String)>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn hostcrate(&mut self, block: &'a Block) -> Hostcrate {
        let draft = self.draft;
        let roles = || block.roles.iter().filter_map(|name| draft.roles.get(&name.text));
        self.report_disagreement(block);
        let wanted = roles().flat_map(|r| &r.configcrates).chain(&block.configcrates);
        let mut budget = MAX_BUNDLE;
        let configcrates = order(wanted.map(|name| name.text.as_str()), &draft.configcrates)
            .into_iter()
            .map(|configcrate| self.configcrate(block, configcrate, &mut budget))
            .collect();
        let environment = block.environment.as_ref().map(|name| name.text.clone()).unwrap_or_default();
        let roles = block.roles.iter().map(|name| name.text.clone()).collect();
        let name = block.name();
        let bundle = Bundle { hostcrate: Some(name.clone()), environment, roles, configcrates };
        Hostcrate { name, patterns: block.patterns.clone(), bundle }
    }

    /// Two roles of a block may not give a variable two values, unless the block or its environment settles it.
    fn report_disagreement(&mut self, block: &'a Block) {
        let mut given: BTreeMap<&str, (&Name, &Value)> = BTreeMap::new();
        for name in &block.roles {
            let vars = self.draft.roles.get(&name.text).into_iter().flat_map(|role| &role.vars);
            for (variable, value) in vars {
                if self.above_roles(block, variable).is_some() {
                    continue;
                }
                match given.get(variable.as_str()) {
                    Some((first, other)) if *other != value => {
                        let message =
                            format!("the roles `{}` and `{}` give `{variable}` two values", first.text, name.text);
                        let help = format!("set `{variable}` in this block's `vars`, which counts for more than roles");
                        self.report.error(name.spot, message, help);
                    }
                    Some(_) => {}
                    None => drop(given.insert(variable, (name, value))),
                }
            }
        }
    }

    fn above_roles(&self, block: &'a Block, variable: &str) -> Option<&'a Value> {
        let environment = block.environment.as_ref().and_then(|name| self.draft.environments.get(&name.text));
        environment.and_then(|vars| vars.get(variable)).or_else(|| block.vars.get(variable))
    }

    fn configcrate(&mut self, block: &'a Block, draft: &'a ConfigcrateDraft, budget: &mut usize) -> Configcrate {
        let mut errors = Vec::new();
        let whole = self.draft;
        let above = &*self;
        let lookup = |variable: &str| {
            let of_roles = || {
                let mut roles = block.roles.iter().filter_map(|name| whole.roles.get(&name.text));
                roles.find_map(|role| role.vars.get(variable))
            };
            above
                .above_roles(block, variable)
                .or_else(of_roles)
                .or_else(|| whole.common.get(variable))
                .or_else(|| draft.vars.get(variable))
        };
        let mut wrong = Vec::new();
        let mut filler = Filler { lookup: &lookup, budget, errors: &mut errors };
        let mut resources: Vec<Resource> = Vec::with_capacity(draft.resources.len());
        let mut names = HashSet::new();
        for resource in &draft.resources {
            let Some(filled) = fill(&mut filler, resource, &mut wrong) else { continue };
            if names.insert((filled.kind.clone(), filled.name.clone())) {
                resources.push(filled);
            } else {
                let message =
                    format!("with `{}` this {} becomes a second `{}`", block.name(), filled.kind, filled.name);
                wrong.push((resource.name.spot, message, "give the two different names"));
            }
        }
        for (spot, message, help) in wrong {
            self.report.error(spot, message, help);
        }
        for error in errors {
            self.fill_error(block, error);
        }
        Configcrate { name: draft.name.text.clone(), resources }
    }

    fn fill_error(&mut self, block: &Block, error: FillError) {
        let at = self.report.show(block.spot);
        let (spot, variable, message, help) = match error {
            FillError::Undefined { spot, variable } => {
                let message = format!("undefined variable `{variable}`, needed by `{}` at {at}", block.name());
                let help = format!(
                    "define `{variable}` in the configcrate's `vars`, or in common.vgo, the block or its environment; \
                     for a `${{` that is meant literally write `$${{`"
                );
                (spot, variable, message, help)
            }
            FillError::NotText { spot, variable, kind } => {
                let message =
                    format!("`{variable}` is {kind} for `{}` at {at}, and cannot be put into a text", block.name());
                let help = format!("let the attribute be `${{{variable}}}` alone, or make `{variable}` a text");
                (spot, variable, message, help)
            }
            FillError::TooLarge => {
                let message =
                    format!("the bundle of `{}` has more than {} MiB", block.name(), MAX_BUNDLE / 1024 / 1024);
                let help = "give its hosts fewer or smaller resources".to_owned();
                (block.spot, String::new(), message, help)
            }
        };
        // A file that could not be read may well define it.
        let broken = &self.draft.broken;
        let may_be_defined = broken.common || broken.environments || broken.roles || broken.configcrates;
        if !(may_be_defined && message.starts_with("undefined")) && self.seen.insert((spot, variable)) {
            self.report.error(spot, message, help);
        }
    }
}

type Wrong = Vec<(Spot, String, &'static str)>;

fn fill(filler: &mut Filler<'_, '_>, resource: &ResourceDraft, wrong: &mut Wrong) -> Option<Resource> {
    let name = line(filler, &resource.name, "the name", wrong);
    let state = line(filler, &resource.state, "the state", wrong);
    let mut attributes = BTreeMap::new();
    for attribute in &resource.attributes {
        match filler.fill(&attribute.value) {
            Some(value) if depth(&value) > MAX_DEPTH => wrong.push((
                attribute.spot,
                format!("`{}` is nested more than {MAX_DEPTH} deep once its variables are filled in", attribute.name),
                "flatten it",
            )),
            Some(value) => drop(attributes.insert(attribute.name.clone(), value)),
            None => {}
        }
    }
    Some(Resource { name: name?, kind: resource.kind.clone(), state: state?, attributes })
}

/// A text of one line, not empty.
fn line(filler: &mut Filler<'_, '_>, text: &TextTemplate, what: &str, wrong: &mut Wrong) -> Option<String> {
    let value = filler.fill_text(text)?;
    let fits = scalar(&value).filter(|line| !line.is_empty() && !line.chars().any(char::is_control));
    if fits.is_none() {
        let found = match &value {
            Value::Text(_) => "an empty text or one of several lines",
            other => kind(other),
        };
        wrong.push((
            text.spot,
            format!("{what} of a resource becomes {found}"),
            "let the variable be one line of text",
        ));
    }
    fits
}
