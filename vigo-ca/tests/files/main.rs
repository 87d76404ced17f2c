//! The files of an authority and of a server: made once, never made again unseen, and open to nobody else.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../support/fleet.rs"]
mod fleet;
#[path = "../support/forge.rs"]
mod forge;

mod authority;
mod leaf;
mod plain;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A directory of its own, and short ways to look at it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        chmod(&path, mode);
        path
    }

    /// The names of all that is in it, sorted: nothing else may be left behind.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The text of an error names the file and says the rest.
#[track_caller]
fn says(error: &dyn std::error::Error, path: &Path, rest: &str) {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text} does not name {}", path.display());
    assert!(text.contains(rest), "{text} does not say {rest:?}");
}
