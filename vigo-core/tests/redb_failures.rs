//! What the embedded engine does when its disk fails.
#![cfg(feature = "redb")]
#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

mod disk;

use disk::{Disk, Unsynced};
use futures_util::future::join_all;
use futures_util::{FutureExt as _, StreamExt as _};
use vigo_core::store::{
    Change, OpenError, Outcome, RedbStore, Revision, Store, StoreError, Transaction, Watch, WatchError,
};

fn open(disk: &Disk) -> RedbStore {
    let disk = disk.clone();
    RedbStore::with_backend(move || disk.open()).unwrap()
}

/// Puts two keys that must never be seen apart.
fn pair(number: usize) -> Transaction {
    let absent = Transaction::new().absent(format!("a/{number:03}"));
    absent.put(format!("a/{number:03}"), "x").put(format!("b/{number:03}"), "x")
}

async fn numbers(store: &RedbStore, prefix: &str) -> Vec<usize> {
    let page = store.scan(prefix.as_bytes(), None, 1000).await.unwrap();
    page.entries.iter().map(|entry| String::from_utf8_lossy(&entry.key[2..]).parse().unwrap()).collect()
}

/// Every number that was acknowledged is there, none that was refused, each whole, and the revision counts them.
async fn check_consistent(store: &RedbStore, outcomes: &[Outcome], context: &str) {
    let found = numbers(store, "a/").await;
    assert_eq!(found, numbers(store, "b/").await, "{context}: no half commit");
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Outcome::Committed(_) => assert!(found.contains(&number), "{context}: {number} was acknowledged"),
            Outcome::Conflict => panic!("{context}: nothing opposed {number}"),
            Outcome::Unknown => {}
        }
    }
    let revision = store.scan(b"", None, 1).await.unwrap().revision;
    assert_eq!(revision, Revision::new(found.len() as u64), "{context}: one revision for each commit");
}

/// Waits until the engine has opened its file anew: a commit of nothing makes it try, a read does not.
async fn opens(store: &RedbStore) {
    for _ in 0..8 {
        if store.commit(Transaction::new()).await.is_ok() {
            return;
        }
    }
    panic!("the store does not open again");
}

/// A commit that the disk lets through, after whatever it refused.
async fn serves(store: &RedbStore, key: &str) -> Revision {
    for _ in 0..3 {
        if let Ok(Outcome::Committed(revision)) = store.commit(Transaction::new().put(key, "x")).await {
            return revision;
        }
    }
    panic!("the store does not serve again");
}

/// A watcher that looks whenever it can: what it sees must be what happened, each commit once; a gap is told.
struct Seen {
    watch: Watch,
    expected: Revision,
    compacted: bool,
}

impl Seen {
    fn new(store: &RedbStore) -> Self {
        Self { watch: store.watch(b"", Revision::ZERO), expected: Revision::new(1), compacted: false }
    }

    fn take(&mut self, item: Option<Result<Vec<Change>, WatchError>>, context: &str) {
        match item {
            Some(Ok(changes)) => {
                assert!(changes.iter().all(|change| change.revision == self.expected), "{context}: {changes:?}");
                self.expected = self.expected.next();
            }
            Some(Err(error)) => {
                assert_eq!(error, WatchError::Compacted, "{context}");
                self.compacted = true;
            }
            None => assert!(self.compacted, "{context}: a watch ends with an error"),
        }
    }

    /// What there is by now: nothing of a commit that did not happen, which the next one's revision would show.
    fn look(&mut self, context: &str) {
        while !self.compacted
            && let Some(item) = self.watch.next().now_or_never()
        {
            self.take(item, context);
        }
    }

    async fn through(&mut self, through: Revision, context: &str) {
        while !self.compacted && self.expected <= through {
            let item = self.watch.next().await;
            self.take(item, context);
        }
    }
}

