//! Files that only their owner may read, written so that a crash leaves the old content or the new, never a part.
//!
//! Modes are checked and set on Unix; elsewhere the directory's own access list has to do it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The most that [`read_private`] reads: far above any key or certificate.
const MAX_LEN: u64 = 1024 * 1024;

/// Why a file was not read or written. Every one names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file is not there.
    #[error("{} does not exist", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// The file was to be made, and is there already.
    #[error("{} exists already and is not overwritten", path.display())]
    Present {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner have access.
    #[error("{path} is open to others (mode {mode:04o}): run `chmod {fix} {path}`", path = path.display())]
    LooseMode {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What `chmod` takes to mend it.
        fix: &'static str,
    },
    /// A directory, a device or a pipe where a file is expected, or a file where a directory is.
    #[error("{} is not a {expected}", path.display())]
    WrongKind {
        /// The path.
        path: PathBuf,
        /// `file` or `directory`.
        expected: &'static str,
    },
    /// Too long, or not UTF-8.
    #[error("{} is not a text of at most 1 MiB", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read`, `write` or `create`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::NotFound if action == "read" => Self::Absent { path: path.to_owned() },
            io::ErrorKind::AlreadyExists => Self::Present { path: path.to_owned() },
            _ => Self::Io { action, path: path.to_owned(), source },
        }
    }
}

/// Reads a text that nobody but its owner may have read or changed.
///
/// ```
/// use vigo_ca::files::{read_private, write_new_private};
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("ca.key");
/// write_new_private(&path, b"secret")?;
/// assert_eq!(read_private(&path)?.as_str(), "secret");
/// # #[cfg(unix)] {
/// # use std::fs::{Permissions, set_permissions};
/// # use std::os::unix::fs::PermissionsExt as _;
/// set_permissions(&path, Permissions::from_mode(0o640))?;
/// let error = read_private(&path).unwrap_err();
/// assert!(error.to_string().ends_with(&format!("run `chmod 600 {}`", path.display())));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `LooseMode` when group or others have any access, `Absent`, `WrongKind`, `NotText`, `Io`.
pub fn read_private(path: &Path) -> Result<Zeroizing<String>, FileError> {
    read(path, 0o077)
}

/// Reads a text that anyone may read, but nobody except its owner may have changed: a certificate.
///
/// ```
/// use vigo_ca::files::read_public;
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("ca.crt");
/// # std::fs::write(&path, "a certificate")?;
/// # #[cfg(unix)] {
/// # use std::fs::{Permissions, set_permissions};
/// # use std::os::unix::fs::PermissionsExt as _;
/// set_permissions(&path, Permissions::from_mode(0o644))?;
/// assert_eq!(read_public(&path)?.as_str(), "a certificate");
/// // Whoever may write to it could put another there.
/// set_permissions(&path, Permissions::from_mode(0o664))?;
/// assert!(read_public(&path).is_err());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `LooseMode` when group or others may write, else as [`read_private`].
pub fn read_public(path: &Path) -> Result<Zeroizing<String>, FileError> {
    read(path, 0o022)
}

fn read(path: &Path, refused: u32) -> Result<Zeroizing<String>, FileError> {
    // Asked before it is opened, because opening a pipe waits; asked again below, of what was opened.
    let plain = |meta: &fs::Metadata| match meta.is_file() {
        true => Ok(()),
        false => Err(FileError::WrongKind { path: path.to_owned(), expected: "file" }),
    };
    plain(&fs::metadata(path).map_err(FileError::io("read", path))?)?;
    let file = File::open(path).map_err(FileError::io("read", path))?;
    let meta = file.metadata().map_err(FileError::io("read", path))?;
    plain(&meta)?;
    check_mode(path, &meta, refused, if refused == 0o077 { "600" } else { "go-w" })?;
    if meta.len() > MAX_LEN {
        return Err(FileError::NotText { path: path.to_owned() });
    }
    // Room for all at once: a buffer that grows leaves copies of a secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1));
    file.take(MAX_LEN).read_to_end(&mut bytes).map_err(FileError::io("read", path))?;
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(FileError::NotText { path: path.to_owned() })
        }
    }
}

/// Makes a file of mode 0600 that must not be there yet; it appears complete and synced, or not at all.
///
/// ```
/// use vigo_ca::files::{FileError, read_private, write_new_private};
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("ca.key");
/// write_new_private(&path, b"the first")?;
/// assert!(matches!(write_new_private(&path, b"the second"), Err(FileError::Present { .. })));
/// assert_eq!(read_private(&path)?.as_str(), "the first");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `Present` when it is there, whatever it holds; `Io`.
pub fn write_new_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write(path, bytes, |file| file.persist_noclobber(path).map_err(|error| error.error))
}

/// Replaces a file, or makes it, mode 0600; it has its old content or all of the new one, whenever the machine stops.
///
/// ```
/// use vigo_ca::files::{read_private, replace_private};
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("server.crt");
/// replace_private(&path, b"last year's")?;
/// replace_private(&path, b"this year's")?;
/// assert_eq!(read_private(&path)?.as_str(), "this year's");
/// assert_eq!(std::fs::read_dir(dir.path())?.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `Io`; then the old content is untouched.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write(path, bytes, |file| file.persist(path).map_err(|error| error.error))
}

fn write(
    path: &Path,
    bytes: &[u8],
    persist: impl FnOnce(tempfile::NamedTempFile) -> io::Result<File>,
) -> Result<(), FileError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Created exclusively, mode 0600, and removed again when anything below fails.
    let make = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".vigo-").suffix(".tmp").tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        persist(file)?;
        sync_directory(directory)
    };
    make().map_err(FileError::io("write", path))
}

/// Makes a directory of mode 0700 with what is above it, or accepts one that others cannot write to.
///
/// ```
/// use vigo_ca::files::{FileError, create_private_dir, write_new_private};
/// # let dir = tempfile::tempdir()?;
/// let folder = dir.path().join("etc/vigo");
/// create_private_dir(&folder)?;
/// create_private_dir(&folder)?; // there, and well kept
/// let file = folder.join("ca.key");
/// write_new_private(&file, b"secret")?;
/// assert!(matches!(create_private_dir(&file), Err(FileError::WrongKind { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `LooseMode` when group or others may write to it: they could put their own keys in place. `WrongKind`, `Io`.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path).map_err(|source| match path.is_file() {
        true => FileError::WrongKind { path: path.to_owned(), expected: "directory" },
        false => FileError::Io { action: "create", path: path.to_owned(), source },
    })?;
    let meta = fs::metadata(path).map_err(FileError::io("read", path))?;
    check_mode(path, &meta, 0o022, "700")
}

#[cfg(unix)]
fn check_mode(path: &Path, meta: &fs::Metadata, refused: u32, fix: &'static str) -> Result<(), FileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o7777;
    if mode & refused == 0 { Ok(()) } else { Err(FileError::LooseMode { path: path.to_owned(), mode, fix }) }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata, _: u32, _: &'static str) -> Result<(), FileError> {
    Ok(())
}

/// A new name in a directory survives a power cut only when the directory is synced too.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
