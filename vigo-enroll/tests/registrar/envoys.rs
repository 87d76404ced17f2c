//! Operators take envoys out of service, and allow names to be enrolled anew.

use vigo_core::record::{EnvoyRecord, RevocationCause};
use vigo_core::store::Write;
use vigo_core::{EnvoyId, Hostname, UnixTime, keyspace};
use vigo_enroll::operate::{self, OperateError};

use crate::invariants::check_invariants;
use crate::machine::Machine;
use crate::scenarios::{NAME, kinds};
use crate::world::{Engine, Fleet, NOW, act, block_on, entries, secs, told};

fn code<T>(result: &Result<T, OperateError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

fn revoke(fleet: &Fleet, id: &EnvoyId, reason: &str) -> Result<EnvoyRecord, OperateError> {
    block_on(operate::revoke_envoy(&*fleet.spy, id, reason, &act()))
}

fn delete(fleet: &Fleet, id: &EnvoyId, reason: &str) -> Result<EnvoyRecord, OperateError> {
    block_on(operate::delete_envoy(&*fleet.spy, id, reason, &act()))
}

fn allow(fleet: &Fleet, until: UnixTime) -> &'static str {
    let name: Hostname = NAME.parse().expect("a hostname");
    code(&block_on(operate::allow_reenroll(&*fleet.spy, &name, until, &act())))
}

/// A fleet with one envoy.
fn enrolled(engine: &Engine) -> (Fleet, EnvoyRecord) {
    let fleet = Fleet::over(engine);
    let record = fleet.another().enrol(&Machine::new(1, NAME).token(&fleet.token(NAME))).record;
    (fleet, record)
}

#[test]
fn rule_13_revoking_and_deleting() {
    for engine in Engine::both() {
        let (fleet, envoy) = enrolled(&engine);
        for unfit in ["two\nlines", &"x".repeat(257), "\u{1b}[2J"] {
            assert_eq!(code(&revoke(&fleet, &envoy.id, unfit)), "invalid");
            assert_eq!(code(&delete(&fleet, &envoy.id, unfit)), "invalid");
        }
        assert_eq!(code(&revoke(&fleet, &EnvoyId::from_random([9; 16]), "")), "not_found");
        assert_eq!(code(&delete(&fleet, &EnvoyId::from_random([9; 16]), "")), "not_found");
        assert_eq!(fleet.spy.attempted(), 0, "what is refused writes nothing");

        let revoked = revoke(&fleet, &envoy.id, "stolen").unwrap();
        let revocation = revoked.revocation.clone().unwrap();
        assert_eq!((revocation.cause, revocation.at), (RevocationCause::Operator, NOW));
        assert_eq!((revocation.by.as_str(), revocation.reason.as_str()), ("ada", "stolen"));
        let [transaction] = &fleet.spy.committed()[..] else { panic!("one commit") };
        assert_eq!(kinds(transaction.writes.iter().map(Write::key)), ["audit/record", "envoy", "host"]);
        let audit = fleet.last_audit();
        assert_eq!((audit.action.as_str(), audit.subject), ("envoy.revoke", envoy.id.to_string()));
        assert_eq!((audit.actor.as_str(), audit.detail.as_str()), ("operator:ada", "web1.example.com: stolen"));
        check_invariants(&*fleet.store);
        assert_eq!(revoke(&fleet, &envoy.id, "again").unwrap(), revoked, "it stays as it is");
        assert_eq!(fleet.spy.attempted(), 1);

        let deleted = delete(&fleet, &envoy.id, "").unwrap();
        assert_eq!(deleted.revocation.as_ref().unwrap().cause, RevocationCause::Deleted);
        assert_eq!(fleet.last_audit().action, "envoy.delete");
        assert_eq!(fleet.last_audit().detail, NAME);
        assert_eq!(fleet.envoy(&envoy.id), deleted);
        check_invariants(&*fleet.store);
        assert_eq!(code(&delete(&fleet, &envoy.id, "")), "not_found", "it is hidden");
        assert_eq!(code(&revoke(&fleet, &envoy.id, "")), "not_found", "it is hidden");
        assert_eq!(fleet.envoy(&envoy.id), deleted);
    }
}

