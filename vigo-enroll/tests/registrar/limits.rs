//! How often an address may ask, and how much of what is refused is written down. Time is simulated.

use vigo_core::keyspace;
use vigo_enroll::rules::Reenroll;
use vigo_enroll::{Limits, Rate, RefusalKind};

use crate::invariants::check_invariants;
use crate::machine::Machine;
use crate::scenarios::NAME;
use crate::world::{
    Fleet, HERE, ca_pin, entries, fresh_secret, no_limits, request, secs, token_key, told, with_token_limit,
};

/// Three at once, then one in ten seconds.
const THREE: Rate = Rate { burst: 3, per_minute: 6 };

fn limited(registrations: Rate) -> Fleet {
    Fleet::new().with_limits(&Limits { registrations, ..no_limits() })
}

/// Asks from an address, so many seconds later; expects the code, and the seconds to wait where it is asked to.
#[track_caller]
fn check(fleet: &Fleet, machine: &Machine, from: &str, after: u64, expected: &str, wait: Option<u64>) {
    let result = fleet.register_at(machine, from, secs(after));
    assert_eq!(told(&result), expected, "{from} after {after} s");
    if let Some(wait) = wait {
        let refusal = result.expect_err("told");
        assert_eq!(refusal.kind(), RefusalKind::Limited);
        assert_eq!(refusal.help(), format!("wait {wait} s, then run the line again"), "{from} after {after} s");
    }
}

#[test]
fn registrations_of_one_address() {
    let fleet = limited(THREE);
    let machine = Machine::new(1, NAME);
    for _ in 0..3 {
        check(&fleet, &machine, HERE, 0, "not_admitted", None);
    }
    let reads = fleet.spy.calls() - fleet.spy.attempted();
    for _ in 0..5 {
        check(&fleet, &machine, HERE, 0, "rate_limited", Some(10));
    }
    assert_eq!(fleet.spy.calls() - fleet.spy.attempted(), reads, "nothing is read for who asks too often");
    check(&fleet, &machine, HERE, 4, "rate_limited", Some(6));
    check(&fleet, &machine, "192.0.2.8", 4, "not_admitted", None);
    check(&fleet, &machine, "::ffff:192.0.2.7", 4, "rate_limited", Some(6));
    check(&fleet, &machine, HERE, 10, "not_admitted", None);
    check(&fleet, &machine, HERE, 10, "rate_limited", Some(10));
    for _ in 0..3 {
        check(&fleet, &machine, HERE, 1000, "not_admitted", None);
    }
    check(&fleet, &machine, HERE, 1000, "rate_limited", Some(10));
}

#[test]
fn replacements_of_one_name() {
    let fleet = Fleet::new().with_limits(&Limits { replacements: THREE, ..no_limits() });
    fleet.set_rules(&[("*", &["0.0.0.0/0"])], Reenroll::Token);
    // Whoever holds the key of an envoy replaces it, and its successor, without end: each leaves a record for ever.
    let mut last = Machine::new(1, NAME);
    let mut envoy = fleet.enrol(&last);
    for n in 0..3 {
        let next = Machine::new(2 + n, NAME).proving(&envoy, &last).forced();
        envoy = fleet.enrol(&next);
        last = next;
    }
    let next = Machine::new(9, NAME).proving(&envoy, &last).forced();
    let commits = fleet.spy.attempted();
    check(&fleet, &next, HERE, 0, "rate_limited", Some(10));
    check(&fleet, &next, "192.0.2.8", 0, "rate_limited", Some(10));
    assert!(fleet.spy.attempted() <= commits + 2, "nothing but the refusals is written");
    let other = Machine::new(10, "web2.example.com");
    let first = fleet.enrol(&other);
    let _ = fleet.enrol(&Machine::new(11, "web2.example.com").proving(&first, &other).forced());
    check(&fleet, &next, HERE, 10, "enrolled, replaced by proof", None);
    check_invariants(&*fleet.store);
}

#[test]
fn a_v6_host_is_its_network() {
    let fleet = limited(THREE);
    let machine = Machine::new(1, NAME);
    for host in ["fd00:a::1", "fd00:a::2", "fd00:a:0:0:ffff::3"] {
        check(&fleet, &machine, host, 0, "not_admitted", None);
    }
    check(&fleet, &machine, "fd00:a::4", 0, "rate_limited", Some(10));
    check(&fleet, &machine, "fd00:a:0:1::1", 0, "not_admitted", None);
}

#[test]
fn a_clock_that_was_put_back_shuts_nobody_out() {
    let fleet = limited(THREE);
    let machine = Machine::new(1, NAME);
    for _ in 0..3 {
        check(&fleet, &machine, HERE, 1_000_000_000, "not_admitted", None);
    }
    check(&fleet, &machine, HERE, 1_000_000_000, "rate_limited", Some(10));
    for _ in 0..3 {
        check(&fleet, &machine, HERE, 0, "not_admitted", None);
    }
    check(&fleet, &machine, HERE, 0, "rate_limited", Some(10));
    check(&fleet, &machine, HERE, 10, "not_admitted", None);
}

