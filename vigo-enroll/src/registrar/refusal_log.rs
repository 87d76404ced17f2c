//! Refusals in the audit log: no stranger can fill the store with them.

use std::sync::PoisonError;

use vigo_core::audit::AuditRecord;
use vigo_core::record::Record as _;
use vigo_core::store::{Outcome, Store, Transaction};
use vigo_core::{ClientAddr, UnixTime, keyspace};

use super::Registrar;
use crate::limits::{Limiter, Limits};
use crate::refusal::{Refusal, RefusalKind};

/// What may still be written, and how much was not.
pub(super) struct RefusalLog {
    each: Limiter,
    all: Limiter<()>,
    unrecorded: u64,
}

impl RefusalLog {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { each: Limiter::new(limits.refusals), all: Limiter::new(limits.all_refusals), unrecorded: 0 }
    }

    /// How many refusals before this one were not recorded, if this one may be.
    fn take(&mut self, from: ClientAddr, now: UnixTime) -> Option<u64> {
        if self.each.take(from.limit_key(), now).is_ok() && self.all.take((), now).is_ok() {
            Some(std::mem::take(&mut self.unrecorded))
        } else {
            self.unrecorded = self.unrecorded.saturating_add(1);
            None
        }
    }
}

impl<S: Store + ?Sized> Registrar<S> {
    /// Best effort: a refusal stands whether it could be written down or not.
    pub(super) async fn log_refusal(
        &self,
        refusal: &Refusal,
        subject: String,
        from: ClientAddr,
        now: UnixTime,
        unique: [u8; 16],
    ) {
        match refusal.kind() {
            RefusalKind::Policy | RefusalKind::Identity | RefusalKind::Malformed | RefusalKind::Limited => {}
            // Our own fault is for our own log; writing to a store that is in trouble helps nobody.
            RefusalKind::Unavailable => return,
        }
        let Some(unrecorded) = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).take(from, now) else {
            return;
        };
        let more = match unrecorded {
            0 => String::new(),
            n => format!(" ({n} refusals before this one were not recorded)"),
        };
        let record = AuditRecord {
            at: now,
            actor: format!("address:{from}"),
            action: "envoy.enrol".to_owned(),
            subject,
            outcome: refusal.audit_code().to_owned(),
            detail: format!("{}{more}", refusal.message()),
        };
        let key = keyspace::audit_record(unique);
        let written = self.store.commit(Transaction::new().absent(key.clone()).put(key, record.encode())).await;
        if !matches!(written, Ok(Outcome::Committed(_))) {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.unrecorded = refusals.unrecorded.saturating_add(unrecorded).saturating_add(1);
        }
    }
}
