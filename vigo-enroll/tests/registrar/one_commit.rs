//! An enrolment is one commit, with all that it changes in it; a refusal changes nothing.

use std::collections::BTreeSet;

use vigo_core::store::{Precondition, Transaction, Write};
use vigo_enroll::operate::{self, TokenRequest};

use crate::invariants::check_invariants;
use crate::issuer::Temper;
use crate::machine::Machine;
use crate::scenarios::{ALL, NAME, Scenario, kinds, old};
use crate::world::{Engine, Fleet, HERE, NOW, act, block_on, request, secs, told};

/// Admits the scenario's machine and expects one commit of exactly its records, each guarded by a precondition.
#[track_caller]
fn check(engine: &Engine, scenario: &Scenario) {
    let fleet = Fleet::over(engine);
    let machine = (scenario.prepare)(&fleet);
    let before = check_invariants(&*fleet.store);
    let result = fleet.register(&machine);
    let name = format!("{} on {}", scenario.name, engine.name);
    assert_eq!(told(&result), scenario.told, "{name}");
    let after = check_invariants(&*fleet.store);

    assert_eq!(fleet.spy.attempted(), 1, "{name}");
    let [transaction] = &fleet.spy.committed()[..] else { panic!("{name}: one commit") };
    assert_eq!(kinds(transaction.writes.iter().map(Write::key)), scenario.writes, "{name}");
    assert_eq!(unguarded(transaction), BTreeSet::new(), "{name}: written whatever others did");
    assert_eq!(fleet.issuer.issued(), 1, "{name}");

    let uses = usize::from(scenario.writes.contains(&"token"));
    assert_eq!(after.envoys, before.envoys + 1, "{name}");
    assert_eq!((after.uses, after.audits), (before.uses + uses, before.audits + 1), "{name}");
    let enrolled = result.expect("told");
    assert_eq!(fleet.envoy(&enrolled.record.id), enrolled.record, "{name}: the answer is what is kept");
    if let Some(replaced) = enrolled.replaced {
        assert_eq!(fleet.envoy(&replaced.id), replaced, "{name}: the answer is what is kept");
    }
}

/// The keys that are written without a look at what they hold.
fn unguarded(transaction: &Transaction) -> BTreeSet<&[u8]> {
    let guarded: BTreeSet<&[u8]> = transaction
        .preconditions
        .iter()
        .map(|precondition| match precondition {
            Precondition::Absent(key) | Precondition::Unchanged(key, _) => key.as_slice(),
        })
        .collect();
    transaction.writes.iter().map(Write::key).filter(|key| !guarded.contains(key)).collect()
}

#[test]
fn an_enrolment_is_one_commit_with_all_that_it_changes() {
    for scenario in ALL {
        for engine in Engine::both() {
            check(&engine, scenario);
        }
    }
}

#[test]
fn what_is_kept_of_an_envoy() {
    let fleet = Fleet::new();
    let machine = Machine::new(1, "Web1.Example.COM.").token(&fleet.token(NAME));
    let enrolled = fleet.register_at(&machine, "::ffff:10.1.2.3", NOW).unwrap();
    let record = enrolled.record;
    assert_eq!(record.hostname.as_str(), NAME);
    assert_eq!(record.identity, machine.identity());
    assert_eq!(record.address.to_string(), "10.1.2.3");
    assert_eq!(record.reported_ip.unwrap().to_string(), "10.9.8.7");
    assert_eq!((record.enrolled_at, record.revocation), (NOW, None));
    assert_eq!(record.platform.agent_version, "0.1.0");
    assert_eq!(record.certificates.len(), 1);
    assert_eq!(record.certificates[0].not_after, secs(30 * 24 * 3600));
    let certificate = String::from_utf8(enrolled.certificate).unwrap();
    let serial = record.certificates[0].serial;
    assert!(certificate.starts_with(&format!("{serial}: {} is {}", record.id, record.identity)), "{certificate}");

    let audit = fleet.last_audit();
    assert_eq!(audit.actor, "address:10.1.2.3");
    assert_eq!((audit.action.as_str(), audit.outcome.as_str()), ("envoy.enrol", "ok"));
    assert_eq!(audit.subject, record.id.to_string());
    assert_eq!(audit.detail, format!("{NAME} by {}", record.admitted_by));
}

