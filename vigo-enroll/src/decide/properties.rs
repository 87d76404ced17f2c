//! What holds of every decision.

use proptest::prelude::*;
use vigo_core::record::{RevocationCause, TokenRecord};
use vigo_core::{Takeover, TokenId};

use super::cases::{NOW, envoy_id, held, proved, released, request, revocation, rules, secs_from_now, signed, token};
use super::cases::{token_use, with_window};
use super::{decide, verdict};
use crate::decision::{Permit, Verdict};
use crate::facts::{Facts, HolderFact, IdentityFact, ProofFact, Request, RequestFact, TokenFact};
use crate::outcome::{Outcome, RuleId};
use crate::refusal::Refusal;
use crate::rules::{Reenroll, Rules};

fn cause() -> impl Strategy<Value = RevocationCause> {
    use RevocationCause::{Deleted, Operator, Replaced};
    prop::sample::select(vec![Operator, Replaced, Deleted])
}

fn pattern() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["web1.example.com", "*.example.com", "web?.example.com", "db*", "*"])
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["web1.example.com", "web2.example.com"])
}

fn token_record() -> impl Strategy<Value = TokenRecord> {
    let cidr = prop::sample::select(vec!["10.1.0.0/24", "10.2.0.0/24", "::/0"]);
    let fields = (pattern(), prop::collection::vec(cidr, 0..3), 0..3u32, 0..3usize, -1..2i64, any::<bool>());
    (fields, prop::option::of(cause())).prop_map(|((pattern, cidrs, allowed, used, left, replace), revoked)| {
        TokenRecord {
            cidrs: cidrs.into_iter().map(|c| c.parse().unwrap()).collect(),
            uses_allowed: allowed,
            uses: vec![token_use(); used],
            expires_at: secs_from_now(left),
            allow_replace: replace,
            revocation: revoked.map(revocation),
            ..token(pattern)
        }
    })
}

fn token_fact() -> impl Strategy<Value = TokenFact> {
    let id = TokenId::from_random([0xaa; 16]);
    prop_oneof![
        2 => Just(TokenFact::None),
        1 => prop::sample::select(vec![
            TokenFact::Malformed, TokenFact::Forged, TokenFact::Unknown(id), TokenFact::WrongSecret(id),
        ]),
        4 => token_record().prop_map(proved),
    ]
}

fn proof_fact() -> impl Strategy<Value = ProofFact> {
    prop_oneof![
        Just(ProofFact::None),
        Just(ProofFact::Unknown(envoy_id(1))),
        Just(ProofFact::BadSignature(envoy_id(1))),
        (1..3u8, name(), prop::option::of(cause())).prop_map(|(n, name, revoked)| signed(n, name, revoked)),
    ]
}