#[tokio::test]
async fn every_sync_may_fail_and_no_acknowledged_commit_is_lost() {
    let mut unknown = 0;
    for unsynced in [Unsynced::Kept, Unsynced::Lost, Unsynced::Torn] {
        // 12 commits of two syncs each; further failures hit the opening anew.
        for (nth, count) in (1..=24).flat_map(|nth| [(nth, 1), (nth, 2), (nth, 5)]) {
            let context = format!("{unsynced:?}, {count} syncs from {nth} on failing");
            let disk = Disk::default();
            let store = open(&disk);
            let mut seen = Seen::new(&store);
            disk.fail_syncs(nth, count, unsynced);
            let mut outcomes = Vec::new();
            for number in 0..12 {
                // An `Err` says that nothing happened, so the same number is tried again.
                let outcome = loop {
                    if let Ok(outcome) = store.commit(pair(number)).await {
                        break outcome;
                    }
                };
                // The file is open anew when this is answered.
                let newest = store.scan(b"", None, 1).await.map(|page| page.revision);
                seen.look(&context);
                assert!(newest.is_err() || seen.expected <= newest.unwrap().next(), "{context}: seen what never was");
                outcomes.push(outcome);
            }
            assert!(disk.has_failed(), "{context}");
            opens(&store).await;
            unknown += outcomes.iter().filter(|outcome| **outcome == Outcome::Unknown).count();
            check_consistent(&store, &outcomes, &context).await;
            let newest = store.scan(b"", None, 1).await.unwrap().revision;
            assert_eq!(serves(&store, "z").await, newest.next(), "{context}");
            seen.through(newest.next(), &context).await;
            let delete = store.commit(Transaction::new().delete("z")).await.unwrap();
            assert_eq!(delete, Outcome::Committed(newest.next().next()), "{context}");
            drop(store);
            let count = numbers(&open(&disk), "a/").await.len() as u64;
            assert_eq!(count, newest.get(), "{context}: what was read after the failure stays");
        }
    }
    assert!(unknown > 100, "most of these failures fall into a commit, not {unknown}");
}

#[tokio::test]
async fn every_call_may_fail_and_no_acknowledged_commit_is_lost() {
    let (mut at_start, mut in_commits) = (0, 0);
    for count in [1, 2, 7] {
        for nth in 1.. {
            let context = format!("{count} calls from {nth} on failing");
            let disk = Disk::default();
            // A store whose making failed never gets its name; see `RedbStore::create`.
            drop(open(&disk));
            disk.fail_calls(nth, count);
            let store = loop {
                let disk = disk.clone();
                match RedbStore::with_backend(move || disk.open()) {
                    Ok(store) => break store,
                    // Told as what it is, however deep within the engine it happened.
                    Err(error) => {
                        assert!(matches!(error, OpenError::Io { .. }), "{context}: {error}");
                        assert!(error.to_string().contains("the call failed"), "{context}: {error}");
                        at_start += 1;
                    }
                }
            };
            let failed_at_start = disk.has_failed();
            let mut outcomes = Vec::new();
            for number in 0..6 {
                let outcome = loop {
                    if let Ok(outcome) = store.commit(pair(number)).await {
                        break outcome;
                    }
                };
                outcomes.push(outcome);
            }
            if !disk.has_failed() {
                break;
            }
            in_commits += usize::from(!failed_at_start);
            disk.fail_no_more();
            opens(&store).await;
            check_consistent(&store, &outcomes, &context).await;
            let newest = store.scan(b"", None, 1).await.unwrap().revision;
            assert_eq!(serves(&store, "z").await, newest.next(), "{context}");
            drop(store);
            let store = open(&disk);
            assert!(store.get(b"z").await.unwrap().is_some(), "{context}");
            let delete = store.commit(Transaction::new().delete("z")).await.unwrap();
            assert_eq!(delete, Outcome::Committed(newest.next().next()), "{context}");
            let found = numbers(&store, "a/").await.len() as u64;
            assert_eq!(found, newest.get(), "{context}: what was read after the failure stays");
        }
    }
    assert!(at_start > 20 && in_commits > 50, "{at_start} failures at the start, {in_commits} later");
}

#[tokio::test]
async fn a_batch_is_unknown_together_and_happens_together() {
    let mut seen = [false; 2];
    for nth in 1..12 {
        for unsynced in [Unsynced::Kept, Unsynced::Lost] {
            let disk = Disk::default();
            let store = open(&disk);
            disk.fail_syncs(nth, 1, unsynced);
            let outcomes = join_all((0..60).map(|number| store.commit(pair(number)))).await;
            let found = numbers(&store, "a/").await;
            let unknown: Vec<usize> =
                (0..60).filter(|&number| matches!(outcomes[number], Ok(Outcome::Unknown))).collect();
            let present = unknown.iter().filter(|number| found.contains(number)).count();
            assert!(present == 0 || present == unknown.len(), "{nth} {unsynced:?}: {present} of {}", unknown.len());
            if !unknown.is_empty() {
                seen[usize::from(present > 0)] = true;
            }
        }
    }
    assert_eq!(seen, [true, true], "a commit of unknown outcome did not happen here, and did there");
}

