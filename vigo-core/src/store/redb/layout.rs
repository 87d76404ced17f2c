//! How entries lie in a redb database.

use redb::{ReadableTable, TableDefinition};

use crate::store::{Entry, Revision, StoreError};

/// Key → revision (u64, big-endian) and value.
pub(super) const ENTRIES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("entries");
/// What the store knows of itself.
pub(super) const META: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("meta");
/// In `META`: the number of this layout, u32, big-endian.
pub(super) const FORMAT_KEY: &[u8] = b"format";
/// In `META`: the newest commit, u64, big-endian.
pub(super) const REVISION_KEY: &[u8] = b"revision";
/// The number of this layout.
pub(super) const FORMAT: u32 = 1;

/// What a caller of the store is told of an error of redb's.
pub(super) fn error(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(what) => StoreError::Damaged(what),
        error @ (redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. }) => {
            StoreError::Damaged(error.to_string())
        }
        error => StoreError::Unavailable(error.to_string()),
    }
}

/// The newest commit.
pub(super) fn newest(meta: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<Revision, StoreError> {
    let stored = meta.get(REVISION_KEY).map_err(error)?;
    let number = stored.and_then(|bytes| bytes.value().try_into().ok().map(u64::from_be_bytes));
    number.map(Revision::new).ok_or_else(|| StoreError::Damaged("it does not say its newest commit".into()))
}

/// The bytes to store.
pub(super) fn stored(revision: Revision, value: &[u8]) -> Vec<u8> {
    [&revision.get().to_be_bytes(), value].concat()
}

/// The revision and the value in stored bytes.
pub(super) fn split(stored: &[u8]) -> Result<(Revision, &[u8]), StoreError> {
    let (revision, value) =
        stored.split_first_chunk().ok_or_else(|| StoreError::Damaged("a value without its revision".into()))?;
    Ok((Revision::new(u64::from_be_bytes(*revision)), value))
}

/// An entry from its stored bytes.
pub(super) fn entry(key: &[u8], stored: &[u8]) -> Result<Entry, StoreError> {
    let (revision, value) = split(stored)?;
    Ok(Entry { key: key.to_vec(), value: value.to_vec(), revision })
}
