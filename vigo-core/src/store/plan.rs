//! What a transaction would change, decided alike by both engines.

use std::collections::HashMap;

use super::{Precondition, Revision, Transaction, Write};

/// What a transaction does to the keys as they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// A precondition does not hold.
    Conflict,
    /// All hold and nothing changes: no commit is made.
    Nothing,
    /// At most one write to each key, and no deletion of an absent one.
    Change(Vec<Write>),
}

/// Plans a transaction; `read` tells which commit wrote a key's value.
pub(super) fn plan<E>(
    transaction: Transaction,
    mut read: impl FnMut(&[u8]) -> Result<Option<Revision>, E>,
) -> Result<Plan, E> {
    for precondition in &transaction.preconditions {
        let holds = match precondition {
            Precondition::Absent(key) => read(key)?.is_none(),
            Precondition::Unchanged(key, revision) => read(key)? == Some(*revision),
        };
        if !holds {
            return Ok(Plan::Conflict);
        }
    }
    // The last write to a key is its only effect: a watcher sees each key once in a commit.
    let last: HashMap<Vec<u8>, usize> =
        transaction.writes.iter().enumerate().map(|(i, write)| (write.key().to_vec(), i)).collect();
    let mut writes = Vec::with_capacity(last.len());
    for (i, write) in transaction.writes.into_iter().enumerate() {
        let effective = last.get(write.key()) == Some(&i);
        let vain = matches!(write, Write::Delete(_)) && effective && read(write.key())?.is_none();
        if effective && !vain {
            writes.push(write);
        }
    }
    Ok(if writes.is_empty() { Plan::Nothing } else { Plan::Change(writes) })
}
