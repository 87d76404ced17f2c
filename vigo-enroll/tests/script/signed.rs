//! `--signing-pin`: the agent must be signed by that key, and the script says no before anything of it runs.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use vigo_core::{AgentManifest, AgentSigningSecret, AgentTarget, Pin, SignedManifest, UnixTime};
use zeroize::Zeroizing;

use crate::shells::{Shell, common_shells, shells};
use crate::world::{Fetcher, Ran, World};

fn secret(seed: u8) -> AgentSigningSecret {
    AgentSigningSecret::from_seed(&Zeroizing::new([seed; 32]))
}

/// The pin as openssl computes it of the public key, so that the two agree on what a pin is of.
fn pin(secret: &AgentSigningSecret) -> Pin {
    let pem = secret.public().to_pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Pin::of_spki(&STANDARD.decode(body).expect("a public key in PEM"))
}

/// A manifest of what the server has, or of something else.
fn signed(world: &World, target: &str, by: &AgentSigningSecret) -> SignedManifest {
    let binary = fs::read(world.at("served/vigo")).expect("served");
    let valid = UnixTime::from_secs(1_780_000_000)..UnixTime::from_secs(1_811_536_000);
    let target: AgentTarget = target.parse().expect("a target");
    AgentManifest::of_binary(&binary, target, "0.1.0".parse().expect("a version"), valid).sign(by).expect("a manifest")
}

/// What the server announces, with these lines at its end.
fn announce(world: &World, lines: &str) {
    let binary = fs::read(world.at("served/vigo")).expect("served");
    world.announce(binary.len(), &hex::encode(Sha256::digest(&binary)));
    let text = fs::read_to_string(world.at("served/latest")).expect("announced");
    fs::write(world.at("served/latest"), text + lines).expect("a file");
}

fn lines(signed: &SignedManifest, key: &AgentSigningSecret) -> String {
    let (manifest, signature) = (STANDARD.encode(&signed.text), STANDARD.encode(signed.signature.as_bytes()));
    format!("manifest {manifest}\nsignature {signature}\nsigning_key {}\n", key.public())
}

fn run(world: &World, shell: &Shell, pin: &Pin) -> Ran {
    let (bin_dir, pin) = (world.bin_dir(), pin.to_string());
    let args = ["--signing-pin", &pin, "--bin-dir", bin_dir.to_str().expect("UTF-8")];
    world.run(shell, &world.values(), &args, &[])
}

fn world(openssl: bool) -> World {
    let world = World::new(Fetcher::Curl);
    if openssl {
        world.wrap("openssl");
    }
    world
}

#[test]
fn rule_15_what_the_pinned_key_signed_is_run_and_told_how() {
    // Keys of every sort of digit.
    for (shell, seed) in shells().iter().flat_map(|shell| (1..4).map(move |seed| (shell, seed))) {
        let world = world(true);
        let key = secret(seed * 79);
        let signed = signed(&world, "linux-x86_64", &key);
        announce(&world, &lines(&signed, &key));
        let ran = run(&world, shell, &pin(&key));
        assert_eq!(ran.code, Some(0), "{}: {}", shell.name, ran.stderr);
        assert!(!ran.stderr.contains("signature"), "{}: {}", shell.name, ran.stderr);
        let (manifest, signature) = (STANDARD.encode(&signed.text), STANDARD.encode(signed.signature.as_bytes()));
        let told = format!("--signing-pin {} --manifest {manifest} --signature {signature} --force", pin(&key));
        assert!(ran.only("vigo").args.join(" ").contains(&told), "{}: {:?}", shell.name, ran.only("vigo").args);
        assert!(world.is_clean(), "{}", shell.name);
    }
}

/// Stops with this message, whatever openssl there is if `everywhere`, and the agent never ran.
#[track_caller]
fn check(lines: impl Fn(&World) -> String, pin: &Pin, message: &str) {
    for shell in shells() {
        let world = world(true);
        announce(&world, &lines(&world));
        let ran = run(&world, &shell, pin);
        assert_eq!(ran.code, Some(4), "{}: {}", shell.name, ran.stderr);
        assert!(ran.stderr.contains(message), "{}: {}", shell.name, ran.stderr);
        assert_eq!(ran.count("vigo"), 0, "{}", shell.name);
        assert!(world.is_clean(), "{}", shell.name);
    }
}

