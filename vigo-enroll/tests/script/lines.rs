//! The printed lines of the systems whose downloaders cannot pin, typed into shells and met by a real TLS server.

use std::fs;
use std::process::Stdio;

use vigo_core::{Pin, TokenText};
use vigo_enroll::script::{OneLiner, System, WebCertificate, bootstrap, one_liner};

use crate::pki::{self, Pki};
use crate::shells::{Shell, common_shells, find, is_there};
use crate::tls::Server;
use crate::world::{Fetcher, Ran, World, token, values};

/// FreeBSD's fetch in terms of curl: it verifies unless it is told not to.
const FETCH: &str = "how=''\nfor arg; do case $arg in --ca-cert=*) how=\"--cacert ${arg#*=}\" ;; --no-verify-peer) how=-k ;; \
                     esac; url=$arg; done\n[ -z \"${SSL_NO_VERIFY_PEER:-}\" ] || how=-k\n";
/// OpenBSD's ftp likewise.
const FTP: &str = "how=''\nfor arg; do case $arg in cafile=*) how=\"--cacert ${arg#*=}\" ;; dont) how=-k ;; esac; url=$arg; \
                   done\n";

/// A machine with its base system's downloader and openssl, whose `sudo` and `doas` keep what would be run.
fn world(shell: &Shell) -> World {
    let world = World::new(Fetcher::Real(&["openssl"]));
    let curl = find("curl").expect("checked").display().to_string();
    for (name, reads) in [("fetch", FETCH), ("ftp", FTP)] {
        world.fake(name, &format!("{reads}exec {curl} -q -sSf $how \"$url\""));
    }
    world.fake("sh", &format!("exec {} {} \"$@\"", shell.path().display(), shell.flags.join(" ")));
    world.fake("mktemp", &format!("exec /bin/mktemp '{}'/\"${{1##*/}}\"", world.at("work").display()));
    for name in ["sudo", "doas"] {
        world.fake(name, &format!("exec /bin/cat >'{}'", world.at("run").display()));
    }
    world
}

/// Types the line of a system at a server with this PKI; the line's pins are [`pki::ours`]. Gives what came to the shell that
/// would run it.
fn typed(world: &World, shell: &Shell, system: System, served: &Pki, host: &str) -> (Ran, String, String) {
    let server = Server::start(world, served);
    let values = values("127.0.0.1:1530", &format!("https://{host}:{}", server.port), WebCertificate::OwnCa);
    let token = TokenText::new(token(pki::ours().ca_pin));
    let line = one_liner(&values, &OneLiner { system, token: Some(&token), ..OneLiner::default() });
    let output = world
        .command(shell, &[("SSL_NO_VERIFY_PEER", "1")])
        .args(["-c", &line])
        .stdin(Stdio::null())
        .output()
        .expect("the shell starts");
    let ran = Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        calls: world.calls(),
        agent_stdin: None,
    };
    assert!(world.is_clean(), "{} {system} left something behind", shell.name);
    (ran, fs::read_to_string(world.at("run")).unwrap_or_default(), line)
}

const SYSTEMS: [(System, &str); 3] = [(System::Freebsd, "sudo"), (System::Openbsd, "doas"), (System::Netbsd, "sudo")];

fn can_run() -> bool {
    is_there("curl", "the printed lines over real TLS")
}

#[test]
fn rule_01_the_right_script_reaches_the_shell_with_its_arguments() {
    for shell in common_shells().iter().filter(|_| can_run()) {
        for ((system, elevated), host) in
            SYSTEMS.into_iter().flat_map(|system| ["127.0.0.1", "localhost"].map(|host| (system, host)))
        {
            let world = world(shell);
            let (ran, script, line) = typed(&world, shell, system, pki::ours(), host);
            let name = format!("{} {system} {host}: {}\n{line}", shell.name, ran.stderr);
            assert_eq!(ran.code, Some(0), "{name}");
            assert_eq!(script.trim_end(), bootstrap(&world.values()), "{name}");
            let token = token(pki::ours().ca_pin);
            let pin = pki::ours().ca_pin.to_string();
            assert_eq!(ran.only(elevated).args, ["sh", "-s", "--", "--ca-pin", &pin, "--token", &token], "{name}");
            assert!(!ran.calls.iter().any(|call| call.program != elevated && call.args.contains(&token)), "{name}");
        }
    }
}