#[tokio::test]
async fn a_disk_that_stays_broken_makes_the_store_unavailable_until_it_is_whole() {
    let disk = Disk::default();
    let store = open(&disk);
    let first = store.commit(pair(0)).await.unwrap();
    assert_eq!(first, Outcome::Committed(Revision::new(1)));
    disk.break_down();
    let broken = store.commit(pair(1)).await;
    assert!(matches!(broken, Ok(Outcome::Unknown) | Err(StoreError::Unavailable(_))), "{broken:?}");
    for _ in 0..3 {
        assert!(matches!(store.get(b"a/000").await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.commit(pair(2)).await, Err(StoreError::Unavailable(_))));
    }
    disk.repair();
    serves(&store, "z").await;
    assert!(store.get(b"a/000").await.unwrap().is_some());
    assert!(store.get(b"a/002").await.unwrap().is_none(), "an unavailable store changed nothing");
}

#[tokio::test]
async fn a_file_that_lost_acknowledged_commits_is_not_served() {
    let disk = Disk::default();
    let store = open(&disk);
    let _ = store.commit(pair(0)).await.unwrap();
    let backup = disk.image();
    let _ = store.commit(pair(1)).await.unwrap();
    disk.break_down();
    assert!(!matches!(store.commit(pair(2)).await, Ok(Outcome::Committed(_))));
    disk.restore(backup);
    disk.repair();
    let refused = store.commit(pair(3)).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("restore")), "{refused:?}");
    drop(store);
    // A start is another matter: there the operator has restored a backup on purpose.
    assert_eq!(numbers(&open(&disk), "a/").await, [0]);
}

/// A power cut after any write: what the disk had synced, and any part of the rest.
#[tokio::test]
async fn every_power_cut_leaves_a_whole_store() {
    let disk = Disk::default();
    let store = open(&disk);
    disk.record();
    let mut acknowledged = Vec::new();
    for number in 0..6 {
        assert!(matches!(store.commit(pair(number)).await.unwrap(), Outcome::Committed(_)));
        acknowledged.push(disk.cuts());
    }
    drop(store);
    let cuts = disk.cuts();
    assert!(cuts > 20, "{cuts} writes and syncs");
    for cut in 0..cuts {
        for unsynced in [Unsynced::Kept, Unsynced::Lost, Unsynced::Torn] {
            let store = open(&disk.cut(cut, unsynced));
            let safe = acknowledged.iter().filter(|&&at| at <= cut).count();
            let found = numbers(&store, "a/").await;
            let context = format!("{unsynced:?} at {cut}");
            assert!(found.len() >= safe && found.len() <= safe + 1, "{context}: {safe} acknowledged, {found:?}");
            assert_eq!(found, (0..found.len()).collect::<Vec<_>>(), "{context}");
            check_consistent(&store, &[], &context).await;
        }
    }
}

/// A power cut, and another one while the file is opened after the first.
#[tokio::test]
async fn every_power_cut_in_a_recovery_leaves_a_whole_store() {
    let disk = Disk::default();
    let store = open(&disk);
    disk.record();
    let mut acknowledged = Vec::new();
    for number in 0..3 {
        assert!(matches!(store.commit(pair(number)).await.unwrap(), Outcome::Committed(_)));
        acknowledged.push(disk.cuts());
    }
    drop(store);
    let mut cuts = 0;
    for first in 0..disk.cuts() {
        let safe = acknowledged.iter().filter(|&&at| at <= first).count();
        for unsynced in [Unsynced::Kept, Unsynced::Lost, Unsynced::Torn] {
            let recovering = disk.cut(first, unsynced);
            recovering.record();
            drop(open(&recovering));
            for second in 0..recovering.cuts() {
                for again in [Unsynced::Kept, Unsynced::Lost, Unsynced::Torn] {
                    let context = format!("{unsynced:?} at {first}, then {again:?} at {second}");
                    let store = open(&recovering.cut(second, again));
                    let found = numbers(&store, "a/").await;
                    assert!(found.len() >= safe && found.len() <= safe + 1, "{context}: {safe} safe, {found:?}");
                    check_consistent(&store, &[], &context).await;
                    cuts += 1;
                }
            }
        }
    }
    assert!(cuts > 500, "{cuts} cuts in a recovery");
}

#[test]
fn a_backend_that_cannot_be_opened_is_an_error() {
    let disk = Disk::default();
    disk.break_down();
    let broken = RedbStore::with_backend({
        let disk = disk.clone();
        move || disk.open()
    });
    assert!(matches!(broken.map(|_| ()).unwrap_err(), OpenError::Io { .. } | OpenError::Damaged { .. }));
}