fn holder_fact() -> impl Strategy<Value = HolderFact> {
    let holder = prop_oneof![
        Just(HolderFact::Nobody),
        (1..3u8).prop_map(held),
        (1..3u8, cause()).prop_map(|(n, cause)| released(n, cause)),
    ];
    (holder, prop::option::of(-1..2i64)).prop_map(|(holder, window)| match window {
        Some(left) => with_window(holder, secs_from_now(left)),
        None => holder,
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    use IdentityFact::{Revoked, Unused, Used};
    let identity = prop::sample::select(vec![Unused, Unused, Unused, Used(envoy_id(1)), Revoked(envoy_id(1))]);
    let request = prop::sample::select(vec![RequestFact::Unused, RequestFact::Unused, RequestFact::Used]);
    (token_fact(), proof_fact(), holder_fact(), identity, request)
        .prop_map(|(token, proof, holder, identity, request)| Facts { token, proof, holder, identity, request })
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let cidrs = prop::sample::select(vec![&["10.1.0.0/24"][..], &["10.2.0.0/24", "fd00::/8"]]);
    let trusted = prop::collection::vec((pattern(), cidrs), 0..3);
    let reenroll = prop::sample::select(vec![Reenroll::Proof, Reenroll::Token, Reenroll::Any]);
    (trusted, prop::collection::vec(pattern(), 0..3), reenroll).prop_map(|(t, a, r)| rules(&t, &a, r))
}

fn any_request() -> impl Strategy<Value = Request> {
    let takeover = prop::sample::select(vec![Takeover::No, Takeover::Asked]);
    let from = prop::sample::select(vec!["10.1.0.7", "10.2.0.7", "192.0.2.7", "fd00::7"]);
    (from, takeover).prop_map(|(from, takeover)| Request { takeover, ..request(from) })
}

/// The rules that a trace must have, in order; token and proof by kind alone.
fn kinds(rules: &Rules) -> Vec<String> {
    let mut all = vec!["token".to_owned(), "proof".to_owned()];
    all.extend(rules.trusted.iter().enumerate().map(|(i, rule)| format!("trusted:{}:{}", i + 1, rule.pattern())));
    all.extend(rules.approved.iter().map(|(record, _)| format!("approved:{}", record.id)));
    all.push("unused".to_owned());
    all.extend(Permit::ALL.map(|permit| format!("replace:{permit}")));
    all
}

fn kind(rule: &RuleId) -> String {
    match rule {
        RuleId::Token(_) => "token".to_owned(),
        RuleId::Proof(_) => "proof".to_owned(),
        other => other.to_string(),
    }
}

fn is_way_in(rule: &RuleId) -> bool {
    matches!(rule, RuleId::Token(_) | RuleId::Proof(_) | RuleId::Trusted(..) | RuleId::Approved(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn rule_07_nothing_is_admitted_without_a_rule_that_won(
        request in any_request(), facts in facts(), rules in any_rules(),
    ) {
        let decision = decide(&request, &facts, &rules, NOW);
        prop_assert_eq!(decision.trace.iter().map(|o| kind(&o.rule)).collect::<Vec<_>>(), kinds(&rules));

        let won: Vec<&RuleId> = decision.trace.iter().filter(|o| o.outcome == Outcome::Won).map(|o| &o.rule).collect();
        let ways_in: Vec<&&RuleId> = won.iter().filter(|rule| is_way_in(rule)).collect();
        let permits: Vec<&&RuleId> = won.iter().filter(|rule| matches!(rule, RuleId::Replace(_))).collect();
        let unused = won.contains(&&RuleId::Unused);
        let free = match &facts.holder {
            HolderFact::Nobody => true,
            HolderFact::Envoy { .. } => false,
            HolderFact::Released { revocation, .. } => revocation.cause == RevocationCause::Replaced,
        };
        prop_assert!(ways_in.len() <= 1 && permits.len() <= 1);
        match &decision.verdict {
            Verdict::Admit(grant) => {
                prop_assert_eq!(ways_in, [&grant.way_in()]);
                prop_assert!(unused);
                prop_assert_eq!(permits.len(), usize::from(!free));
                prop_assert_eq!(grant.permit().is_some(), !free);
                match facts.holder {
                    HolderFact::Envoy { id, .. } => {
                        prop_assert_eq!(grant.replaces(), Some(id));
                        prop_assert_eq!(request.takeover, Takeover::Asked);
                    }
                    _ => prop_assert_eq!(grant.replaces(), None),
                }
            }
            Verdict::Refuse(_) => prop_assert!(ways_in.is_empty() || !unused || (!free && permits.is_empty())),
        }
    }

    #[test]
    fn the_trace_changes_nothing(request in any_request(), facts in facts(), rules in any_rules()) {
        let without = verdict(&request, &facts, &rules, NOW).map_err(Refusal::from);
        let with = match decide(&request, &facts, &rules, NOW).verdict {
            Verdict::Admit(grant) => Ok(grant),
            Verdict::Refuse(refusal) => Err(refusal),
        };
        prop_assert_eq!(with, without);
    }

    #[test]
    fn rule_07_a_given_token_decides(request in any_request(), facts in facts(), rules in any_rules()) {
        prop_assume!(facts.token != TokenFact::None);
        if let Verdict::Admit(grant) = decide(&request, &facts, &rules, NOW).verdict {
            prop_assert!(matches!(grant.way_in(), RuleId::Token(Some(_))));
        }
    }
}
