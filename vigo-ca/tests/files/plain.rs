//! `files`: texts that are read with care and written whole.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use vigo_ca::files::{FileError, create_private_dir, read_private, read_public, replace_private, write_new_private};

use crate::{Place, chmod, mode, says};

#[test]
fn rule_03_a_private_text_is_read_with_a_private_mode_alone() {
    let place = Place::new();
    let path = place.write("token.key", "secret", 0o600);
    // Every mode there is, but for the owner's own access.
    for other in 0..=0o77 {
        chmod(&path, 0o600 | other);
        match read_private(&path) {
            Ok(text) => assert_eq!((other, text.as_str()), (0, "secret")),
            Err(error) => {
                assert_ne!(other, 0);
                let text = format!("(mode {:04o}): run `chmod 600 {}`", 0o600 | other, path.display());
                says(&error, &path, &text);
                assert!(!error.to_string().contains("secret"));
            }
        }
        assert_eq!(read_public(&path).is_ok(), other & 0o22 == 0, "{other:o}");
    }
}

/// Both ways to read refuse it, naming it.
#[track_caller]
fn unreadable(path: &Path, rest: &str) {
    says(&read_private(path).unwrap_err(), path, rest);
    says(&read_public(path).unwrap_err(), path, rest);
}

#[test]
fn rule_03_what_is_no_file_is_not_read() {
    let place = Place::new();
    unreadable(&place.path("none"), "does not exist");
    unreadable(&place.path("none/below"), "does not exist");
    fs::create_dir(place.path("directory")).unwrap();
    unreadable(&place.path("directory"), "is not a file");
    unreadable(Path::new("/dev/null"), "is not a file");
    // Opening a pipe that nobody writes to would wait for ever.
    let pipe = place.path("pipe");
    assert!(Command::new("mkfifo").arg("-m").arg("600").arg(&pipe).status().unwrap().success());
    unreadable(&pipe, "is not a file");
    let file = place.write("file", "text", 0o600);
    unreadable(&file.join("below"), "cannot read");

    for target in ["directory", "pipe", "none"] {
        let link = place.path(&format!("link to {target}"));
        symlink(place.path(target), &link).unwrap();
        unreadable(&link, if target == "none" { "does not exist" } else { "is not a file" });
    }
    symlink("loop", place.path("loop")).unwrap();
    unreadable(&place.path("loop"), "cannot read");
}

/// Secrets are often mounted as links: what counts is the file that they lead to.
#[test]
fn rule_03_a_link_is_as_private_as_its_target() {
    let place = Place::new();
    let target = place.write("target", "text", 0o600);
    let link = place.path("link");
    symlink(&target, &link).unwrap();
    assert_eq!(read_private(&link).unwrap().as_str(), "text");
    chmod(&target, 0o640);
    says(&read_private(&link).unwrap_err(), &link, "chmod 600");
}

#[test]
fn texts_have_an_end() {
    let place = Place::new();
    let most = 1024 * 1024;
    let path = place.write("long", &"x".repeat(most), 0o600);
    assert_eq!(read_private(&path).unwrap().len(), most);
    place.write("long", &"x".repeat(most + 1), 0o600);
    unreadable(&path, "is not a text of at most 1 MiB");
    fs::write(&path, [b'a', 0xff]).unwrap();
    unreadable(&path, "is not a text of at most 1 MiB");
    place.write("long", "", 0o600);
    assert_eq!(read_private(&path).unwrap().as_str(), "");
}

#[test]
fn rule_03_a_new_file_is_private_and_new() {
    let place = Place::new();
    let path = place.path("new");
    write_new_private(&path, b"first").unwrap();
    assert_eq!((place.read("new").as_str(), mode(&path)), ("first", 0o600));
    let taken = |path: &Path| {
        let error = write_new_private(path, b"second").unwrap_err();
        assert!(matches!(error, FileError::Present { .. }), "{error:?}");
        says(&error, path, "exists already and is not overwritten");
    };
    taken(&path);
    place.write("open", "first", 0o644);
    taken(&place.path("open"));
    fs::create_dir(place.path("directory")).unwrap();
    taken(&place.path("directory"));
    // Whoever may write to the directory could have put the link there to have a secret written elsewhere.
    symlink(place.path("elsewhere"), place.path("link")).unwrap();
    taken(&place.path("link"));
    symlink(&path, place.path("link to new")).unwrap();
    taken(&place.path("link to new"));
    assert_eq!(place.names(), ["directory", "link", "link to new", "new", "open"]);
    assert_eq!((place.read("new"), place.read("open")), ("first".into(), "first".into()));
    says(&write_new_private(&place.path("none/new"), b"x").unwrap_err(), &place.path("none/new"), "cannot write");
}

