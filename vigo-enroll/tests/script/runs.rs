//! Runs that come to the agent.

use std::fs;

use vigo_enroll::script::WebCertificate;

use crate::pki;
use crate::shells::{Shell, shells};
use crate::world::{Fetcher, Ran, World, token, values};

/// The arguments that the agent gets when the line has `--ca-pin`, `--token` and `--bin-dir`.
fn agent_args(world: &World, pins: &[String]) -> Vec<String> {
    let mut args: Vec<String> =
        ["bootstrap", "--server", "vigo.example.com:1530", "--api-addr", "https://vigo.example.com:8443"]
            .map(str::to_owned)
            .into();
    for pin in pins {
        args.extend(["--ca-pin".to_owned(), pin.clone()]);
    }
    args.push("--force".to_owned());
    args.extend(["--bin-dir".to_owned(), world.bin_dir().display().to_string()]);
    args
}

#[track_caller]
fn check(shell: &Shell, fetcher: Fetcher) -> (World, Ran) {
    let world = World::new(fetcher);
    let (pin, token) = (pki::ours().ca_pin.to_string(), token(pki::ours().ca_pin));
    let bin_dir = world.bin_dir();
    let args = ["--ca-pin", &pin, "--token", &token, "--bin-dir", bin_dir.to_str().expect("UTF-8")];
    let ran = world.run(shell, &world.values(), &args, &[]);
    let name = shell.name;
    assert_eq!(ran.code, Some(0), "{name} {fetcher:?}: {}", ran.stderr);
    let mut expected = agent_args(&world, &[pin]);
    expected.push("--token-stdin".to_owned());
    assert_eq!(ran.only("vigo").args, expected, "{name} {fetcher:?}");
    assert_eq!(ran.agent_stdin.as_deref(), Some(format!("{token}\n").as_str()), "{name} {fetcher:?}");
    assert!(world.is_clean(), "{name} {fetcher:?} left something behind");
    for forbidden in ["systemctl", "service", "kill", "pkill", "sudo"] {
        assert_eq!(ran.count(forbidden), 0, "{name}: {forbidden}");
    }
    (world, ran)
}

#[test]
fn rule_02_curl_pins_the_leaf() {
    for shell in shells() {
        let (_, ran) = check(&shell, Fetcher::Curl);
        let curls: Vec<_> = ran.calls.iter().filter(|call| call.program == "curl").collect();
        assert_eq!(curls.len(), 2, "{}", shell.name);
        for curl in curls {
            let line = curl.args.join(" ");
            assert!(line.contains(&format!("-k --pinnedpubkey {}", pki::ours().leaf_pin.to_curl())), "{line}");
            assert!(line.contains("--proto =https") && line.starts_with("-q "), "{line}");
            assert!(!curl.args.iter().any(|arg| arg == "-L" || arg == "--location"), "{line}");
        }
    }
}

#[test]
fn rule_02_wget_pins_the_leaf() {
    for shell in shells() {
        let (_, ran) = check(&shell, Fetcher::Wget);
        let wgets: Vec<_> = ran.calls.iter().filter(|call| call.program == "wget" && call.args.len() > 1).collect();
        assert_eq!(wgets.len(), 2, "{}", shell.name);
        for wget in wgets {
            let line = wget.args.join(" ");
            let pinned = format!("--no-check-certificate --pinnedpubkey {}", pki::ours().leaf_pin.to_curl());
            assert!(line.contains(&pinned) && line.contains("--max-redirect=0"), "{line}");
        }
    }
}

#[test]
fn rule_02_without_a_downloader_that_pins_openssl_checks_the_ca() {
    for shell in shells() {
        let (_, ran) = check(&shell, Fetcher::BusyboxWgetAndOpenssl);
        let lines: Vec<String> =
            ran.calls.iter().filter(|call| call.program == "openssl").map(|call| call.args.join(" ")).collect();
        let connections: Vec<&String> = lines.iter().filter(|line| line.starts_with("s_client")).collect();
        assert_eq!(connections.len(), 3, "{}: {lines:?}", shell.name);
        // The first fetches the CA, which is then compared with the pin; nothing else may go unchecked.
        for line in &connections[1..] {
            assert!(line.contains("-verify_hostname vigo.example.com -verify_return_error -CAfile "), "{line}");
        }
    }
}

#[test]
fn rule_02_an_old_wget_trusts_the_one_ca_alone() {
    for shell in shells() {
        let (_, ran) = check(&shell, Fetcher::OldWgetAndOpenssl);
        let wgets: Vec<_> = ran.calls.iter().filter(|call| call.program == "wget" && call.args.len() > 1).collect();
        assert_eq!(wgets.len(), 3, "{}", shell.name);
        for wget in &wgets[1..] {
            let line = wget.args.join(" ");
            assert!(line.contains("--ca-certificate=") && line.contains("--ca-directory="), "{line}");
            assert!(!line.contains("--no-check-certificate"), "{line}");
            assert!(wget.env.contains("SSL_CERT_FILE="), "{}", wget.env);
        }
    }
}

#[test]
fn rule_02_a_publicly_trusted_certificate_is_verified_by_the_system() {
    let public = values("vigo.example.com:1530", "https://vigo.example.com", WebCertificate::PubliclyTrusted);
    for shell in shells() {
        let world = World::new(Fetcher::Curl);
        let bin_dir = world.bin_dir();
        let ran = world.run(&shell, &public, &["--bin-dir", bin_dir.to_str().expect("UTF-8")], &[]);
        assert_eq!(ran.code, Some(0), "{}: {}", shell.name, ran.stderr);
        for curl in ran.calls.iter().filter(|call| call.program == "curl") {
            assert!(!curl.args.iter().any(|arg| arg == "-k" || arg == "--pinnedpubkey"), "{:?}", curl.args);
        }
        // What a verified certificate vouches for counts as checked.
        let pin = pki::ours().ca_pin.to_string();
        assert!(ran.only("vigo").args.join(" ").contains(&format!("--ca-pin {pin}")), "{}", shell.name);
    }
}