/// Refuses and expects that nothing but one audit record was written, and that nobody signed anything.
#[track_caller]
fn check_refused(prepare: fn(&Fleet) -> Machine, expected: &str) {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let machine = prepare(&fleet);
        let before = check_invariants(&*fleet.store);
        assert_eq!(told(&fleet.register_at(&machine, HERE, NOW)), expected);
        let after = check_invariants(&*fleet.store);
        assert_eq!(after, crate::invariants::Census { audits: before.audits + 1, ..before }, "{expected}");
        let [transaction] = &fleet.spy.committed()[..] else { panic!("{expected}: one commit") };
        assert_eq!(kinds(transaction.writes.iter().map(Write::key)), ["audit/record"], "{expected}");
        assert_eq!((fleet.issuer.checked(), fleet.issuer.issued()), (0, 0), "{expected}: no work for the issuer");
        let audit = fleet.last_audit();
        assert_eq!(audit.actor, format!("address:{HERE}"), "{expected}");
        assert_eq!((audit.action.as_str(), audit.subject.as_str()), ("envoy.enrol", NAME), "{expected}");
        assert!(expected.contains(&audit.outcome), "{expected}: {}", audit.outcome);
    }
}

#[test]
fn a_refusal_writes_one_audit_record_and_nothing_else() {
    check_refused(|_| Machine::new(1, NAME), "not_admitted");
    check_refused(|_| Machine::new(1, NAME).token_text("hunter2"), "token_rejected (token_malformed)");
    check_refused(
        |fleet| {
            let (token, _) = fleet.token_of(TokenRequest { uses: 2.try_into().unwrap(), ..request("*.example.com") });
            fleet.another().enrol(&Machine::new(2, NAME).token(&token));
            Machine::new(1, NAME).token(&token).forced()
        },
        "hostname_taken",
    );
    check_refused(
        |fleet| {
            let (_, envoy) = old(fleet);
            block_on(operate::revoke_envoy(&*fleet.store, &envoy, "", &act())).unwrap();
            Machine::new(1, NAME).token(&fleet.token("*.example.com"))
        },
        "hostname_revoked",
    );
    check_refused(
        |fleet| {
            let (old, _) = old(fleet);
            let token = fleet.token("*.example.com");
            old.anew().token(&token)
        },
        "identity_used",
    );
    check_refused(
        |fleet| {
            let (old, envoy) = old(fleet);
            block_on(operate::delete_envoy(&*fleet.store, &envoy, "", &act())).unwrap();
            let token = fleet.token("*.example.com");
            old.anew().token(&token)
        },
        "envoy_revoked",
    );
    check_refused(
        |fleet| {
            let (old, _) = old(fleet);
            let token = fleet.token("*.example.com");
            Machine { request: old.request, ..Machine::new(1, NAME).token(&token) }
        },
        "request_reused",
    );
}

/// Fails where the issuer comes in: nothing is changed, and what a stranger is told names none of our insides.
#[track_caller]
fn check_issuer(temper: Temper, csr: &str, expected: &str, audited: bool) {
    let fleet = Fleet::with_issuer(temper);
    let machine = Machine { csr: csr.into(), ..Machine::new(1, NAME) };
    let refusal = fleet.register(&machine).expect_err("nobody signs");
    assert_eq!(refusal.code(), expected);
    assert!(!format!("{} {}", refusal.message(), refusal.help()).contains("socket"), "{}", refusal.message());
    assert_eq!(fleet.issuer.issued(), 0);
    let census = check_invariants(&*fleet.store);
    assert_eq!((census.envoys, census.audits), (0, usize::from(audited)), "{expected}");
}

#[test]
fn an_issuer_that_does_not_sign_stops_everything() {
    check_issuer(Temper::Good, "no request", "csr_refused", true);
    check_issuer(Temper::Keyless, "csr 1", "no_ca_key", false);
    check_issuer(Temper::Failing, "csr 1", "unavailable", false);
    let fleet = Fleet::with_issuer(Temper::Failing);
    let refusal = fleet.register(&Machine::new(1, NAME)).unwrap_err();
    assert_eq!(refusal.log(), Some("the certificate authority failed: the key lies behind a dead socket"));
}
