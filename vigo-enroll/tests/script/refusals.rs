//! Runs that stop before the agent.

use std::fs;

use crate::pki;
use crate::shells::{Shell, shells};
use crate::world::{Fetcher, Ran, SECRET, World, token};

/// Runs, and expects the exit code, the message, no agent and nothing left.
#[track_caller]
fn check(shell: &Shell, world: &World, args: &[&str], code: i32, message: &str) -> Ran {
    let bin_dir = world.bin_dir();
    let mut all = vec!["--bin-dir", bin_dir.to_str().expect("UTF-8")];
    all.extend(args);
    let ran = world.run(shell, &world.values(), &all, &[]);
    assert_eq!(ran.code, Some(code), "{} {args:?}: {}", shell.name, ran.stderr);
    assert!(ran.stderr.contains(message), "{} {args:?}: {}", shell.name, ran.stderr);
    assert!(ran.stderr.lines().any(|line| line.starts_with("vigo: ")), "{}: {}", shell.name, ran.stderr);
    assert!(!ran.stderr.contains(SECRET), "{}: {}", shell.name, ran.stderr);
    assert_eq!(ran.count("vigo"), 0, "{} {args:?}: the agent ran", shell.name);
    assert!(world.is_clean(), "{} {args:?} left something behind", shell.name);
    ran
}

#[test]
fn what_is_typed_wrong_is_said_and_nothing_is_sent() {
    let good = token(pki::ours().ca_pin);
    let zeros = format!("sha256:{}", "0".repeat(63));
    let cases: &[(&[&str], &str)] = &[
        (&["--frobnicate"], "unknown flag --frobnicate"),
        (&["--frobnicate=x"], "unknown flag --frobnicate"),
        (&["web3"], "unexpected argument 'web3'"),
        (&[&good], "a token needs --token before it"),
        (&["--token"], "--token needs a value"),
        (&["--hostname", ""], "--hostname needs a value"),
        (&["--hostname", "--force"], "--hostname needs a value"),
        (&["--ca-pin", "sha1:00"], "--ca-pin takes sha256:"),
        (&["--ca-pin", &zeros], "63 were found"),
        (&["--ca-pin", "sha256:zz"], "something else was found"),
        (&["--token", &good, "--token-prompt"], "give one of --token"),
        (&["--token", "hunter2"], "the token is not whole"),
        (&["--token", &good[..60]], "the token is not whole"),
        (&["--token", "vgt1.a.b.c.d.e"], "too many parts"),
        (&["--token", "vgt1.a.b.c.$(id)"], "a character that no token has"),
        (&["--server", "a;b:1530"], "--server has a character that no address has"),
        (&["--api-addr", "http://vigo.example.com"], "takes an https:// address"),
        (&["--api-addr", "https://vigo.example.com/x"], "without a path"),
        (&["--token-file", "/dev/stdin"], "standard input is this script"),
    ];
    for shell in shells() {
        for (args, message) in cases {
            let ran = check(&shell, &World::new(Fetcher::Curl), args, 2, message);
            assert!(!ran.sent(), "{} {args:?}", shell.name);
        }
    }
}

#[test]
fn rule_02_another_pin_stops_before_anything_is_sent() {
    let (theirs, foreign) = (pki::theirs().ca_pin.to_string(), token(pki::theirs().ca_pin));
    let (ours, curls) = (pki::ours().ca_pin.to_string(), pki::theirs().leaf_pin.to_curl());
    for shell in shells() {
        for args in [
            &["--ca-pin", theirs.as_str()][..],
            &["--ca-pin", &curls],
            &["--token", &foreign],
            &["--ca-pin", &ours, "--token", &foreign],
        ] {
            let ran = check(&shell, &World::new(Fetcher::Curl), args, 4, "vigo: pin_mismatch: ");
            assert!(!ran.sent(), "{} {args:?}", shell.name);
        }
    }
}

#[test]
fn rule_02_another_ca_stops_openssl_and_the_old_wget() {
    for shell in shells() {
        for fetcher in [Fetcher::BusyboxWgetAndOpenssl, Fetcher::OldWgetAndOpenssl] {
            let world = World::new(fetcher);
            fs::copy(pki::theirs().file("ca.pem"), world.at("served/ca")).expect("a copy");
            let ran = check(&shell, &world, &[], 4, "vigo: pin_mismatch: ");
            assert!(ran.stderr.contains(&pki::theirs().ca_pin.to_string()), "{}", ran.stderr);
            assert!(
                !ran.calls.iter().any(|call| call.args.iter().any(|arg| arg.contains("/agent/"))),
                "{}",
                shell.name
            );
        }
    }
}

