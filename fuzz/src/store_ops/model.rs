//! What a store does, in the fewest words.

use std::collections::BTreeMap;

use vigo_core::store::{Change, Entry, Precondition, Revision, Transaction, Write};

/// A map, and all commits that ever were.
#[derive(Default)]
pub(super) struct Model {
    entries: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
    commits: Vec<Vec<Write>>,
}

impl Model {
    pub(super) fn newest(&self) -> u64 {
        self.commits.len() as u64
    }

    /// The commit that wrote a key's value.
    pub(super) fn revision(&self, key: &[u8]) -> Option<u64> {
        self.entries.get(key).map(|(revision, _)| *revision)
    }

    /// The newest revision, or none where a precondition does not hold.
    pub(super) fn commit(&mut self, transaction: &Transaction) -> Option<u64> {
        let holds = |precondition: &Precondition| match precondition {
            Precondition::Absent(key) => self.revision(key).is_none(),
            Precondition::Unchanged(key, revision) => self.revision(key) == Some(revision.get()),
        };
        if !transaction.preconditions.iter().all(holds) {
            return None;
        }
        // The last write to each key, unless it deletes what is not there.
        let writes = &transaction.writes;
        let last = |at: usize| !writes[at + 1..].iter().any(|later| later.key() == writes[at].key());
        let vain = |write: &Write| matches!(write, Write::Delete(key) if !self.entries.contains_key(key));
        let kept: Vec<Write> =
            (0..writes.len()).filter(|&at| last(at) && !vain(&writes[at])).map(|at| writes[at].clone()).collect();
        if !kept.is_empty() {
            let revision = self.newest() + 1;
            for write in &kept {
                match write {
                    Write::Put(key, value) => drop(self.entries.insert(key.clone(), (revision, value.clone()))),
                    Write::Delete(key) => drop(self.entries.remove(key)),
                }
            }
            self.commits.push(kept);
        }
        Some(self.newest())
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Entry> {
        self.entries.get(key).map(|value| entry(key, value))
    }

    pub(super) fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<Entry> {
        let wanted = |key: &[u8]| key.starts_with(prefix) && after.is_none_or(|after| key > after);
        let all = self.entries.iter().filter(|(key, _)| wanted(key));
        all.take(limit).map(|(key, value)| entry(key, value)).collect()
    }

    /// What a watch from the commit `from` on shows, commit by commit.
    pub(super) fn changes(&self, prefix: &[u8], from: u64) -> Vec<(u64, Vec<Change>)> {
        let under = |(revision, writes): (u64, &Vec<Write>)| {
            let writes = writes.iter().filter(|write| write.key().starts_with(prefix));
            let changes = writes.map(|write| Change { revision: Revision::new(revision), write: write.clone() });
            (revision, changes.collect::<Vec<Change>>())
        };
        let all = (1..).zip(&self.commits).filter(|(revision, _)| *revision >= from).map(under);
        all.filter(|(_, changes)| !changes.is_empty()).collect()
    }
}

fn entry(key: &[u8], (revision, value): &(u64, Vec<u8>)) -> Entry {
    Entry { key: key.to_vec(), value: value.clone(), revision: Revision::new(*revision) }
}
