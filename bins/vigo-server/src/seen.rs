//! Last-seen times: kept in memory at each check-in, written in pages every few seconds, read at the start.

use std::collections::HashMap;

use vigo_core::record::{Record, Seen, SeenPage};
use vigo_core::store::{self, Outcome, Revision, Store, StoreError, Transaction};
use vigo_core::{EnvoyId, Epoch, keyspace};

use crate::fleet::FleetIndex;

/// Writes the pages of envoys that checked in since the last time.
///
/// One page is one commit, so an outage loses at most the seconds since the last flush, never an older time.
///
/// # Errors
/// When the store cannot be written; what was not written stays marked.
pub async fn flush(fleet: &FleetIndex, store: &dyn Store, epoch: Epoch) -> Result<usize, StoreError> {
    let mut fresh: HashMap<u8, Vec<Seen>> = HashMap::new();
    for envoy in fleet.all() {
        let mut live = envoy.live();
        if live.unwritten
            && let Some(seen) = live.seen.clone()
        {
            live.unwritten = false;
            fresh.entry(keyspace::seen_page(&seen.envoy)).or_default().push(seen);
        }
    }
    let mut written = 0;
    let mut failed = None;
    for (page, seen) in fresh {
        match write_page(fleet, store, epoch, page, &seen).await {
            Ok(()) => written += seen.len(),
            Err(error) => {
                for one in &seen {
                    if let Some(envoy) = fleet.get(&one.envoy) {
                        envoy.live().unwritten = true;
                    }
                }
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(written), Err)
}

async fn write_page(
    fleet: &FleetIndex,
    store: &dyn Store,
    epoch: Epoch,
    page: u8,
    fresh: &[Seen],
) -> Result<(), StoreError> {
    const TRIES: usize = 8;
    let key = keyspace::seen(page);
    for _ in 0..TRIES {
        let kept = store.get(key.as_bytes()).await?;
        let mut table: HashMap<EnvoyId, Seen> = match &kept {
            Some(entry) => page_of(&entry.value)?.envoys.into_iter().map(|seen| (seen.envoy, seen)).collect(),
            None => HashMap::new(),
        };
        for seen in fresh {
            let newer = table.get(&seen.envoy).is_none_or(|kept| kept.at <= seen.at);
            if newer {
                table.insert(seen.envoy, seen.clone());
            }
        }
        // Nobody asks when a revoked envoy was last seen, and a page has a largest size.
        let in_service =
            |seen: &Seen| fleet.get(&seen.envoy).is_none_or(|envoy| envoy.live().record.revocation.is_none());
        let mut envoys: Vec<Seen> = table.into_values().filter(in_service).collect();
        envoys.sort_by_key(|seen| seen.envoy);
        let value = SeenPage { epoch, envoys }.encode();
        let transaction =
            Transaction::new().as_read(key.clone(), kept.map(|entry| entry.revision)).put(key.clone(), value);
        // After `Unknown` the page is read again: writing the same times twice does no harm.
        if let Outcome::Committed(_) = store.commit(transaction).await? {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable("a last-seen page is fought over".into()))
}

fn page_of(value: &[u8]) -> Result<SeenPage, StoreError> {
    SeenPage::decode(value).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Puts the kept last-seen times into the index.
///
/// # Errors
/// When the store cannot be read.
pub async fn load(fleet: &FleetIndex, store: &dyn Store) -> Result<Revision, StoreError> {
    let page = store::scan_all(store, keyspace::SEEN.as_bytes()).await?;
    for entry in &page.entries {
        for seen in page_of(&entry.value)?.envoys {
            if let Some(envoy) = fleet.get(&seen.envoy) {
                let mut live = envoy.live();
                if live.seen.as_ref().is_none_or(|kept| kept.at < seen.at) {
                    live.seen = Some(seen);
                }
            }
        }
    }
    Ok(page.revision)
}
