//! `custom_store`: the suite for engines, and the file over several processes.
#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

#[path = "../src/bin/custom_store/log_store.rs"]
mod log_store;

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use log_store::LogStore;
use tempfile::TempDir;
use vigo_core::store::{Store as _, Transaction, conformance};
use vigo_tests::{Ended, Program};

fn approve(file: &Path, pattern: &str) -> Ended {
    Program::at(env!("CARGO_BIN_EXE_custom_store")).args([file.as_os_str(), pattern.as_ref()]).run()
}

/// Opens a new file for each part of the suite.
struct Files(TempDir, AtomicUsize);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), AtomicUsize::new(0))
    }

    fn fresh(&self) -> std::path::PathBuf {
        self.0.path().join(self.1.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

#[tokio::test]
async fn it_conforms() {
    let files = Files::new();
    conformance(|| async { LogStore::open(&files.fresh()).unwrap() }).await;
}

#[tokio::test]
async fn it_conforms_when_reopened() {
    let files = Files::new();
    conformance(|| async {
        let path = files.fresh();
        let store = LogStore::open(&path).unwrap();
        let _ = store.commit(Transaction::new().put("left", "over")).await.unwrap();
        let _ = store.commit(Transaction::new().delete("left")).await.unwrap();
        drop(store);
        LogStore::open(&path).unwrap()
    })
    .await;
}

#[test]
fn what_one_process_wrote_the_next_one_reads() {
    let files = Files::new();
    let path = files.fresh();
    assert_eq!(approve(&path, "*.dev.example.com").ok(), "*.dev.example.com since commit 1\n");
    let both = approve(&path, "build?.example.com").ok();
    let mut lines: Vec<&str> = both.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["*.dev.example.com since commit 1", "build?.example.com since commit 2"]);

    // A crash in the midst of a commit leaves part of a line: that commit never was.
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"[[\"617070726f").unwrap();
    assert!(approve(&path, "c.example.com").ok().contains("c.example.com since commit 3\n"));
    // A line that has its end was acknowledged: it is not passed over, whatever became of it.
    file.write_all(b"[[\"617070726f\n").unwrap();
    let _ = approve(&path, "d.example.com").failed(1);
}

#[test]
fn two_at_once_do_not_have_the_file() {
    let files = Files::new();
    let path = files.fresh();
    let store = LogStore::open(&path).unwrap();
    let _ = approve(&path, "*.dev.example.com").failed(1);
    drop(store);
    let _ = approve(&path, "*.dev.example.com").ok();
}
