//! Real handshakes, in memory: who gets in, who is refused, and by which words.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../support/fleet.rs"]
mod fleet;
#[path = "../support/forge.rs"]
mod forge;
mod pump;

mod denied;
mod enrolled;
mod first_contact;
mod impostors;
mod strangers;
