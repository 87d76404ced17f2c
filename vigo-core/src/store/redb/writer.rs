//! The one thread that writes.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;
use redb::{Database, ReadableTable, WriteTransaction};

use super::file::Source;
use super::{Shared, layout};
use crate::store::plan::{Plan, plan};
use crate::store::{Outcome, Revision, StoreError, Transaction, Write};

/// What the writer is asked.
pub(super) enum Message {
    /// To commit.
    Commit(Job),
    /// To open the database anew, since reading from its `opened`-th opening failed.
    Reopen { opened: u64 },
}

/// A transaction and whom to tell what became of it.
pub(super) struct Job {
    pub(super) transaction: Transaction,
    pub(super) reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    source: Source,
    /// The newest commit that was acknowledged or found in the file.
    newest: Revision,
    /// The commits that were on their way when the disk failed: in the file after all, or not, all or none.
    unknown: Vec<Committed>,
}

/// A commit and what it changed.
type Committed = (Revision, Vec<Write>);

/// The most transactions that share one writing to the disk, and the bytes from which on no more is added.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 8 * Transaction::MAX_BYTES;
/// How long a failed disk is left alone when nobody asks for it.
const RETRY: Duration = Duration::from_secs(1);

/// What a batch came to, before it is on the disk.
struct Staged {
    outcomes: Vec<Outcome>,
    commits: Vec<Committed>,
}

/// Why a batch failed.
enum Failure {
    /// Nothing of it can be in the file.
    Before(StoreError),
    /// These commits may be in the file.
    Within(Vec<Committed>, StoreError),
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, source: Source, newest: Revision) -> Self {
        Self { shared, source, newest, unknown: Vec::new() }
    }

    /// Serves until the store is dropped and all that was asked before is answered.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let first = if self.is_open() {
                match messages.recv() {
                    Ok(message) => Some(message),
                    Err(_) => break,
                }
            } else {
                match messages.recv_timeout(RETRY) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            };
            let (transactions, replies) = self.gather(first, messages);
            if !self.is_open() {
                self.reopen();
            }
            if !replies.is_empty() {
                self.serve(transactions, replies);
            }
        }
        // The file is closed and unlocked before the store's `drop` returns.
        self.close("the store was closed");
        self.shared.log.close();
    }

    /// What waits by now, as far as a batch takes it.
    fn gather(
        &mut self,
        first: Option<Message>,
        messages: &Receiver<Message>,
    ) -> (Vec<Transaction>, Vec<oneshot::Sender<Result<Outcome, StoreError>>>) {
        let (mut transactions, mut replies, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut next = first;
        while let Some(message) = next {
            match message {
                Message::Commit(job) => {
                    bytes += job.transaction.bytes();
                    transactions.push(job.transaction);
                    replies.push(job.reply);
                }
                Message::Reopen { opened } => {
                    let same = self.shared.slot.read().unwrap_or_else(PoisonError::into_inner).opened == opened;
                    if same {
                        self.close("reading failed");
                    }
                }
            }
            let room = replies.len() < BATCH && bytes < BATCH_BYTES;
            next = if room { messages.try_recv().ok() } else { None };
        }
        (transactions, replies)
    }

    fn serve(&mut self, transactions: Vec<Transaction>, replies: Vec<oneshot::Sender<Result<Outcome, StoreError>>>) {
        let result = {
            let slot = self.shared.slot.read().unwrap_or_else(PoisonError::into_inner);
            match &slot.database {
                Ok(database) => write(database, transactions),
                Err(reason) => {
                    let reason = reason.clone();
                    drop(slot);
                    for reply in replies {
                        let _ = reply.send(Err(StoreError::Unavailable(reason.clone())));
                    }
                    return;
                }
            }
        };
        // Whoever asked may have gone away: an answer that nobody takes is no error.
        match result {
            Ok(staged) => {
                for (revision, writes) in staged.commits {
                    self.newest = revision;
                    self.shared.log.append(revision, writes).wake();
                }
                for (reply, outcome) in replies.into_iter().zip(staged.outcomes) {
                    let _ = reply.send(Ok(outcome));
                }
            }
            Err(Failure::Before(error)) => {
                self.close(&error.to_string());
                self.reopen();
                for reply in replies {
                    let _ = reply.send(Err(match &error {
                        StoreError::Damaged(what) => StoreError::Damaged(what.clone()),
                        other => StoreError::Unavailable(other.to_string()),
                    }));
                }
            }
            Err(Failure::Within(commits, error)) => {
                self.unknown = commits;
                self.close(&error.to_string());
                // Before the answers, so that whoever reads again upon one finds how it ended.
                self.reopen();
                for reply in replies {
                    let _ = reply.send(Ok(Outcome::Unknown));
                }
            }
        }
    }

    fn is_open(&self) -> bool {
        self.shared.slot.read().unwrap_or_else(PoisonError::into_inner).database.is_ok()
    }

    fn close(&self, reason: &str) {
        let mut slot = self.shared.slot.write().unwrap_or_else(PoisonError::into_inner);
        slot.database = Err(reason.to_owned());
    }

    /// Opens the database again and finds out what became of the commits that were on their way.
    fn reopen(&mut self) {
        let opened = match (self.source)() {
            Ok(opened) => opened,
            Err(error) => return self.close(&error.to_string()),
        };
        if opened.newest < self.newest {
            return self.close("commits that were acknowledged are not in the file; restore it and start again");
        }
        let happened = self.unknown.last().is_some_and(|(last, _)| *last == opened.newest);
        let wake: Vec<_> = if happened {
            self.unknown.drain(..).map(|(revision, writes)| self.shared.log.append(revision, writes)).collect()
        } else {
            self.unknown.clear();
            vec![self.shared.log.skip_to(opened.newest)]
        };
        self.newest = opened.newest;
        {
            let mut slot = self.shared.slot.write().unwrap_or_else(PoisonError::into_inner);
            slot.database = Ok(opened.database);
            slot.opened += 1;
        }
        wake.into_iter().for_each(crate::store::changelog::Wake::wake);
    }
}

