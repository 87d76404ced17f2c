//! A download that was cut short, at every byte.

use std::fs::File;
use std::process::Stdio;

use vigo_enroll::script::bootstrap;

use crate::shells::{Shell, common_shells, shells};
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

/// Every length of the script, from the longest down, each `step`-th, beginning `skip` below the end.
fn lengths(skip: usize, step: usize) -> impl Iterator<Item = usize> {
    let world = World::new(Fetcher::Nothing);
    (0..bootstrap(&world.values()).len()).rev().skip(skip).step_by(step)
}

/// Every prefix, on as many threads as keep a small machine busy.
fn check_all(shell: &Shell) {
    const THREADS: usize = 4;
    std::thread::scope(|scope| {
        for skip in 0..THREADS {
            scope.spawn(move || check(shell, lengths(skip, THREADS)));
        }
    });
}

#[test]
fn rule_02_no_prefix_does_anything_in_dash() {
    common_shells().iter().filter(|shell| shell.name == "dash").for_each(check_all);
}

#[test]
fn rule_02_no_prefix_does_anything_in_bash() {
    common_shells().iter().filter(|shell| shell.name == "bash --posix").for_each(check_all);
}

#[test]
fn rule_02_no_prefix_does_anything_in_busybox() {
    common_shells().iter().filter(|shell| shell.name == "busybox sh").for_each(check_all);
}

#[test]
fn rule_02_no_prefix_of_a_sample_does_anything_in_other_shells() {
    for shell in shells() {
        // The last bytes one by one, where a shell may find the block whole; then a prime's steps.
        check(&shell, lengths(0, 1).take(40));
        check(&shell, lengths(0, 97));
    }
}
