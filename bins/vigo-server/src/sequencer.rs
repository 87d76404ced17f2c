//! Appends the links of the audit chain: within a second, every audit record is covered by one.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;
use vigo_core::audit::ChainLink;
use vigo_core::keyspace;
use vigo_core::record::Record;
use vigo_core::store::{self, Entry, Outcome, Revision, Store, StoreError, Transaction, WatchError, Write};

/// How long records wait for their link at most.
const PERIOD: Duration = Duration::from_secs(1);

/// Appends links until the server stops. A failure is logged and tried again: the records themselves are safe.
pub(crate) async fn run(store: &dyn Store, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match sequence(store, &stop).await {
            Ok(()) => {}
            Err(error) => tracing::error!(%error, "the audit chain falls behind"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// Reads where the chain stands, then appends links for what comes; returns when the watch ends.
async fn sequence(store: &dyn Store, stop: &CancellationToken) -> Result<(), StoreError> {
    let mut last = store::scan_all(store, keyspace::AUDIT_CHAIN.as_bytes())
        .await?
        .entries
        .last()
        .map(|entry| ChainLink::decode(&entry.value))
        .transpose()
        .map_err(|error| StoreError::Damaged(error.to_string()))?;
    let covered = last.as_ref().map_or(Revision::ZERO, |link| link.through);
    let page = store::scan_all(store, keyspace::AUDIT_RECORDS.as_bytes()).await?;
    // Only what the first page saw is certain to be complete; the watch brings the rest.
    let known = page.revision;
    let mut waiting: Vec<Entry> =
        page.entries.into_iter().filter(|entry| entry.revision > covered && entry.revision <= known).collect();
    let mut changes = store.watch(keyspace::AUDIT_RECORDS.as_bytes(), known.next());
    loop {
        if !waiting.is_empty() {
            last = Some(append(store, last.as_ref(), &waiting).await?);
            waiting.clear();
        }
        // Wait for the first change, then for those that come within the period.
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            next = changes.next() => if take(next, &mut waiting)? == Ended::Yes { return Ok(()) },
        }
        let pause = tokio::time::sleep(PERIOD);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                () = stop.cancelled() => break,
                next = changes.next() => if take(next, &mut waiting)? == Ended::Yes { break },
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Ended {
    Yes,
    No,
}

fn take(next: Option<Result<Vec<store::Change>, WatchError>>, waiting: &mut Vec<Entry>) -> Result<Ended, StoreError> {
    match next {
        Some(Ok(changes)) => {
            for change in changes {
                match change.write {
                    Write::Put(key, value) => waiting.push(Entry { key, value, revision: change.revision }),
                    // Nothing in this program deletes one; the chain will show it.
                    Write::Delete(key) => {
                        tracing::error!(key = %String::from_utf8_lossy(&key), "an audit record was deleted");
                    }
                }
            }
            Ok(Ended::No)
        }
        Some(Err(WatchError::Compacted)) | None => Ok(Ended::Yes),
        Some(Err(error)) => Err(StoreError::Unavailable(error.to_string())),
    }
}

async fn append(store: &dyn Store, last: Option<&ChainLink>, waiting: &[Entry]) -> Result<ChainLink, StoreError> {
    let through = waiting.iter().map(|entry| entry.revision).max().unwrap_or(Revision::ZERO);
    let link = ChainLink::after(last, through, waiting);
    let key = keyspace::audit_link(link.number);
    match store.commit(Transaction::new().absent(key.clone()).put(key, link.encode())).await? {
        Outcome::Committed(_) => Ok(link),
        // Another sequencer was faster, or nobody knows: read anew where the chain stands.
        Outcome::Conflict | Outcome::Unknown => Err(StoreError::Unavailable("a link was contended".into())),
    }
}
