//! What an operator wants an envoy to do, and what became of it.

use crate::frame::FrameError;
use crate::{AgentVersion, DirectiveId, Notice, wire};

/// What an operator wants an envoy to do besides holding its policy. A reply carries it until the envoy has said what
/// became of it; the id makes that happen once.
///
/// ```
/// use vigo_core::{Directive, DirectiveAction, DirectiveId};
/// let id = DirectiveId::from_random([7; 16]); // random, in earnest
/// let directive = Directive { id, action: DirectiveAction::Update };
/// assert_eq!(directive.action.to_string(), "update");
/// assert_eq!("reenroll".parse(), Ok(DirectiveAction::Reenroll));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its id.
    pub id: DirectiveId,
    /// What is to be done.
    pub action: DirectiveAction,
}

/// What an envoy can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DirectiveAction {
    /// Install the agent that the server offers now, also one that failed there before.
    Update,
    /// Enrol anew in place, proved by the identity key: a new id, new keys, the same name.
    Reenroll,
    /// Something that this version does not know. An envoy says that it was not carried out; refusing the whole reply
    /// would cut it off from the update that knows.
    Unknown,
}

/// A text names no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an action is `update` or `reenroll`")]
pub struct ActionError;

/// What became of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveResult {
    /// Which one.
    pub id: DirectiveId,
    /// Why it was not carried out; `None` when it was.
    pub failure: Option<Notice>,
}

/// An update that an envoy refused, or went back from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFailure {
    /// The version that it does not run.
    pub version: AgentVersion,
    /// Why.
    pub why: Notice,
}

impl std::fmt::Display for DirectiveAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Update => "update",
            Self::Reenroll => "reenroll",
            Self::Unknown => "unknown",
        })
    }
}

impl std::str::FromStr for DirectiveAction {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        match text {
            "update" => Ok(Self::Update),
            "reenroll" => Ok(Self::Reenroll),
            _ => Err(ActionError),
        }
    }
}

impl Directive {
    pub(crate) fn wire(self) -> wire::Directive {
        use wire::directive::Action;
        let action = match self.action {
            DirectiveAction::Update => Action::Update,
            DirectiveAction::Reenroll => Action::Reenroll,
            DirectiveAction::Unknown => Action::Unspecified,
        };
        wire::Directive { id: self.id.as_bytes().to_vec(), action: action.into() }
    }

    pub(crate) fn from_wire(wire: &wire::Directive) -> Result<Self, FrameError> {
        use wire::directive::Action;
        let action = match Action::try_from(wire.action) {
            Ok(Action::Update) => DirectiveAction::Update,
            Ok(Action::Reenroll) => DirectiveAction::Reenroll,
            Ok(Action::Unspecified) | Err(_) => DirectiveAction::Unknown,
        };
        Ok(Self { id: id(&wire.id)?, action })
    }
}

impl DirectiveResult {
    pub(crate) fn wire(&self) -> wire::DirectiveResult {
        wire::DirectiveResult { id: self.id.as_bytes().to_vec(), failure: self.failure.as_ref().map(Notice::wire) }
    }

    pub(crate) fn from_wire(wire: wire::DirectiveResult) -> Result<Self, FrameError> {
        Ok(Self { id: id(&wire.id)?, failure: wire.failure.map(Notice::from_wire).transpose()? })
    }
}

impl UpdateFailure {
    pub(crate) fn wire(&self) -> wire::UpdateFailure {
        wire::UpdateFailure { version: self.version.to_string(), why: Some(self.why.wire()) }
    }

    pub(crate) fn from_wire(wire: wire::UpdateFailure) -> Result<Self, FrameError> {
        let version = wire.version.parse().map_err(|_| FrameError::Malformed("an agent's version is none"))?;
        let why = wire.why.ok_or(FrameError::Malformed("a failed update without a reason"))?;
        Ok(Self { version, why: Notice::from_wire(why)? })
    }
}

fn id(bytes: &[u8]) -> Result<DirectiveId, FrameError> {
    DirectiveId::try_from(bytes).map_err(|_| FrameError::Malformed("a directive's id is 16 bytes"))
}
