use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;

use crate::token::TokenSecret;

/// Threads that do nothing but bcrypt, and a queue of bounded length before them.
///
/// A hash takes tens of milliseconds by intent, so no more of them run at once than the operator gave threads, and who
/// comes when the queue is full is told so instead of making it longer. The threads end when the pool is dropped.
///
/// ```
/// use vigo_core::Pin;
/// use vigo_enroll::token::{Token, TokenKey};
/// use vigo_enroll::HashPool;
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let pool = HashPool::new(1.try_into().unwrap(), 8, 4).unwrap();
/// let mint = || Token::mint(&TokenKey::derive(&[1; 32]), [2; 16], &[3; 32], &Pin::from([4; 32])).1;
/// let hash = pool.hash(mint().into_secret(), [5; 16]).await.unwrap();
/// assert!(pool.verify(mint().into_secret(), hash).await.unwrap());
/// # });
/// ```
pub struct HashPool {
    jobs: SyncSender<Job>,
    cost: u32,
    performed: Arc<AtomicU64>,
}

/// Why a hash was not computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The queue is full.
    #[error("too many tokens are being checked at the moment")]
    Busy,
    /// The pool's threads are gone.
    #[error("the threads that check tokens are gone")]
    Gone,
    /// What is kept is no bcrypt hash.
    #[error("a stored token's hash is damaged")]
    Damaged,
}

/// Why a pool was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashPoolError {
    /// The cost is not one of bcrypt's, or one that would take seconds.
    #[error("bcrypt's cost is 4 to 16, not {0}")]
    Cost(u32),
    /// A thread could not be started.
    #[error("a thread for hashing could not be started")]
    Thread(#[from] std::io::Error),
}

struct Job {
    secret: TokenSecret,
    work: Work,
    reply: oneshot::Sender<Result<Done, HashError>>,
}

enum Work {
    Hash { salt: [u8; 16] },
    Verify { hash: String },
    Dummy,
}

enum Done {
    Hash(String),
    Verified(bool),
}

impl HashPool {
    /// The costs that a pool takes: 2 to the power of it rounds. 10 is some 60 milliseconds, 16 some 4 seconds.
    pub const COSTS: std::ops::RangeInclusive<u32> = 4..=16;

    /// Starts `threads` threads with room for `queue` waiting jobs. New hashes have the cost `cost`.
    ///
    /// # Errors
    /// When the cost is outside [`COSTS`](Self::COSTS) or a thread cannot be started.
    pub fn new(threads: NonZeroUsize, queue: usize, cost: u32) -> Result<Self, HashPoolError> {
        if !Self::COSTS.contains(&cost) {
            return Err(HashPoolError::Cost(cost));
        }
        let (jobs, waiting) = sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        let performed = Arc::new(AtomicU64::new(0));
        for number in 1..=threads.get() {
            let (waiting, performed) = (Arc::clone(&waiting), Arc::clone(&performed));
            std::thread::Builder::new()
                .name(format!("vigo-hash-{number}"))
                .spawn(move || work_off(&waiting, cost, &performed))?;
        }
        Ok(Self { jobs, cost, performed })
    }

    /// The bcrypt hash of a secret, salted with 16 random bytes.
    ///
    /// # Errors
    /// `Busy` when the queue is full.
    pub async fn hash(&self, secret: TokenSecret, salt: [u8; 16]) -> Result<String, HashError> {
        match self.run(secret, Work::Hash { salt }).await? {
            Done::Hash(hash) => Ok(hash),
            Done::Verified(_) => Err(HashError::Gone),
        }
    }

    /// Whether a secret is the one that was hashed.
    ///
    /// # Errors
    /// `Busy` when the queue is full, `Damaged` when `hash` is no bcrypt hash.
    pub async fn verify(&self, secret: TokenSecret, hash: String) -> Result<bool, HashError> {
        Ok(matches!(self.run(secret, Work::Verify { hash }).await?, Done::Verified(true)))
    }

    /// Does the work of [`verify`](Self::verify) at the pool's cost for nothing, so that an unknown token takes as long
    /// as a known one.
    ///
    /// # Errors
    /// `Busy` when the queue is full.
    pub async fn dummy(&self, secret: TokenSecret) -> Result<(), HashError> {
        self.run(secret, Work::Dummy).await.map(|_| ())
    }

