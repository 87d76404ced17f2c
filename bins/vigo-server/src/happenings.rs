//! What happens to envoys, told to whoever watches: by this process, at the moment it is in force here.

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use vigo_core::EnvoyId;
use vigo_core::record::{EnvoyRecord, RevocationCause};

/// So many are kept for a watcher that is slow; one that lost some is told so and lists again.
const KEPT: usize = 4096;

/// One change of one envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Enrolled,
    CheckedIn,
    Revoked,
    Deleted,
    /// Something else of its record.
    Changed,
}

impl Change {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::CheckedIn => "checked_in",
            Self::Revoked => "revoked",
            Self::Deleted => "deleted",
            Self::Changed => "changed",
        }
    }

    /// What a record says that the one before it did not.
    pub(crate) fn between(before: Option<&EnvoyRecord>, after: &EnvoyRecord) -> Option<Self> {
        let cause = |record: &EnvoyRecord| record.revocation.as_ref().map(|revocation| revocation.cause);
        match before {
            None => Some(Self::Enrolled),
            Some(before) if before == after => None,
            Some(before) if cause(before) == cause(after) => Some(Self::Changed),
            Some(_) => Some(match cause(after) {
                Some(RevocationCause::Deleted) => Self::Deleted,
                Some(RevocationCause::Operator | RevocationCause::Replaced) => Self::Revoked,
                None => Self::Changed,
            }),
        }
    }
}

/// Where it is told.
#[derive(Debug)]
pub(crate) struct Happenings {
    told: broadcast::Sender<(EnvoyId, Change)>,
    end: CancellationToken,
}

impl Happenings {
    pub(crate) fn new() -> Self {
        Self { told: broadcast::channel(KEPT).0, end: CancellationToken::new() }
    }

    /// Tells who listens, if anybody does.
    pub(crate) fn tell(&self, envoy: EnvoyId, change: Change) {
        // An error means that nobody listens.
        let _ = self.told.send((envoy, change));
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<(EnvoyId, Change)> {
        self.told.subscribe()
    }

    /// Has every stream end, so that the server need not wait for those who follow.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }

    /// Until it has.
    pub(crate) async fn ended(&self) {
        self.end.cancelled().await;
    }
}
