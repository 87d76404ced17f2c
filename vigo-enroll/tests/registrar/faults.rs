//! A store that fails at every point of an enrolment: whoever asks again with the same registration finishes it.

use vigo_enroll::Enrolled;

use crate::invariants::check_invariants;
use crate::scenarios::{ALL, Scenario};
use crate::spy::{Fault, When};
use crate::world::{Engine, Fleet, told};

/// How many calls an undisturbed registration takes.
fn calls(scenario: &Scenario) -> u64 {
    let fleet = Fleet::new();
    let machine = (scenario.prepare)(&fleet);
    fleet.enrol(&machine);
    fleet.spy.calls()
}

/// Lets the fault strike, then sends the same again and again.
#[track_caller]
fn check(engine: &Engine, scenario: &Scenario, when: When, fault: Fault) {
    let name = format!("{} on {}, {fault:?} at {when:?}", scenario.name, engine.name);
    let fleet = Fleet::over(engine);
    let machine = (scenario.prepare)(&fleet);
    let before = check_invariants(&*fleet.store);
    fleet.spy.fail(when, fault);
    let first = fleet.register(&machine);
    check_invariants(&*fleet.store);
    fleet.spy.settle();
    check_invariants(&*fleet.store);
    // What a stranger is told is what came of it, or that he is to ask again.
    let expected = if fault == Fault::Unavailable { vec![scenario.told, "unavailable"] } else { vec![scenario.told] };
    assert!(expected.contains(&told(&first).as_str()), "{name}: {}", told(&first));

    let second = fleet.register(&machine);
    if first.is_ok() {
        assert_eq!(told(&second), "enrolled before", "{name}");
    }
    let third = fleet.another().register(&machine);
    assert_eq!(told(&third), "enrolled before", "{name}");
    let enrolled: Vec<Enrolled> = [first, second, third].into_iter().flatten().collect();
    for one in &enrolled {
        assert_eq!((&one.record, &one.certificate), (&enrolled[0].record, &enrolled[0].certificate), "{name}");
    }
    assert!(fleet.issuer.issued() <= 2, "{name}: one certificate for each time that it was sent");

    let after = check_invariants(&*fleet.store);
    assert_eq!(after.envoys, before.envoys + 1, "{name}");
    let uses = usize::from(scenario.writes.contains(&"token"));
    assert_eq!((after.uses, after.audits), (before.uses + uses, before.audits + 1), "{name}");
}

/// At every call, and at one after the last.
#[track_caller]
fn check_every_call(engine: fn() -> Engine, scenario: &Scenario, fault: Fault) {
    for number in 1..=calls(scenario) + 1 {
        check(&engine(), scenario, When::Call(number), fault);
    }
}

#[test]
fn a_store_that_does_not_answer() {
    for scenario in ALL {
        check_every_call(Engine::memory, scenario, Fault::Unavailable);
    }
}

#[test]
fn a_reply_that_is_lost() {
    for scenario in ALL {
        check_every_call(Engine::memory, scenario, Fault::ReplyLost);
    }
}

#[test]
fn a_request_that_is_lost() {
    for scenario in ALL {
        check_every_call(Engine::memory, scenario, Fault::RequestLost);
    }
}

#[test]
fn a_commit_that_comes_through_late() {
    for scenario in ALL {
        let commit = calls(scenario);
        // Before each call of the next attempt, and after it.
        for later in 1..=commit + 2 {
            check(&Engine::memory(), scenario, When::Call(commit), Fault::Late(later));
        }
    }
}

#[test]
fn commits_that_conflict_or_are_lost_many_times() {
    for scenario in ALL {
        for count in [1, 2, 3, 30] {
            for fault in [Fault::Conflict, Fault::RequestLost, Fault::ReplyLost] {
                check(&Engine::memory(), scenario, When::Commits(count), fault);
            }
        }
    }
}

#[test]
fn all_of_it_over_redb() {
    let scenario = ALL.iter().find(|s| s.told == "enrolled, replaced by token").expect("there is one");
    for fault in [Fault::Unavailable, Fault::ReplyLost, Fault::RequestLost] {
        check_every_call(Engine::redb, scenario, fault);
    }
}

#[test]
fn a_refusal_stands_whatever_becomes_of_its_record() {
    use crate::machine::Machine;
    for fault in [Fault::ReplyLost, Fault::RequestLost, Fault::Conflict, Fault::Late(1), Fault::Unavailable] {
        let fleet = Fleet::new();
        let machine = Machine::new(1, "web1.example.com");
        assert_eq!(told(&fleet.register(&machine)), "not_admitted");
        let commit = fleet.spy.calls();
        fleet.spy.fail(When::Call(commit), fault);
        assert_eq!(told(&fleet.register(&machine)), "not_admitted", "{fault:?}");
        assert_eq!(fleet.spy.calls(), 2 * commit, "{fault:?}: it is tried once");
        fleet.spy.settle();
        assert_eq!(told(&fleet.register(&machine)), "not_admitted");
        let unrecorded = fleet.last_audit().detail.ends_with(" (1 refusals before this one were not recorded)");
        assert!(unrecorded, "{fault:?}: {}", fleet.last_audit().detail);
    }
}

/// The server is gone after it sent a commit; the machine asks again while that commit is still on its way.
#[test]
fn a_late_commit_of_a_server_that_is_gone() {
    for scenario in ALL {
        let commit = calls(scenario);
        for later in 1..=commit + 3 {
            let fleet = Fleet::new();
            let machine = (scenario.prepare)(&fleet);
            let before = check_invariants(&*fleet.store);
            fleet.spy.fail(When::Call(commit), Fault::Late(later));
            fleet.spy.fail(When::Call(commit + 1), Fault::Unavailable);
            assert_eq!(told(&fleet.register(&machine)), "unavailable", "{}", scenario.name);
            let second = fleet.register(&machine).expect("it finishes");
            fleet.spy.settle();
            let third = fleet.register(&machine).expect("it is stored");
            assert!(third.repeated, "{}, {later} later", scenario.name);
            assert_eq!(second.certificate, third.certificate, "{}, {later} later", scenario.name);
            assert_eq!(check_invariants(&*fleet.store).envoys, before.envoys + 1, "{}, {later} later", scenario.name);
        }
    }
}
