//! Operators' acts over a store that fails at every point: each happens once or not at all, and says which.

use std::sync::Arc;

use vigo_core::store::Store;
use vigo_core::{ApprovalId, EnvoyId, TokenId, keyspace};
use vigo_enroll::operate::{self, Act, AnyHost, OperateError, TokenDice};

use crate::invariants::check_invariants;
use crate::machine::draw;
use crate::scenarios::{NAME, old};
use crate::spy::{Fault, When};
use crate::world::{Fleet, act, block_on, ca_pin, entries, fresh_secret, request, secs, token_key};

/// What the acts are done to.
struct Subjects {
    envoy: EnvoyId,
    token: TokenId,
    approval: ApprovalId,
    /// An id that nothing has yet.
    new: [u8; 16],
}

type Done = Result<(), OperateError>;

/// An act, and what is said when it was done before.
struct Case {
    name: &'static str,
    perform: fn(&Fleet, &dyn Store, &Subjects, &Act) -> Done,
    again: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "create a token",
        perform: |fleet, store, subjects, act| {
            let dice = TokenDice { id: subjects.new, secret: fresh_secret(), salt: draw() };
            let (key, pin, request) = (token_key(), ca_pin(), request("*.example.com"));
            block_on(operate::create_token(store, &fleet.hashes, &key, request, &pin, act, dice)).map(drop)
        },
        again: "conflict",
    },
    Case {
        name: "revoke a token",
        perform: |_, store, subjects, act| block_on(operate::revoke_token(store, &subjects.token, "", act)).map(drop),
        again: "ok",
    },
    Case {
        name: "approve a pattern",
        perform: |_, store, subjects, act| {
            let (id, pattern) = (ApprovalId::from_random(subjects.new), "*.org".parse().expect("a pattern"));
            block_on(operate::add_approval(store, id, pattern, AnyHost::Unconfirmed, "", act)).map(drop)
        },
        again: "conflict",
    },
    Case {
        name: "remove an approval",
        perform: |_, store, subjects, act| block_on(operate::remove_approval(store, &subjects.approval, act)).map(drop),
        again: "not_found",
    },
    Case {
        name: "revoke an envoy",
        perform: |_, store, subjects, act| block_on(operate::revoke_envoy(store, &subjects.envoy, "", act)).map(drop),
        again: "ok",
    },
    Case {
        name: "delete an envoy",
        perform: |_, store, subjects, act| block_on(operate::delete_envoy(store, &subjects.envoy, "", act)).map(drop),
        again: "not_found",
    },
    Case {
        name: "allow a name",
        perform: |_, store, _, act| {
            let name = NAME.parse().expect("a hostname");
            block_on(operate::allow_reenroll(store, &name, secs(60), act)).map(drop)
        },
        again: "ok",
    },
];

fn prepare() -> (Fleet, Subjects) {
    let fleet = Fleet::new();
    let (_, envoy) = old(&fleet);
    let approval = fleet.approve("*.net");
    let token = fleet.token_of(request("*.example.com")).1.id;
    (fleet, Subjects { envoy, token, approval, new: draw() })
}

fn code(result: &Done) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(error) => error.code(),
    }
}

fn calls(case: &Case) -> u64 {
    let (fleet, subjects) = prepare();
    (case.perform)(&fleet, &*fleet.spy, &subjects, &act()).expect("nothing fails");
    fleet.spy.calls()
}

/// Lets the faults strike, then looks whether what was said is what happened.
#[track_caller]
fn check(case: &Case, faults: &[(When, Fault)]) {
    let name = format!("{}, {faults:?}", case.name);
    let (fleet, subjects) = prepare();
    let before = entries(&*fleet.store, keyspace::AUDIT_RECORDS).len();
    let recorded = |fleet: &Fleet| entries(&*fleet.store, keyspace::AUDIT_RECORDS).len() - before;
    for (when, fault) in faults {
        fleet.spy.fail(*when, *fault);
    }
    let act = act();
    let first = (case.perform)(&fleet, &*fleet.spy, &subjects, &act);
    fleet.spy.settle();
    check_invariants(&*fleet.store);
    let happened = recorded(&fleet);
    match code(&first) {
        "ok" => assert_eq!(happened, 1, "{name}: it is said to be done"),
        "unavailable" => assert!(happened <= 1, "{name}"),
        "conflict" => assert_eq!(happened, 0, "{name}: it is said not to be done"),
        other => panic!("{name}: {other}"),
    }
    // Doing it again does it, once.
    let second = (case.perform)(&fleet, &*fleet.spy, &subjects, &self::act());
    assert_eq!(code(&second), if happened == 1 { case.again } else { "ok" }, "{name}: again");
    let twice = case.name == "allow a name" && happened == 1;
    assert_eq!(recorded(&fleet), if twice { 2 } else { 1 }, "{name}: again");
    check_invariants(&*fleet.store);
}

#[test]
fn a_store_that_fails_at_every_call() {
    for case in CASES {
        for number in 1..=calls(case) + 1 {
            for fault in [Fault::Unavailable, Fault::ReplyLost, Fault::RequestLost, Fault::Conflict] {
                check(case, &[(When::Call(number), fault)]);
            }
        }
    }
}

#[test]
fn a_commit_that_comes_through_late() {
    for case in CASES {
        let commit = calls(case);
        for later in 1..=commit + 3 {
            check(case, &[(When::Call(commit), Fault::Late(later))]);
            // And the look at what became of it fails.
            check(case, &[(When::Call(commit), Fault::Late(later)), (When::Call(commit + 1), Fault::Unavailable)]);
        }
    }
}

#[test]
fn commits_that_conflict_or_are_lost_many_times() {
    for case in CASES {
        for count in [1, 2, 15, 1000] {
            for fault in [Fault::Conflict, Fault::RequestLost, Fault::ReplyLost] {
                check(case, &[(When::Commits(count), fault)]);
            }
        }
    }
}

#[test]
fn two_operators_at_once() {
    for case in CASES {
        for number in 1..=calls(case) {
            let (fleet, subjects) = prepare();
            let before = entries(&*fleet.store, keyspace::AUDIT_RECORDS).len();
            let (fleet, subjects) = (Arc::new(fleet), Arc::new(subjects));
            let (other, same) = (Arc::clone(&fleet), Arc::clone(&subjects));
            let perform = case.perform;
            fleet
                .spy
                .before(number, move || perform(&other, &*other.store, &same, &act()).expect("the other is first"));
            let second = (case.perform)(&fleet, &*fleet.spy, &subjects, &act());
            assert_eq!(code(&second), case.again, "{} before call {number}", case.name);
            let recorded = entries(&*fleet.store, keyspace::AUDIT_RECORDS).len() - before;
            assert_eq!(recorded, if case.name == "allow a name" { 2 } else { 1 }, "{} before call {number}", case.name);
            check_invariants(&*fleet.store);
        }
    }
}
