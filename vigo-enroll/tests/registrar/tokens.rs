//! What becomes of a token: what its holder is told, what the audit log is told, and what it costs us.

use std::num::{NonZeroU32, NonZeroUsize};
use std::pin::pin;
use std::task::{Context, Waker};

use vigo_core::{TokenId, TokenText};
use vigo_enroll::operate::{self, TokenRequest};
use vigo_enroll::token::{Token, TokenKey};
use vigo_enroll::{HashPool, RefusalKind};

use crate::invariants::check_invariants;
use crate::machine::{Machine, draw};
use crate::scenarios::NAME;
use crate::spy::{Fault, When};
use crate::world::{
    Engine, Fleet, HERE, act, block_on, ca_pin, entries, fresh_secret, no_limits, request, secs, token_key, told,
};

fn uses(count: u32) -> TokenRequest {
    TokenRequest { uses: NonZeroU32::new(count).expect("at least one"), ..request("*.example.com") }
}

/// A token's text that the store knows nothing of.
fn mint(key: &TokenKey, id: [u8; 16]) -> TokenText {
    Token::mint(key, id, &fresh_secret(), &ca_pin()).0
}

/// One try with a token: from where, when, and what comes of it at which cost in hashes.
struct Try<'a> {
    token: &'a str,
    hostname: &'a str,
    from: &'a str,
    after: u64,
}

impl<'a> Try<'a> {
    fn of(token: &'a TokenText) -> Self {
        Self { token: token.reveal(), hostname: NAME, from: HERE, after: 0 }
    }

    #[track_caller]
    fn check(&self, fleet: &Fleet, expected: &str, hashes: u64) {
        let before = (fleet.hashes.performed(), check_invariants(&*fleet.store).uses);
        let seed = u32::from_be_bytes(*draw().last_chunk().expect("16 bytes"));
        let machine = Machine::new(seed, self.hostname).token_text(self.token);
        let result = fleet.register_at(&machine, self.from, secs(self.after));
        assert_eq!(told(&result), expected);
        assert_eq!(fleet.hashes.performed() - before.0, hashes, "hashes for {expected}");
        let used = check_invariants(&*fleet.store).uses - before.1;
        assert_eq!(used, usize::from(expected.starts_with("enrolled")), "uses for {expected}");
        let outcome = expected.split(['(', ')']).nth(1).unwrap_or(expected);
        let logged = fleet.last_audit().outcome;
        assert_eq!(logged, if expected.starts_with("enrolled") { "ok" } else { outcome }, "the audit log");
    }
}

#[test]
fn rule_08_a_token_is_for_its_hosts_networks_and_time() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let cidrs = vec!["10.1.0.0/16".parse().unwrap(), "fd00:a::/32".parse().unwrap()];
        let (token, _) = fleet.token_of(TokenRequest { cidrs, ..uses(5) });
        let good = Try { from: "10.1.2.3", ..Try::of(&token) };
        Try { hostname: "web1.example.org", ..good }.check(&fleet, "token_rejected (token_other_host)", 1);
        Try { hostname: "example.com", ..good }.check(&fleet, "token_rejected (token_other_host)", 1);
        Try { hostname: "evilexample.com", ..good }.check(&fleet, "token_rejected (token_other_host)", 1);
        Try { from: "10.2.0.1", ..good }.check(&fleet, "token_rejected (token_other_network)", 1);
        Try { from: "fd00:b::1", ..good }.check(&fleet, "token_rejected (token_other_network)", 1);
        Try { after: 3600, ..good }.check(&fleet, "token_rejected (token_expired)", 1);
        Try { after: 3599, ..good }.check(&fleet, "enrolled", 1);
        Try { from: "::ffff:10.1.2.3", hostname: "web2.example.com", ..good }.check(&fleet, "enrolled", 1);
        Try { from: "fd00:a:1::1", hostname: "a.b.c.example.com", ..good }.check(&fleet, "enrolled", 1);
    }
}