/// Applies the transactions in order and writes all to the disk at once.
fn write(database: &Database, transactions: Vec<Transaction>) -> Result<Staged, Failure> {
    let before = |error| Failure::Before(error);
    let mut transaction = database.begin_write().map_err(layout::error).map_err(before)?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    let staged = stage(&transaction, transactions).map_err(before)?;
    if staged.commits.is_empty() {
        transaction.abort().map_err(layout::error).map_err(before)?;
        return Ok(staged);
    }
    match transaction.commit() {
        Ok(()) => Ok(staged),
        Err(error) => Err(Failure::Within(staged.commits, layout::error(error))),
    }
}

/// Applies the transactions in order, each to what those before it left.
fn stage(transaction: &WriteTransaction, transactions: Vec<Transaction>) -> Result<Staged, StoreError> {
    let mut entries = transaction.open_table(layout::ENTRIES).map_err(layout::error)?;
    let mut meta = transaction.open_table(layout::META).map_err(layout::error)?;
    let mut newest = layout::newest(&meta)?;
    let mut staged = Staged { outcomes: Vec::with_capacity(transactions.len()), commits: Vec::new() };
    for transaction in transactions {
        let planned = plan(transaction, |key| {
            let stored = entries.get(key).map_err(layout::error)?;
            stored.map(|stored| layout::split(stored.value()).map(|(revision, _)| revision)).transpose()
        })?;
        let writes = match planned {
            Plan::Conflict => {
                staged.outcomes.push(Outcome::Conflict);
                continue;
            }
            Plan::Nothing => {
                staged.outcomes.push(Outcome::Committed(newest));
                continue;
            }
            Plan::Change(writes) => writes,
        };
        newest = newest.next();
        for write in &writes {
            match write {
                Write::Put(key, value) => {
                    let stored = layout::stored(newest, value);
                    entries.insert(key.as_slice(), stored.as_slice()).map_err(layout::error)?;
                }
                Write::Delete(key) => {
                    entries.remove(key.as_slice()).map_err(layout::error)?;
                }
            }
        }
        staged.outcomes.push(Outcome::Committed(newest));
        staged.commits.push((newest, writes));
    }
    meta.insert(layout::REVISION_KEY, newest.get().to_be_bytes().as_slice()).map_err(layout::error)?;
    Ok(staged)
}
