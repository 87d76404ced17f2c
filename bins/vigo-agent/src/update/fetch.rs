//! The download: over the connection that the envoy's certificate opened, from where the last one broke off, and never
//! more than was signed.

use std::time::Duration;

use tokio::time::timeout;
use vigo_core::AgentManifest;

use super::UpdateError;
use super::slot::Slot;
use crate::line::{CallError, Line};

/// For all of it; what came by then is kept.
const WHOLE: Duration = Duration::from_mins(15);

/// Fills the slot and verifies what is in it.
pub(super) async fn fetch(line: &Line, mut slot: Slot, manifest: &AgentManifest) -> Result<Slot, UpdateError> {
    let done = match timeout(WHOLE, fill(line, &mut slot, manifest)).await {
        Ok(Ok(())) => slot.verify(manifest),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(broke_off(&slot, manifest, format!("no end within {} min", WHOLE.as_secs() / 60))),
    };
    match done {
        Ok(()) => {
            let path = slot.path().to_owned();
            slot.close().map_err(|source| UpdateError::Write { path, source })
        }
        // What came is good as far as anybody knows.
        Err(error) if slot.got() > 0 && is_gone_on_with(&error) => Err(error),
        Err(error) => {
            slot.remove();
            Err(error)
        }
    }
}

/// Whether the next try goes on where this one ended.
fn is_gone_on_with(error: &UpdateError) -> bool {
    matches!(error, UpdateError::BrokeOff { .. } | UpdateError::Call(CallError::Lost { .. }))
}

fn broke_off(slot: &Slot, manifest: &AgentManifest, why: String) -> UpdateError {
    UpdateError::BrokeOff { got: slot.got(), size: manifest.size, why }
}

async fn fill(line: &Line, slot: &mut Slot, manifest: &AgentManifest) -> Result<(), UpdateError> {
    if slot.got() == manifest.size {
        return Ok(());
    }
    let path = format!("/api/v1/agent/download/{}/{}", manifest.target.os(), manifest.target.arch());
    let range = format!("bytes={}-", slot.got());
    let tag = format!("\"{}\"", hex::encode(manifest.sha256));
    let mut headers = vec![("if-match", tag.as_str())];
    if slot.got() > 0 {
        headers.push(("range", &range));
    }
    let mut answer = line.get(&path, &headers).await?;
    if slot.got() > 0 && !answer.is_partial() {
        slot.restart()?;
    }
    loop {
        let chunk = match answer.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(CallError::Lost { what, .. }) => return Err(broke_off(slot, manifest, what)),
            Err(error) => return Err(error.into()),
        };
        if slot.got() + chunk.len() as u64 > manifest.size {
            return Err(UpdateError::TooLong(manifest.size));
        }
        slot.write(&chunk)?;
    }
    if slot.got() < manifest.size {
        return Err(broke_off(slot, manifest, "the answer ended".to_owned()));
    }
    Ok(())
}
