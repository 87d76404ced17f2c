//! Both engines of the store, and a map that is as plain as can be: whatever is done, all three agree.
//!
//! The data is a list of acts. One of them closes the file of the embedded engine and opens it again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use futures_executor::block_on;
use futures_util::{FutureExt as _, StreamExt as _};
use tempfile::TempDir;
use vigo_core::store::{
    Change, MemoryStore, Outcome, Page, RedbStore, Revision, Store, Transaction, Watch, WatchError,
};

use crate::Seed;
use crate::input::Input;
use crate::store_ops::model::Model;

mod model;

const MOST_ACTS: usize = 64;
const MOST_WATCHES: usize = 8;

/// Few, and near each other: acts must meet.
const KEYS: [&[u8]; 12] =
    [b"", b"a", b"a/", b"a/1", b"a/10", b"a/2", b"a0", b"b", b"\xff", b"\xff\xff", b"a/\xff", b"a/\xff\xff"];

const COMMIT: u8 = 0;
const GET: u8 = 3;
const SCAN: u8 = 4;
const WATCH: u8 = 5;
const LOOK: u8 = 6;
const REOPEN: u8 = 7;

/// The target.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new();
    for _ in 0..MOST_ACTS {
        if input.is_empty() {
            break;
        }
        match input.byte() % 8 {
            GET => world.get(&mut input),
            SCAN => world.scan(&mut input),
            WATCH => world.watch(&mut input),
            LOOK => world.look(),
            REOPEN => world.reopen(),
            _ => world.commit(&mut input),
        }
    }
    world.look();
    world.everything();
}

/// A file of the embedded engine with nothing in it. To copy it takes far less than to make one.
static EMPTY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = folder();
    let path = folder.path().join("store");
    drop(RedbStore::create(&path).expect("a new store"));
    fs::read(&path).expect("the file")
});

/// In memory, where the system has such a place.
fn folder() -> TempDir {
    let shared_memory = Path::new("/dev/shm");
    let folder = if shared_memory.is_dir() { tempfile::tempdir_in(shared_memory) } else { tempfile::tempdir() };
    folder.expect("a folder")
}

struct World {
    model: Model,
    memory: MemoryStore,
    redb: Option<RedbStore>,
    path: PathBuf,
    watches: Vec<Watched>,
    /// Commits up to this one happened before the embedded engine was opened: it keeps none of them for watchers.
    opened_at: u64,
    _folder: TempDir,
}

/// A watch of one engine, and what it has to show next.
struct Watched {
    engine: &'static str,
    prefix: &'static [u8],
    next: u64,
    watch: Watch,
    /// The commits that its engine does not keep.
    forgotten: u64,
    ended: bool,
}

impl World {
    fn new() -> Self {
        let folder = folder();
        let path = folder.path().join("store");
        fs::write(&path, EMPTY.as_slice()).expect("a small file");
        let redb = Some(RedbStore::open(&path).expect("a new store"));
        Self {
            model: Model::default(),
            memory: MemoryStore::new(),
            redb,
            path,
            watches: vec![],
            opened_at: 0,
            _folder: folder,
        }
    }

    fn redb(&self) -> &RedbStore {
        self.redb.as_ref().expect("it is closed only while it is opened again")
    }

    fn commit(&mut self, input: &mut Input<'_>) {
        let counts = input.byte();
        let mut transaction = Transaction::new();
        for _ in 0..counts & 3 {
            let (key, kind) = (key(input), input.byte());
            transaction = match kind % 4 {
                0 => transaction.absent(key),
                1 => transaction.unchanged(key, Revision::new(u64::from(kind) >> 4)),
                // As it is: by chance it would hardly ever hold.
                _ => transaction.as_read(key, self.model.revision(key).map(Revision::new)),
            };
        }
        for _ in 0..counts >> 2 & 7 {
            let (key, kind) = (key(input), input.byte());
            transaction = match kind % 3 {
                0 => transaction.delete(key),
                _ => transaction.put(key, input.bytes(usize::from(kind) >> 4)),
            };
        }
        let expected = match self.model.commit(&transaction) {
            Some(revision) => Outcome::Committed(Revision::new(revision)),
            None => Outcome::Conflict,
        };
        for (name, store) in self.engines() {
            let outcome = block_on(store.commit(transaction.clone())).expect("it is small");
            assert_eq!(outcome, expected, "{name}: {transaction:?}");
        }
    }