#[test]
fn rule_08_what_is_no_token_of_ours_is_told_one_thing_and_logged_as_what_it_is() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let (token, record) = fleet.token_of(uses(1));
        Try { token: "vgt1.a.b", ..Try::of(&token) }.check(&fleet, "token_rejected (token_malformed)", 0);
        Try { token: &token.reveal()[1..], ..Try::of(&token) }.check(&fleet, "token_rejected (token_forged)", 0);
        let foreign = mint(&TokenKey::derive(&[0x22; 32]), *record.id.as_bytes());
        Try::of(&foreign).check(&fleet, "token_rejected (token_forged)", 0);
        let unknown = mint(&token_key(), draw());
        Try::of(&unknown).check(&fleet, "token_rejected (token_unknown)", 1);
        let wrong = mint(&token_key(), *record.id.as_bytes());
        Try::of(&wrong).check(&fleet, "token_rejected (token_wrong_secret)", 1);
        Try::of(&token).check(&fleet, "enrolled", 1);
        // It is spent; only who proves the secret is told.
        Try::of(&wrong).check(&fleet, "token_rejected (token_wrong_secret)", 1);
        Try { hostname: "web2.example.com", ..Try::of(&token) }.check(&fleet, "token_used", 1);
    }
}

#[test]
fn rule_08_strangers_cannot_tell_the_refusals_apart() {
    let fleet = Fleet::new();
    let (token, record) = fleet.token_of(uses(1));
    let texts = [
        "hunter2".to_owned(),
        mint(&TokenKey::derive(&[0x22; 32]), draw()).reveal().to_owned(),
        mint(&token_key(), draw()).reveal().to_owned(),
        mint(&token_key(), *record.id.as_bytes()).reveal().to_owned(),
    ];
    let ask = |text: &str| fleet.register(&Machine::new(1, NAME).token_text(text)).unwrap_err();
    let told: Vec<_> = texts.iter().map(|text| ask(text)).collect();
    for refusal in &told {
        assert_eq!(
            (refusal.code(), refusal.kind(), refusal.message(), refusal.help()),
            (told[0].code(), told[0].kind(), told[0].message(), told[0].help())
        );
    }
    let late = fleet.register_at(&Machine::new(1, NAME).token(&token), HERE, secs(9999)).unwrap_err();
    assert_eq!((late.code(), late.message()), (told[0].code(), told[0].message()), "expired");
    assert!(told[0].help().contains("vigocli tokens generate --pattern web1.example.com"), "{}", told[0].help());
}

#[test]
fn rule_07_a_bad_token_never_falls_through() {
    let fleet = Fleet::new();
    fleet.approve("*.example.com");
    let token = fleet.token("db1.example.com");
    Try::of(&token).check(&fleet, "token_rejected (token_other_host)", 1);
    Try { token: "hunter2", ..Try::of(&token) }.check(&fleet, "token_rejected (token_malformed)", 0);
    assert_eq!(told(&fleet.register(&Machine::new(1, NAME))), "enrolled", "without it the pattern admits");
}

#[test]
fn rule_08_a_revoked_token_is_refused() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let (token, record) = fleet.token_of(uses(2));
        Try::of(&token).check(&fleet, "enrolled", 1);
        block_on(operate::revoke_token(&*fleet.store, &record.id, "leaked", &act())).unwrap();
        Try { hostname: "web2.example.com", ..Try::of(&token) }.check(&fleet, "token_rejected (token_revoked)", 1);
        let (token, record) = fleet.token_of(uses(1));
        Try { hostname: "web3.example.com", ..Try::of(&token) }.check(&fleet, "enrolled", 1);
        block_on(operate::revoke_token(&*fleet.store, &record.id, "", &act())).unwrap();
        Try { hostname: "web4.example.com", ..Try::of(&token) }.check(&fleet, "token_used", 1);
    }
}

#[test]
fn rule_08_used_is_for_ever() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let (token, _) = fleet.token_of(TokenRequest { allow_replace: true, ..uses(1) });
        let first = Machine::new(1, NAME).token(&token).forced();
        let envoy = fleet.enrol(&first).record.id;
        let other = Machine::new(2, NAME).token(&token).forced();
        assert_eq!(told(&fleet.register(&other)), "token_used");
        assert_eq!(told(&fleet.register_at(&other, HERE, secs(1_000_000))), "token_used", "expired since");
        block_on(operate::revoke_envoy(&*fleet.store, &envoy, "", &act())).unwrap();
        assert_eq!(told(&fleet.register(&other)), "token_used", "its envoy was revoked");
        block_on(operate::delete_envoy(&*fleet.store, &envoy, "", &act())).unwrap();
        assert_eq!(told(&fleet.register(&other)), "token_used", "its envoy was deleted");
        assert_eq!(told(&fleet.register(&first.anew())), "token_used", "not even for the key that used it");
        assert_eq!(told(&fleet.another().register(&other)), "token_used", "whoever asks another server");
    }
}

