//! This very program, put where it belongs.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempPath;

/// The program beside its place: everything that can fail for want of room or leave has been done.
pub(crate) struct Staged {
    staged: Option<TempPath>,
    target: PathBuf,
}

/// What the name of a program beside its place begins with.
const NEW: &str = ".vigo-new-";
/// One that is older was left behind by a run that was killed.
const OLD: Duration = Duration::from_secs(3600);

/// Removes what killed runs left. What cannot be removed is no reason to stop.
fn remove_left_behind(folder: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(NEW)) {
        let modified = entry.metadata().and_then(|meta| meta.modified());
        if modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > OLD)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Why the program cannot be installed.
#[derive(Debug, thiserror::Error)]
#[error("cannot install {}: {source}", path.display())]
pub struct InstallError {
    /// The file that was to be made.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl Staged {
    /// Copies this program into `folder`, under another name. Nothing to copy where it already runs from there.
    pub(crate) fn beside(folder: &Path) -> Result<Self, InstallError> {
        let target = folder.join("vigo");
        let failed = |source| InstallError { path: target.clone(), source };
        let own = std::env::current_exe().map_err(failed)?;
        if fs::canonicalize(&target).is_ok_and(|there| there == own) {
            return Ok(Self { staged: None, target });
        }
        if target.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let copy = || -> io::Result<TempPath> {
            fs::create_dir_all(folder)?;
            let mut file = tempfile::Builder::new().prefix(NEW).tempfile_in(folder)?;
            io::copy(&mut fs::File::open(&own)?, &mut file)?;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o755))?;
            file.as_file().sync_all()?;
            remove_left_behind(folder, file.as_file().metadata()?.modified()?);
            Ok(file.into_temp_path())
        };
        let staged = Some(copy().map_err(failed)?);
        Ok(Self { staged, target })
    }

    /// Puts it in its place: the old program or the new one is there, whenever the machine stops. A process that runs
    /// the old one is not touched.
    pub(crate) fn commit(self) -> Result<PathBuf, InstallError> {
        let Self { staged, target } = self;
        let Some(staged) = staged else { return Ok(target) };
        let put = || -> io::Result<()> {
            staged.persist(&target).map_err(|error| error.error)?;
            fs::File::open(target.parent().unwrap_or(Path::new("/")))?.sync_all()
        };
        match put() {
            Ok(()) => Ok(target),
            Err(source) => Err(InstallError { path: target, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_appears_whole_and_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("sbin");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("vigo"), "old").unwrap();
        let staged = Staged::beside(&folder).unwrap();
        assert_eq!(fs::read(folder.join("vigo")).unwrap(), b"old", "not before it is committed");
        let target = staged.commit().unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(fs::metadata(&target).unwrap().len(), fs::metadata(own).unwrap().len());
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        drop(Staged::beside(&folder).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "what was given up leaves nothing");
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(Staged::beside(&dir.path().join("file")).is_err());
    }
}
