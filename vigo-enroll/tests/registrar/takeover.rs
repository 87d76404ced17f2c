//! A name that is taken, and what lets it be enrolled anew.

use vigo_enroll::operate::{self, TokenRequest};
use vigo_enroll::rules::Reenroll;
use vigo_enroll::{Enrolled, Permit};

use crate::invariants::check_invariants;
use crate::machine::Machine;
use crate::scenarios::{NAME, allow};
use crate::world::{Engine, Fleet, HERE, NOW, act, block_on, request, secs, told};
use vigo_core::record::{HostClaim, Record as _, RevocationCause};
use vigo_core::{EnvoyId, UnixTime, keyspace};

/// A fleet in which `*.example.com` is approved and a machine has the name.
struct Taken {
    fleet: Fleet,
    old: Machine,
    envoy: Enrolled,
}

impl Taken {
    fn over(engine: &Engine, reenroll: Reenroll) -> Self {
        let fleet = Fleet::over(engine);
        fleet.set_rules(&[], reenroll);
        fleet.approve("*.example.com");
        let old = Machine::new(900, NAME);
        let envoy = fleet.enrol(&old);
        Self { fleet, old, envoy }
    }

    fn new() -> Self {
        Self::over(&Engine::memory(), Reenroll::Token)
    }

    fn id(&self) -> EnvoyId {
        self.envoy.record.id
    }

    fn revoke(&self) {
        block_on(operate::revoke_envoy(&*self.fleet.store, &self.id(), "", &act())).expect("it is revoked");
    }

    #[track_caller]
    fn check_at(&self, machine: &Machine, now: UnixTime, expected: &str) {
        assert_eq!(told(&self.fleet.register_at(machine, HERE, now)), expected);
        check_invariants(&*self.fleet.store);
    }

    #[track_caller]
    fn check(&self, machine: &Machine, expected: &str) {
        self.check_at(machine, NOW, expected);
    }
}

#[test]
fn rule_09_the_refusal_names_the_commands_that_would_allow_it() {
    let help = |reenroll, machine: &Machine| {
        let taken = Taken::over(&Engine::memory(), reenroll);
        let refusal = taken.fleet.register(machine).unwrap_err();
        assert_eq!(refusal.code(), "hostname_taken");
        assert_eq!(refusal.message(), "An active envoy with this hostname already exists");
        refusal.help().to_owned()
    };
    let forced = Machine::new(1, NAME).forced();
    assert_eq!(
        help(Reenroll::Token, &forced),
        "allow it on the server with `vigocli envoys allow-reenroll web1.example.com`, or make a token for exactly \
         that name with `vigocli tokens generate --pattern web1.example.com` and give it with `--token`; then run the \
         line again"
    );
    assert_eq!(
        help(Reenroll::Proof, &forced),
        "allow it on the server with `vigocli envoys allow-reenroll web1.example.com`; then run the line again"
    );
    let unasked = help(Reenroll::Token, &Machine::new(1, NAME));
    assert!(unasked.starts_with("to replace it, add `--force` to the line; should that be refused, allow it"));
    // What a stranger is told is not who has the name.
    let taken = Taken::new();
    let refusal = taken.fleet.register(&forced.anew()).unwrap_err();
    assert!(!format!("{refusal} {}", refusal.help()).contains(&taken.id().to_string()));
}

#[test]
fn rule_09_the_old_key_replaces() {
    for engine in Engine::both() {
        for reenroll in [Reenroll::Proof, Reenroll::Token, Reenroll::Any] {
            let engine = if engine.name == "redb" { Engine::redb() } else { Engine::memory() };
            let taken = Taken::over(&engine, reenroll);
            let new = Machine::new(1, NAME).proving(&taken.envoy, &taken.old).forced();
            let enrolled = taken.fleet.enrol(&new);
            assert_ne!(enrolled.record.id, taken.id(), "a new UUID");
            assert_eq!(enrolled.permit, Some(Permit::Proof));
            assert_eq!(enrolled.record.admitted_by, format!("proof:{}", taken.id()));
            let revocation = taken.fleet.envoy(&taken.id()).revocation.expect("the old one is revoked");
            assert_eq!((revocation.cause, revocation.at), (RevocationCause::Replaced, NOW));
            assert_eq!(revocation.by, format!("envoy:{}", enrolled.record.id));
            assert_eq!(enrolled.replaced.unwrap().revocation, Some(revocation));
            let detail = taken.fleet.last_audit().detail;
            assert!(detail.ends_with(&format!("; replaced {} (allowed by proof)", taken.id())), "{detail}");
            check_invariants(&*taken.fleet.store);
        }
    }
}

