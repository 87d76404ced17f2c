//! Trusted rules and approved patterns: both halves of a rule, in order, and as they are now.

use vigo_core::ApprovalId;
use vigo_enroll::operate;
use vigo_enroll::rules::Reenroll;

use crate::invariants::check_invariants;
use crate::machine::{Machine, draw};
use crate::world::{Engine, Fleet, NOW, act, block_on, told};

#[track_caller]
fn check(fleet: &Fleet, hostname: &str, from: &str, admitted_by: &str) {
    let seed = u32::from_be_bytes(*draw().last_chunk().expect("16 bytes"));
    let result = fleet.register_at(&Machine::new(seed, hostname), from, NOW);
    let got = match &result {
        Ok(enrolled) => enrolled.record.admitted_by.clone(),
        Err(_) => told(&result),
    };
    assert_eq!(got, admitted_by, "{hostname} from {from}");
}

#[test]
fn rule_07_a_trusted_rule_needs_name_and_network() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let rules: &[(&str, &[&str])] =
            &[("*.lab.example.com", &["10.1.0.0/24"]), ("*.example.com", &["10.0.0.0/8", "fd00:a::/64"])];
        fleet.set_rules(rules, Reenroll::Token);
        check(&fleet, "a.lab.example.com", "10.1.0.7", "trusted:1:*.lab.example.com");
        check(&fleet, "b.lab.example.com", "10.2.0.7", "trusted:2:*.example.com");
        check(&fleet, "c.example.com", "10.1.0.7", "trusted:2:*.example.com");
        check(&fleet, "d.example.com", "::ffff:10.1.0.7", "trusted:2:*.example.com");
        check(&fleet, "e.example.com", "fd00:a::7", "trusted:2:*.example.com");
        check(&fleet, "f.example.com", "fd00:b::7", "not_admitted");
        check(&fleet, "g.lab.example.com", "192.0.2.7", "not_admitted");
        check(&fleet, "h.example.org", "10.1.0.7", "not_admitted");
        check_invariants(&*fleet.store);
    }
}

#[test]
fn rule_07_an_approved_pattern_admits_from_anywhere_while_it_is_there() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        check(&fleet, "a.example.com", "203.0.113.1", "not_admitted");
        let id = fleet.approve("*.example.com");
        check(&fleet, "a.example.com", "203.0.113.1", &format!("approved:{id}"));
        check(&fleet, "a.example.org", "203.0.113.1", "not_admitted");
        block_on(operate::remove_approval(&*fleet.store, &id, &act())).unwrap();
        // The registrar's rules still have it, and the store does not.
        check(&fleet, "b.example.com", "203.0.113.1", "not_admitted");
        fleet.set_rules(&[("b.example.com", &["203.0.113.0/24"])], Reenroll::Token);
        check(&fleet, "b.example.com", "203.0.113.1", "trusted:1:b.example.com");
        check_invariants(&*fleet.store);
    }
}

#[test]
fn rule_07_an_approval_that_was_removed_gives_way_to_the_next() {
    let fleet = Fleet::new();
    let ids: Vec<ApprovalId> = (0..5).map(|_| fleet.approve("*.example.com")).collect();
    for (n, id) in ids.iter().enumerate() {
        check(&fleet, &format!("web{n}.example.com"), "203.0.113.1", &format!("approved:{id}"));
        block_on(operate::remove_approval(&*fleet.store, id, &act())).unwrap();
    }
    check(&fleet, "web9.example.com", "203.0.113.1", "not_admitted");
}

#[test]
fn rule_07_the_help_names_what_would_show_why() {
    let fleet = Fleet::new();
    let refusal = fleet.register(&Machine::new(1, "a.example.com")).unwrap_err();
    assert_eq!(refusal.message(), "No rule admits a.example.com from 192.0.2.7");
    for command in [
        "vigocli tokens generate --pattern a.example.com",
        "vigocli enroll explain --hostname a.example.com --ip 192.0.2.7",
    ] {
        assert!(refusal.help().contains(command), "{}", refusal.help());
    }
}
