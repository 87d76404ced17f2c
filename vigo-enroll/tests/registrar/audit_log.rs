//! The audit log: every act is in it, and the chain covers each record once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use vigo_core::audit::{ChainLink, Verified, verify};
use vigo_core::keyspace;
use vigo_core::record::Record as _;
use vigo_core::store::{Outcome, Revision, Store, Transaction, Write};
use vigo_enroll::operate;

use crate::invariants::check_invariants;
use crate::machine::Machine;
use crate::scenarios::{ALL, NAME, kinds, old};
use crate::world::{Engine, Fleet, act, block_on, entries, request, secs, told};

fn links(store: &dyn Store) -> Vec<ChainLink> {
    let decode = |entry: &vigo_core::store::Entry| ChainLink::decode(&entry.value).expect("a link");
    entries(store, keyspace::AUDIT_CHAIN).iter().map(decode).collect()
}

/// Appends a link over what no link covers yet, as a server's sequencer does; nothing where there is nothing new.
fn sequence(store: &dyn Store) {
    let links = links(store);
    let covered = links.last().map_or(Revision::ZERO, |link| link.through);
    let mut waiting = entries(store, keyspace::AUDIT_RECORDS);
    waiting.retain(|entry| entry.revision > covered);
    let Some(through) = waiting.iter().map(|entry| entry.revision).max() else { return };
    let link = ChainLink::after(links.last(), through, &waiting);
    let key = keyspace::audit_link(link.number);
    let append = Transaction::new().absent(key.clone()).put(key, link.encode());
    assert!(matches!(block_on(store.commit(append)), Ok(Outcome::Committed(_))), "nobody else appends");
}

#[track_caller]
fn verified(store: &dyn Store) -> Verified {
    verify(&links(store), &entries(store, keyspace::AUDIT_RECORDS)).expect("the chain holds")
}

/// One of everything that is ever recorded; gives how many records that are.
fn act_on(fleet: &Fleet, n: u32) -> u64 {
    let before = fleet.audit().len();
    let name = format!("host{n}.example.com");
    let hostname = name.parse().expect("a hostname");
    let (token, record) = fleet.token_of(request(&name));
    let enrolled = fleet.enrol(&Machine::new(100 + n, &name).token(&token));
    assert_eq!(told(&fleet.register(&Machine::new(200 + n, &name).token(&token))), "token_used");
    assert_eq!(told(&fleet.register(&Machine::new(200 + n, &name))), "not_admitted");
    let store = &*fleet.store;
    let approval = fleet.approve("*.example.net");
    block_on(operate::remove_approval(store, &approval, &act())).expect("it was there");
    block_on(operate::revoke_token(store, &record.id, "", &act())).expect("it is there");
    block_on(operate::allow_reenroll(store, &hostname, secs(60), &act())).expect("it was enrolled");
    block_on(operate::revoke_envoy(store, &enrolled.record.id, "", &act())).expect("it is there");
    block_on(operate::delete_envoy(store, &enrolled.record.id, "", &act())).expect("it is there");
    (fleet.audit().len() - before) as u64
}

#[test]
fn the_chain_covers_each_record_once() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let store = &*fleet.store;
        assert_eq!(verified(store), Verified { links: 0, covered: 0, uncovered: 0, head: [0; 32] });
        let mut total = 0;
        for n in 1..=4 {
            let new = act_on(&fleet, n);
            assert_eq!(new, 10, "ten acts, ten records");
            let before = verified(store);
            assert_eq!((before.covered, before.uncovered), (total, new), "the tail is named");
            sequence(store);
            sequence(store);
            total += new;
            let after = verified(store);
            assert_eq!((after.links, after.covered, after.uncovered), (u64::from(n), total, 0), "{}", engine.name);
            assert_ne!(after.head, before.head);
        }
        assert_eq!(links(store).iter().map(|link| link.records).sum::<u64>(), total);
        check_invariants(store);
    }
}

