//! The suite that every engine must pass.

use std::future::Future;

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};

use super::{Change, Entry, Outcome, Revision, Store, StoreError, Transaction, Watch, WatchError, Write, scan_all};

/// Checks that an engine keeps the contract of [`Store`], over one fresh, empty store for each part. Needs no runtime.
///
/// ```
/// # #[cfg(feature = "memory")]
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use vigo_core::store::{MemoryStore, conformance};
/// conformance(|| async { MemoryStore::new() }).await;
/// # });
/// ```
///
/// # Panics
/// Where the contract is broken, with the part that was.
pub async fn conformance<S, F, Fut>(open: F)
where
    S: Store,
    F: Fn() -> Fut,
    Fut: Future<Output = S>,
{
    reads_what_was_committed(&open().await).await;
    happens_together_or_not_at_all(&open().await).await;
    holds_preconditions(&open().await).await;
    counts_revisions(&open().await).await;
    takes_the_last_write_to_a_key(&open().await).await;
    lets_one_of_many_win(&open().await).await;
    loses_no_increment(&open().await).await;
    scans_in_order(&open().await).await;
    scans_in_pages(&open().await).await;
    keeps_limits(&open().await).await;
    keeps_any_bytes(&open().await).await;
    watches_from_the_past(&open().await).await;
    watches_from_now(&open().await).await;
    watches_a_prefix(&open().await).await;
    watches_in_order(&open().await).await;
    ends_watches_with_the_store(open().await).await;
}

async fn commit<S: Store>(store: &S, transaction: Transaction) -> Outcome {
    store.commit(transaction).await.expect("a commit within the limits is answered")
}

#[track_caller]
fn committed(outcome: Outcome) -> Revision {
    match outcome {
        Outcome::Committed(revision) => revision,
        other => panic!("a commit that nothing opposes came to {other:?}"),
    }
}

async fn put<S: Store>(store: &S, key: &str, value: &str) -> Revision {
    committed(commit(store, Transaction::new().put(key, value)).await)
}

async fn get<S: Store>(store: &S, key: &str) -> Option<Entry> {
    store.get(key.as_bytes()).await.expect("a read is answered")
}

async fn keys<S: Store>(store: &S, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let page = store.scan(prefix.as_bytes(), after.map(str::as_bytes), limit).await.expect("a scan is answered");
    page.entries.into_iter().map(|entry| String::from_utf8_lossy(&entry.key).into_owned()).collect()
}

async fn newest<S: Store>(store: &S) -> Revision {
    store.scan(b"", None, 1).await.expect("a scan is answered").revision
}

async fn reads_what_was_committed<S: Store>(store: &S) {
    assert_eq!(get(store, "a").await, None, "a fresh store has no values");
    for i in 0..50 {
        let value = format!("value {i}");
        let revision = put(store, "a", &value).await;
        let expected = Entry { key: "a".into(), value: value.into(), revision };
        assert_eq!(get(store, "a").await, Some(expected), "a read after an acknowledgement sees that commit");
    }
    committed(commit(store, Transaction::new().delete("a")).await);
    assert_eq!(get(store, "a").await, None, "what was deleted is gone");
    assert_eq!(keys(store, "", None, 10).await, [""; 0], "also for a scan");
}

async fn happens_together_or_not_at_all<S: Store>(store: &S) {
    let revision = put(store, "old", "1").await;
    let all =
        Transaction::new().unchanged("old", revision).absent("new").put("new", "2").put("also", "3").delete("old");
    let revision = committed(commit(store, all).await);
    assert_eq!(get(store, "old").await, None);
    for key in ["new", "also"] {
        let entry = get(store, key).await;
        assert_eq!(entry.map(|entry| entry.revision), Some(revision), "all writes of a commit have its revision");
    }
    let half = Transaction::new().absent("x").absent("new").put("x", "4").delete("also");
    assert_eq!(commit(store, half).await, Outcome::Conflict, "one precondition of two does not hold");
    assert_eq!(get(store, "x").await, None, "nothing of a refused transaction happens");
    assert!(get(store, "also").await.is_some(), "nothing of a refused transaction happens");
}

