//! A download that was cut short, at every byte.

use std::fs::File;
use std::process::Stdio;

use vigo_enroll::script::bootstrap;

use crate::shells::{Shell, shell};
use crate::world::{Fetcher, World};

/// Runs the prefixes of these lengths, the longest first, and expects that none does anything.
#[track_caller]
fn check(shell: &Shell, lengths: impl Iterator<Item = usize>) {
    let world = World::new(Fetcher::Curl);
    let text = bootstrap(&world.values());
    let path = world.at("prefix");
    std::fs::write(&path, &text).expect("a file");
    let file = File::options().write(true).open(&path).expect("a file");
    let bin_dir = world.bin_dir();
    for length in lengths {
        assert!(length < text.len());
        file.set_len(length as u64).expect("a shorter file");
        let mut command = world.command(shell, &[("VIGO_TOKEN", "vgt1.a.b.c.d")]);
        command.args(shell.piped).arg("--bin-dir").arg(&bin_dir);
        command.stdin(File::open(&path).expect("a file")).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("the shell starts");
        // Cheaper than reading the directory: it has grown when anything ran.
        let ran = std::fs::read_dir(world.at("calls")).expect("a directory").next().is_some();
        assert!(!ran && world.is_clean(), "{}: the first {length} of {} bytes did something", shell.name, text.len());
    }
}

/// Every prefix in the shell of this name, on as many threads as keep a small machine busy.
fn check_all(name: &str) {
    const THREADS: usize = 4;
    let Some(shell) = shell(name) else { return };
    let length = bootstrap(&World::new(Fetcher::Nothing).values()).len();
    std::thread::scope(|scope| {
        for skip in 0..THREADS {
            scope.spawn(move || check(&shell, (0..length).rev().skip(skip).step_by(THREADS)));
        }
    });
}

#[test]
fn rule_02_no_prefix_does_anything_in_dash() {
    check_all("dash");
}

#[test]
fn rule_02_no_prefix_does_anything_in_bash() {
    check_all("bash --posix");
}

#[test]
fn rule_02_no_prefix_does_anything_in_busybox() {
    check_all("busybox sh");
}

#[test]
fn rule_02_no_prefix_does_anything_in_mksh() {
    check_all("mksh");
}

#[test]
fn rule_02_no_prefix_does_anything_in_posh() {
    check_all("posh");
}

#[test]
fn rule_02_no_prefix_does_anything_in_ksh93() {
    check_all("ksh93");
}

#[test]
fn rule_02_no_prefix_does_anything_in_yash() {
    check_all("yash");
}

#[test]
fn rule_02_no_prefix_does_anything_in_zsh() {
    check_all("zsh");
}
