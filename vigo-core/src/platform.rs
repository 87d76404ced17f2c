use crate::frame::FrameError;
use crate::wire;

/// What an agent says of itself and its system: for display, never for a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// The agent's version.
    pub agent_version: String,
    /// The operating system, as Rust names it (`linux`, `macos`, …).
    pub os: String,
    /// The processor, as Rust names it (`x86_64`, `aarch64`, …).
    pub arch: String,
}

impl Platform {
    /// The most bytes of each field.
    pub const MAX_FIELD: usize = 64;

    pub(crate) fn to_wire(&self) -> wire::Platform {
        wire::Platform { agent_version: self.agent_version.clone(), os: self.os.clone(), arch: self.arch.clone() }
    }

    /// Short printable ASCII alone, so that no page or terminal is ever handed anything else.
    pub(crate) fn from_wire(wire: Option<wire::Platform>) -> Result<Self, FrameError> {
        let wire = wire.unwrap_or_default();
        for field in [&wire.agent_version, &wire.os, &wire.arch] {
            if field.len() > Self::MAX_FIELD || !field.bytes().all(|b| (0x20..0x7f).contains(&b)) {
                return Err(FrameError::Malformed("a platform field is at most 64 printable ASCII characters"));
            }
        }
        Ok(Self { agent_version: wire.agent_version, os: wire.os, arch: wire.arch })
    }
}
