//! The post of whoever checks in for this machine: the lock of the state, and a daemon's socket.

use std::time::Duration;

use crate::local_socket::{Asked, LocalSocket};
use crate::{Lock, LockError, Paths, clock};

/// How long one who comes back waits for another who took the post meanwhile: a check-in by `vigo run`, say.
const PATIENCE: Duration = Duration::from_secs(60);

/// Held by one process at a time, and left to a new version while that is tried.
pub(crate) struct Post {
    listens: bool,
    held: Option<(Lock, Option<LocalSocket>)>,
}

impl Post {
    /// Takes it, now or not at all. A daemon listens too.
    pub(crate) fn take(paths: &Paths, listens: bool) -> Result<Self, LockError> {
        let mut post = Self { listens, held: None };
        post.hold(paths)?;
        Ok(post)
    }

    /// Takes it once whoever has it lets go.
    pub(crate) async fn wait(paths: &Paths, listens: bool) -> Result<Self, LockError> {
        let mut post = Self { listens, held: None };
        post.come_back(paths).await?;
        Ok(post)
    }

    fn hold(&mut self, paths: &Paths) -> Result<(), LockError> {
        let lock = Lock::take(&paths.lock())?;
        self.held = Some((lock, self.listens.then(|| LocalSocket::bind(paths.socket()))));
        Ok(())
    }

    /// Leaves it to another.
    pub(crate) fn leave(&mut self) {
        self.held = None;
    }

    /// Whether it is ours.
    pub(crate) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Takes it again.
    pub(crate) async fn come_back(&mut self, paths: &Paths) -> Result<(), LockError> {
        let until = clock::now().after(PATIENCE);
        loop {
            match self.hold(paths) {
                Err(LockError::Held { .. }) if clock::now() < until => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                done => return done,
            }
        }
    }

    /// The next who asks for something; never ends.
    pub(crate) async fn asked(&mut self) -> Asked {
        match &mut self.held {
            Some((_, Some(socket))) => socket.next().await,
            _ => std::future::pending().await,
        }
    }
}