    fn engines(&self) -> [(&'static str, &dyn Store); 2] {
        [("memory", &self.memory), ("redb", self.redb())]
    }

    fn get(&self, input: &mut Input<'_>) {
        let key = key(input);
        for (name, store) in self.engines() {
            assert_eq!(block_on(store.get(key)).expect("it reads"), self.model.get(key), "{name}: {key:?}");
        }
    }

    fn scan(&self, input: &mut Input<'_>) {
        let (prefix, kind) = (key(input), input.byte());
        let after = (kind & 1 == 1).then(|| key(input));
        self.scanned(prefix, after, usize::from(kind >> 1) % 8);
    }

    fn scanned(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) {
        let entries = self.model.scan(prefix, after, limit);
        let expected = Page { entries, revision: Revision::new(self.model.newest()) };
        for (name, store) in self.engines() {
            let page = block_on(store.scan(prefix, after, limit)).expect("it reads");
            assert_eq!(page, expected, "{name}: {prefix:?} after {after:?}");
        }
    }

    fn everything(&self) {
        self.scanned(b"", None, usize::MAX);
    }

    fn watch(&mut self, input: &mut Input<'_>) {
        let (prefix, from) = (key(input), u64::from(input.byte() % 32));
        if self.watches.len() < MOST_WATCHES {
            let engines = self.engines().into_iter().zip([0, self.opened_at]);
            let watched = engines.map(|((engine, store), forgotten)| Watched {
                engine,
                prefix,
                next: from.max(1),
                watch: store.watch(prefix, Revision::new(from)),
                forgotten,
                ended: false,
            });
            let watched: Vec<Watched> = watched.collect();
            self.watches.extend(watched);
        }
    }

    /// What every watch shows by now.
    fn look(&mut self) {
        self.watches.iter_mut().for_each(|watched| watched.look(&self.model));
    }

    fn reopen(&mut self) {
        self.look();
        drop(self.redb.take());
        self.redb = Some(RedbStore::open(&self.path).expect("what was closed can be opened"));
        self.opened_at = self.model.newest();
        for watched in self.watches.iter_mut().filter(|watched| watched.engine == "redb") {
            watched.closed(&self.model);
        }
        self.watches.retain(|watched| watched.engine != "redb");
    }
}

impl Watched {
    /// Once: what it has to say now. `None` where it waits.
    fn now(&mut self) -> Option<Option<Result<Vec<Change>, WatchError>>> {
        self.watch.next().now_or_never()
    }

    fn look(&mut self, model: &Model) {
        if self.ended {
            assert_eq!(self.now(), Some(None), "a watch that ended goes on");
            return;
        }
        if self.next <= self.forgotten {
            assert_eq!(self.now(), Some(Some(Err(WatchError::Compacted))));
            self.ended = true;
            return;
        }
        for (revision, changes) in model.changes(self.prefix, self.next) {
            assert_eq!(self.now(), Some(Some(Ok(changes))), "the commit {revision} under {:?}", self.prefix);
        }
        self.next = self.next.max(model.newest() + 1);
        assert_eq!(self.now(), None, "a watch shows what did not happen");
    }

    /// The same after its store was closed.
    fn closed(&mut self, model: &Model) {
        if !self.ended {
            assert!(self.next > model.newest());
            assert_eq!(self.now(), Some(Some(Err(WatchError::Closed))));
        }
        assert_eq!(self.now(), Some(None));
    }
}

fn key(input: &mut Input<'_>) -> &'static [u8] {
    KEYS[usize::from(input.byte()) % KEYS.len()]
}

/// Short histories: conflicts, doubled writes, pages, watches, and the file closed in between.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    // One write without a precondition, and one with.
    let put = |key: u8, value: u8| [COMMIT, 1 << 2, key, 0x11, value];
    let guarded = |key: u8, kind: u8| [COMMIT, 1 << 2 | 1, key, kind, key, 0x11, b'g'];
    let fill: Vec<u8> = (0..12).flat_map(|key| put(key, b'v')).collect();
    let with = |more: &[&[u8]]| [fill.as_slice(), &more.concat()].concat();
    let acts = [
        ("put-get", [put(1, b'x').as_slice(), &[GET, 1, GET, 2]].concat()),
        ("fill", fill.clone()),
        ("absent", [guarded(1, 0), guarded(1, 0)].concat()),
        ("unchanged", with(&[&guarded(3, 2), &guarded(3, 0x11), &guarded(3, 2)])),
        ("delete", with(&[&[COMMIT, 2 << 2, 3, 0, 4, 0], &[COMMIT, 1 << 2, 3, 0], &[GET, 3]])),
        ("doubled", [COMMIT, 4 << 2, 1, 0x11, b'1', 1, 0, 1, 0x11, b'2', 2, 0].to_vec()),
        ("vain", [COMMIT, 1 << 2, 1, 0, COMMIT, 0].to_vec()),
        ("pages", with(&[&[SCAN, 0, 6], &[SCAN, 2, 7, 3], &[SCAN, 8, 15, 8], &[SCAN, 2, 15, 0], &[SCAN, 0, 0]])),
        ("watch", [&[WATCH, 0, 0, WATCH, 2, 3], fill.as_slice(), &[LOOK], put(3, b'w').as_slice()].concat()),
        ("watch-late", with(&[&[WATCH, 0, 5, WATCH, 2, 20, LOOK], &put(3, b'w')])),
        ("reopen", with(&[&[REOPEN, SCAN, 0, 14], &put(3, b'r'), &[REOPEN, GET, 3]])),
        ("reopen-watch", with(&[&[WATCH, 0, 0, REOPEN, WATCH, 0, 3, WATCH, 0, 13, LOOK], &put(3, b'r'), &[LOOK]])),
    ];
    acts.into_iter().map(|(name, bytes)| Seed::new(name, bytes)).collect()
}