    /// The cost of new hashes.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// How many hashes were computed so far, dummies included: a metric, and what tests count.
    #[must_use]
    pub fn performed(&self) -> u64 {
        self.performed.load(Ordering::Relaxed)
    }

    async fn run(&self, secret: TokenSecret, work: Work) -> Result<Done, HashError> {
        let (reply, done) = oneshot::channel();
        self.jobs.try_send(Job { secret, work, reply }).map_err(|error| match error {
            TrySendError::Full(_) => HashError::Busy,
            TrySendError::Disconnected(_) => HashError::Gone,
        })?;
        done.await.unwrap_or(Err(HashError::Gone))
    }
}

impl fmt::Debug for HashPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashPool").field("cost", &self.cost).finish_non_exhaustive()
    }
}

fn work_off(waiting: &Mutex<Receiver<Job>>, cost: u32, performed: &AtomicU64) {
    loop {
        // The lock is held while waiting and given back before the work, so that one thread waits and the others hash.
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if job.reply.is_canceled() {
            continue;
        }
        performed.fetch_add(1, Ordering::Relaxed);
        // Nobody waits for the answer any more when this fails: the request was dropped.
        let _ = job.reply.send(compute(&job.secret, job.work, cost));
    }
}

fn compute(secret: &TokenSecret, work: Work, cost: u32) -> Result<Done, HashError> {
    match work {
        // The secret is 43 characters, so nothing is ever truncated; should that change, this fails and says so.
        Work::Hash { salt } => bcrypt::non_truncating_hash_with_salt(secret.as_bytes(), cost, salt)
            .map(|parts| Done::Hash(parts.to_string()))
            .map_err(|_| HashError::Damaged),
        Work::Verify { hash } => {
            bcrypt::non_truncating_verify(secret.as_bytes(), &hash).map(Done::Verified).map_err(|_| HashError::Damaged)
        }
        Work::Dummy => bcrypt::non_truncating_hash_with_salt(secret.as_bytes(), cost, [0; 16])
            .map(|parts| Done::Verified(std::hint::black_box(parts).get_cost() == 0))
            .map_err(|_| HashError::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Token, TokenKey};
    use vigo_core::Pin;

    fn secret(byte: u8) -> TokenSecret {
        Token::mint(&TokenKey::derive(&[1; 32]), [2; 16], &[byte; 32], &Pin::from([4; 32])).1.into_secret()
    }

    fn pool(queue: usize) -> HashPool {
        HashPool::new(NonZeroUsize::MIN, queue, 4).unwrap()
    }

    #[tokio::test]
    async fn rule_08_bcrypt_over_the_secret() {
        let pool = pool(8);
        let hash = pool.hash(secret(3), [7; 16]).await.unwrap();
        assert!(hash.starts_with("$2b$04$"), "{hash}");
        assert_eq!(pool.verify(secret(3), hash.clone()).await, Ok(true));
        assert_eq!(pool.verify(secret(4), hash).await, Ok(false));
        assert_eq!(pool.verify(secret(3), "no hash".to_owned()).await, Err(HashError::Damaged));
        assert_eq!(pool.dummy(secret(3)).await, Ok(()));
        assert_eq!(pool.performed(), 5);
    }

    #[tokio::test]
    async fn rule_08_the_pool_is_bounded() {
        let pool = HashPool::new(NonZeroUsize::MIN, 2, 11).unwrap();
        let mut running = Vec::new();
        let busy = loop {
            let mut job = Box::pin(pool.dummy(secret(3)));
            match futures_poll(&mut job) {
                Some(answer) => break answer,
                None => running.push(job),
            }
        };
        assert_eq!(busy, Err(HashError::Busy));
        // One at work at most, and two waiting.
        assert!((2..=3).contains(&running.len()), "{}", running.len());
        for job in running {
            assert_eq!(job.await, Ok(()));
        }
    }

    fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn costs_that_are_refused() {
        for cost in [0, 3, 17, 31, 99] {
            assert!(matches!(HashPool::new(NonZeroUsize::MIN, 1, cost), Err(HashPoolError::Cost(_))), "{cost}");
        }
        assert_eq!(HashPoolError::Cost(3).to_string(), "bcrypt's cost is 4 to 16, not 3");
    }
}
