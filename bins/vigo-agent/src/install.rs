//! This very program, put where it belongs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempPath;

use crate::os;

/// The program beside its place: everything that can fail for want of room or leave has been done.
pub(crate) struct Staged {
    staged: Option<TempPath>,
    target: PathBuf,
}

/// What the name of a program beside its place begins with.
pub(crate) const NEW: &str = ".vigo-new-";
/// What the name of a program begins with that was moved out of its place because it runs.
pub(crate) const OLD: &str = ".vigo-old-";
/// One that is older was left behind by a run that was killed.
const LEFT: Duration = Duration::from_secs(3600);

/// Whether a file of this name beside the program is one that a run of ours left.
pub(crate) fn is_left_behind(name: &str) -> bool {
    name.starts_with(NEW) || name.starts_with(OLD)
}

/// Removes what killed runs left. What cannot be removed is no reason to stop.
fn remove_left_behind(folder: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| is_left_behind(&entry.file_name().to_string_lossy())) {
        let modified = entry.metadata().and_then(|meta| meta.modified());
        if modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > LEFT)) {
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

/// Whether another folder may be a better one.
fn is_about_the_folder(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}

impl Staged {
    /// As [`beside`](Self::beside) in the first of these folders that takes a program; `None` where there are none.
    pub(crate) fn in_first_of(folders: &[PathBuf]) -> Result<Option<Self>, InstallError> {
        let Some((last, others)) = folders.split_last() else { return Ok(None) };
        for folder in others {
            match Self::beside(folder) {
                Err(error) if is_about_the_folder(&error.source) => {
                    tracing::debug!(%error, "the next folder is tried");
                }
                other => return other.map(Some),
            }
        }
        Self::beside(last).map(Some)
    }

    /// Copies this program into `folder`, under another name. Nothing to copy where it already runs from there.
    pub(crate) fn beside(folder: &Path) -> Result<Self, InstallError> {
        let target = folder.join(os::here().program());
        let failed = |source| InstallError { path: target.clone(), source };
        let own = std::env::current_exe().map_err(failed)?;
        if fs::canonicalize(&target).is_ok_and(|there| fs::canonicalize(&own).is_ok_and(|own| own == there)) {
            return Ok(Self { staged: None, target });
        }
        if target.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let copy = || -> io::Result<TempPath> {
            fs::create_dir_all(folder)?;
            let mut file = tempfile::Builder::new().prefix(NEW).tempfile_in(folder)?;
            io::copy(&mut fs::File::open(&own)?, &mut file)?;
            os::here().make_program(file.as_file())?;
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
        match os::here().swap(staged, &target) {
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
        fs::write(folder.join(os::here().program()), "old").unwrap();
        let staged = Staged::beside(&folder).unwrap();
        assert_eq!(fs::read(folder.join(os::here().program())).unwrap(), b"old", "not before it is committed");
        let target = staged.commit().unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(fs::metadata(&target).unwrap().len(), fs::metadata(own).unwrap().len());
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&target).unwrap().permissions()) & 0o777,
            0o755
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        drop(Staged::beside(&folder).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "what was given up leaves nothing");
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(Staged::beside(&dir.path().join("file")).is_err());
        // No folder can be made below a file.
        let folders = [dir.path().join("file/sbin"), dir.path().join("opt")];
        let staged = Staged::in_first_of(&folders).unwrap().unwrap();
        assert_eq!(staged.commit().unwrap().parent(), Some(folders[1].as_path()));
        assert!(Staged::in_first_of(&folders[..1]).is_err());
        assert!(Staged::in_first_of(&[]).unwrap().is_none());
    }
}
