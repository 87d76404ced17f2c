//! What operators do: tokens and approvals, what is refused, and that every act is one commit with its audit record.

use std::num::NonZeroU32;
use std::time::Duration;

use vigo_core::record::RevocationCause;
use vigo_core::{ApprovalId, TokenId, keyspace};
use vigo_enroll::operate::{self, AnyHost, OperateError, TokenRequest};

use crate::invariants::check_invariants;
use crate::machine::draw;
use crate::world::{Engine, Fleet, NOW, act, block_on, entries, request, secs};

/// What came of an act: `ok`, or the code of the refusal.
fn code<T>(result: &Result<T, OperateError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

#[track_caller]
fn check_audit(fleet: &Fleet, action: &str, subject: &impl ToString, detail: &str) {
    let audit = fleet.last_audit();
    assert_eq!((audit.at, audit.actor.as_str()), (NOW, "operator:ada"));
    assert_eq!((audit.action.as_str(), audit.subject), (action, subject.to_string()));
    assert_eq!((audit.outcome.as_str(), audit.detail.as_str()), ("ok", detail));
}

/// Asks for a token and expects it, or a refusal that leaves no trace.
#[track_caller]
fn check_token(request: &TokenRequest, expected: &str) {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let hashes = fleet.hashes.performed();
        let result = block_on(fleet.create_token(request.clone()));
        assert_eq!(code(&result), expected, "{request:?}");
        let expected = usize::from(expected == "ok");
        assert_eq!(entries(&*fleet.store, "").len(), 2 * expected, "the token and its audit record, or nothing");
        assert_eq!(fleet.hashes.performed() - hashes, expected as u64, "what is refused costs no hash");
    }
}

#[test]
fn tokens_that_may_be_made() {
    let with = |change: fn(&mut TokenRequest)| {
        let mut request = request("*.example.com");
        change(&mut request);
        request
    };
    check_token(&with(|_| ()), "ok");
    check_token(&with(|r| r.ttl = Duration::ZERO), "invalid");
    check_token(&with(|r| r.ttl = Duration::from_millis(999)), "invalid");
    check_token(&with(|r| r.ttl = Duration::from_secs(1)), "ok");
    check_token(&with(|r| r.ttl = TokenRequest::MAX_TTL), "ok");
    check_token(&with(|r| r.ttl = TokenRequest::MAX_TTL + Duration::from_nanos(1)), "invalid");
    check_token(&with(|r| r.ttl = Duration::MAX), "invalid");
    check_token(&with(|r| r.uses = NonZeroU32::new(TokenRequest::MAX_USES).unwrap()), "ok");
    check_token(&with(|r| r.uses = NonZeroU32::MAX), "invalid");
    check_token(&with(|r| r.cidrs = vec!["10.0.0.0/8".parse().unwrap(); TokenRequest::MAX_CIDRS]), "ok");
    check_token(&with(|r| r.cidrs = vec!["10.0.0.0/8".parse().unwrap(); TokenRequest::MAX_CIDRS + 1]), "invalid");
    check_token(&with(|r| r.note = "ü".repeat(256)), "ok");
    check_token(&with(|r| r.note = "u".repeat(257)), "invalid");
    for control in ["a\nb", "a\rb", "\u{1b}[31m", "\u{0}", "\u{7f}", "\u{9b}31m", "tab\t"] {
        check_token(&TokenRequest { note: control.to_owned(), ..request("*.example.com") }, "invalid");
    }
    for any in ["*", "*.*", "?*"] {
        check_token(&request(any), "any_host");
        check_token(&TokenRequest { any_host: AnyHost::Confirmed, ..request(any) }, "ok");
    }
    check_token(&request("*.com"), "ok");
}

/// A token whose every use is spent is still a record that a transaction takes.
#[test]
fn a_token_with_the_most_uses_fits_the_store() {
    use vigo_core::record::{Record as _, TokenUse};
    use vigo_core::store::{Outcome, Transaction};
    let fleet = Fleet::new();
    let (_, mut record) = fleet.token_of(TokenRequest { note: "ü".repeat(256), ..request("*.example.com") });
    let identity = crate::machine::Machine::new(1, "a").identity();
    let used = TokenUse { envoy: vigo_core::EnvoyId::from_random([7; 16]), identity, at: NOW };
    record.uses = vec![used; TokenRequest::MAX_USES as usize];
    record.cidrs = vec!["fd00:aaaa:bbbb:cccc:dddd:eeee:ffff:0/112".parse().unwrap(); TokenRequest::MAX_CIDRS];
    let written = block_on(fleet.store.commit(Transaction::new().put("token/x", record.encode()))).unwrap();
    assert!(matches!(written, Outcome::Committed(_)));
    assert!(record.encode().len() < Transaction::MAX_BYTES / 2, "{} bytes", record.encode().len());
}

