use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use async_trait::async_trait;
use futures_channel::oneshot;
use redb::{Database, ReadableDatabase, StorageBackend};

use super::changelog::{Changelog, Limits};
use super::{Entry, Outcome, Page, Revision, Store, StoreError, Transaction, Watch, check_size, range_start};

mod file;
mod layout;
mod writer;

use file::Source;
use writer::{Job, Message, Writer};

/// The embedded engine: one file, one writer thread.
///
/// - Commits that wait while another is written to the disk go to the disk together; each sees those before it.
/// - Every commit is two-phase, so that neither a crash nor a hostile record can leave half of one.
/// - When the disk fails within a commit, all that were on their way are [`Outcome::Unknown`], and the file is opened anew
///   before anything else is answered; until that works, the answer is [`StoreError::Unavailable`].
/// - Every page's checksum is verified when the file is opened. The file is locked: one process has it at a time.
///
/// Reads happen on the caller's thread: they take microseconds where the page is in memory.
///
/// ```
/// use vigo_core::store::{OpenError, RedbStore, Store};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("vigo.redb");
/// assert!(matches!(RedbStore::open(&path), Err(OpenError::Missing { .. })));
/// drop(RedbStore::create(&path).unwrap());
/// let store: RedbStore = RedbStore::open(&path).unwrap();
/// ```
pub struct RedbStore {
    shared: Arc<Shared>,
    /// `None` once the store is being dropped, which ends the writer.
    queue: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    slot: RwLock<Slot>,
    log: Changelog,
}

/// The database, while it is open.
struct Slot {
    database: Result<Database, String>,
    /// How often it was opened, so that a failed read does not close one that was opened since.
    opened: u64,
}

/// Why a store's file was not opened or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file.
    #[error(
        "{path}: no such file; a store is made by the first start alone: restore a backup (cp BACKUP {path}), or correct the path"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is one already, which is never overwritten.
    #[error("{path}: there is a file of this name already; open it, or move it away to begin anew")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("{path}: another process uses it; stop that one first")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{path}: not a store of Vigo; correct the path, or move the file away to begin anew")]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// It was written in another format.
    #[error("{path}: its format is {found}, and this version reads {expected}; run the version that wrote it")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
        /// The format of this version.
        expected: String,
    },
    /// Its content does not hold together.
    #[error("{path}: damaged: {source}; keep it (mv {path} {path}.damaged) and restore a backup (cp BACKUP {path})")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system does not let it be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl RedbStore {
    /// Opens the store in this file.
    ///
    /// # Errors
    /// When the file is absent, in use, damaged, something else, or of another format; never does it begin empty.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::start(file::existing(path), path)
    }

    /// Makes an empty store in a new file that only its owner may read, and opens it. The file gets its name once it is
    /// whole and on the disk.
    ///
    /// # Errors
    /// When there is such a file already, or it cannot be written.
    pub fn create(path: &Path) -> Result<Self, OpenError> {
        file::create(path)?;
        Self::open(path)
    }

    /// Opens the store in what `open` gives, making it where that is empty; for tests with disks that fail. `open` is
    /// called again after a failure.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[doc(hidden)]
    pub fn with_backend<B: StorageBackend>(
        open: impl FnMut() -> io::Result<B> + Send + 'static,
    ) -> Result<Self, OpenError> {
        let name = Path::new("(backend)");
        Self::start(file::backend(name, open), name)
    }

    fn start(mut source: Source, path: &Path) -> Result<Self, OpenError> {
        let opened = source()?;
        let newest = opened.newest;
        let shared = Arc::new(Shared {
            slot: RwLock::new(Slot { database: Ok(opened.database), opened: 1 }),
            log: Changelog::new(newest, Limits::DEFAULT),
        });
        let (queue, messages) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), source, newest);
        let thread = std::thread::Builder::new()
            .name("vigo-store".into())
            .spawn(move || writer.run(&messages))
            .map_err(|source| OpenError::Io { path: path.into(), source })?;
        Ok(Self { shared, queue: Some(queue), thread: Some(thread) })
    }

    fn send(&self, message: Message) -> Result<(), StoreError> {
        self.queue
            .as_ref()
            .and_then(|queue| queue.send(message).ok())
            .ok_or_else(|| StoreError::Unavailable("its writer has ended".into()))
    }

    /// Reads from a snapshot. A failure makes the writer open the database anew: redb refuses all after one.
    fn read<T>(&self, read: impl FnOnce(redb::ReadTransaction) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let slot = self.shared.slot.read().unwrap_or_else(PoisonError::into_inner);
        let database = slot.database.as_ref().map_err(|reason| StoreError::Unavailable(reason.clone()))?;
        let result = database.begin_read().map_err(layout::error).and_then(read);
        if result.is_err() {
            self.send(Message::Reopen { opened: slot.opened })?;
        }
        result
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A task woken by the writer may be what drops the store: a thread cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.read(|transaction| {
            let entries = transaction.open_table(layout::ENTRIES).map_err(layout::error)?;
            let Some(stored) = entries.get(key).map_err(layout::error)? else { return Ok(None) };
            layout::entry(key, stored.value()).map(Some)
        })
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(layout::ENTRIES).map_err(layout::error)?;
            let meta = transaction.open_table(layout::META).map_err(layout::error)?;
            let mut entries = Vec::new();
            let range: (Bound<&[u8]>, Bound<&[u8]>) = (range_start(prefix, after), Bound::Unbounded);
            for item in table.range::<&[u8]>(range).map_err(layout::error)?.take(limit) {
                let (key, stored) = item.map_err(layout::error)?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                entries.push(layout::entry(key.value(), stored.value())?);
            }
            Ok(Page { entries, revision: layout::newest(&meta)? })
        })
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        check_size(&transaction)?;
        let (reply, answer) = oneshot::channel();
        self.send(Message::Commit(Job { transaction, reply }))?;
        // A writer that ended with the job in its hands may have got it to the disk.
        answer.await.unwrap_or(Ok(Outcome::Unknown))
    }

    fn watch(&self, prefix: &[u8], from: Revision) -> Watch {
        self.shared.log.watch(prefix, from)
    }
}
