//! What others do between any two steps of an enrolment: validated inside the write, not before it.

use std::sync::Arc;

use vigo_core::keyspace;
use vigo_core::record::{ApprovedRecord, HostClaim, Record as _, TokenRecord};
use vigo_core::{EnvoyId, Hostname};
use vigo_enroll::operate;

use crate::invariants::check_invariants;
use crate::machine::Machine;
use crate::scenarios::{ALL, NAME, Scenario, allow};
use crate::world::{Fleet, act, block_on, entries, request, told};

/// Does `act` just before each call of the scenario's enrolment, and expects one of `expected`.
///
/// # Panics
/// Also when one of `expected` never comes: the table would claim too much.
#[track_caller]
fn check(scenario: &Scenario, act: fn(&Fleet, &Machine), expected: &[&str]) {
    let honest = Fleet::new();
    let machine = (scenario.prepare)(&honest);
    honest.enrol(&machine);
    let mut seen: Vec<String> = Vec::new();
    for number in 1..=honest.spy.calls() {
        let fleet = Fleet::new();
        let machine = (scenario.prepare)(&fleet);
        let hashes = fleet.hashes.performed();
        let (other, same) = (Arc::new(fleet.another()), machine.clone());
        fleet.spy.before(number, move || act(&other, &same));
        let result = fleet.register(&machine);
        let told = told(&result);
        let name = format!("{} before call {number}", scenario.name);
        assert!(expected.contains(&told.as_str()), "{name}: {told}");
        check_invariants(&*fleet.store);
        assert!(fleet.hashes.performed() - hashes <= 1, "{name}");
        if let Ok(enrolled) = result {
            assert_eq!(fleet.envoy(&enrolled.record.id), enrolled.record, "{name}: the answer is what is kept");
        }
        seen.push(told);
    }
    for told in expected {
        assert!(seen.iter().any(|seen| seen == told), "{}: {told} never came", scenario.name);
    }
}

/// For the scenarios of these numbers, counted from 1.
#[track_caller]
fn check_all(numbers: &[usize], act: fn(&Fleet, &Machine), expected: &[&str]) {
    for number in numbers {
        check(&ALL[number - 1], act, expected);
    }
}

fn holder(fleet: &Fleet) -> EnvoyId {
    let name: Hostname = NAME.parse().expect("a hostname");
    let entry = block_on(fleet.store.get(keyspace::host(&name).as_bytes())).expect("an answer").expect("a claim");
    HostClaim::decode(&entry.value).expect("a claim").envoy
}

fn revoke_holder(fleet: &Fleet, _: &Machine) {
    block_on(operate::revoke_envoy(&*fleet.store, &holder(fleet), "", &act())).expect("it is revoked");
}

fn delete_holder(fleet: &Fleet, _: &Machine) {
    block_on(operate::delete_envoy(&*fleet.store, &holder(fleet), "", &act())).expect("it is deleted");
}

/// Every token that is not spent is revoked.
fn revoke_tokens(fleet: &Fleet, _: &Machine) {
    for entry in entries(&*fleet.store, keyspace::TOKENS) {
        let record = TokenRecord::decode(&entry.value).expect("a token");
        block_on(operate::revoke_token(&*fleet.store, &record.id, "", &act())).expect("it is revoked");
    }
}

fn remove_approvals(fleet: &Fleet, _: &Machine) {
    for entry in entries(&*fleet.store, keyspace::APPROVED) {
        let record = ApprovedRecord::decode(&entry.value).expect("an approval");
        block_on(operate::remove_approval(&*fleet.store, &record.id, &act())).expect("it is removed");
    }
}

/// Another machine spends the token under another name.
fn spend(fleet: &Fleet, machine: &Machine) {
    fleet.enrol(&Machine { seed: 2, hostname: "web2.example.com".into(), old: None, ..machine.anew() });
}

/// Another machine takes the name, by a token of its own.
fn take_name(fleet: &Fleet, _: &Machine) {
    let token = fleet.token(NAME);
    fleet.enrol(&Machine::new(3, NAME).token(&token).forced());
}

#[test]
fn an_equal_registration() {
    for scenario in ALL {
        check(scenario, |fleet, same| drop(fleet.enrol(same)), &["enrolled before"]);
    }
}

#[test]
fn an_equal_registration_whose_envoy_is_revoked_at_once() {
    for scenario in ALL {
        let act = |fleet: &Fleet, same: &Machine| {
            fleet.enrol(same);
            revoke_holder(fleet, same);
        };
        check(scenario, act, &["envoy_revoked"]);
    }
}