#[test]
fn rule_13_deleting_revokes_and_keeps_id_key_and_serials() {
    for engine in Engine::both() {
        let (fleet, envoy) = enrolled(&engine);
        let pointers = |fleet: &Fleet| [entries(&*fleet.store, "identity/"), entries(&*fleet.store, "serial/")];
        let before = pointers(&fleet);
        let deleted = delete(&fleet, &envoy.id, "gone").unwrap();
        assert_eq!(EnvoyRecord { revocation: None, ..deleted }, envoy, "nothing else is lost");
        assert_eq!(pointers(&fleet), before);
        assert!(before.iter().all(|entries| entries.len() == 1));
        check_invariants(&*fleet.store);
        // Neither the id nor the key comes back.
        let token = fleet.token(NAME);
        assert_eq!(told(&fleet.register(&Machine::new(1, NAME).token(&token))), "envoy_revoked");
        let dice = vigo_enroll::Dice { envoy: *envoy.id.as_bytes(), ..crate::world::dice() };
        let machine = Machine::new(2, NAME).token(&token);
        let from = crate::world::addr(crate::world::HERE);
        let same_id = block_on(fleet.registrar.register(machine.signed(), from, NOW, dice));
        assert_eq!(told(&same_id), "busy", "whatever the dice say");
        check_invariants(&*fleet.store);
        assert_eq!(told(&fleet.register(&machine)), "enrolled, allowed by token");
    }
}

#[test]
fn rule_13_a_serial_is_given_once() {
    for engine in Engine::both() {
        let (fleet, envoy) = enrolled(&engine);
        let serial = *envoy.certificates[0].serial.as_bytes();
        let dice = vigo_enroll::Dice { serial, ..crate::world::dice() };
        let machine = Machine::new(2, "web2.example.com").token(&fleet.token("*.example.com"));
        let from = crate::world::addr(crate::world::HERE);
        let result = block_on(fleet.registrar.register(machine.signed(), from, NOW, dice));
        assert_eq!(told(&result), "busy");
        assert_eq!(check_invariants(&*fleet.store).envoys, 1);
        assert_eq!(told(&fleet.register(&machine)), "enrolled");
    }
}

#[test]
fn rule_09_taking_an_envoy_out_leaves_its_successor_alone() {
    for engine in Engine::both() {
        let (fleet, old) = enrolled(&engine);
        let new = fleet.enrol(&Machine::new(2, NAME).token(&fleet.token(NAME)).forced()).record;
        let replaced = revoke(&fleet, &old.id, "late").unwrap();
        assert_eq!(replaced.revocation.unwrap().cause, RevocationCause::Replaced, "it stays as it is");
        let deleted = delete(&fleet, &old.id, "").unwrap();
        assert_eq!(deleted.revocation.unwrap().cause, RevocationCause::Deleted);
        assert_eq!(fleet.envoy(&new.id), new);
        check_invariants(&*fleet.store);
        let third = Machine::new(3, NAME).token(&fleet.token("*.example.com")).forced();
        assert_eq!(told(&fleet.register(&third)), "hostname_taken");
    }
}

#[test]
fn rule_09_a_name_is_allowed_anew() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        assert_eq!(allow(&fleet, secs(60)), "not_found", "nobody ever had it");
        let (fleet, envoy) = enrolled(&engine);
        let before = fleet.audit().len();
        assert_eq!(allow(&fleet, NOW), "invalid");
        assert_eq!(allow(&fleet, UnixTime::from_secs(0)), "invalid");
        assert_eq!(fleet.audit().len(), before);
        assert_eq!(allow(&fleet, secs(60)), "ok");
        let audit = fleet.last_audit();
        assert_eq!((audit.action.as_str(), audit.subject.as_str()), ("envoy.allow-reenroll", NAME));
        assert_eq!(audit.detail, "for 60 s");
        assert_eq!(allow(&fleet, UnixTime::from_secs(u64::MAX)), "ok", "the later word counts");
        assert_eq!(fleet.envoy(&envoy.id), envoy, "the envoy stays in service until it is replaced");
        check_invariants(&*fleet.store);
        let claim = entries(&*fleet.store, keyspace::HOSTS);
        assert_eq!(claim.len(), 1);
    }
}
