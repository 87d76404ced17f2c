//! A registration happens once, however often it is sent.

use vigo_enroll::operate;

use crate::invariants::check_invariants;
use crate::machine::Machine;
use crate::scenarios::{ALL, NAME, Scenario, old};
use crate::world::{Engine, Fleet, HERE, act, block_on, secs, told};

/// Sends the same again: to this server and another, from elsewhere, much later.
#[track_caller]
fn check(engine: &Engine, scenario: &Scenario) {
    let fleet = Fleet::over(engine);
    let machine = (scenario.prepare)(&fleet);
    let first = fleet.enrol(&machine);
    let census = check_invariants(&*fleet.store);
    let hashes = fleet.hashes.performed();
    let another = fleet.another();
    for (server, from, after) in [(&fleet, HERE, 0), (&fleet, "203.0.113.9", 60), (&another, HERE, 10_000_000)] {
        let again = server.register_at(&machine, from, secs(after)).expect("it was admitted");
        let name = format!("{} on {}", scenario.name, engine.name);
        assert!(again.repeated && !first.repeated, "{name}");
        assert_eq!(again.certificate, first.certificate, "{name}: byte for byte");
        assert_eq!(again.record, first.record, "{name}");
        assert_eq!((again.replaced, again.permit), (None, None), "{name}: nothing is replaced again");
        assert_eq!(check_invariants(&*server.store), census, "{name}: nothing is written, not even to the audit log");
        assert_eq!(another.issuer.issued(), 0, "{name}");
    }
    assert_eq!(fleet.hashes.performed(), hashes, "{}: a stored result costs no hash", scenario.name);
}

#[test]
fn an_equal_registration_is_given_the_stored_result() {
    for scenario in ALL {
        for engine in Engine::both() {
            check(&engine, scenario);
        }
    }
}

/// Sends what differs in one thing from what was admitted.
#[track_caller]
fn check_differs(change: fn(Machine) -> Machine, expected: &str) {
    let fleet = Fleet::new();
    fleet.approve("*.example.com");
    let machine = Machine::new(1, NAME);
    fleet.enrol(&machine);
    assert_eq!(told(&fleet.register(&change(machine))), expected);
    assert_eq!(check_invariants(&*fleet.store).envoys, 1);
}

#[test]
fn what_differs_is_not_equal() {
    check_differs(|m| Machine { csr: b"csr 2".to_vec(), ..m }, "identity_used");
    check_differs(|m| Machine { hostname: "web2.example.com".into(), ..m }, "identity_used");
    check_differs(|m| Machine { seed: 2, ..m }, "request_reused");
    check_differs(|m| Machine { seed: 2, hostname: "web2.example.com".into(), ..m }, "request_reused");
    check_differs(|m| m.anew(), "identity_used");
    // What does not count: the token is gone by then, and forcing changes nothing.
    check_differs(|m| m.token_text("hunter2"), "enrolled before");
    check_differs(Machine::forced, "enrolled before");
    check_differs(|m| Machine { hostname: "WEB1.example.com.".into(), ..m }, "enrolled before");
}

#[test]
fn an_equal_registration_whose_envoy_is_gone_is_told_so() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let machine = Machine::new(1, NAME).token(&fleet.token("*.example.com"));
        let envoy = fleet.enrol(&machine);
        block_on(operate::revoke_envoy(&*fleet.store, &envoy.record.id, "stolen", &act())).unwrap();
        let refusal = fleet.register(&machine).unwrap_err();
        assert_eq!(refusal.code(), "envoy_revoked");
        assert!(refusal.message().contains(&envoy.record.id.to_string()), "{}", refusal.message());
        block_on(operate::delete_envoy(&*fleet.store, &envoy.record.id, "", &act())).unwrap();
        assert_eq!(told(&fleet.register(&machine)), "envoy_revoked");

        let (replaced, id) = old(&Fleet::new());
        let fleet = Fleet::new();
        assert_eq!(told(&fleet.register(&replaced.clone().claiming(id, &replaced))), "token_rejected (token_unknown)");
    }
}

#[test]
fn a_replaced_envoys_registration_is_told_so() {
    let fleet = Fleet::new();
    let (old, envoy) = old(&fleet);
    fleet.enrol(&Machine::new(1, NAME).claiming(envoy, &old).forced());
    assert_eq!(told(&fleet.register(&old)), "envoy_revoked");
    assert_eq!(told(&fleet.register(&old.anew().forced())), "token_used");
}
