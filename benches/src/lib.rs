#![doc = include_str!("../README.md")]

mod call;
mod cpu;
mod envoy;
mod fleet;
mod process;
mod table;

pub use call::{Answer, Line};
pub use cpu::Cpu;
pub use envoy::{Envoy, registration};
pub use fleet::Fleet;
pub use process::Process;
pub use table::{Row, Table};

use std::time::Instant;

/// The clock of the benchmarks.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub fn clock() -> Instant {
    Instant::now()
}