#[test]
fn rule_01_from_another_server_nothing_reaches_the_shell() {
    for shell in common_shells().iter().filter(|_| can_run()) {
        for (system, _) in SYSTEMS {
            // All of it is theirs: their CA is shown.
            let world = world(shell);
            fs::copy(pki::theirs().file("ca.pem"), world.at("served/ca")).expect("a copy");
            let (ran, script, _) = typed(&world, shell, system, pki::theirs(), "127.0.0.1");
            assert_eq!(script, "", "{} {system}", shell.name);
            assert!(ran.stderr.contains("vigo: pin_mismatch: "), "{} {system}: {}", shell.name, ran.stderr);
            // They hand out our CA, whose certificate they do not have; alone, and with theirs behind it.
            for ca in [&["ours"][..], &["ours", "theirs"]] {
                let world = crate::lines::world(shell);
                let pems = ca.iter().map(|whose| if *whose == "ours" { pki::ours() } else { pki::theirs() });
                let text: String =
                    pems.map(|pki| fs::read_to_string(pki.file("ca.pem")).expect("a certificate")).collect();
                fs::write(world.at("served/ca"), text).expect("a file");
                let (_, script, _) = typed(&world, shell, system, pki::theirs(), "127.0.0.1");
                assert_eq!(script, "", "{} {system} {ca:?}", shell.name);
            }
            // The right certificate for another name.
            let world = crate::lines::world(shell);
            let (_, script, _) = typed(&world, shell, system, pki::ours(), "127.0.0.2");
            assert_eq!(script, "", "{} {system}", shell.name);
        }
    }
}

#[track_caller]
fn check(system: System, certificate: WebCertificate, local: bool, expected: &str) {
    let values = values("vigo.example.com:1530", "https://vigo.example.com:8443", certificate);
    let (ca, leaf) = (pki::ours().ca_pin, pki::ours().leaf_pin);
    let line = OneLiner { system, local, signing_pin: Some(Pin::from([7; 32])), ..OneLiner::default() };
    let end = format!("sh -s -- --ca-pin {ca} --signing-pin {}", Pin::from([7; 32]));
    let expected = expected.replace("LEAF", &leaf.to_curl()).replace("sh RUN", &end);
    assert_eq!(one_liner(&values, &line), expected);
}

#[test]
fn the_short_lines() {
    use WebCertificate::{OwnCa, PubliclyTrusted};
    let url = "https://vigo.example.com:8443/bootstrap";
    for system in [System::Linux, System::Macos] {
        check(system, OwnCa, false, &format!("curl -sSfk --pinnedpubkey 'LEAF' {url} | sudo sh RUN"));
        check(system, PubliclyTrusted, false, &format!("curl -sSf {url} | sudo sh RUN"));
    }
    check(System::Illumos, OwnCa, false, &format!("curl -sSfk --pinnedpubkey 'LEAF' {url} | pfexec sh RUN"));
    check(System::Freebsd, PubliclyTrusted, false, &format!("fetch -qo - {url} | sudo sh RUN"));
    check(System::Openbsd, PubliclyTrusted, false, &format!("ftp -MVo - {url} | doas sh RUN"));
    let local = "--server 127.0.0.1:1530 --api-addr https://127.0.0.1:8443";
    let line = "curl -sSfk --pinnedpubkey 'LEAF' https://127.0.0.1:8443/bootstrap | sudo sh RUN";
    check(System::Linux, OwnCa, true, &format!("{line} {local}"));
}