#[test]
fn rule_08_the_token_is_revoked() {
    check_all(&[1, 5, 6, 9], revoke_tokens, &["token_rejected (token_revoked)"]);
}

#[test]
fn rule_08_the_token_is_spent() {
    // Those whose token admits other names.
    check_all(&[1, 6], spend, &["token_used"]);
}

#[test]
fn rule_07_the_approval_is_removed() {
    check_all(&[3, 7], remove_approvals, &["not_admitted"]);
}

#[test]
fn rule_07_one_of_two_approvals_is_removed() {
    let scenario = Scenario {
        name: "two approved patterns",
        prepare: |fleet| {
            let ids = [fleet.approve("web*.example.com"), fleet.approve("*.example.com")];
            assert!(ids[0] < ids[1], "the first one wins");
            Machine::new(1, NAME)
        },
        told: "enrolled",
        writes: &[],
    };
    let act = |fleet: &Fleet, _: &Machine| {
        let entry = entries(&*fleet.store, keyspace::APPROVED).remove(0);
        let record = ApprovedRecord::decode(&entry.value).expect("an approval");
        block_on(operate::remove_approval(&*fleet.store, &record.id, &act())).expect("it is removed");
    };
    check(&scenario, act, &["enrolled"]);
}

/// Under the same id: what counts is what it approves now.
fn approve_instead(fleet: &Fleet, pattern: &str) {
    let entry = entries(&*fleet.store, keyspace::APPROVED).remove(0);
    let record = ApprovedRecord::decode(&entry.value).expect("an approval");
    block_on(operate::remove_approval(&*fleet.store, &record.id, &act())).expect("it is removed");
    let (pattern, any) = (pattern.parse().expect("a pattern"), operate::AnyHost::Unconfirmed);
    block_on(operate::add_approval(&*fleet.store, record.id, pattern, any, "", &act())).expect("it is approved");
}

#[test]
fn rule_07_an_approval_is_removed_and_made_anew() {
    check_all(&[3], |fleet, _| approve_instead(fleet, "web?.example.com"), &["enrolled"]);
    check_all(&[3], |fleet, _| approve_instead(fleet, "db?.example.com"), &["not_admitted"]);
}

#[test]
fn rule_09_the_holder_is_revoked() {
    for take_out in [revoke_holder, delete_holder] {
        check_all(&[4], take_out, &["not_admitted"]);
        check_all(&[5], take_out, &["enrolled, allowed by token"]);
        check_all(&[7, 8], take_out, &["hostname_revoked"]);
        // Refused either way; between the reads of holder and proof, with the name as it was a moment ago.
        check_all(&[6], take_out, &["hostname_revoked", "hostname_taken"]);
    }
}

#[test]
fn rule_09_the_name_is_taken() {
    check_all(&[1, 2, 3], take_name, &["hostname_taken"]);
    check_all(&[4], take_name, &["not_admitted"]);
    check_all(&[5], take_name, &["enrolled, replaced by token"]);
    // The window was for one enrolment, and that was another's; the proof is by a key that was replaced.
    check_all(&[6, 7], take_name, &["hostname_taken"]);
    check_all(&[8], take_name, &["enrolled, replaced by any"]);
    // Not forced.
    check_all(&[9], take_name, &["hostname_taken"]);
}

#[test]
fn rule_09_the_name_is_allowed() {
    let act = |fleet: &Fleet, _: &Machine| allow(fleet);
    // The order in which permits are asked.
    check_all(&[4, 6], act, &["enrolled, replaced by proof"]);
    check_all(&[5], act, &["enrolled, replaced by token"]);
    check_all(&[7, 8], act, &["enrolled, replaced by allow-reenroll"]);
    check_all(&[9], act, &["enrolled, allowed by token"]);
}

#[test]
fn a_token_of_many_uses_is_used_by_others_and_loses_nothing() {
    let scenario = Scenario {
        name: "a token of two uses",
        prepare: |fleet| {
            let uses = 2.try_into().expect("not zero");
            let (token, _) = fleet.token_of(operate::TokenRequest { uses, ..request("*.example.com") });
            Machine::new(1, NAME).token(&token)
        },
        told: "enrolled",
        writes: &[],
    };
    check(&scenario, spend, &["enrolled"]);
}
