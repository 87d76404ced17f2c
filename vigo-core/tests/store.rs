//! Every engine passes the same suite.
#![cfg(all(feature = "memory", feature = "redb", feature = "conformance"))]

use futures_util::future::join_all;
use vigo_core::store::{MemoryStore, Outcome, RedbStore, Revision, Store, Transaction, conformance};

#[tokio::test]
async fn memory_conforms() {
    conformance(|| async { MemoryStore::new() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicUsize::new(0);
    conformance(|| async {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        RedbStore::create(&directory.path().join(format!("{n}.redb"))).unwrap()
    })
    .await;
}

#[tokio::test]
async fn redb_conforms_when_reopened() {
    let directory = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicUsize::new(0);
    conformance(|| async {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = directory.path().join(format!("{n}.redb"));
        let store = RedbStore::create(&path).unwrap();
        let _ = store.commit(Transaction::new().put("left", "over")).await.unwrap();
        let _ = store.commit(Transaction::new().delete("left")).await.unwrap();
        drop(store);
        RedbStore::open(&path).unwrap()
    })
    .await;
}

/// Threads, not tasks, race: the losers' commits may share a batch with the winner's or come in a later one.
#[test]
fn rule_08_one_of_fifty_threads_wins() {
    let directory = tempfile::tempdir().unwrap();
    let redb = RedbStore::create(&directory.path().join("race.redb")).unwrap();
    let memory = MemoryStore::new();
    let stores: [&dyn Store; 2] = [&redb, &memory];
    for store in stores {
        let barrier = std::sync::Barrier::new(50);
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let claims: Vec<_> = (0..50)
                .map(|i: u32| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        let claim = Transaction::new().absent("token").put("token", i.to_string());
                        block_on(store.commit(claim)).unwrap()
                    })
                })
                .collect();
            claims.into_iter().map(|claim| claim.join().unwrap()).collect()
        });
        let won = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Committed(r) if *r == Revision::new(1)));
        let lost = outcomes.iter().filter(|outcome| **outcome == Outcome::Conflict);
        assert_eq!((won.count(), lost.count()), (1, 49));
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O").block_on(future)
}

#[tokio::test]
async fn a_batch_is_shared_and_each_member_sees_those_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::create(&directory.path().join("batch.redb")).unwrap();
    // Far more than one batch takes, all waiting at once, each but the first upon the one before it.
    let commits = (0..1000u32).map(|i| {
        let chain = Transaction::new().absent(format!("{i}")).put(format!("{i}"), "x");
        let chain = if i == 0 { chain } else { chain.unchanged(format!("{}", i - 1), Revision::new(i.into())) };
        store.commit(chain)
    });
    let outcomes = join_all(commits).await;
    for (i, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.unwrap(), Outcome::Committed(Revision::new(i as u64 + 1)), "commit {i}");
    }
}
