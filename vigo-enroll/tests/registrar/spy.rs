//! A store that counts, writes down what it is asked to commit, and fails or is changed by others where a test says so.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use vigo_core::store::{Entry, Outcome, Page, Revision, Store, StoreError, Transaction, Watch};

use crate::world::block_on;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The store does not answer: any call.
    Unavailable,
    /// The commit happens, and nobody hears of it.
    ReplyLost,
    /// The commit does not happen, and nobody hears of that.
    RequestLost,
    /// Nobody hears of the commit, and it is tried just before this many calls later.
    Late(u64),
    /// The commit is told that somebody was faster.
    Conflict,
    /// The commit happens, and from then on nothing is answered until the test settles it.
    Gone,
}

/// Which calls a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The call of this number, from 1 on.
    Call(u64),
    /// This many commits, the next ones.
    Commits(u64),
}

type Hook = Box<dyn FnOnce() + Send>;

/// The store.
pub(crate) struct Spy {
    inner: Arc<dyn Store>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: u64,
    attempted: u64,
    committed: Vec<Transaction>,
    faults: Vec<(When, Fault)>,
    hook: Option<(u64, Hook)>,
    late: Option<(u64, Transaction)>,
    gone: bool,
}

impl Spy {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, state: Mutex::default() }
    }

    /// How often the store was asked anything.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How often a commit was asked for.
    pub(crate) fn attempted(&self) -> u64 {
        self.state().attempted
    }

    /// The commits that happened.
    pub(crate) fn committed(&self) -> Vec<Transaction> {
        self.state().committed.clone()
    }

    /// Lets a fault strike, counted from now on.
    pub(crate) fn fail(&self, when: When, fault: Fault) {
        let mut state = self.state();
        let when = match when {
            When::Call(number) => When::Call(state.calls + number),
            When::Commits(count) => When::Commits(count),
        };
        state.faults.push((when, fault));
    }

    /// Does this just before the call of this number, counted from now on.
    pub(crate) fn before(&self, number: u64, hook: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        state.hook = Some((state.calls + number, Box::new(hook)));
    }

    /// What is late comes now; nothing fails any more.
    pub(crate) fn settle(&self) {
        let late = {
            let mut state = self.state();
            state.faults.clear();
            (state.hook, state.gone) = (None, false);
            state.late.take()
        };
        if let Some((_, transaction)) = late {
            let _ = self.apply(transaction);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }

    /// Counts a call and lets happen what is due before it.
    fn enter(&self) -> u64 {
        let (number, hook, late) = {
            let mut state = self.state();
            state.calls += 1;
            let number = state.calls;
            let hook = state.hook.take_if(|(due, _)| *due == number);
            let late = state.late.take_if(|(due, _)| *due == number);
            (number, hook, late)
        };
        if let Some((_, hook)) = hook {
            hook();
        }
        if let Some((_, transaction)) = late {
            let _ = self.apply(transaction);
        }
        number
    }

    fn read(&self) -> Result<(), StoreError> {
        let number = self.enter();
        let state = self.state();
        if state.gone || state.faults.contains(&(When::Call(number), Fault::Unavailable)) {
            return Err(StoreError::Unavailable("the test says so".to_owned()));
        }
        Ok(())
    }

    fn fault_of_commit(&self, number: u64) -> Option<Fault> {
        self.state().faults.iter_mut().find_map(|(when, fault)| match when {
            When::Call(n) => (*n == number).then_some(*fault),
            When::Commits(0) => None,
            When::Commits(left) => {
                *left -= 1;
                Some(*fault)
            }
        })
    }

    fn apply(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        let outcome = block_on(self.inner.commit(transaction.clone()));
        if matches!(outcome, Ok(Outcome::Committed(_))) {
            self.state().committed.push(transaction);
        }
        outcome
    }
}

#[async_trait]
impl Store for Spy {
    async fn get(&self, key: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.read()?;
        self.inner.get(key).await
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        self.read()?;
        self.inner.scan(prefix, after, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        let number = self.enter();
        self.state().attempted += 1;
        match self.fault_of_commit(number) {
            None => self.apply(transaction),
            Some(Fault::Unavailable) => Err(StoreError::Unavailable("the test says so".to_owned())),
            Some(Fault::Conflict) => Ok(Outcome::Conflict),
            Some(Fault::RequestLost) => Ok(Outcome::Unknown),
            Some(Fault::ReplyLost) => self.apply(transaction).map(|_| Outcome::Unknown),
            Some(Fault::Gone) => {
                self.state().gone = true;
                self.apply(transaction).map(|_| Outcome::Unknown)
            }
            Some(Fault::Late(calls)) => {
                self.state().late = Some((number + calls, transaction));
                Ok(Outcome::Unknown)
            }
        }
    }

    fn watch(&self, prefix: &[u8], from: Revision) -> Watch {
        self.inner.watch(prefix, from)
    }
}
