use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;

use super::changelog::{Changelog, Limits};
use super::plan::{Plan, plan};
use super::{Entry, Outcome, Page, Revision, Store, StoreError, Transaction, Watch, Write, check_size, range_start};

/// A store in memory, for tests: gone when dropped, never `Unknown`.
///
/// ```
/// use vigo_core::store::{MemoryStore, Outcome, Revision, Store, Transaction};
/// # futures_util::FutureExt::now_or_never(async {
/// let store = MemoryStore::new();
/// let outcome = store.commit(Transaction::new().absent("a").put("a", "1")).await?;
/// assert_eq!(outcome, Outcome::Committed(Revision::new(1)));
/// # Ok::<_, vigo_core::store::StoreError>(()) }).unwrap().unwrap();
/// ```
pub struct MemoryStore {
    state: RwLock<State>,
    log: Changelog,
}

#[derive(Default)]
struct State {
    newest: Revision,
    entries: BTreeMap<Vec<u8>, (Revision, Vec<u8>)>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { state: RwLock::default(), log: Changelog::new(Revision::ZERO, Limits::DEFAULT) }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.log.close();
    }
}

fn entry(key: &[u8], (revision, value): &(Revision, Vec<u8>)) -> Entry {
    Entry { key: key.to_vec(), value: value.clone(), revision: *revision }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Entry>, StoreError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Ok(state.entries.get(key).map(|value| entry(key, value)))
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let entries = state
            .entries
            .range::<[u8], _>((range_start(prefix, after), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, value)| entry(key, value))
            .collect();
        Ok(Page { entries, revision: state.newest })
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        check_size(&transaction)?;
        let (revision, wake) = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            let planned =
                plan(transaction, |key| Ok::<_, StoreError>(state.entries.get(key).map(|(revision, _)| *revision)))?;
            let writes = match planned {
                Plan::Conflict => return Ok(Outcome::Conflict),
                Plan::Nothing => return Ok(Outcome::Committed(state.newest)),
                Plan::Change(writes) => writes,
            };
            let revision = state.newest.next();
            state.newest = revision;
            for write in &writes {
                match write {
                    Write::Put(key, value) => drop(state.entries.insert(key.clone(), (revision, value.clone()))),
                    Write::Delete(key) => drop(state.entries.remove(key)),
                }
            }
            // Appended under the lock: two commits must not reach the log in another order than they happened.
            (revision, self.log.append(revision, writes))
        };
        wake.wake();
        Ok(Outcome::Committed(revision))
    }

    fn watch(&self, prefix: &[u8], from: Revision) -> Watch {
        self.log.watch(prefix, from)
    }
}
