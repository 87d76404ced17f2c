use std::collections::BTreeMap;

use vigo_core::{HostPattern, Value};

use crate::problem::Spot;
use crate::template::{Template, TextTemplate};

/// What the files say, each checked by itself; names of one in another are not looked up yet.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) blocks: Vec<Block>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) common: Vars,
    pub(crate) environments: BTreeMap<String, Vars>,
    pub(crate) configcrates: BTreeMap<String, ConfigcrateDraft>,
    pub(crate) broken: Broken,
}

/// Which files could not be read in full: a name missing from one of these is no mistake of whoever uses it.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    pub(crate) roles: bool,
    pub(crate) common: bool,
    pub(crate) environments: bool,
    pub(crate) configcrates: bool,
}

/// A name and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) spot: Spot,
}

/// Variables. Their values have no variables in them.
pub(crate) type Vars = BTreeMap<String, Value>;

#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) spot: Spot,
    pub(crate) patterns: Vec<HostPattern>,
    pub(crate) environment: Option<Name>,
    pub(crate) roles: Vec<Name>,
    pub(crate) configcrates: Vec<Name>,
    pub(crate) vars: Vars,
}

#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) configcrates: Vec<Name>,
    pub(crate) vars: Vars,
}

#[derive(Debug)]
pub(crate) struct ConfigcrateDraft {
    pub(crate) name: Name,
    pub(crate) vars: Vars,
    pub(crate) depends_on: Vec<Name>,
    pub(crate) resources: Vec<ResourceDraft>,
}

#[derive(Debug)]
pub(crate) struct ResourceDraft {
    pub(crate) name: TextTemplate,
    pub(crate) kind: String,
    pub(crate) state: TextTemplate,
    pub(crate) attributes: Vec<AttributeDraft>,
}

#[derive(Debug)]
pub(crate) struct AttributeDraft {
    pub(crate) name: String,
    pub(crate) spot: Spot,
    pub(crate) value: Template,
}

impl Block {
    /// What people call it: its first pattern, and how many more there are.
    pub(crate) fn name(&self) -> String {
        match self.patterns.as_slice() {
            [] => String::new(),
            [only] => only.to_string(),
            [first, more @ ..] => format!("{first} (+{})", more.len()),
        }
    }
}
