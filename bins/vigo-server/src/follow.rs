//! Follows the store, so that what another process changes is in force here too.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;
use vigo_core::keyspace;
use vigo_core::record::{EnvoyRecord, Record};
use vigo_core::store::{self, Revision, StoreError, Write};

use crate::app::App;

/// Puts every envoy of the store into the index, and into force.
pub(crate) async fn load(app: &App) -> Result<Revision, StoreError> {
    let page = store::scan_all(app.store.as_ref(), keyspace::ENVOYS.as_bytes()).await?;
    for entry in &page.entries {
        app.apply(decode(&entry.value)?);
    }
    Ok(page.revision)
}

fn decode(value: &[u8]) -> Result<EnvoyRecord, StoreError> {
    EnvoyRecord::decode(value).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Follows changes of envoys and approved patterns until the server stops.
pub(crate) async fn run(app: Arc<App>, from: Revision, stop: CancellationToken) {
    let mut envoys = app.store.watch(keyspace::ENVOYS.as_bytes(), from.next());
    let mut approved = app.store.watch(keyspace::APPROVED.as_bytes(), from.next());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            next = envoys.next() => match next {
                Some(Ok(changes)) => {
                    for change in changes {
                        let Write::Put(_, value) = change.write else { continue };
                        match decode(&value) {
                            Ok(record) => drop(app.apply(record)),
                            Err(error) => tracing::error!(%error, "a changed envoy cannot be read"),
                        }
                    }
                }
                _ => match load(&app).await {
                    Ok(revision) => envoys = app.store.watch(keyspace::ENVOYS.as_bytes(), revision.next()),
                    Err(error) => pause(&error).await,
                },
            },
            next = approved.next() => {
                if let Err(error) = app.reload_rules().await {
                    pause(&error).await;
                }
                if !matches!(next, Some(Ok(_))) {
                    let now = app.store.scan(keyspace::APPROVED.as_bytes(), None, 1).await;
                    match now {
                        Ok(page) => approved = app.store.watch(keyspace::APPROVED.as_bytes(), page.revision.next()),
                        Err(error) => pause(&error).await,
                    }
                }
            }
        }
    }
}

async fn pause(error: &(dyn std::fmt::Display + Sync)) {
    tracing::error!(%error, "cannot follow the store");
    tokio::time::sleep(Duration::from_secs(1)).await;
}
