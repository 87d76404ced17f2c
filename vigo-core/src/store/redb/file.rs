//! Opening and making the database.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableHandle};

use super::layout::{self, FORMAT, FORMAT_KEY, META, REVISION_KEY};
use super::{OpenError, Revision};
use crate::store::StoreError;

/// Opens the database, at first and again after each failure.
pub(super) type Source = Box<dyn FnMut() -> Result<Opened, OpenError> + Send>;

/// A database that was found whole, and its newest commit.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) newest: Revision,
}

/// Whether an empty database becomes a store, or is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Begin,
    Refuse,
}

/// How every file of redb's begins.
const MAGIC: &[u8] = b"redb";
/// Pages kept in memory.
const CACHE: usize = 128 * 1024 * 1024;

/// The file at `path`, which must be there.
pub(super) fn existing(path: &Path) -> Source {
    let path = path.to_owned();
    Box::new(move || {
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => OpenError::Missing { path: path.clone() },
            _ => OpenError::Io { path: path.clone(), source },
        })?;
        let mut start = Vec::new();
        (&file).take(MAGIC.len() as u64).read_to_end(&mut start).map_err(|source| io_error(&path, source))?;
        if start != MAGIC {
            return Err(OpenError::NotAStore { path: path.clone() });
        }
        open_file(&path, file, Empty::Refuse)
    })
}

/// Whatever `open` gives.
pub(super) fn backend<B: StorageBackend>(
    name: &Path,
    mut open: impl FnMut() -> io::Result<B> + Send + 'static,
) -> Source {
    let name = name.to_owned();
    Box::new(move || {
        let backend = open().map_err(|source| io_error(&name, source))?;
        open_backend(&name, backend, Empty::Begin)
    })
}

/// Makes an empty store under another name, and names it `path` when it is whole: a crash in between leaves no file that
/// a later start would have to judge.
pub(super) fn create(path: &Path) -> Result<(), OpenError> {
    if path.symlink_metadata().is_ok() {
        return Err(OpenError::Exists { path: path.into() });
    }
    let temporary = beside(path);
    match fs::remove_file(&temporary) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(io_error(&temporary, source)),
        _ => {}
    }
    let named = fill(&temporary).and_then(|()| give_name(&temporary, path));
    if named.is_err() {
        // The name is worth nothing without the store; the error that is told is the first one.
        let _ = fs::remove_file(&temporary);
    }
    named
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

fn fill(temporary: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(temporary).map_err(|source| io_error(temporary, source))?;
    let opened = open_file(temporary, file, Empty::Begin)?;
    opened.database.close().map_err(|source| open_error(temporary, source))
}

fn give_name(temporary: &Path, path: &Path) -> Result<(), OpenError> {
    // A link, unlike a renaming, fails where the name is taken meanwhile.
    match fs::hard_link(temporary, path) {
        Ok(()) => fs::remove_file(temporary),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            return Err(OpenError::Exists { path: path.into() });
        }
        Err(_) => fs::rename(temporary, path),
    }
    .and_then(|()| sync_directory(path))
    .map_err(|source| io_error(path, source))
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

fn open_file(path: &Path, file: File, empty: Empty) -> Result<Opened, OpenError> {
    let backend = FileBackend::new(file).map_err(|source| open_error(path, source))?;
    open_backend(path, backend, empty)
}

fn open_backend(path: &Path, backend: impl StorageBackend, empty: Empty) -> Result<Opened, OpenError> {
    let database = Builder::new()
        .set_cache_size(CACHE)
        .set_check_integrity_on_open(true)
        .create_with_backend(backend)
        .map_err(|source| open_error(path, source))?;
    let tables = tables(&database).map_err(|source| open_error(path, source))?;
    if tables.is_empty() && empty == Empty::Begin {
        begin(&database).map_err(|source| open_error(path, source))?;
    } else if [layout::ENTRIES.name(), META.name()].iter().any(|name| !tables.iter().any(|table| table == name)) {
        return Err(OpenError::NotAStore { path: path.into() });
    }
    let newest = recognise(path, &database)?;
    Ok(Opened { database, newest })
}

fn tables(database: &Database) -> Result<Vec<String>, redb::Error> {
    Ok(database.begin_read()?.list_tables()?.map(|table| table.name().to_owned()).collect())
}

fn begin(database: &Database) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    {
        transaction.open_table(layout::ENTRIES)?;
        let mut meta = transaction.open_table(META)?;
        meta.insert(FORMAT_KEY, FORMAT.to_be_bytes().as_slice())?;
        meta.insert(REVISION_KEY, Revision::ZERO.get().to_be_bytes().as_slice())?;
    }
    Ok(transaction.commit()?)
}

/// Refuses a format that this version does not know, and reads the newest commit.
fn recognise(path: &Path, database: &Database) -> Result<Revision, OpenError> {
    let transaction = database.begin_read().map_err(|source| open_error(path, source))?;
    let meta = transaction.open_table(META).map_err(|source| open_error(path, source))?;
    let format = meta.get(FORMAT_KEY).map_err(|source| open_error(path, source))?;
    let format: Option<u32> = format.and_then(|bytes| bytes.value().try_into().ok().map(u32::from_be_bytes));
    match format {
        Some(FORMAT) => {}
        Some(found) => {
            let (found, expected) = (found.to_string(), FORMAT.to_string());
            return Err(OpenError::Format { path: path.into(), found, expected });
        }
        None => return Err(OpenError::NotAStore { path: path.into() }),
    }
    layout::newest(&meta).map_err(|error| match error {
        StoreError::Damaged(what) => OpenError::Damaged { path: path.into(), source: what.into() },
        other => io_error(path, io::Error::other(other)),
    })
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.into(), source }
}

fn open_error(path: &Path, error: impl Into<redb::Error>) -> OpenError {
    let path = path.into();
    match error.into() {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => OpenError::InUse { path },
        redb::Error::UpgradeRequired(version) => {
            let (found, expected) = (format!("redb file version {version}"), "redb file version 3".into());
            OpenError::Format { path, found, expected }
        }
        // Of these two kinds are the errors that redb makes itself of what it reads; the others are the system's.
        redb::Error::Io(source)
            if !matches!(source.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) =>
        {
            OpenError::Io { path, source }
        }
        source => OpenError::Damaged { path, source: source.into() },
    }
}
