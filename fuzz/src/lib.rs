#![doc = include_str!("../README.md")]

mod input;
mod place;
mod scene;

pub mod audit_chain;
pub mod bootstrap;
pub mod config;
pub mod csr;
pub mod frames;
pub mod hostname_pattern;
pub mod store_ops;
pub mod token;
pub mod vgo;
pub mod wire_requests;

/// A target: any bytes in, a panic where its property does not hold.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its program and of its folder in the corpus.
    pub name: &'static str,
    /// The property.
    pub check: fn(&[u8]),
    /// The inputs that its corpus begins with.
    pub seeds: fn() -> Vec<Seed>,
    /// How many changes of each file of the corpus `cargo test` tries at most: fewer where one takes longer.
    pub changes: usize,
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    Target { name: "audit_chain", check: audit_chain::check, seeds: audit_chain::seeds, changes: 2000 },
    Target { name: "bootstrap", check: bootstrap::check, seeds: bootstrap::seeds, changes: 1000 },
    Target { name: "config", check: config::check, seeds: config::seeds, changes: 2000 },
    Target { name: "csr", check: csr::check, seeds: csr::seeds, changes: 2000 },
    Target { name: "frames", check: frames::check, seeds: frames::seeds, changes: 1000 },
    Target { name: "hostname_pattern", check: hostname_pattern::check, seeds: hostname_pattern::seeds, changes: 2000 },
    Target { name: "store_ops", check: store_ops::check, seeds: store_ops::seeds, changes: 60 },
    Target { name: "token", check: token::check, seeds: token::seeds, changes: 2000 },
    Target { name: "vgo", check: vgo::check, seeds: vgo::seeds, changes: 500 },
    Target { name: "wire_requests", check: wire_requests::check, seeds: wire_requests::seeds, changes: 1000 },
];

/// An input that a corpus begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The name of its file.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

impl Seed {
    fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), bytes: bytes.into() }
    }
}