async fn holds_preconditions<S: Store>(store: &S) {
    let first = put(store, "a", "1").await;
    let second = put(store, "a", "1").await;
    assert_ne!(first, second, "an equal value written again is a new revision");
    let b = put(store, "b", "1").await;
    for (transaction, holds) in [
        (Transaction::new().absent("a"), false),
        (Transaction::new().absent("c"), true),
        (Transaction::new().unchanged("a", second), true),
        (Transaction::new().unchanged("a", first), false),
        (Transaction::new().unchanged("a", b), false),
        (Transaction::new().unchanged("a", Revision::ZERO), false),
        (Transaction::new().unchanged("c", b), false),
        (Transaction::new().as_read("a", Some(second)).as_read("c", None), true),
        (Transaction::new().as_read("a", None), false),
    ] {
        let outcome = commit(store, transaction.clone().put("probe", "1")).await;
        assert_eq!(matches!(outcome, Outcome::Committed(_)), holds, "{transaction:?} came to {outcome:?}");
        if !holds {
            assert_eq!(outcome, Outcome::Conflict, "{transaction:?}");
        }
    }
    committed(commit(store, Transaction::new().delete("a")).await);
    let stale = Transaction::new().unchanged("a", second).put("a", "2");
    assert_eq!(commit(store, stale).await, Outcome::Conflict, "a deletion is a change");
    let again = committed(commit(store, Transaction::new().absent("a").put("a", "3")).await);
    let stale = Transaction::new().unchanged("a", second).put("a", "4");
    assert_eq!(commit(store, stale).await, Outcome::Conflict, "a key written anew is not the old one");
    committed(commit(store, Transaction::new().unchanged("a", again).put("a", "5")).await);
}

async fn counts_revisions<S: Store>(store: &S) {
    let start = newest(store).await;
    let first = put(store, "a", "1").await;
    assert_eq!(first, start.next(), "revisions grow by one");
    assert_eq!(commit(store, Transaction::new().absent("a").put("a", "2")).await, Outcome::Conflict);
    assert_eq!(put(store, "b", "1").await, first.next(), "a conflict takes no revision");
    let nothing = [Transaction::new(), Transaction::new().unchanged("a", first), Transaction::new().delete("none")];
    for transaction in nothing {
        let outcome = commit(store, transaction.clone()).await;
        assert_eq!(
            outcome,
            Outcome::Committed(first.next()),
            "{transaction:?} changes nothing, so it takes no revision"
        );
    }
    assert_eq!(
        commit(store, Transaction::new().absent("a")).await,
        Outcome::Conflict,
        "preconditions hold without writes"
    );
    let three = committed(commit(store, Transaction::new().put("a", "3").put("c", "3").delete("b")).await);
    assert_eq!(three, first.next().next(), "a commit of several writes is one revision");
    assert_eq!(newest(store).await, three, "a page tells the newest commit");
}

async fn takes_the_last_write_to_a_key<S: Store>(store: &S) {
    let start = newest(store).await;
    let many = Transaction::new().put("a", "1").put("a", "2").delete("b").put("b", "3").put("c", "4").delete("c");
    let revision = committed(commit(store, many).await);
    assert_eq!(revision, start.next());
    for (key, value) in [("a", Some("2")), ("b", Some("3")), ("c", None)] {
        let found = get(store, key).await.map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
        assert_eq!(found.as_deref(), value, "{key}");
    }
}

async fn lets_one_of_many_win<S: Store>(store: &S) {
    for round in 0..4 {
        let key = format!("claim/{round}");
        let claims = (0..50).map(|i| {
            let claim = Transaction::new().absent(key.as_str()).put(key.as_str(), i.to_string());
            commit(store, claim.put(format!("by/{round}/{i}"), "1"))
        });
        let outcomes = join_all(claims).await;
        let winners: Vec<usize> = (0..50).filter(|&i| matches!(outcomes[i], Outcome::Committed(_))).collect();
        assert_eq!(winners.len(), 1, "of 50 claims one wins, not {winners:?}");
        assert!(outcomes.iter().filter(|outcome| **outcome == Outcome::Conflict).count() == 49, "{outcomes:?}");
        let claimed = get(store, &key).await.map(|entry| entry.value);
        assert_eq!(claimed, Some(winners[0].to_string().into()), "the value is the winner's");
        let traces = keys(store, &format!("by/{round}/"), None, 100).await;
        assert_eq!(traces, [format!("by/{round}/{}", winners[0])], "losers leave no trace");
    }
}

async fn loses_no_increment<S: Store>(store: &S) {
    put(store, "counter", "0").await;
    let increment = || async {
        loop {
            let Some(entry) = get(store, "counter").await else { panic!("the counter is never deleted") };
            let number: u64 = String::from_utf8_lossy(&entry.value).parse().expect("a number was written");
            let transaction =
                Transaction::new().unchanged("counter", entry.revision).put("counter", (number + 1).to_string());
            if let Outcome::Committed(_) = commit(store, transaction).await {
                break;
            }
        }
    };
    join_all((0..20).map(|_| increment())).await;
    let counted = get(store, "counter").await.map(|entry| entry.value);
    assert_eq!(counted, Some("20".into()), "20 increments, each upon the value that it read");
}

