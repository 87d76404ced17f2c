//! Which files the embedded engine takes, and what it says of those that it refuses.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]
#![cfg(feature = "redb")]

use std::fs;
use std::path::Path;

use futures_util::StreamExt;
use redb::{Database, TableDefinition};
use vigo_core::store::{OpenError, Outcome, RedbStore, Revision, Store, StoreError, Transaction, WatchError};

const META: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("meta");
const ENTRIES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("entries");

#[track_caller]
fn refused(path: &Path, says: &str) -> OpenError {
    let error = RedbStore::open(path).map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text} does not name {}", path.display());
    assert!(text.contains(says), "{text} does not say {says:?}");
    error
}

async fn put(store: &RedbStore, key: &str) -> Revision {
    match store.commit(Transaction::new().put(key, key)).await.unwrap() {
        Outcome::Committed(revision) => revision,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_absent_file_is_never_begun_by_opening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vigo.redb");
    assert!(matches!(refused(&path, "no such file"), OpenError::Missing { .. }));
    assert!(!path.exists());
    let nowhere = directory.path().join("none/vigo.redb");
    let error = RedbStore::create(&nowhere).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
}

#[tokio::test]
async fn a_store_is_made_once_and_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vigo.redb");
    let store = RedbStore::create(&path).unwrap();
    assert_eq!(put(&store, "a").await, Revision::new(1));
    let again = RedbStore::create(&path).map(|_| ()).unwrap_err();
    assert!(matches!(again, OpenError::Exists { .. }), "{again}");
    assert!(matches!(refused(&path, "another process uses it"), OpenError::InUse { .. }));
    drop(store);
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["vigo.redb"], "nothing else is left behind");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(put(&store, "b").await, Revision::new(2), "the count goes on");
}

#[test]
fn other_files_are_refused_and_left_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vigo.redb");
    for content in [&b""[..], b"re", b"listen: 0.0.0.0\n", &[0; 65536]] {
        fs::write(&path, content).unwrap();
        assert!(matches!(refused(&path, "not a store of Vigo"), OpenError::NotAStore { .. }));
        assert_eq!(fs::read(&path).unwrap(), content);
        assert!(matches!(RedbStore::create(&path).map(|_| ()).unwrap_err(), OpenError::Exists { .. }));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::write(&path, b"redb and then something else").unwrap();
    assert!(matches!(refused(&path, "restore"), OpenError::Damaged { .. }));
}

#[test]
fn databases_of_other_programs_and_formats_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vigo.redb");
    drop(Database::create(&path).unwrap());
    assert!(matches!(refused(&path, "not a store of Vigo"), OpenError::NotAStore { .. }));
    fs::remove_file(&path).unwrap();

    drop(RedbStore::create(&path).unwrap());
    for (format, says) in [(&2u32.to_be_bytes()[..], "its format is 2"), (b"odd", "not a store of Vigo")] {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert(b"format".as_slice(), format).unwrap();
        transaction.commit().unwrap();
        drop(database);
        refused(&path, says);
    }
}

#[tokio::test]
async fn every_kind_of_damage_is_told_or_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vigo.redb");
    let store = RedbStore::create(&path).unwrap();
    for i in 0..20 {
        put(&store, &format!("key/{i:02}")).await;
    }
    let whole = store.scan(b"", None, 100).await.unwrap();
    drop(store);
    let good = fs::read(&path).unwrap();
    let used = good.iter().rposition(|&byte| byte != 0).unwrap();
    let mut told = 0;
    let flips = (0..320).chain((320..=used).step_by(101));
    for offset in flips {
        let mut bad = good.clone();
        bad[offset] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        match RedbStore::open(&path) {
            Ok(store) => assert_eq!(store.scan(b"", None, 100).await.unwrap(), whole, "byte {offset} changed"),
            Err(error) => {
                assert!(error.to_string().contains(&path.display().to_string()), "{error}");
                told += 1;
            }
        }
    }
    assert!(told > 20, "{told} damages were told");
    for length in [4, 64, 4096, good.len() / 2, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        assert!(matches!(refused(&path, "damaged"), OpenError::Damaged { .. }), "cut to {length} bytes");
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(RedbStore::open(&path).unwrap().scan(b"", None, 100).await.unwrap(), whole);
}

#[tokio::test]
async fn an_unreadable_value_is_told_and_the_rest_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vigo.redb");
    drop(RedbStore::create(&path).unwrap());
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(ENTRIES).unwrap().insert(b"bad".as_slice(), b"short".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let store = RedbStore::open(&path).unwrap();
    assert!(matches!(store.get(b"bad").await, Err(StoreError::Damaged(_))));
    let upon = store.commit(Transaction::new().absent("bad").put("x", "y")).await;
    assert!(matches!(upon, Err(StoreError::Damaged(_))), "{upon:?}");
    put(&store, "good").await;
    assert!(store.get(b"good").await.unwrap().is_some());
    assert!(store.get(b"x").await.unwrap().is_none());
}

#[tokio::test]
async fn a_watch_over_a_restart_begins_where_the_file_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vigo.redb");
    let store = RedbStore::create(&path).unwrap();
    let first = put(&store, "a").await;
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.watch(b"", first).next().await, Some(Err(WatchError::Compacted)));
    let mut watch = store.watch(b"", first.next());
    let second = put(&store, "b").await;
    let seen = watch.next().await.unwrap().unwrap();
    assert_eq!(seen[0].revision, second);
}

#[tokio::test]
async fn a_slow_watcher_is_told_that_it_missed_something() {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::create(&directory.path().join("vigo.redb")).unwrap();
    let mut slow = store.watch(b"", Revision::ZERO);
    let value = vec![0; Transaction::MAX_BYTES - 1];
    for _ in 0..17 {
        let _ = store.commit(Transaction::new().put("k", value.clone())).await.unwrap();
    }
    assert_eq!(slow.next().await, Some(Err(WatchError::Compacted)), "more than 16 MiB behind");
    assert_eq!(slow.next().await, None);
    let mut near = store.watch(b"", Revision::new(16));
    assert_eq!(near.next().await.unwrap().unwrap()[0].revision, Revision::new(16));
}
