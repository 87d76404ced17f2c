//! `cargo xtask docs`: the book in `docs/`, with its reference read from the code.

#[cfg(feature = "docs")]
mod book;
#[cfg(feature = "docs")]
mod cli;
#[cfg(feature = "docs")]
mod configuration;
#[cfg(feature = "docs")]
mod errors;
#[cfg(feature = "docs")]
mod links;
#[cfg(feature = "docs")]
mod reference;
#[cfg(feature = "docs")]
mod rest;

use std::path::{Path, PathBuf};

use clap::Args;

/// What is to be done with the book.
#[derive(Args)]
pub(crate) struct Docs {
    /// Where to build it; what an earlier book left there goes
    #[arg(long, value_name = "DIR", default_value = "target/docs")]
    out: PathBuf,
    /// Write no reference: fail where it is not what the code says
    #[arg(long)]
    check: bool,
}

impl Docs {
    #[cfg(feature = "docs")]
    pub(crate) fn run(self) -> anyhow::Result<String> {
        let root = root();
        let written = if self.check { reference::check(&root)? } else { reference::write(&root)? };
        let built = book::build(&root, &std::path::absolute(&self.out)?)?;
        Ok(format!("{written}{built}"))
    }

    /// Has cargo build this program with the book's feature, and that one do it.
    #[cfg(not(feature = "docs"))]
    pub(crate) fn run(self) -> anyhow::Result<String> {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["run", "--quiet", "--locked", "--package", "xtask", "--features", "docs", "--manifest-path"]);
        cargo.arg(root().join("Cargo.toml")).args(["--", "docs", "--out"]).arg(&self.out);
        if self.check {
            cargo.arg("--check");
        }
        // In this one's place: what it says and how it ends is all there is to say.
        Err(std::os::unix::process::CommandExt::exec(&mut cargo).into())
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_owned()
}