async fn scans_in_order<S: Store>(store: &S) {
    for key in ["b/2", "a", "b/1", "b", "c", "b/10", "b/\u{10ffff}", "b0", "B/1"] {
        put(store, key, key).await;
    }
    let all = ["B/1", "a", "b", "b/1", "b/10", "b/2", "b/\u{10ffff}", "b0", "c"];
    assert_eq!(keys(store, "", None, 100).await, all, "ascending by bytes");
    for (prefix, after, limit, expected) in [
        ("b/", None, 100, &["b/1", "b/10", "b/2", "b/\u{10ffff}"][..]),
        ("b/1", None, 100, &["b/1", "b/10"]),
        ("b/1", Some("b/1"), 100, &["b/10"]),
        ("b/", Some("b/1"), 2, &["b/10", "b/2"]),
        ("b/", Some("b/1x"), 1, &["b/2"]),
        ("b/", Some("a"), 1, &["b/1"]),
        ("b/", Some("b/\u{10ffff}"), 100, &[]),
        ("b/", Some("c"), 100, &[]),
        ("b/", None, 0, &[]),
        ("x", None, 100, &[]),
    ] {
        assert_eq!(keys(store, prefix, after, limit).await, expected, "{limit} under {prefix:?} after {after:?}");
    }
}

async fn scans_in_pages<S: Store>(store: &S) {
    for start in (0..1100).step_by(100) {
        let fill = (start..start + 100).fold(Transaction::new(), |t, i| t.put(format!("page/{i:04}"), "x"));
        committed(commit(store, fill).await);
    }
    put(store, "pagf", "behind").await;
    let expected: Vec<String> = (0..1100).map(|i| format!("page/{i:04}")).collect();
    for limit in [7, 100, 1099, 1100, 1101] {
        let mut found: Vec<String> = Vec::new();
        loop {
            let page = keys(store, "page/", found.last().map(String::as_str), limit).await;
            let end = page.len() < limit;
            found.extend(page);
            if end {
                break;
            }
        }
        assert_eq!(found, expected, "in pages of {limit}");
    }
    let all = scan_all(store, b"page/").await.expect("a scan is answered");
    assert_eq!((all.entries.len(), all.revision), (1100, newest(store).await));
}

async fn keeps_limits<S: Store>(store: &S) {
    let start = newest(store).await;
    let operations = |n: usize| (0..n).fold(Transaction::new(), |t, i| t.put(format!("many/{i}"), "x"));
    committed(commit(store, operations(Transaction::MAX_OPERATIONS)).await);
    for too_large in [
        operations(Transaction::MAX_OPERATIONS + 1),
        operations(Transaction::MAX_OPERATIONS).absent("a"),
        Transaction::new().put("k", vec![0; Transaction::MAX_BYTES]),
    ] {
        let answer = store.commit(too_large).await;
        assert!(matches!(answer, Err(StoreError::TooLarge)), "beyond the limits came to {answer:?}");
    }
    let value = vec![7; Transaction::MAX_BYTES - 1];
    let revision = committed(commit(store, Transaction::new().put("k", value.clone())).await);
    assert_eq!(revision, start.next().next(), "a refused transaction takes no revision");
    assert_eq!(get(store, "k").await.map(|entry| entry.value), Some(value));
}

async fn keeps_any_bytes<S: Store>(store: &S) {
    let all: Vec<u8> = (0..=255).collect();
    let odd: [&[u8]; 5] = [b"\0", b"\0\0", &all, b"\xff", b"\xff\xff"];
    for key in odd {
        committed(commit(store, Transaction::new().put(key, key)).await);
    }
    committed(commit(store, Transaction::new().put("empty", "")).await);
    for key in odd {
        let entry = store.get(key).await.expect("a read is answered");
        assert_eq!(entry.map(|entry| entry.value).as_deref(), Some(key));
    }
    assert_eq!(get(store, "empty").await.map(|entry| entry.value), Some(Vec::new()), "an empty value is a value");
    let page = store.scan(b"\xff", None, 10).await.expect("a scan is answered");
    assert_eq!(page.entries.len(), 2, "a prefix of the highest byte");
}

