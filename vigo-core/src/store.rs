//! Where a fleet's facts are kept: one small contract, shaped like etcd, that every engine passes the same suite for.

use std::pin::Pin;

use async_trait::async_trait;
use futures_core::Stream;

#[cfg(any(feature = "memory", feature = "redb"))]
mod changelog;
#[cfg(feature = "conformance")]
mod conformance;
#[cfg(feature = "memory")]
mod memory;
#[cfg(any(feature = "memory", feature = "redb"))]
mod plan;
#[cfg(feature = "redb")]
mod redb;

#[cfg(feature = "redb")]
pub use self::redb::{OpenError, RedbStore};
#[cfg(feature = "conformance")]
pub use conformance::conformance;
#[cfg(feature = "memory")]
pub use memory::MemoryStore;

/// The number of a commit. The first is 1; every commit has the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// Before the first commit.
    pub const ZERO: Self = Self(0);

    /// The revision of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A value with its key and the commit that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// The commit that wrote this value.
    pub revision: Revision,
}

/// What must hold for a commit to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The key has no value.
    Absent(Vec<u8>),
    /// The key's value is the one that this commit wrote: nobody has changed it since it was read.
    Unchanged(Vec<u8>, Revision),
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the key's value.
    Put(Vec<u8>, Vec<u8>),
    /// Removes the key; nothing happens where there is none.
    Delete(Vec<u8>),
}

impl Write {
    /// The key that is changed.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Put(key, value) => key.len() + value.len(),
            Self::Delete(key) => key.len(),
        }
    }
}

/// Preconditions and writes that happen together or not at all.
///
/// ```
/// use vigo_core::store::{Revision, StoreError, Transaction, check_size};
/// // Renames a key, if its value is still as it was read and the new name is free.
/// let read = Revision::new(7);
/// let rename = Transaction::new().unchanged("old", read).absent("new").put("new", "value").delete("old");
/// assert!(check_size(&rename).is_ok());
///
/// // What was read decides which of the two it is.
/// assert_eq!(Transaction::new().as_read("new", None), Transaction::new().absent("new"));
/// assert_eq!(Transaction::new().as_read("old", Some(read)), Transaction::new().unchanged("old", read));
///
/// let too_many = (0..=Transaction::MAX_OPERATIONS).fold(Transaction::new(), |t, n| t.delete(n.to_string()));
/// assert!(matches!(check_size(&too_many), Err(StoreError::TooLarge)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// All must hold.
    pub preconditions: Vec<Precondition>,
    /// In order; a later write to the same key wins.
    pub writes: Vec<Write>,
}

impl Transaction {
    /// The most preconditions and writes together (etcd's default for one transaction).
    pub const MAX_OPERATIONS: usize = 128;
    /// The most bytes of keys and values together.
    pub const MAX_BYTES: usize = 1024 * 1024;

    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn bytes(&self) -> usize {
        self.writes.iter().map(Write::bytes).sum()
    }

    /// Adds: `key` has no value.
    #[must_use]
    pub fn absent(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.preconditions.push(Precondition::Absent(key.into()));
        self
    }

    /// Adds: `key` is as the commit `revision` left it.
    #[must_use]
    pub fn unchanged(mut self, key: impl Into<Vec<u8>>, revision: Revision) -> Self {
        self.preconditions.push(Precondition::Unchanged(key.into(), revision));
        self
    }

    /// Adds: `key` is as it was read, be that absent.
    #[must_use]
    pub fn as_read(self, key: impl Into<Vec<u8>>, read: Option<Revision>) -> Self {
        match read {
            Some(revision) => self.unchanged(key, revision),
            None => self.absent(key),
        }
    }

    /// Adds a put.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.writes.push(Write::Put(key.into(), value.into()));
        self
    }

    /// Adds a delete.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.writes.push(Write::Delete(key.into()));
        self
    }
}

/// What became of a commit.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened and is durable.
    Committed(Revision),
    /// A precondition did not hold; nothing happened.
    Conflict,
    /// It may have happened or not: read again to find out, by something that only this commit writes.
    Unknown,
}

/// Why the store cannot answer. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// More operations or bytes than one transaction may have.
    #[error(
        "a transaction has at most {} operations and {} bytes",
        Transaction::MAX_OPERATIONS,
        Transaction::MAX_BYTES
    )]
    TooLarge,
    /// The engine cannot serve at the moment.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What is kept cannot be read.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// One change, as a watcher sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commit that made it.
    pub revision: Revision,
    /// What it did.
    pub write: Write,
}

/// Why a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// Changes from the asked revision on are no longer kept: scan, then watch from the revision of the scan.
    #[error("the changes since that revision are no longer kept: scan again")]
    Compacted,
    /// The store was closed.
    #[error("the store was closed")]
    Closed,
}

/// The changes under a prefix in commit order; the changes of one commit come together. It ends with its first error.
pub type Watch = Pin<Box<dyn Stream<Item = Result<Vec<Change>, WatchError>> + Send>>;

/// A page of a scan, and the commit at which it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In ascending order of keys; fewer than asked for at the end alone.
    pub entries: Vec<Entry>,
    /// The newest commit that the page saw.
    pub revision: Revision,
}

