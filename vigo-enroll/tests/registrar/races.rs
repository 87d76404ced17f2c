//! Real threads at one token, one name and one registration.

use std::num::NonZeroU32;
use std::sync::{Arc, Barrier};
use std::thread;

use vigo_enroll::operate::TokenRequest;
use vigo_enroll::{Enrolled, Refusal};

use crate::invariants::check_invariants;
use crate::machine::Machine;
use crate::scenarios::NAME;
use crate::world::{Engine, Fleet, no_limits, request, told};

type Results = Vec<Result<Enrolled, Refusal>>;

/// Registers all at once, each machine on a thread of its own.
fn race(fleet: &Fleet, machines: &[Machine]) -> Results {
    let barrier = Arc::new(Barrier::new(machines.len()));
    thread::scope(|scope| {
        let start = |machine| {
            let barrier = Arc::clone(&barrier);
            scope.spawn(move || {
                barrier.wait();
                fleet.register(machine)
            })
        };
        let threads: Vec<_> = machines.iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn count(results: &Results, expected: &str) -> usize {
    results.iter().filter(|result| told(result) == expected).count()
}

#[track_caller]
fn check_token(engine: &Engine, uses: u32) {
    let fleet = Fleet::over(engine);
    let uses_allowed = NonZeroU32::new(uses).expect("at least one");
    let (token, record) = fleet.token_of(TokenRequest { uses: uses_allowed, ..request("*.example.com") });
    let before = fleet.hashes.performed();
    let machines: Vec<_> = (0..50).map(|n| Machine::new(n, &format!("web{n}.example.com")).token(&token)).collect();
    let results = race(&fleet, &machines);
    let winners = uses as usize;
    let name = engine.name;
    assert_eq!(count(&results, "enrolled"), winners, "{name}");
    assert_eq!(count(&results, "token_used"), 50 - winners, "{name}");
    assert_eq!(fleet.hashes.performed() - before, 50, "{name}: one hash each, whatever the conflicts");
    assert_eq!(fleet.token_record(&record.id).uses.len(), winners, "{name}");
    let census = check_invariants(&*fleet.store);
    assert_eq!((census.envoys, census.uses), (winners, winners), "{name}");
}

#[test]
fn rule_08_of_fifty_at_one_token_as_many_win_as_it_has_uses() {
    for uses in [1, 7, 50] {
        for engine in Engine::both() {
            check_token(&engine, uses);
        }
    }
}

#[test]
fn rule_09_of_fifty_at_one_free_name_one_wins() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        fleet.approve("*.example.com");
        let machines: Vec<_> = (0..50).map(|n| Machine::new(n, NAME)).collect();
        let results = race(&fleet, &machines);
        assert_eq!(count(&results, "enrolled"), 1, "{}", engine.name);
        assert_eq!(count(&results, "hostname_taken"), 49, "{}", engine.name);
        assert_eq!(check_invariants(&*fleet.store).envoys, 1, "{}", engine.name);
    }
}

#[test]
fn rule_09_of_fifty_that_prove_one_envoy_one_replaces_it() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine).with_limits(&no_limits());
        let old = Machine::new(900, NAME).token(&fleet.token(NAME));
        let envoy = fleet.enrol(&old);
        let machines: Vec<_> = (0..50).map(|n| Machine::new(n, NAME).proving(&envoy, &old).forced()).collect();
        let results = race(&fleet, &machines);
        assert_eq!(count(&results, "enrolled, replaced by proof"), 1, "{}", engine.name);
        assert_eq!(count(&results, "not_admitted"), 49, "{}: a replaced key proves nothing", engine.name);
        let census = check_invariants(&*fleet.store);
        assert_eq!((census.envoys, census.active), (2, 1), "{}", engine.name);
    }
}

#[test]
fn fifty_equal_registrations_are_one() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let machine = Machine::new(1, NAME).token(&fleet.token("*.example.com"));
        let machines = vec![machine; 50];
        let results = race(&fleet, &machines);
        assert_eq!(
            count(&results, "enrolled"),
            1,
            "{}: {:?}",
            engine.name,
            results.iter().map(told).collect::<Vec<_>>()
        );
        assert_eq!(count(&results, "enrolled before"), 49, "{}", engine.name);
        let certificates: Vec<_> = results.into_iter().map(|result| result.unwrap().certificate).collect();
        assert!(certificates.iter().all(|certificate| *certificate == certificates[0]), "{}", engine.name);
        let census = check_invariants(&*fleet.store);
        assert_eq!((census.envoys, census.uses), (1, 1), "{}", engine.name);
    }
}