#[test]
fn rule_02_a_wrong_checksum_removes_the_file_and_stops() {
    for shell in shells() {
        for fetcher in [Fetcher::Curl, Fetcher::BusyboxWgetAndOpenssl] {
            let world = World::new(fetcher);
            let size = fs::metadata(world.at("served/vigo")).expect("served").len() as usize;
            world.announce(size, &"0".repeat(64));
            check(&shell, &world, &[], 1, "vigo: checksum_mismatch: ");
            // A longer answer than was announced is cut, and a shorter one is no agent.
            let digest =
                hex::encode(<sha2::Sha256 as sha2::Digest>::digest(fs::read(world.at("served/vigo")).expect("served")));
            for wrong in [size - 1, 1] {
                world.announce(wrong, &digest);
                let ran = check(&shell, &world, &[], 1, "vigo: checksum_mismatch: ");
                assert!(
                    ran.stderr.contains(&format!("({} of {wrong} bytes)", wrong + 1)),
                    "{}: {}",
                    shell.name,
                    ran.stderr
                );
            }
        }
    }
}

#[test]
fn what_the_server_announces_wrong_is_refused() {
    let sum = "0".repeat(64);
    for shell in shells() {
        for (latest, code, message) in [
            (format!("version 1\nsize 0\nsha256 {sum}\n"), 1, "no sensible size"),
            (format!("version 1\nsize 268435457\nsha256 {sum}\n"), 1, "no sensible size"),
            (format!("version 1\nsize 99999999999999999999\nsha256 {sum}\n"), 1, "no sensible size"),
            (format!("version 1\nsize a[$(id)]\nsha256 {sum}\n"), 1, "no sensible size"),
            ("version 1\nsize 10\nsha256 abc\n".to_owned(), 1, "without a SHA-256"),
            ("<html>\u{1b}[31m a proxy's page".to_owned(), 1, "not what it should be"),
            (r#"{"error":{"code":"no_agent","message":"","help":""}}"#.to_owned(), 3, "vigo: no_agent: "),
            (String::new(), 6, "vigo: server_unreachable: "),
        ] {
            let world = World::new(Fetcher::Curl);
            fs::write(world.at("served/latest"), &latest).expect("a file");
            let ran = check(&shell, &world, &[], code, message);
            assert!(!ran.stderr.contains('\u{1b}') && ran.count("id") == 0, "{}: {}", shell.name, ran.stderr);
        }
    }
}

#[test]
fn rule_02_curls_and_wgets_word_for_a_wrong_key_is_passed_on() {
    for shell in shells() {
        for (fetcher, program, status, code, message) in [
            (Fetcher::Curl, "curl", 90, 4, "vigo: pin_mismatch: "),
            (Fetcher::Curl, "curl", 7, 6, "vigo: server_unreachable: "),
            (Fetcher::Wget, "wget", 5, 4, "vigo: pin_mismatch: "),
            (Fetcher::Wget, "wget", 4, 6, "vigo: server_unreachable: "),
        ] {
            let world = World::new(fetcher);
            world.fake(program, &format!("case $1 in --help) echo --pinnedpubkey; exit ;; esac; exit {status}"));
            check(&shell, &world, &[], code, message);
        }
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_named_with_the_way_out() {
    for shell in shells() {
        let world = World::new(Fetcher::Curl);
        fs::write(world.at("file"), "").expect("a file");
        let below = world.at("file").join("sbin");
        let ran = world.run(&shell, &world.values(), &["--bin-dir", below.to_str().expect("UTF-8")], &[]);
        assert_eq!(ran.code, Some(1), "{}: {}", shell.name, ran.stderr);
        assert!(ran.stderr.contains("vigo: not_writable: ") && ran.stderr.contains("--bin-dir DIR"), "{}", ran.stderr);
        // A file system that is full or read-only: mktemp says no, even to root.
        let world = World::new(Fetcher::Curl);
        world.fake("mktemp", "exit 1");
        check(&shell, &world, &[], 1, "vigo: not_writable: ");
    }
}

#[test]
fn other_programs_for_the_checksum_serve_too() {
    for shell in shells() {
        let world = World::new(Fetcher::Curl);
        world.without("sha256sum");
        check(&shell, &world, &[], 1, "checksum_missing: nothing here can compute a SHA-256");
        let bin_dir = world.bin_dir();
        for name in ["openssl", "shasum"] {
            if crate::shells::is_there(name, "the checksum by another program") {
                world.wrap(name);
                let ran = world.run(&shell, &world.values(), &["--bin-dir", bin_dir.to_str().expect("UTF-8")], &[]);
                assert_eq!(ran.code, Some(0), "{} {name}: {}", shell.name, ran.stderr);
                assert!(ran.count(name) > 0, "{} {name}", shell.name);
            }
        }
    }
}
