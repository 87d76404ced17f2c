//! Somebody who follows what happens to envoys, for as long as they may.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use vigo_core::EnvoyId;

use crate::access::Principal;
use crate::app::App;
use crate::happenings::Change;

/// Somebody who follows.
pub(crate) struct Listening {
    pub(crate) app: Arc<App>,
    who: Principal,
    happenings: Receiver<(EnvoyId, Change)>,
}

/// What is heard.
pub(crate) enum Heard {
    Change(EnvoyId, Change),
    /// Some was missed: look at everything again.
    Lost,
}

impl Listening {
    pub(crate) fn new(app: &Arc<App>, who: Principal) -> Self {
        let happenings = app.happenings.listen();
        Self { app: Arc::clone(app), who, happenings }
    }

    /// The next that happens; `None` when the server stops, or they may not ask any more. A stream outlives the request
    /// that began it, so who follows is looked at again before they are told more.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        let heard = tokio::select! {
            () = self.app.happenings.ended() => return None,
            heard = self.happenings.recv() => match heard {
                Ok((envoy, change)) => Heard::Change(envoy, change),
                Err(RecvError::Lagged(_)) => Heard::Lost,
                Err(RecvError::Closed) => return None,
            },
        };
        match self.who.holds(self.app.store.as_ref()).await {
            Ok(holds) => holds.then_some(heard),
            Err(error) => {
                tracing::error!(%error, "cannot tell whether somebody may go on following: their stream ends");
                None
            }
        }
    }

    /// Forgets what happened until now.
    pub(crate) fn forget(&mut self) {
        self.happenings = self.app.happenings.listen();
    }
}
