//! The files of the workspace, for the tests over them.

use std::fs;
use std::path::Path;

/// A text file.
pub(crate) struct Source {
    /// Its path from the workspace's folder, with `/`.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The text files of the workspace whose names end so, in order. What was built is left out, and what is hidden.
pub(crate) fn sources(end: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(root(), "", end, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no file below {} ends in {end}", root().display());
    found
}

fn collect(folder: &Path, prefix: &str, end: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !name.starts_with('.') && name != "target" {
            collect(&entry.path(), &format!("{path}/"), end, found);
        } else if kind.is_file() && name.ends_with(end) {
            found.push(Source { text: fs::read_to_string(entry.path()).unwrap(), path });
        }
    }
}
