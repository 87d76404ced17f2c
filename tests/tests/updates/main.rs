//! Updates of the agent: what must be refused, what a new version must show before it is installed, and what a crash
//! leaves.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

mod directed;
mod first_install;
mod offered;
mod on_trial;
mod refused;
mod steps;
mod world;