#[test]
fn the_chain_shows_what_was_tampered_with() {
    let fleet = Fleet::new();
    act_on(&fleet, 1);
    sequence(&*fleet.store);
    act_on(&fleet, 2);
    sequence(&*fleet.store);
    for entry in entries(&*fleet.store, keyspace::AUDIT_RECORDS) {
        let mut value = entry.value.clone();
        *value.last_mut().unwrap() ^= 1;
        let (links, mut records) = (links(&*fleet.store), entries(&*fleet.store, keyspace::AUDIT_RECORDS));
        let place = records.iter().position(|record| record.key == entry.key).unwrap();
        records[place].value = value;
        assert!(verify(&links, &records).is_err(), "changed");
        records.remove(place);
        assert!(verify(&links, &records).is_err(), "removed");
    }
    // Written again, even as it was.
    let entry = entries(&*fleet.store, keyspace::AUDIT_RECORDS).remove(0);
    let _ = block_on(fleet.store.commit(Transaction::new().put(entry.key, entry.value))).unwrap();
    assert!(verify(&links(&*fleet.store), &entries(&*fleet.store, keyspace::AUDIT_RECORDS)).is_err());
}

/// No enrolment waits for the chain: a link that is appended between any two of its steps changes nothing for it.
#[test]
fn an_enrolment_never_queues_behind_the_chain() {
    for scenario in ALL {
        let honest = Fleet::new();
        honest.enrol(&(scenario.prepare)(&honest));
        for number in 1..=honest.spy.calls() {
            let fleet = Fleet::new();
            let machine = (scenario.prepare)(&fleet);
            let store = Arc::clone(&fleet.store);
            fleet.spy.before(number, move || sequence(&*store));
            assert_eq!(told(&fleet.register(&machine)), scenario.told);
            assert_eq!(fleet.spy.attempted(), 1, "{} before call {number}", scenario.name);
            sequence(&*fleet.store);
            assert_eq!(verified(&*fleet.store).uncovered, 0);
        }
    }
}

#[test]
fn every_commit_has_one_record() {
    let fleet = Fleet::new();
    let (_, envoy) = old(&fleet);
    let spy: &dyn Store = &*fleet.spy;
    let name = NAME.parse().unwrap();
    block_on(operate::allow_reenroll(spy, &name, secs(60), &act())).unwrap();
    fleet.enrol(&Machine::new(1, NAME).token(&fleet.token(NAME)).forced());
    fleet.register(&Machine::new(2, NAME)).unwrap_err();
    block_on(operate::delete_envoy(spy, &envoy, "", &act())).unwrap();
    let committed = fleet.spy.committed();
    assert_eq!(committed.len(), 4);
    for transaction in committed {
        let kinds = kinds(transaction.writes.iter().map(Write::key));
        assert_eq!(kinds.iter().filter(|kind| *kind == "audit/record").count(), 1, "{kinds:?}");
    }
}

#[test]
fn a_sequencer_among_threads_misses_nothing() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let sequencer = scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    sequence(&*fleet.store);
                }
            });
            let fleet = &fleet;
            let machines: Vec<_> = (0..16)
                .map(|n| {
                    let machine = Machine::new(n, &format!("web{n}.example.com"));
                    (machine.clone().token(&fleet.token("*.example.com")), machine)
                })
                .map(|(good, bad)| {
                    scope.spawn(move || {
                        fleet.register(&bad).expect_err("it has no token");
                        fleet.enrol(&good);
                    })
                })
                .collect();
            machines.into_iter().for_each(|thread| thread.join().expect("no panic"));
            done.store(true, Ordering::SeqCst);
            sequencer.join().expect("no panic");
        });
        sequence(&*fleet.store);
        let verified = verified(&*fleet.store);
        assert_eq!((verified.covered, verified.uncovered), (16 * 3, 0), "{}", engine.name);
    }
}