#[test]
fn of_many_that_make_a_file_one_does() {
    let place = Place::new();
    let path = place.path("new");
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let path = path.clone();
            std::thread::spawn(move || write_new_private(&path, format!("writer {writer}").as_bytes()).is_ok())
        })
        .collect();
    let won: Vec<bool> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    let winner = won.iter().position(|won| *won).unwrap();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    assert_eq!((place.read("new"), place.names()), (format!("writer {winner}"), vec!["new".to_owned()]));
}

#[test]
fn rule_03_a_replaced_file_is_private() {
    let place = Place::new();
    let path = place.write("file", "a longer text than the next", 0o666);
    replace_private(&path, b"new").unwrap();
    assert_eq!((place.read("file").as_str(), mode(&path)), ("new", 0o600));
    replace_private(&place.path("other"), b"made").unwrap();
    assert_eq!((place.read("other").as_str(), mode(&place.path("other"))), ("made", 0o600));
    // A link is replaced itself: what it leads to is somebody else's.
    let target = place.write("target", "kept", 0o600);
    symlink(&target, place.path("link")).unwrap();
    replace_private(&place.path("link"), b"new").unwrap();
    assert!(fs::symlink_metadata(place.path("link")).unwrap().is_file());
    assert_eq!((place.read("link").as_str(), place.read("target").as_str()), ("new", "kept"));
    assert_eq!(place.names(), ["file", "link", "other", "target"]);
}

#[test]
fn a_failed_replacement_leaves_everything_as_it_was() {
    let place = Place::new();
    fs::create_dir(place.path("directory")).unwrap();
    fs::write(place.path("directory/within"), "kept").unwrap();
    says(&replace_private(&place.path("directory"), b"new").unwrap_err(), &place.path("directory"), "cannot write");
    says(&replace_private(&place.path("none/file"), b"new").unwrap_err(), &place.path("none/file"), "cannot write");
    assert_eq!((place.names(), place.read("directory/within")), (vec!["directory".to_owned()], "kept".into()));
}

/// The writer of the next two tests: a process of its own, told by a file beside it that it is meant.
#[test]
fn a_writer_that_is_stopped() {
    if Path::new("to-be-replaced").exists() {
        let failed = replace_private(Path::new("to-be-replaced"), &[b'x'; 64 * 1024]).unwrap_err();
        fs::write("said", failed.to_string()).unwrap();
    }
}

/// Replaces a file by 64 KiB where no file may have more than a block or two, which stops the writer half way.
fn stopped(limit: &str) -> Place {
    let place = Place::new();
    place.write("to-be-replaced", "the old content", 0o600);
    let script = format!("{limit}; exec \"$0\" --exact plain::a_writer_that_is_stopped");
    let test = std::env::current_exe().unwrap();
    // Its output goes to a pipe: a file would have the limit too.
    let output = Command::new("sh").arg("-c").arg(script).arg(test).current_dir(place.0.path()).output().unwrap();
    assert_eq!(output.status.success(), place.path("said").exists(), "{output:?}");
    assert_eq!(place.read("to-be-replaced"), "the old content");
    place
}

#[test]
fn a_full_disk_leaves_the_old_content() {
    let place = stopped("ulimit -f 1; trap '' XFSZ");
    assert!(place.read("said").starts_with("cannot write to-be-replaced: "));
    assert_eq!(place.names(), ["said", "to-be-replaced"], "and nothing half written");
}

#[test]
fn a_killed_writer_leaves_the_old_content() {
    let place = stopped("ulimit -f 1; ulimit -c 0");
    assert!(!place.path("said").exists());
    let left: Vec<_> = place.names().into_iter().filter(|name| name != "to-be-replaced").collect();
    let [left] = left.as_slice() else { panic!("{left:?}") };
    // What it had begun nobody can read, and nobody takes for a key.
    assert!(left.starts_with(".vigo-") && left.ends_with(".tmp"), "{left}");
    assert_eq!(mode(&place.path(left)), 0o600);
}

#[test]
fn rule_03_a_private_directory() {
    let place = Place::new();
    let path = place.path("a/b/c");
    create_private_dir(&path).unwrap();
    for made in ["a", "a/b", "a/b/c"] {
        assert_eq!(mode(&place.path(made)), 0o700, "{made}");
    }
    create_private_dir(&path).unwrap();
    for good in [0o700, 0o500, 0o750, 0o755, 0o711] {
        chmod(&path, good);
        create_private_dir(&path).unwrap();
    }
    for loose in [0o720, 0o702, 0o770, 0o777, 0o1777] {
        chmod(&path, loose);
        let text = format!("(mode {loose:04o}): run `chmod 700 {}`", path.display());
        says(&create_private_dir(&path).unwrap_err(), &path, &text);
    }
    let file = place.write("file", "", 0o600);
    says(&create_private_dir(&file).unwrap_err(), &file, "is not a directory");
    says(&create_private_dir(&file.join("below")).unwrap_err(), &file.join("below"), "cannot create");
}