#[test]
fn rule_09_a_proof_is_of_that_envoy_by_its_key_and_for_its_name() {
    let taken = Taken::new();
    let other = Machine::new(2, "web2.example.com");
    let other_envoy = taken.fleet.enrol(&other);
    let new = Machine::new(1, NAME).forced();
    taken.check(&new.clone().claiming(taken.id(), &other), "hostname_taken");
    taken.check(&new.clone().claiming(taken.id(), &new), "hostname_taken");
    taken.check(&new.clone().proving(&other_envoy, &other), "hostname_taken");
    taken.check(&new.clone().claiming(EnvoyId::from_random([9; 16]), &taken.old), "hostname_taken");
    taken.check(
        &Machine { takeover: vigo_core::Takeover::No, ..new.clone() }.proving(&taken.envoy, &taken.old),
        "hostname_taken",
    );
    taken.check(&new.proving(&taken.envoy, &taken.old), "enrolled, replaced by proof");
}

#[test]
fn rule_09_a_revoked_key_proves_nothing() {
    for engine in Engine::both() {
        let taken = Taken::over(&engine, Reenroll::Any);
        let second = Machine::new(1, NAME).proving(&taken.envoy, &taken.old).forced();
        let second_envoy = taken.fleet.enrol(&second);
        taken.fleet.set_rules(&[], Reenroll::Token);
        // Replaced.
        taken.check(&Machine::new(2, NAME).proving(&taken.envoy, &taken.old).forced(), "hostname_taken");
        // Revoked by an operator: neither a way in nor a permit.
        let acted = act();
        let revoke = operate::revoke_envoy(&*taken.fleet.store, &second_envoy.record.id, "", &acted);
        block_on(revoke).unwrap();
        taken.check(&Machine::new(3, NAME).proving(&second_envoy, &second).forced(), "hostname_revoked");
        taken.fleet.registrar.set_rules(crate::world::rules(&[], Reenroll::Any));
        taken.check(&Machine::new(3, NAME).proving(&second_envoy, &second).forced(), "not_admitted");
        // Nor does the key itself come back, whoever admits it.
        let token = taken.fleet.token(NAME);
        taken.check(&second.anew().token(&token).forced(), "envoy_revoked");
        taken.check(&taken.old.anew().token(&token).forced(), "envoy_revoked");
        taken.check(&Machine::new(4, NAME).token(&token), "enrolled, allowed by token");
    }
}

#[test]
fn rule_09_tokens_that_replace_and_tokens_that_do_not() {
    for (engine, reenroll, exact, replacing, wildcard) in [
        (
            Engine::memory(),
            Reenroll::Token,
            "enrolled, replaced by token",
            "enrolled, replaced by token",
            "hostname_taken",
        ),
        (
            Engine::redb(),
            Reenroll::Token,
            "enrolled, replaced by token",
            "enrolled, replaced by token",
            "hostname_taken",
        ),
        (Engine::memory(), Reenroll::Proof, "hostname_taken", "hostname_taken", "hostname_taken"),
        (
            Engine::memory(),
            Reenroll::Any,
            "enrolled, replaced by token",
            "enrolled, replaced by token",
            "enrolled, replaced by any",
        ),
    ] {
        let taken = Taken::over(&engine, reenroll);
        let fleet = &taken.fleet;
        let (replace, _) = fleet.token_of(TokenRequest { allow_replace: true, ..request("*.example.com") });
        taken.check(&Machine::new(1, NAME).token(&fleet.token("*.example.com")).forced(), wildcard);
        taken.check(&Machine::new(2, NAME).token(&fleet.token("web?.example.com")).forced(), wildcard);
        taken.check(&Machine::new(3, NAME).token(&fleet.token(NAME)), "hostname_taken");
        taken.check(&Machine::new(4, NAME).token(&fleet.token("WEB1.example.com")).forced(), exact);
        taken.check(&Machine::new(5, NAME).token(&replace).forced(), replacing);
    }
}

