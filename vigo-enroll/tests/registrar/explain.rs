//! `enroll explain`: what would become of a host, and nothing comes of asking.

use vigo_core::TokenText;
use vigo_core::record::{Record as _, TokenRecord};
use vigo_core::store::Entry;
use vigo_core::{Hostname, keyspace};
use vigo_enroll::{Decision, Limits, Rate, Verdict};

use crate::machine::Machine;
use crate::scenarios::{ALL, NAME, Scenario};
use crate::world::{Engine, Fleet, HERE, NOW, addr, block_on, entries, no_limits, told, with_token_limit};

fn explain(fleet: &Fleet, machine: &Machine) -> Decision {
    let hostname: Hostname = machine.hostname.parse().expect("a hostname");
    let token = machine.token.clone().map(TokenText::new);
    block_on(fleet.registrar.explain(&hostname, addr(HERE), token.as_ref(), NOW)).expect("the store answers")
}

/// What [`told`] says of the registration that is explained.
fn verdict(decision: &Decision) -> String {
    match &decision.verdict {
        Verdict::Admit(grant) => match (grant.replaces(), grant.permit()) {
            (None, None) => "enrolled".to_owned(),
            (None, Some(permit)) => format!("enrolled, allowed by {permit}"),
            (Some(_), permit) => format!("enrolled, replaced by {}", permit.expect("a permit")),
        },
        Verdict::Refuse(refusal) => told(&Err(refusal.clone())),
    }
}

#[track_caller]
fn check(engine: &Engine, scenario: &Scenario) {
    let fleet = Fleet::over(engine);
    let machine = (scenario.prepare)(&fleet);
    let all = |fleet: &Fleet| -> Vec<Entry> { entries(&*fleet.store, "") };
    let before = all(&fleet);
    let decisions: Vec<_> = (0..3).map(|_| explain(&fleet, &machine)).collect();
    assert_eq!(fleet.spy.attempted(), 0, "{}: no commit", scenario.name);
    assert_eq!((fleet.issuer.checked(), fleet.issuer.issued()), (0, 0), "{}", scenario.name);
    assert_eq!(all(&fleet), before, "{}", scenario.name);
    assert!(decisions.iter().all(|decision| *decision == decisions[0]), "{}", scenario.name);
    // It is taken to hold no older identity.
    let machine = Machine { old: None, ..machine.forced() };
    assert_eq!(verdict(&decisions[0]), told(&fleet.register(&machine)), "{}", scenario.name);
}

#[test]
fn explaining_changes_nothing_and_says_what_comes() {
    for scenario in ALL {
        for engine in Engine::both() {
            check(&engine, scenario);
        }
    }
}

#[test]
fn every_rule_is_named_with_what_became_of_it() {
    let fleet = Fleet::new();
    fleet
        .set_rules(&[("*.lab.example.com", &["10.1.0.0/24"]), ("*.example.com", &["10.2.0.0/16"])], Default::default());
    let id = fleet.approve("web?.example.com");
    let lines: Vec<String> = explain(&fleet, &Machine::new(1, NAME))
        .trace
        .iter()
        .map(|outcome| format!("{} {}: {}", outcome.rule, outcome.outcome.word(), outcome.outcome))
        .collect();
    assert_eq!(
        lines,
        [
            "token lost: no token was given".to_owned(),
            "proof lost: no proof by an older identity was given".to_owned(),
            "trusted:1:*.lab.example.com lost: *.lab.example.com does not take web1.example.com".to_owned(),
            "trusted:2:*.example.com lost: none of 10.2.0.0/16 has 192.0.2.7".to_owned(),
            format!("approved:{id} won: it holds"),
            "unused won: it holds".to_owned(),
            "replace:proof skipped: the name is free".to_owned(),
            "replace:token skipped: the name is free".to_owned(),
            "replace:allow-reenroll skipped: the name is free".to_owned(),
            "replace:any skipped: the name is free".to_owned(),
        ]
    );
}

#[test]
fn an_operator_is_not_limited_and_uses_up_nobodys_limit() {
    let one = Rate { burst: 1, per_minute: 1 };
    let fleet = Fleet::new().with_limits(&Limits { registrations: one, ..with_token_limit(one) });
    let machine = Machine::new(1, NAME).token(&fleet.token(NAME));
    for _ in 0..20 {
        assert_eq!(verdict(&explain(&fleet, &machine)), "enrolled");
    }
    assert_eq!(told(&fleet.register(&machine)), "enrolled");
}

#[test]
fn rule_08_a_token_is_explained_with_one_hash() {
    let fleet = Fleet::new().with_limits(&no_limits());
    let token = fleet.token("*.example.com");
    let hashes = |machine: &Machine| {
        let before = fleet.hashes.performed();
        let verdict = verdict(&explain(&fleet, machine));
        (verdict, fleet.hashes.performed() - before)
    };
    let machine = Machine::new(1, NAME);
    assert_eq!(hashes(&machine.clone().token(&token)), ("enrolled".to_owned(), 1));
    let org = Machine::new(1, "web1.example.org").token(&token);
    assert_eq!(hashes(&org), ("token_rejected (token_other_host)".to_owned(), 1));
    let cut = machine.clone().token_text(&token.reveal()[1..]);
    assert_eq!(hashes(&cut), ("token_rejected (token_forged)".to_owned(), 0));
    assert_eq!(hashes(&machine), ("not_admitted".to_owned(), 0));
    let entry = entries(&*fleet.store, keyspace::TOKENS).remove(0);
    assert_eq!(TokenRecord::decode(&entry.value).unwrap().uses.len(), 0);
}

#[test]
fn a_store_that_does_not_answer_explains_nothing() {
    use crate::spy::{Fault, When};
    let fleet = Fleet::new();
    let hostname: Hostname = NAME.parse().unwrap();
    fleet.spy.fail(When::Call(1), Fault::Unavailable);
    let refusal = block_on(fleet.registrar.explain(&hostname, addr(HERE), None, NOW)).unwrap_err();
    assert_eq!((refusal.code(), fleet.spy.attempted()), ("unavailable", 0));
}
