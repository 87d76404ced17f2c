use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use futures_util::stream;
use vigo_core::store::{
    Change, Entry, Outcome, Page, Precondition, Revision, Store, StoreError, Transaction, Watch, WatchError, Write,
    check_size,
};

/// A store that is one file, to which every commit appends a line. The file is the history; the values in memory are
/// made from it when it is opened. It never forgets, so no watch is ever behind, and the file never shrinks.
pub(crate) struct LogStore(Arc<Mutex<State>>);

struct State {
    file: File,
    /// All of them; the first is revision 1.
    commits: Vec<Vec<Write>>,
    entries: BTreeMap<Vec<u8>, Entry>,
    /// It was dropped, or its file failed.
    ended: bool,
    wakers: Vec<Waker>,
}

/// A commit's line: JSON, keys and values in hexadecimal, no value for a deleted key.
type Line = Vec<(String, Option<String>)>;

impl LogStore {
    /// Opens the file, or makes it. One process at a time has it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock()?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // A last line without its end was cut off by a crash, before it was acknowledged. Any other must be readable.
        text.truncate(text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1));
        file.set_len(text.len() as u64)?;
        file.sync_all()?;
        File::open(path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new(".")))?.sync_all()?;
        let (commits, entries) = Default::default();
        let mut state = State { file, commits, entries, ended: false, wakers: Vec::new() };
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let line = serde_json::from_slice::<Line>(line)?.into_iter().map(|(key, value)| {
                let key = hex::decode(key)?;
                Ok(match value {
                    Some(value) => Write::Put(key, hex::decode(value)?),
                    None => Write::Delete(key),
                })
            });
            state.apply(line.collect::<Result<_, hex::FromHexError>>()?);
        }
        Ok(Self(Arc::new(Mutex::new(state))))
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn newest(&self) -> Revision {
        Revision::new(self.commits.len() as u64)
    }

    fn holds(&self, precondition: &Precondition) -> bool {
        match precondition {
            Precondition::Absent(key) => !self.entries.contains_key(key),
            Precondition::Unchanged(key, read) => self.entries.get(key).is_some_and(|entry| entry.revision == *read),
        }
    }

    fn append(&mut self, writes: &[Write]) -> std::io::Result<()> {
        let line = writes.iter().map(|write| match write {
            Write::Put(key, value) => (hex::encode(key), Some(hex::encode(value))),
            Write::Delete(key) => (hex::encode(key), None),
        });
        let mut line = serde_json::to_vec(&line.collect::<Line>())?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }

    fn apply(&mut self, writes: Vec<Write>) {
        let revision = self.newest().next();
        for write in &writes {
            match write.clone() {
                Write::Put(key, value) => drop(self.entries.insert(key.clone(), Entry { key, value, revision })),
                Write::Delete(key) => drop(self.entries.remove(&key)),
            }
        }
        self.commits.push(writes);
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn end(&mut self) {
        self.ended = true;
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        lock(&self.0).end();
    }
}

#[async_trait]
impl Store for LogStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Entry>, StoreError> {
        Ok(lock(&self.0).entries.get(key).cloned())
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        let state = lock(&self.0);
        let found = state.entries.range(prefix.to_vec()..).map(|(_, entry)| entry);
        let found = found.take_while(|entry| entry.key.starts_with(prefix));
        let found = found.filter(|entry| after.is_none_or(|after| entry.key.as_slice() > after));
        Ok(Page { entries: found.take(limit).cloned().collect(), revision: state.newest() })
    }

    /// Waits for the disk where it is called: a busy server would give the file a thread of its own.
    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        check_size(&transaction)?;
        let mut state = lock(&self.0);
        if state.ended {
            return Err(StoreError::Unavailable("the file failed: open it again".to_owned()));
        }
        if !transaction.preconditions.iter().all(|precondition| state.holds(precondition)) {
            return Ok(Outcome::Conflict);
        }
        // The last write to a key is the one that counts, and there is no deleting what is not there.
        let mut last: BTreeMap<Vec<u8>, Write> = BTreeMap::new();
        for write in transaction.writes {
            last.insert(write.key().to_vec(), write);
        }
        last.retain(|key, write| matches!(write, Write::Put(..)) || state.entries.contains_key(key));
        let writes: Vec<Write> = last.into_values().collect();
        if writes.is_empty() {
            return Ok(Outcome::Committed(state.newest()));
        }
        if state.append(&writes).is_err() {
            // Perhaps the line is there, perhaps not: who opens the file again finds out.
            state.end();
            return Ok(Outcome::Unknown);
        }
        state.apply(writes);
        Ok(Outcome::Committed(state.newest()))
    }

    fn watch(&self, prefix: &[u8], from: Revision) -> Watch {
        let (shared, prefix, mut next, mut over) = (Arc::clone(&self.0), prefix.to_vec(), from.get().max(1), false);
        Box::pin(stream::poll_fn(move |context| {
            if over {
                return Poll::Ready(None);
            }
            let mut state = lock(&shared);
            while let Some(writes) = usize::try_from(next - 1).ok().and_then(|index| state.commits.get(index)) {
                let revision = Revision::new(next);
                next += 1;
                let writes = writes.iter().filter(|write| write.key().starts_with(&prefix));
                let changes: Vec<_> = writes.map(|write| Change { revision, write: write.clone() }).collect();
                if !changes.is_empty() {
                    return Poll::Ready(Some(Ok(changes)));
                }
            }
            if state.ended {
                over = true;
                return Poll::Ready(Some(Err(WatchError::Closed)));
            }
            if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                state.wakers.push(context.waker().clone());
            }
            Poll::Pending
        }))
    }
}
