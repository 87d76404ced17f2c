//! What is no good registration: a refusal with its code, no panic, and nothing kept but one audit record.

use std::collections::BTreeSet;

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use vigo_core::{Pin, SignedRegistration};
use vigo_enroll::Refusal;

use crate::invariants::check_invariants;
use crate::machine::{Machine, root, seed_bytes};
use crate::world::{Fleet, HERE, NOW, addr, block_on, dice, no_limits, told};

/// A registration's fields as they go over the wire, each to be spoilt by itself.
#[derive(Clone)]
struct Fields {
    kind: u64,
    request: Vec<u8>,
    identity: Vec<u8>,
    csr: Vec<u8>,
    hostname: Vec<u8>,
    token: Vec<u8>,
    takeover: u64,
    reported_ip: Vec<u8>,
    agent_version: Vec<u8>,
}

/// The seed whose key signs.
const SEED: u32 = 1;

impl Fields {
    fn good() -> Self {
        Self {
            kind: 1,
            request: vec![7; 16],
            identity: Machine::new(SEED, "a").identity().as_bytes().to_vec(),
            csr: b"csr 1".to_vec(),
            hostname: b"web1.example.com".to_vec(),
            token: Vec::new(),
            takeover: 1,
            reported_ip: b"10.9.8.7".to_vec(),
            agent_version: b"0.1.0".to_vec(),
        }
    }

    /// Protobuf, by hand: what a machine sends is not what our own encoder makes.
    fn body(&self) -> Vec<u8> {
        fn varint(out: &mut Vec<u8>, mut n: u64) {
            while n >= 0x80 {
                out.push(n as u8 | 0x80);
                n >>= 7;
            }
            out.push(n as u8);
        }
        fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
            varint(out, field << 3 | 2);
            varint(out, value.len() as u64);
            out.extend_from_slice(value);
        }
        let (mut body, mut platform) = (Vec::new(), Vec::new());
        bytes(&mut platform, 1, &self.agent_version);
        varint(&mut body, 1 << 3);
        varint(&mut body, self.kind);
        let parts = [(2, &self.request), (3, &self.identity), (4, &self.csr), (5, &self.hostname), (6, &self.token)];
        parts.into_iter().for_each(|(field, value)| bytes(&mut body, field, value));
        varint(&mut body, 7 << 3);
        varint(&mut body, self.takeover);
        bytes(&mut body, 8, &self.reported_ip);
        bytes(&mut body, 9, &platform);
        body
    }
}

/// Signs any bytes for an audience, by the written rule and not by our own code.
fn sign(body: Vec<u8>, audience: &Pin) -> SignedRegistration {
    let mut bytes = b"vigo/register/v1\0".to_vec();
    bytes.extend_from_slice(audience.as_bytes());
    bytes.extend_from_slice(&8u16.to_be_bytes());
    bytes.extend_from_slice(b"Register");
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&body);
    let signature = SigningKey::from_bytes(&seed_bytes(SEED)).sign(&bytes).to_bytes();
    SignedRegistration { body, signature: signature.as_slice().try_into().expect("64 bytes"), proof: None }
}

fn fleet() -> Fleet {
    let fleet = Fleet::new().with_limits(&no_limits());
    fleet.approve("*.example.com");
    fleet
}

fn send(fleet: &Fleet, signed: SignedRegistration) -> Result<vigo_enroll::Enrolled, Refusal> {
    block_on(fleet.registrar.register(signed, addr(HERE), NOW, dice()))
}

/// Sends and expects the code.
#[track_caller]
fn check(fields: &Fields, expected: &str) {
    check_signed(sign(fields.body(), &root()), expected);
}

#[track_caller]
fn check_signed(signed: SignedRegistration, expected: &str) {
    let fleet = fleet();
    let before = check_invariants(&*fleet.store);
    let result = send(&fleet, signed);
    assert_eq!(told(&result), expected);
    let after = check_invariants(&*fleet.store);
    let enrolled = usize::from(result.is_ok());
    assert_eq!((after.envoys, after.audits), (enrolled, before.audits + 1), "{expected}");
    assert_eq!(fleet.issuer.issued(), enrolled as u64, "{expected}");
    if let Err(refusal) = result {
        let text = format!("{} {} {}", refusal.message(), refusal.help(), fleet.last_audit().detail);
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(!refusal.message().is_empty() && !refusal.help().is_empty());
    }
}

#[test]
fn the_fields_by_hand_are_a_registration() {
    check(&Fields::good(), "enrolled");
}

#[test]
fn rule_05_hostnames_are_refused_and_never_repaired() {
    for hostname in [
        "",
        ".",
        "web_1.example.com",
        "web1..example.com",
        ".example.com",
        "-web1.example.com",
        "web1-.example.com",
        "10.1.2.3",
        "0x7f.1",
        "::1",
        "wéb1.example.com",
        "web1.example.com\n",
        "web1.example.com\0",
        "web1 .example.com",
        "*.example.com",
        "web1.example.com..",
        "a/../b",
        "\u{1b}[31mweb1",
    ] {
        check(&Fields { hostname: hostname.into(), ..Fields::good() }, "hostname_refused");
    }
    let long = "a".repeat(64);
    check(&Fields { hostname: long.into(), ..Fields::good() }, "hostname_refused");
    let long = ["a"; 127].join(".") + ".aa";
    check(&Fields { hostname: long.into(), ..Fields::good() }, "hostname_refused");
    check(&Fields { hostname: b"WEB1.Example.Com.".into(), ..Fields::good() }, "enrolled");
}

