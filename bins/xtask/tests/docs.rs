//! `cargo xtask docs --check`, as CI runs it: the reference is what the code says, and every link leads somewhere.

use std::process::Command;

#[test]
fn the_book_is_up_to_date_and_whole() {
    let out = tempfile::tempdir().unwrap();
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let told = xtask.args(["docs", "--check", "--out"]).arg(out.path()).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert!(out.path().join("index.html").is_file());
}
