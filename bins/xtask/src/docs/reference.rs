//! The pages of `docs/src/reference/` that are read from the code.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::{cli, configuration, errors, rest};
use crate::files;

/// A page: its file below `docs/src/reference/`, and what is in it.
struct Page {
    file: &'static str,
    text: fn() -> String,
}

/// Every page that is written by this program.
const PAGES: [Page; 6] = [
    Page { file: "vigocli.md", text: cli::vigocli },
    Page { file: "vigo-server.md", text: cli::vigo_server },
    Page { file: "vigo.md", text: cli::vigo },
    Page { file: "configuration.md", text: configuration::page },
    Page { file: "rest.md", text: rest::page },
    Page { file: "errors.md", text: errors::page },
];

/// What each page starts with.
const NOTE: &str = "<!-- Written by `cargo xtask docs` from the code. -->\n\n";

fn pages() -> impl Iterator<Item = (&'static str, String)> {
    PAGES.iter().map(|page| (page.file, format!("{NOTE}{}\n", (page.text)().trim_end())))
}

/// Writes those that are not as the code has them.
pub(super) fn write(root: &Path) -> anyhow::Result<String> {
    let mut said = String::new();
    for (file, text) in pages() {
        let path = root.join("docs/src/reference").join(file);
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            files::put(&path, text.as_bytes())?;
            said.push_str(&format!("wrote  {}\n", path.display()));
        }
    }
    Ok(said)
}

/// Names the first that is not as the code has it.
pub(super) fn check(root: &Path) -> anyhow::Result<String> {
    for (file, text) in pages() {
        let path = root.join("docs/src/reference").join(file);
        let there = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if there != text {
            let differs = there.lines().zip(text.lines()).position(|(there, text)| there != text);
            let line = differs.unwrap_or_else(|| there.lines().count().min(text.lines().count())) + 1;
            bail!("{}:{line} is not what the code says: `cargo xtask docs` writes it anew", path.display());
        }
    }
    Ok(format!("same   {} pages of the reference\n", PAGES.len()))
}
