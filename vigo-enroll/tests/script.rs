//! The bootstrap script, run by real shells in a world of recorded commands.

#[path = "script/fakes.rs"]
mod fakes;
#[path = "script/lines.rs"]
mod lines;
#[path = "script/lint.rs"]
mod lint;
#[path = "script/pki.rs"]
mod pki;
#[path = "script/prefixes.rs"]
mod prefixes;
#[path = "script/refusals.rs"]
mod refusals;
#[path = "script/runs.rs"]
mod runs;
#[path = "script/secrets.rs"]
mod secrets;
#[path = "script/shells.rs"]
mod shells;
#[path = "script/signed.rs"]
mod signed;
#[path = "script/systems.rs"]
mod systems;
#[path = "script/tls.rs"]
mod tls;
#[path = "script/world.rs"]
mod world;