#[test]
fn rule_11_weak_identity_keys_are_refused() {
    let key = |hex: &str| Fields { identity: hex::decode(hex).unwrap(), ..Fields::good() };
    check(&key(&"00".repeat(32)), "key_refused");
    check(&key("0100000000000000000000000000000000000000000000000000000000000000"), "key_refused");
    check(&key("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "key_refused");
    check(&key("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "key_refused");
    check(&key(""), "key_refused");
    check(&key(&"ab".repeat(33)), "key_refused");
    // A good one of somebody else.
    let other = Machine::new(2, "a").identity().as_bytes().to_vec();
    check(&Fields { identity: other, ..Fields::good() }, "bad_signature");
}

#[test]
fn fields_that_cannot_be() {
    let good = Fields::good();
    // 3 asks for an answer that was won before, and there is none.
    check(&Fields { kind: 3, ..good.clone() }, "never_won");
    for kind in [0, 2, 4, u64::MAX] {
        check(&Fields { kind, ..good.clone() }, "malformed");
    }
    for takeover in [0, 3, u64::MAX] {
        check(&Fields { takeover, ..good.clone() }, "malformed");
    }
    for length in [0, 15, 17] {
        check(&Fields { request: vec![7; length], ..good.clone() }, "malformed");
    }
    for ip in ["10.9.8.7/24", "localhost", "\u{1b}", "1"] {
        check(&Fields { reported_ip: ip.into(), ..good.clone() }, "malformed");
    }
    for version in ["\u{1b}[31m", "0.1\n", "é", &"9".repeat(65)] {
        check(&Fields { agent_version: version.into(), ..good.clone() }, "malformed");
    }
    check(&Fields { hostname: b"\xff\xfe".to_vec(), ..good.clone() }, "malformed");
    check(&Fields { csr: b"junk".to_vec(), ..good.clone() }, "csr_refused");
    check(&Fields { csr: vec![], ..good.clone() }, "csr_refused");
    check(&Fields { token: b"\x1b[31m".to_vec(), ..good.clone() }, "token_rejected (token_malformed)");
    check(&Fields { token: vec![b'.'; 60_000], ..good }, "token_rejected (token_malformed)");
}

#[test]
fn frames_that_cannot_be() {
    let good = Fields::good().body();
    let signed = |body: &[u8]| sign(body.to_vec(), &root());
    check_signed(signed(&[]), "key_refused");
    check_signed(signed(b"not protobuf"), "malformed");
    check_signed(signed(&good[..good.len() - 1]), "malformed");
    let mut large = good.clone();
    large.resize(64 * 1024 + 1, 0);
    check_signed(signed(&large), "malformed");
    check_signed(signed(&vec![0xff; 1024 * 1024]), "malformed");
    // Meant for another fleet, signed for another purpose, or changed on the way.
    check_signed(sign(good.clone(), &Pin::from([0xcb; 32])), "bad_signature");
    let other = signed(b"another body").signature;
    check_signed(SignedRegistration { body: good.clone(), signature: other, proof: None }, "bad_signature");
    let mut changed = signed(&good);
    let place = changed.body.windows(4).position(|part| part == b"web1").expect("the name");
    changed.body[place + 3] = b'2';
    check_signed(changed, "bad_signature");
}

#[test]
fn rule_14_a_registration_is_for_a_live_root() {
    let fleet = fleet();
    let new = Pin::from([0xcb; 32]);
    let to = |seed: u32, root: Pin| Machine { root, ..Machine::new(seed, &format!("web{seed}.example.com")) };
    assert_eq!(told(&fleet.register(&to(1, new))), "bad_signature");
    fleet.registrar.set_roots(vec![root(), new]);
    assert_eq!(told(&fleet.register(&to(1, new))), "enrolled");
    assert_eq!(told(&fleet.register(&to(2, root()))), "enrolled");
    fleet.registrar.set_roots(vec![new]);
    assert_eq!(told(&fleet.register(&to(3, root()))), "bad_signature");
    fleet.registrar.set_roots(vec![]);
    assert_eq!(told(&fleet.register(&to(4, new))), "bad_signature");
}

/// One bit changed before it is signed: whoever signs may say what they like, and still only join or be refused.
#[test]
fn every_flipped_bit() {
    let codes = [
        "enrolled",
        "malformed",
        "key_refused",
        "bad_signature",
        "hostname_refused",
        "csr_refused",
        "not_admitted",
        "never_won",
    ];
    let good = Fields::good().body();
    let mut seen = BTreeSet::new();
    for bit in 0..good.len() * 8 {
        let fleet = fleet();
        let mut body = good.clone();
        body[bit / 8] ^= 1 << (bit % 8);
        let result = send(&fleet, sign(body, &root()));
        assert!(codes.contains(&told(&result).as_str()), "bit {bit}: {}", told(&result));
        assert_eq!(check_invariants(&*fleet.store).envoys, usize::from(result.is_ok()), "bit {bit}");
        seen.insert(told(&result));
    }
    assert_eq!(seen.len(), codes.len(), "{seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_refused_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..300), signature: [u8; 64]) {
        let fleet = Fleet::new();
        let signature = signature.as_slice().try_into().expect("64 bytes");
        for signed in [SignedRegistration { body: body.clone(), signature, proof: None }, sign(body, &root())] {
            let refusal = send(&fleet, signed).expect_err("no registration");
            prop_assert!(["malformed", "key_refused", "bad_signature"].contains(&refusal.code()), "{}", refusal.code());
        }
        prop_assert_eq!(check_invariants(&*fleet.store).envoys, 0);
    }
}