#[test]
fn a_token_is_kept_as_it_was_asked_for() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let cidrs = vec!["10.0.0.0/8".parse().unwrap()];
        let (text, record) = fleet.token_of(TokenRequest {
            cidrs: cidrs.clone(),
            ttl: Duration::from_secs(90),
            uses: 3.try_into().unwrap(),
            note: "rack 7".to_owned(),
            allow_replace: true,
            ..request("*.EXAMPLE.com")
        });
        assert_eq!(fleet.token_record(&record.id), record);
        assert_eq!((record.pattern.as_str(), record.cidrs.clone()), ("*.example.com", cidrs));
        assert_eq!((record.created_at, record.expires_at), (NOW, secs(90)));
        assert_eq!((record.uses_allowed, record.uses.len()), (3, 0));
        assert_eq!((record.note.as_str(), record.created_by.as_str()), ("rack 7", "ada"));
        assert!(record.allow_replace && record.revocation.is_none());
        assert_eq!(text.ca_pin(), Some(crate::world::ca_pin()));
        assert!(text.reveal().contains(&record.id.to_string()));
        check_audit(&fleet, "token.create", &record.id, "*.example.com, 3 use(s), 90 s, may replace");
        // As a list reads them.
        let keys: Vec<_> = entries(&*fleet.store, keyspace::TOKENS).into_iter().map(|entry| entry.key).collect();
        assert_eq!(keys, [keyspace::token(&record.id).into_bytes()]);
    }
}

#[test]
fn a_token_is_revoked_once() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let (_, record) = fleet.token_of(request("*.example.com"));
        let revoke = |id: &TokenId, reason: &str| block_on(operate::revoke_token(&*fleet.store, id, reason, &act()));
        assert_eq!(code(&revoke(&record.id, "two\nlines")), "invalid");
        assert_eq!(code(&revoke(&TokenId::from_random([9; 16]), "")), "not_found");
        assert_eq!(fleet.audit().len(), 1, "what was refused was not done");
        let revoked = revoke(&record.id, "leaked").unwrap();
        let revocation = revoked.revocation.clone().unwrap();
        assert_eq!((revocation.cause, revocation.at), (RevocationCause::Operator, NOW));
        assert_eq!((revocation.by.as_str(), revocation.reason.as_str()), ("ada", "leaked"));
        check_audit(&fleet, "token.revoke", &record.id, "leaked");
        assert_eq!(revoke(&record.id, "again").unwrap(), revoked, "it stays as it is");
        assert_eq!(fleet.audit().len(), 2);
        assert_eq!(fleet.token_record(&record.id), revoked);
    }
}

#[test]
fn approvals_are_added_listed_and_removed() {
    for engine in Engine::both() {
        let fleet = Fleet::over(&engine);
        let add = |pattern: &str, any, note: &str| {
            let id = ApprovalId::from_random(draw());
            block_on(operate::add_approval(&*fleet.store, id, pattern.parse().unwrap(), any, note, &act()))
        };
        assert_eq!(code(&add("*", AnyHost::Unconfirmed, "")), "any_host");
        assert_eq!(code(&add("*.example.com", AnyHost::Unconfirmed, "\u{1b}]0;x\u{7}")), "invalid");
        assert_eq!(entries(&*fleet.store, "").len(), 0);
        let lab = add("*.lab.example.com", AnyHost::Unconfirmed, "the lab").unwrap();
        check_audit(&fleet, "approved.add", &lab.id, "*.lab.example.com");
        let all = add("*", AnyHost::Confirmed, "").unwrap();
        let list = || block_on(operate::approvals(&*fleet.store)).unwrap();
        assert_eq!(list().into_iter().map(|(record, _)| record).collect::<Vec<_>>(), [lab.clone(), all.clone()]);
        let remove = |id: &ApprovalId| block_on(operate::remove_approval(&*fleet.store, id, &act()));
        assert_eq!(remove(&all.id).unwrap(), all);
        check_audit(&fleet, "approved.remove", &all.id, "*");
        assert_eq!(code(&remove(&all.id)), "not_found");
        assert_eq!(list().len(), 1);
        assert_eq!(fleet.audit().len(), 3);
    }
}

#[test]
fn refused_acts_say_what_to_do() {
    let fleet = Fleet::new();
    let any = block_on(fleet.create_token(request("*"))).unwrap_err();
    assert_eq!(any.to_string(), "the pattern * takes any host at all");
    assert!(any.help().contains("--yes"), "{}", any.help());
    let id = TokenId::from_random([9; 16]);
    let missing = block_on(operate::revoke_token(&*fleet.store, &id, "", &act())).unwrap_err();
    assert_eq!(missing.to_string(), format!("there is no token {id}"));
    check_invariants(&*fleet.store);
}
