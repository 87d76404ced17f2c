//! The newest commits, kept in memory for watchers.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::{Change, Revision, Watch, WatchError, Write};

/// A bounded ring of the newest commits. Watchers pull from it, so a slow one costs nothing and learns that it missed
/// something.
#[derive(Clone)]
pub(super) struct Changelog(Arc<Mutex<State>>);

struct State {
    limits: Limits,
    /// The commit that comes next; the kept ones are those just before it, with no gap.
    next: Revision,
    kept: VecDeque<Commit>,
    bytes: usize,
    closed: bool,
    wakers: HashMap<u64, Waker>,
    watchers: u64,
}

struct Commit {
    changes: Arc<[Change]>,
    bytes: usize,
}

/// How much is kept.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) commits: usize,
    pub(super) bytes: usize,
}

impl Limits {
    pub(super) const DEFAULT: Self = Self { commits: 4096, bytes: 16 * 1024 * 1024 };
}

/// The watchers that must look again. Woken by the engine once it holds no lock that they could want.
#[must_use]
pub(super) struct Wake(Vec<Waker>);

impl Wake {
    pub(super) fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}

impl Changelog {
    /// An empty one for a store whose newest commit is `newest`: nothing up to that is kept.
    pub(super) fn new(newest: Revision, limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(State {
            limits,
            next: newest.next(),
            kept: VecDeque::new(),
            bytes: 0,
            closed: false,
            wakers: HashMap::new(),
            watchers: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the next commit.
    pub(super) fn append(&self, revision: Revision, writes: Vec<Write>) -> Wake {
        let mut state = self.state();
        if revision != state.next {
            // A commit in between is not known: whoever waits for it must scan again.
            state.forget(revision);
        }
        let bytes = writes.iter().map(Write::bytes).sum();
        let changes = writes.into_iter().map(|write| Change { revision, write }).collect();
        state.kept.push_back(Commit { changes, bytes });
        state.bytes += bytes;
        state.next = revision.next();
        while state.kept.len() > state.limits.commits || state.bytes > state.limits.bytes {
            let Some(oldest) = state.kept.pop_front() else { break };
            state.bytes -= oldest.bytes;
        }
        state.take_wakers()
    }

    /// The store now stands at `newest` by commits that are not known here.
    #[cfg(feature = "redb")]
    pub(super) fn skip_to(&self, newest: Revision) -> Wake {
        let mut state = self.state();
        if newest.next() != state.next {
            state.forget(newest.next());
        }
        state.take_wakers()
    }

    /// Ends every watch, once it has seen what is kept.
    pub(super) fn close(&self) {
        let wake = {
            let mut state = self.state();
            state.closed = true;
            state.take_wakers()
        };
        wake.wake();
    }

    /// The changes under `prefix`, from the commit `from` on.
    pub(super) fn watch(&self, prefix: &[u8], from: Revision) -> Watch {
        let id = {
            let mut state = self.state();
            state.watchers += 1;
            state.watchers
        };
        Box::pin(Watcher {
            log: self.clone(),
            id,
            prefix: prefix.into(),
            from: from.max(Revision::new(1)),
            ended: false,
        })
    }
}

impl State {
    fn forget(&mut self, next: Revision) {
        self.kept.clear();
        self.bytes = 0;
        self.next = next;
    }

    fn take_wakers(&mut self) -> Wake {
        Wake(self.wakers.drain().map(|(_, waker)| waker).collect())
    }

    /// The commit `from`, where it is kept; `None` where it has not happened yet.
    fn commit(&self, from: Revision) -> Result<Option<Arc<[Change]>>, WatchError> {
        if from >= self.next {
            return Ok(None);
        }
        let behind = usize::try_from(self.next.get() - from.get()).map_err(|_| WatchError::Compacted)?;
        let index = self.kept.len().checked_sub(behind).ok_or(WatchError::Compacted)?;
        Ok(self.kept.get(index).map(|commit| Arc::clone(&commit.changes)))
    }
}

struct Watcher {
    log: Changelog,
    id: u64,
    prefix: Box<[u8]>,
    /// The first commit not yet looked at.
    from: Revision,
    ended: bool,
}

impl Stream for Watcher {
    type Item = Result<Vec<Change>, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let mut state = this.log.state();
        loop {
            let error = match state.commit(this.from) {
                Ok(Some(changes)) => {
                    this.from = this.from.next();
                    let seen: Vec<Change> =
                        changes.iter().filter(|change| change.write.key().starts_with(&this.prefix)).cloned().collect();
                    if seen.is_empty() {
                        continue;
                    }
                    return Poll::Ready(Some(Ok(seen)));
                }
                Ok(None) if !state.closed => {
                    state.wakers.insert(this.id, context.waker().clone());
                    return Poll::Pending;
                }
                Ok(None) => WatchError::Closed,
                Err(error) => error,
            };
            this.ended = true;
            return Poll::Ready(Some(Err(error)));
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.log.state().wakers.remove(&self.id);
    }
}