#[test]
fn rule_15_an_agent_without_a_signature_is_not_fetched() {
    let key = secret(7);
    let good = |world: &World| lines(&signed(world, "linux-x86_64", &key), &key);
    let unsigned = "vigo: agent_unsigned: the server has no signed agent for linux-x86_64";
    check(|_| String::new(), &pin(&key), unsigned);
    for name in ["manifest", "signature", "signing_key"] {
        let without = |world: &World| {
            good(world)
                .lines()
                .filter(|line| !line.starts_with(&format!("{name} ")))
                .fold(String::new(), |text, line| text + line + "\n")
        };
        check(without, &pin(&key), unsigned);
        // Characters that have no place in it, and null as JSON says it.
        for bad in ["$(id)", "null", "a b", "../x", ""] {
            let replaced = |world: &World| without(world) + &format!("{name} {bad}\n");
            if (name, bad) != ("manifest", "null") {
                check(replaced, &pin(&key), unsigned);
            }
        }
    }
    for shell in common_shells() {
        let world = world(true);
        let ran = run(&world, &shell, &pin(&key));
        assert_eq!(ran.count("curl"), 1, "{}: the announcement alone", shell.name);
    }
}

#[test]
fn rule_15_another_key_another_text_and_another_agent_are_refused() {
    let (key, other) = (secret(7), secret(8));
    let wrong_key = "vigo: pin_mismatch: the agent is signed by another key than --signing-pin says";
    let wrong_signature = "vigo: signature_mismatch: the key of --signing-pin did not sign";
    let wrong_agent = "vigo: signature_mismatch: another agent was signed";
    // All of another's, which fits together.
    check(|world| lines(&signed(world, "linux-x86_64", &other), &other), &pin(&key), wrong_key);
    // Another's signature under the pinned key's name.
    check(|world| lines(&signed(world, "linux-x86_64", &other), &key), &pin(&key), wrong_signature);
    // A text that was changed.
    let changed = |world: &World| {
        let mut signed = signed(world, "linux-x86_64", &key);
        signed.text.push(b'\n');
        lines(&signed, &key)
    };
    check(changed, &pin(&key), wrong_signature);
    // No text at all.
    check(
        |world| lines(&signed(world, "linux-x86_64", &key), &key).replace("manifest ", "manifest null"),
        &pin(&key),
        wrong_signature,
    );
    // What the key did sign, and is not for here.
    for target in ["linux-aarch64", "freebsd-x86_64"] {
        check(|world| lines(&signed(world, target, &key), &key), &pin(&key), wrong_agent);
    }
    // An older agent's manifest.
    let old = |world: &World| {
        let announced = fs::read(world.at("served/vigo")).expect("served");
        fs::write(world.at("served/vigo"), "another").expect("a file");
        let signed = signed(world, "linux-x86_64", &key);
        fs::write(world.at("served/vigo"), announced).expect("a file");
        lines(&signed, &key)
    };
    check(old, &pin(&key), wrong_agent);
}

#[test]
fn rule_15_without_an_openssl_that_knows_how_the_agent_checks_alone() {
    let (key, other) = (secret(7), secret(8));
    for shell in common_shells() {
        for openssl in [None, Some("exit 1"), Some("case $1 in pkeyutl) exit 1 ;; esac")] {
            let world = world(false);
            if let Some(body) = openssl {
                world.fake("openssl", body);
            }
            announce(&world, &lines(&signed(&world, "linux-x86_64", &other), &other));
            let ran = run(&world, &shell, &pin(&key));
            assert_eq!(ran.code, Some(0), "{}: {}", shell.name, ran.stderr);
            let said = "vigo: no openssl here can check the signature: only the agent itself does";
            assert!(ran.stderr.contains(said), "{}: {}", shell.name, ran.stderr);
            let told = format!("--signing-pin {} --manifest ", pin(&key));
            assert!(ran.only("vigo").args.join(" ").contains(&told), "{}", shell.name);
        }
    }
}

#[test]
fn a_signing_pin_that_was_typed_wrong_is_said() {
    for shell in common_shells() {
        let world = world(true);
        for (pin, message) in [
            ("sha256:00", "--signing-pin takes sha256: and 64 hexadecimal digits; 2 were found"),
            (
                "sha256//AAAA",
                "--signing-pin takes sha256: and 64 hexadecimal digits, the SHA-256 of the DER of the key",
            ),
            ("", "--signing-pin needs a value"),
        ] {
            let ran = world.run(&shell, &world.values(), &["--signing-pin", pin], &[]);
            assert_eq!(ran.code, Some(2), "{} {pin}: {}", shell.name, ran.stderr);
            assert!(ran.stderr.contains(message) && !ran.sent(), "{} {pin}: {}", shell.name, ran.stderr);
        }
    }
}