#[test]
fn rule_09_any_way_in_replaces_where_the_operator_says_so_and_the_audit_log_shouts() {
    let taken = Taken::over(&Engine::memory(), Reenroll::Any);
    taken.check(&Machine::new(1, NAME), "hostname_taken");
    taken.check(&Machine::new(1, NAME).forced(), "enrolled, replaced by any");
    let expected = format!("; REPLACED {} WITHOUT PROOF (bootstrap.reenroll is `any`)", taken.id());
    assert!(taken.fleet.last_audit().detail.ends_with(&expected), "{}", taken.fleet.last_audit().detail);
    // Not what an operator revoked.
    let taken = Taken::over(&Engine::memory(), Reenroll::Any);
    taken.revoke();
    taken.check(&Machine::new(1, NAME).forced(), "hostname_revoked");
}

#[test]
fn rule_09_an_operators_window_is_for_one_enrolment_and_until_its_time() {
    for engine in Engine::both() {
        let taken = Taken::over(&engine, Reenroll::Proof);
        allow(&taken.fleet);
        taken.check_at(&Machine::new(1, NAME).forced(), secs(60), "hostname_taken");
        taken.check_at(&Machine::new(1, NAME), secs(59), "hostname_taken");
        taken.check_at(&Machine::new(1, NAME).forced(), secs(59), "enrolled, replaced by allow-reenroll");
        taken.check_at(&Machine::new(2, NAME).forced(), secs(59), "hostname_taken");
        // It goes when the envoy is revoked, and comes back when it is given again.
        allow(&taken.fleet);
        let holder = holder(&taken.fleet).envoy;
        block_on(operate::revoke_envoy(&*taken.fleet.store, &holder, "", &act())).unwrap();
        taken.check(&Machine::new(3, NAME).forced(), "hostname_revoked");
        allow(&taken.fleet);
        taken.check_at(&Machine::new(3, NAME), secs(60), "hostname_revoked");
        taken.check(&Machine::new(3, NAME), "enrolled, allowed by allow-reenroll");
        taken.check(&Machine::new(4, NAME).forced(), "hostname_taken");
        assert_eq!(self::holder(&taken.fleet).reenroll_until, None);
    }
}

fn holder(fleet: &Fleet) -> HostClaim {
    let key = keyspace::host(&NAME.parse().expect("a hostname"));
    let entry = block_on(fleet.store.get(key.as_bytes())).expect("an answer").expect("a claim");
    HostClaim::decode(&entry.value).expect("a claim")
}

#[test]
fn rule_09_silent_and_expired_envoys_have_their_names() {
    let taken = Taken::new();
    for after in [0, 86_400, 30 * 86_400, 366 * 86_400, 3660 * 86_400] {
        taken.check_at(&Machine::new(1, NAME).forced(), secs(after), "hostname_taken");
    }
    let new = Machine::new(1, NAME).proving(&taken.envoy, &taken.old).forced();
    taken.check_at(&new, secs(3660 * 86_400), "enrolled, replaced by proof");
}

#[test]
fn rule_09_a_name_that_an_operator_took_needs_a_token_or_a_window() {
    for delete in [false, true] {
        for engine in Engine::both() {
            let taken = Taken::over(&engine, Reenroll::Token);
            if delete {
                block_on(operate::delete_envoy(&*taken.fleet.store, &taken.id(), "", &act())).unwrap();
            } else {
                taken.revoke();
            }
            let new = Machine::new(1, NAME);
            taken.check(&new, "hostname_revoked");
            taken.check(&new.clone().forced(), "hostname_revoked");
            taken.check(&new.clone().proving(&taken.envoy, &taken.old).forced(), "hostname_revoked");
            taken.check(&new.clone().token(&taken.fleet.token("*.example.com")).forced(), "hostname_revoked");
            let refusal = taken.fleet.register(&new).unwrap_err();
            assert_eq!(refusal.message(), "The last envoy with this hostname was revoked by an operator");
            assert!(refusal.help().contains("vigocli envoys allow-reenroll web1.example.com"), "{}", refusal.help());
            taken.check(&new.token(&taken.fleet.token(NAME)), "enrolled, allowed by token");
            let detail = taken.fleet.last_audit().detail;
            assert!(detail.ends_with("; its last envoy was revoked (allowed by token)"), "{detail}");
            // The old one stays what it was.
            let old = taken.fleet.envoy(&taken.id()).revocation.unwrap().cause;
            assert_eq!(old, if delete { RevocationCause::Deleted } else { RevocationCause::Operator });
        }
    }
}