#[test]
fn rule_08_uses_are_counted() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine).with_limits(&no_limits());
        let (token, record) = fleet.token_of(uses(7));
        let machine = |n: u32| Machine::new(n, &format!("web{n}.example.com")).token(&token);
        let envoys: Vec<_> = (1..=7).map(|n| fleet.enrol(&machine(n)).record.id).collect();
        for n in 8..=20 {
            assert_eq!(told(&fleet.register(&machine(n))), "token_used");
        }
        let record = fleet.token_record(&record.id);
        assert_eq!(record.uses.iter().map(|used| used.envoy).collect::<Vec<_>>(), envoys);
        check_invariants(&*fleet.store);
    }
}

#[test]
fn rule_08_conflicts_cost_no_second_hash_and_no_second_certificate() {
    for (conflicts, expected, issued) in
        [(0, "enrolled", 1), (1, "enrolled", 1), (40, "enrolled", 1), (1000, "busy", 1)]
    {
        for fault in [Fault::Conflict, Fault::RequestLost] {
            let fleet = Fleet::new();
            let (token, _) = fleet.token_of(uses(1));
            let before = fleet.hashes.performed();
            fleet.spy.fail(When::Commits(conflicts), fault);
            let result = fleet.register(&Machine::new(1, NAME).token(&token));
            assert_eq!(told(&result), expected, "{conflicts} × {fault:?}");
            assert_eq!(fleet.hashes.performed() - before, 1, "{conflicts} × {fault:?}");
            assert_eq!(fleet.issuer.issued(), issued, "{conflicts} × {fault:?}");
            let census = check_invariants(&*fleet.store);
            assert_eq!(census.envoys, usize::from(expected == "enrolled"), "{conflicts} × {fault:?}");
        }
    }
}

#[test]
fn rule_03_no_secret_is_kept_or_told() {
    let fleet = Fleet::new();
    let (token, record) = fleet.token_of(uses(1));
    let tries = [
        Machine::new(1, "web1.example.org").token(&token),
        Machine::new(1, NAME).token_text(&token.reveal()[2..]),
        Machine::new(1, NAME).token(&token),
        Machine::new(2, "web2.example.com").token(&token),
    ];
    let results: Vec<_> = tries.iter().map(|machine| fleet.register(machine)).collect();
    let secret = token.reveal().split('.').nth(2).unwrap();
    let told = format!("{results:?} {:?}", fleet.registrar);
    assert!(!told.contains(secret), "{told}");
    for entry in entries(&*fleet.store, "") {
        let value = String::from_utf8_lossy(&entry.value).into_owned();
        assert!(!value.contains(secret), "{}", String::from_utf8_lossy(&entry.key));
    }
    assert!(fleet.token_record(&TokenId::from_random(*record.id.as_bytes())).secret_hash.starts_with("$2b$04$"));
    // The check would find it.
    assert_eq!(secret.len(), 43);
}

#[test]
fn rule_08_a_full_pool_is_busy_and_costs_no_use() {
    let fleet = Fleet::new();
    let (token, _) = fleet.token_of(uses(1));
    // One thread without a queue, at work on something that takes a second; nobody waits for it.
    let slow = fleet.another_with_hashes(HashPool::new(NonZeroUsize::MIN, 0, 14).unwrap());
    let secret = || Token::mint(&token_key(), draw(), &fresh_secret(), &ca_pin()).1.into_secret();
    let mut context = Context::from_waker(Waker::noop());
    let mut work = pin!(slow.hashes.dummy(secret()));
    // It is taken once the thread waits for it.
    while work.as_mut().poll(&mut context).is_ready() {
        work.set(slow.hashes.dummy(secret()));
    }
    let machine = Machine::new(1, NAME).token(&token);
    let refusal = slow.register(&machine).unwrap_err();
    assert_eq!((refusal.code(), refusal.kind()), ("busy", RefusalKind::Unavailable));
    assert_eq!(check_invariants(&*fleet.store).uses, 0);
    assert_eq!(told(&fleet.register(&machine)), "enrolled");
}
