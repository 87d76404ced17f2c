//! The second slot: a file beside the program, named after what it must become, and the rename that swaps the two.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use vigo_core::{AgentManifest, UpdateRefusal};

use super::UpdateError;
use crate::os;

/// What the name of a program that is not in its place begins with.
pub(crate) const NEXT: &str = ".vigo-next-";

/// A file that becomes the next program, or nothing.
#[derive(Debug)]
pub(crate) struct Slot {
    path: PathBuf,
    file: File,
    hash: Sha256,
    got: u64,
}

impl Slot {
    /// Opens the slot of this build beside `program`, and takes what an earlier try left in it. Slots of other builds are
    /// removed.
    pub(super) fn open(program: &Path, manifest: &AgentManifest) -> Result<Self, UpdateError> {
        let folder = program.parent().unwrap_or(Path::new("/"));
        let name = format!("{NEXT}{}{}", hex::encode(&manifest.sha256[..8]), std::env::consts::EXE_SUFFIX);
        remove_others(folder, Some(&name));
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let failed = |source| UpdateError::Write { path: path.clone(), source };
        let mut slot = Self { file: options.open(&path).map_err(failed)?, path, hash: Sha256::new(), got: 0 };
        slot.take_what_is_there(manifest.size)?;
        Ok(slot)
    }

    fn take_what_is_there(&mut self, size: u64) -> Result<(), UpdateError> {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let count = self.file.read(&mut chunk).map_err(|source| self.failed(source))?;
            if count == 0 {
                break;
            }
            self.hash.update(&chunk[..count]);
            self.got += count as u64;
        }
        if self.got > size { self.restart() } else { Ok(()) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes that are there.
    pub(super) fn got(&self) -> u64 {
        self.got
    }

    fn failed(&self, source: io::Error) -> UpdateError {
        UpdateError::Write { path: self.path.clone(), source }
    }

    /// Forgets what is there.
    pub(super) fn restart(&mut self) -> Result<(), UpdateError> {
        use std::io::Seek as _;
        (self.hash, self.got) = (Sha256::new(), 0);
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|source| self.failed(source))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), UpdateError> {
        self.file.write_all(bytes).map_err(|source| self.failed(source))?;
        self.hash.update(bytes);
        self.got += bytes.len() as u64;
        Ok(())
    }

    /// All of it is there: it must be what was signed. Then it may be run.
    pub(super) fn verify(&mut self, manifest: &AgentManifest) -> Result<(), UpdateError> {
        let sha256: [u8; 32] = self.hash.clone().finalize().into();
        if self.got != manifest.size || sha256 != manifest.sha256 {
            let refusal = UpdateRefusal::OtherBinary;
            return Err(UpdateError::Refused { version: manifest.version.clone(), refusal });
        }
        os::here().make_program(&self.file).map_err(|source| self.failed(source))?;
        self.file.sync_all().map_err(|source| self.failed(source))
    }

    /// A file that is open for writing cannot be run: what is left of it is its name.
    pub(super) fn close(self) -> io::Result<Self> {
        let Self { path, file, hash, got } = self;
        drop(file);
        Ok(Self { file: File::open(&path)?, path, hash, got })
    }

    /// Removes it. What cannot be removed goes when the next slot is opened.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }

    /// Swaps: the program that was there is kept as `<name>.previous`, and one or the other is in its place whenever the
    /// machine stops.
    pub(super) fn install(self, program: &Path) -> Result<(), UpdateError> {
        let done = os::here().exchange(&self.path, program, &previous(program));
        let done = done.map_err(|source| UpdateError::Write { path: program.to_owned(), source });
        if done.is_err() {
            self.remove();
        }
        done
    }
}

/// Where the program that was replaced is kept.
pub(crate) fn previous(program: &Path) -> PathBuf {
    let mut name = program.as_os_str().to_owned();
    name.push(".previous");
    name.into()
}

/// Removes what other tries left beside the program, but for one name.
pub(crate) fn remove_others(folder: &Path, keep: Option<&str>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(NEXT) && keep.is_none_or(|keep| name != keep) {
            // What cannot be removed is no reason to stop.
            let _ = fs::remove_file(entry.path());
        }
    }
}