#[test]
fn rule_08_token_checks_of_one_address() {
    let fleet = Fleet::new().with_limits(&with_token_limit(THREE));
    let (token, _) =
        fleet.token_of(vigo_enroll::operate::TokenRequest { uses: 10.try_into().unwrap(), ..request("*.example.com") });
    let machine = |n: u32| Machine::new(n, &format!("web{n}.example.com")).token(&token);
    let hashes = fleet.hashes.performed();
    // What costs no hash is not counted.
    for _ in 0..20 {
        check(&fleet, &Machine::new(1, NAME), HERE, 0, "not_admitted", None);
        check(&fleet, &machine(1).token_text("hunter2"), HERE, 0, "token_rejected (token_malformed)", None);
        let cut = &token.reveal()[1..];
        check(&fleet, &machine(1).token_text(cut), HERE, 0, "token_rejected (token_forged)", None);
    }
    check(&fleet, &machine(1), HERE, 0, "enrolled", None);
    let unknown = vigo_enroll::token::Token::mint(&token_key(), [0xee; 16], &fresh_secret(), &ca_pin()).0;
    check(&fleet, &machine(9).token(&unknown), HERE, 0, "token_rejected (token_unknown)", None);
    check(&fleet, &machine(2), HERE, 0, "enrolled", None);
    assert_eq!(fleet.hashes.performed() - hashes, 3);
    check(&fleet, &machine(3), HERE, 0, "rate_limited", Some(10));
    check(&fleet, &machine(9).token(&unknown), HERE, 9, "rate_limited", Some(1));
    assert_eq!(fleet.hashes.performed() - hashes, 3, "no hash for who asks too often");
    assert_eq!(check_invariants(&*fleet.store).uses, 2);
    check(&fleet, &machine(4), "192.0.2.8", 9, "enrolled", None);
    check(&fleet, &machine(3), HERE, 10, "enrolled", None);
}

#[test]
fn a_stored_result_is_no_token_check() {
    let fleet = Fleet::new().with_limits(&with_token_limit(Rate { burst: 1, per_minute: 1 }));
    let machine = Machine::new(1, NAME).token(&fleet.token(NAME));
    check(&fleet, &machine, HERE, 0, "enrolled", None);
    for _ in 0..5 {
        check(&fleet, &machine, HERE, 0, "enrolled before", None);
    }
}

#[test]
fn a_flood_of_refusals_does_not_fill_the_store() {
    let fleet = Fleet::new();
    let machine = Machine::new(1, NAME);
    let limits = Limits::default();
    let records = || entries(&*fleet.store, keyspace::AUDIT_RECORDS).len();
    // One address.
    for _ in 0..1000 {
        fleet.register(&machine).unwrap_err();
    }
    assert_eq!(records(), limits.refusals.burst as usize);
    // Everybody.
    let mut sent = 1000;
    for n in 0..5000 {
        let from = format!("10.{}.{}.7", n / 250, n % 250);
        fleet.register_at(&machine, &from, secs(1)).unwrap_err();
        sent += 1;
    }
    assert_eq!(records(), limits.all_refusals.burst as usize);
    assert_eq!(entries(&*fleet.store, "").len(), records(), "and there is nothing else");
    // A day of it.
    for hour in 1..=24 {
        for n in 0..100 {
            fleet.register_at(&machine, &format!("10.200.{hour}.{n}"), secs(hour * 3600)).unwrap_err();
            sent += 1;
        }
    }
    let most = limits.all_refusals.burst + 24 * 60 * limits.all_refusals.per_minute;
    assert!(records() <= most as usize, "{} of {most}", records());

    // Nothing is forgotten: each record says how many before it were not written.
    let more: u64 = fleet
        .audit()
        .iter()
        .filter_map(|record| {
            let (_, count) = record.detail.split_once(" (")?;
            count.strip_suffix(" refusals before this one were not recorded)")?.parse::<u64>().ok()
        })
        .sum();
    let after = fleet.register_at(&machine, "10.250.0.1", secs(48 * 3600)).unwrap_err();
    assert_eq!(after.code(), "not_admitted");
    let last = fleet.last_audit();
    let tail = last.detail.split_once(" (").map_or(0, |(_, text)| text.split(' ').next().unwrap().parse().unwrap());
    assert_eq!(records() as u64 + more + tail, sent + 1);
}

#[test]
fn enrolments_are_recorded_in_a_flood_too() {
    let fleet = Fleet::new();
    for n in 0..400 {
        fleet.register_at(&Machine::new(1, NAME), &format!("10.0.{}.{}", n / 100, n % 100), secs(0)).unwrap_err();
    }
    let enrolled = fleet.enrol(&Machine::new(2, NAME).token(&fleet.token(NAME)));
    assert_eq!(fleet.last_audit().subject, enrolled.record.id.to_string());
    check_invariants(&*fleet.store);
}