/// Where a fleet's facts are kept. No runtime is named: an engine brings its own threads where it needs them.
///
/// # Contract
/// - Atomic: a transaction's writes happen together; of concurrent commits with one precondition, at most one succeeds.
/// - Durable: what was acknowledged survives any crash. A wrong `Committed` is a breach; a wrong `Conflict` costs a
///   retry; `Unknown` is always allowed where the engine cannot tell.
/// - Ordered: revisions grow by one for each commit that changes something; one that changes nothing is answered with
///   the newest revision. Of several writes to one key in a transaction the last counts. A read
///   that starts after an acknowledgement sees that commit.
/// - Watched: every change under a prefix, from a revision on, once and in order, or [`WatchError::Compacted`].
///
/// `store::conformance` (feature `conformance`) checks all of it; run it over your own engine.
///
/// ```
/// # #[cfg(feature = "memory")]
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use futures_util::StreamExt as _;
/// use vigo_core::store::{Change, MemoryStore, Outcome, Store, Transaction, Write};
/// let store = MemoryStore::new();
///
/// // Of two that claim one name, the first has it.
/// let claim = |who: &str| Transaction::new().absent("host/web1").put("host/web1", who);
/// let Outcome::Committed(first) = store.commit(claim("ann")).await? else { panic!("nobody was before") };
/// assert_eq!(store.commit(claim("ben")).await?, Outcome::Conflict);
/// assert_eq!(store.get(b"host/web1").await?.map(|entry| (entry.value, entry.revision)), Some((b"ann".into(), first)));
///
/// // A change of what was read, unless somebody else changed it since.
/// let pass_on = Transaction::new().unchanged("host/web1", first).put("host/web1", "ben");
/// assert_eq!(store.commit(pass_on.clone()).await?, Outcome::Committed(first.next()));
/// assert_eq!(store.commit(pass_on).await?, Outcome::Conflict);
///
/// // A watch from the commit after a scan's misses nothing.
/// let page = store.scan(b"host/", None, 10).await?;
/// assert_eq!(page.entries[0].value, b"ben");
/// let mut changes = store.watch(b"host/", page.revision.next());
/// let _ = store.commit(Transaction::new().delete("host/web1")).await?;
/// let gone = Change { revision: page.revision.next(), write: Write::Delete(b"host/web1".into()) };
/// assert_eq!(changes.next().await, Some(Ok(vec![gone])));
/// # Ok::<(), vigo_core::store::StoreError>(()) }).unwrap();
/// ```
#[async_trait]
pub trait Store: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// When the engine cannot read.
    async fn get(&self, key: &[u8]) -> Result<Option<Entry>, StoreError>;

    /// The entries whose keys start with `prefix` and lie after `after`, at most `limit` of them.
    ///
    /// # Errors
    /// When the engine cannot read.
    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError>;

    /// Applies a transaction.
    ///
    /// # Errors
    /// When it is certain that nothing happened; otherwise the answer is [`Outcome::Unknown`].
    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError>;

    /// The changes under `prefix`, from the commit `from` on (that one included).
    fn watch(&self, prefix: &[u8], from: Revision) -> Watch;
}

/// Checks a transaction against the limits that every engine keeps.
///
/// # Errors
/// `TooLarge` beyond them.
pub fn check_size(transaction: &Transaction) -> Result<(), StoreError> {
    let operations = transaction.preconditions.len() + transaction.writes.len();
    if operations > Transaction::MAX_OPERATIONS || transaction.bytes() > Transaction::MAX_BYTES {
        return Err(StoreError::TooLarge);
    }
    Ok(())
}

/// Where a scan begins: at the prefix, or behind `after` where that lies further.
#[cfg(any(feature = "memory", feature = "redb"))]
fn range_start<'a>(prefix: &'a [u8], after: Option<&'a [u8]>) -> std::ops::Bound<&'a [u8]> {
    use std::ops::Bound;
    match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    }
}

/// Reads all entries under a prefix, page by page, and the revision of the first page: a watch from the next one on
/// misses nothing (and may repeat what later pages already showed).
///
/// ```
/// # #[cfg(feature = "memory")]
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use vigo_core::store::{MemoryStore, Store, Transaction, scan_all};
/// let store = MemoryStore::new();
/// let _ = store.commit(Transaction::new().put("other/1", "")).await?;
/// for n in 0..1200 {
///     let _ = store.commit(Transaction::new().put(format!("envoy/{n:04}"), "")).await?;
/// }
/// let all = scan_all(&store, b"envoy/").await?;
/// assert_eq!(all.entries.len(), 1200);
/// assert_eq!(all.entries[1199].key, b"envoy/1199");
/// let changes = store.watch(b"envoy/", all.revision.next());
/// # drop(changes); Ok::<(), vigo_core::store::StoreError>(()) }).unwrap();
/// ```
///
/// # Errors
/// When the engine cannot read.
pub async fn scan_all<S: Store + ?Sized>(store: &S, prefix: &[u8]) -> Result<Page, StoreError> {
    const PAGE: usize = 1000;
    let mut all = store.scan(prefix, None, PAGE).await?;
    let mut full = all.entries.len() == PAGE;
    while full {
        let after = all.entries.last().map(|entry| entry.key.clone());
        let page = store.scan(prefix, after.as_deref(), PAGE).await?;
        full = page.entries.len() == PAGE;
        all.entries.extend(page.entries);
    }
    Ok(all)
}