/// The next changes, sorted by key: within one commit their order is the engine's.
async fn next(watch: &mut Watch) -> Vec<Change> {
    let mut changes = watch.next().await.expect("a watch ends with an error alone").expect("nothing is compacted yet");
    assert!(changes.windows(2).all(|pair| pair[0].revision == pair[1].revision), "one commit at a time: {changes:?}");
    changes.sort_by(|a, b| a.write.key().cmp(b.write.key()));
    changes
}

fn change(revision: Revision, key: &str, value: Option<&str>) -> Change {
    let write = match value {
        Some(value) => Write::Put(key.into(), value.into()),
        None => Write::Delete(key.into()),
    };
    Change { revision, write }
}

async fn watches_from_the_past<S: Store>(store: &S) {
    let first = put(store, "a", "1").await;
    let second = put(store, "a", "2").await;
    let third = committed(commit(store, Transaction::new().delete("a").put("b", "3")).await);
    let mut watch = store.watch(b"", first);
    assert_eq!(
        next(&mut watch).await,
        [change(first, "a", Some("1"))],
        "a watch includes the revision that it is from"
    );
    assert_eq!(next(&mut watch).await, [change(second, "a", Some("2"))]);
    let together = [change(third, "a", None), change(third, "b", Some("3"))];
    assert_eq!(next(&mut watch).await, together, "the changes of one commit come together");
    let mut watch = store.watch(b"", third);
    assert_eq!(next(&mut watch).await, together);
    let fourth = put(store, "c", "4").await;
    assert_eq!(next(&mut watch).await, [change(fourth, "c", Some("4"))], "and what happens later follows");
}

async fn watches_from_now<S: Store>(store: &S) {
    put(store, "a", "before").await;
    let page = scan_all(store, b"").await.expect("a scan is answered");
    let mut watch = store.watch(b"", page.revision.next());
    assert!(watch.next().now_or_never().is_none(), "nothing has happened yet");
    let waiting = async { next(&mut watch).await };
    let (seen, revision) = futures_util::future::join(waiting, put(store, "a", "after")).await;
    assert_eq!(seen, [change(revision, "a", Some("after"))], "a waiting watcher is woken");
    let later = Revision::new(revision.get() + 2);
    let mut ahead = store.watch(b"", later);
    put(store, "a", "skipped").await;
    put(store, "a", "reached").await;
    assert_eq!(next(&mut ahead).await, [change(later, "a", Some("reached"))], "a watch from a commit to come");
}

async fn watches_a_prefix<S: Store>(store: &S) {
    let start = newest(store).await.next();
    let mut watch = store.watch(b"a/", start);
    put(store, "b", "1").await;
    put(store, "a", "1").await;
    let mixed = Transaction::new().put("a/1", "x").put("b/1", "y").put("a/2", "z").delete("a/none");
    let revision = committed(commit(store, mixed).await);
    put(store, "a0", "1").await;
    let deleted = committed(commit(store, Transaction::new().delete("a/1")).await);
    let seen = next(&mut watch).await;
    assert_eq!(seen, [change(revision, "a/1", Some("x")), change(revision, "a/2", Some("z"))], "its prefix alone");
    assert_eq!(next(&mut watch).await, [change(deleted, "a/1", None)]);
}

async fn watches_in_order<S: Store>(store: &S) {
    let start = newest(store).await;
    let mut watches = [store.watch(b"", start.next()), store.watch(b"n/", start.next())];
    let writes = join_all((0..200).map(|i| async move { put(store, &format!("n/{i}"), "x").await }));
    let mut revisions = writes.await;
    revisions.sort_unstable();
    let expected: Vec<Revision> = (1..=200).map(|n| Revision::new(start.get() + n)).collect();
    assert_eq!(revisions, expected, "concurrent commits have one revision each and leave no gap");
    for watch in &mut watches {
        for &revision in &expected {
            let seen = next(watch).await;
            assert_eq!(seen.iter().map(|change| change.revision).collect::<Vec<_>>(), [revision], "once and in order");
        }
    }
}

async fn ends_watches_with_the_store<S: Store>(store: S) {
    let start = newest(&store).await.next();
    let mut watch = store.watch(b"", start);
    let revision = put(&store, "a", "1").await;
    drop(store);
    assert_eq!(next(&mut watch).await, [change(revision, "a", Some("1"))], "what happened before the end is told");
    assert_eq!(watch.next().await, Some(Err(WatchError::Closed)), "a dropped store ends its watches");
    assert_eq!(watch.next().await, None, "after its error a watch is over");
}