#[test]
fn rule_01_without_any_pin_the_first_answer_is_trusted_and_that_is_said() {
    for shell in shells() {
        let world = World::new(Fetcher::Curl);
        let bin_dir = world.bin_dir();
        let ran = world.run(&shell, &world.values(), &["--bin-dir", bin_dir.to_str().expect("UTF-8")], &[]);
        assert_eq!(ran.code, Some(0), "{}: {}", shell.name, ran.stderr);
        assert!(ran.stderr.contains("vigo: no --ca-pin and no token"), "{}", ran.stderr);
        assert_eq!(ran.only("vigo").args, agent_args(&world, &[]), "{}", shell.name);
        assert_eq!(ran.agent_stdin.as_deref(), Some(""), "{}: the script is no input for the agent", shell.name);
    }
}

#[test]
fn rule_02_both_pins_of_a_ca_that_is_being_replaced_are_taken() {
    for shell in shells() {
        let world = World::new(Fetcher::Curl);
        let bin_dir = world.bin_dir();
        let (old, new) = (pki::theirs().ca_pin.to_string(), pki::ours().ca_pin.to_curl());
        let args = ["--ca-pin", &old, "--ca-pin", &new, "--bin-dir", bin_dir.to_str().expect("UTF-8")];
        let ran = world.run(&shell, &world.values(), &args, &[]);
        assert_eq!(ran.code, Some(0), "{}: {}", shell.name, ran.stderr);
        assert_eq!(ran.only("vigo").args, agent_args(&world, &[old, pki::ours().ca_pin.to_string()]), "{}", shell.name);
    }
}

#[test]
fn every_flag_reaches_the_agent_whole() {
    let odd = "it's a \"host\" of  $HOME `id` *";
    for shell in shells() {
        let world = World::new(Fetcher::Curl);
        let bin_dir = world.at("my sbin");
        let bin_dir = bin_dir.to_str().expect("UTF-8");
        let args = [
            "--hostname",
            odd,
            "--config-dir=a b",
            "--state-dir",
            "c  d",
            "--bin-dir",
            bin_dir,
            "--no-service",
            "--server",
            "[fd00::1]:1531",
            "--api-addr",
            "https://[fd00::1]:8444/",
        ];
        let ran = world.run(&shell, &world.values(), &args, &[]);
        assert_eq!(ran.code, Some(0), "{}: {}", shell.name, ran.stderr);
        let expected = [
            "bootstrap",
            "--server",
            "[fd00::1]:1531",
            "--api-addr",
            "https://[fd00::1]:8444",
            "--force",
            "--hostname",
            odd,
            "--config-dir",
            "a b",
            "--state-dir",
            "c  d",
            "--bin-dir",
            bin_dir,
            "--no-service",
        ];
        assert_eq!(ran.only("vigo").args, expected, "{}", shell.name);
        assert!(
            ran.calls
                .iter()
                .any(|call| call.args.last().is_some_and(|url| url.starts_with("https://[fd00::1]:8444/api/")))
        );
    }
}

#[test]
fn rule_02_the_exit_code_is_the_agents() {
    for shell in shells() {
        for code in [0, 1, 5, 6] {
            let world = World::new(Fetcher::Curl);
            world.serve_agent(&format!("echo 'vigo: said last' >&2; exit {code}"));
            let bin_dir = world.bin_dir();
            let ran = world.run(&shell, &world.values(), &["--bin-dir", bin_dir.to_str().expect("UTF-8")], &[]);
            assert_eq!(ran.code, Some(code), "{}: {}", shell.name, ran.stderr);
            assert!(ran.stderr.ends_with("vigo: said last\n"), "{}: {}", shell.name, ran.stderr);
            assert!(world.is_clean(), "{}", shell.name);
        }
    }
}

#[test]
fn rule_04_the_agent_that_is_there_is_left_to_the_new_one() {
    for shell in shells() {
        let world = World::new(Fetcher::Curl);
        fs::create_dir_all(world.bin_dir()).expect("a directory");
        fs::write(world.bin_dir().join("vigo"), "the old one").expect("a file");
        world.serve_agent("exit 5");
        let bin_dir = world.bin_dir();
        let ran = world.run(&shell, &world.values(), &["--bin-dir", bin_dir.to_str().expect("UTF-8")], &[]);
        assert_eq!(ran.code, Some(5), "{}: {}", shell.name, ran.stderr);
        assert_eq!(fs::read_to_string(world.bin_dir().join("vigo")).expect("still there"), "the old one");
        assert_eq!(fs::read_dir(world.bin_dir()).expect("a directory").count(), 1, "{}", shell.name);
        assert!(ran.calls.iter().all(|call| call.program != "systemctl" && call.program != "kill"), "{}", shell.name);
    }
}

#[test]
fn help_has_examples_and_does_nothing() {
    for shell in shells() {
        let world = World::new(Fetcher::Curl);
        let ran = world.run(&shell, &world.values(), &["--help"], &[]);
        assert_eq!(ran.code, Some(0), "{}: {}", shell.name, ran.stderr);
        assert!(ran.stdout.contains("Examples") && ran.stdout.contains("--token-prompt"), "{}", ran.stdout);
        assert!(!ran.sent() && world.is_clean(), "{}", shell.name);
    }
}
