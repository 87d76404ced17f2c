//! The ways in, their order, and that there is no other.

use vigo_core::TokenId;
use vigo_core::record::RevocationCause::{Deleted, Operator, Replaced};
use vigo_core::record::TokenRecord;

use super::cases::{NAME, NOW, envoy_id, proved, request, revocation, rules, secs_from_now, shown, signed, token};
use super::cases::{token_use, told, with_token};
use super::decide;
use crate::facts::{Facts, IdentityFact, ProofFact, RequestFact, TokenFact};
use crate::rules::Reenroll;

const TRUSTED: &[(&str, &[&str])] = &[("*.lab.example.com", &["10.0.0.0/8"]), ("*.example.com", &["10.1.0.0/24"])];
const TOKEN: &str = "token:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const PROOF: &str = "proof:01010101-0101-4101-8101-010101010101";
const APPROVED: &str = "approved:02020202020202020202020202020202";

#[track_caller]
fn check(facts: &Facts, from: &str, approved: &[&str], expected: &str) {
    let decision = decide(&request(from), facts, &rules(TRUSTED, approved, Reenroll::Token), NOW);
    assert_eq!(told(&decision), expected, "{:#?}", shown(&decision));
}

#[test]
fn rule_07_the_ways_in_and_their_order() {
    let approved = &["db*", "*.example.com", "web?.example.com"];
    let proof = Facts { proof: signed(1, NAME, None), ..Facts::stranger() };
    let both = Facts { token: proved(token(NAME)), ..proof.clone() };
    check(&both, "10.1.0.7", approved, TOKEN);
    check(&proof, "10.1.0.7", approved, PROOF);
    check(&Facts::stranger(), "10.1.0.7", approved, "trusted:2:*.example.com");
    check(&Facts::stranger(), "192.0.2.7", approved, APPROVED);
    check(&Facts::stranger(), "192.0.2.7", &["db*"], "not_admitted");
    check(&Facts::stranger(), "192.0.2.7", &[], "not_admitted");
}

#[test]
fn rule_07_a_bad_token_never_falls_through() {
    let everything_else = |token| Facts { token, proof: signed(1, NAME, None), ..Facts::stranger() };
    let id = TokenId::from_random([0xaa; 16]);
    let refuse = |token, expected| check(&everything_else(token), "10.1.0.7", &["*"], expected);
    refuse(TokenFact::Malformed, "token_rejected (token_malformed)");
    refuse(TokenFact::Forged, "token_rejected (token_forged)");
    refuse(TokenFact::Unknown(id), "token_rejected (token_unknown)");
    refuse(TokenFact::WrongSecret(id), "token_rejected (token_wrong_secret)");
    refuse(proved(token("db1.example.com")), "token_rejected (token_other_host)");
}

#[test]
fn rule_08_what_a_proved_token_must_be() {
    let check = |token: TokenRecord, expected| check(&with_token(token), "10.1.0.7", &["*"], expected);
    let good = || token("*.example.com");
    check(good(), TOKEN);
    check(TokenRecord { uses: vec![token_use()], ..good() }, "token_used");
    check(TokenRecord { uses: vec![token_use()], uses_allowed: 2, ..good() }, TOKEN);
    check(TokenRecord { uses: vec![token_use(); 2], uses_allowed: 2, ..good() }, "token_used");
    check(TokenRecord { uses_allowed: 0, ..good() }, "token_used");
    check(TokenRecord { expires_at: NOW, ..good() }, "token_rejected (token_expired)");
    check(TokenRecord { expires_at: secs_from_now(1), ..good() }, TOKEN);
    check(TokenRecord { revocation: Some(revocation(Operator)), ..good() }, "token_rejected (token_revoked)");
    check(TokenRecord { pattern: "*.lab.example.com".parse().unwrap(), ..good() }, "token_rejected (token_other_host)");
    let from = |cidrs: &[&str]| TokenRecord { cidrs: cidrs.iter().map(|c| c.parse().unwrap()).collect(), ..good() };
    check(from(&["10.1.0.0/24"]), TOKEN);
    check(from(&["10.2.0.0/24", "10.1.0.7/32"]), TOKEN);
    check(from(&["10.2.0.0/24", "fd00::/8"]), "token_rejected (token_other_network)");
    // Spent stays spent, whatever else became of it.
    let spent =
        TokenRecord { uses: vec![token_use()], revocation: Some(revocation(Operator)), expires_at: NOW, ..good() };
    check(spent, "token_used");
}

#[test]
fn rule_07_a_proof_is_a_way_in_for_its_own_name_while_not_revoked() {
    let check = |proof, expected| check(&Facts { proof, ..Facts::stranger() }, "192.0.2.7", &[], expected);
    check(signed(1, NAME, None), PROOF);
    check(signed(1, "web2.example.com", None), "not_admitted");
    check(signed(1, NAME, Some(Operator)), "not_admitted");
    check(signed(1, NAME, Some(Replaced)), "not_admitted");
    check(signed(1, NAME, Some(Deleted)), "not_admitted");
    check(ProofFact::BadSignature(envoy_id(1)), "not_admitted");
    check(ProofFact::Unknown(envoy_id(1)), "not_admitted");
}

#[test]
fn rule_06_trusted_rules_need_name_and_network() {
    let stranger = Facts::stranger();
    check(&stranger, "10.1.0.7", &[], "trusted:2:*.example.com");
    check(&stranger, "::ffff:10.1.0.7", &[], "trusted:2:*.example.com");
    check(&stranger, "10.2.0.7", &[], "not_admitted");
    check(&stranger, "fd00::7", &[], "not_admitted");
}

#[test]
fn rule_09_a_key_stands_for_one_envoy_for_ever() {
    let with = |identity, request| Facts { identity, request, ..with_token(token(NAME)) };
    let check = |facts: Facts, expected| check(&facts, "192.0.2.7", &[], expected);
    check(with(IdentityFact::Used(envoy_id(1)), RequestFact::Unused), "identity_used");
    check(with(IdentityFact::Revoked(envoy_id(1)), RequestFact::Unused), "envoy_revoked");
    check(with(IdentityFact::Unused, RequestFact::Used), "request_reused");
    check(with(IdentityFact::Revoked(envoy_id(1)), RequestFact::Used), "envoy_revoked");
    // Who has no way in learns nothing of that.
    let nothing = Facts { token: TokenFact::None, ..with(IdentityFact::Used(envoy_id(1)), RequestFact::Used) };
    check(nothing, "not_admitted");
}

#[test]
fn rule_07_the_trace_tells_every_rule_and_both_values() {
    let facts = Facts { proof: signed(1, "web2.example.com", None), ..Facts::stranger() };
    let decision = decide(&request("10.2.0.7"), &facts, &rules(TRUSTED, &["db*", "web*"], Reenroll::Token), NOW);
    assert_eq!(
        shown(&decision),
        [
            "token lost: no token was given",
            "proof:01010101-0101-4101-8101-010101010101 lost: \
             the proof is by an envoy named web2.example.com, and the name asked for is web1.example.com",
            "trusted:1:*.lab.example.com lost: *.lab.example.com does not take web1.example.com",
            "trusted:2:*.example.com lost: none of 10.1.0.0/24 has 10.2.0.7",
            "approved:01010101010101010101010101010101 lost: db* does not take web1.example.com",
            "approved:02020202020202020202020202020202 won: it holds",
            "unused won: it holds",
            "replace:proof skipped: the name is free",
            "replace:token skipped: the name is free",
            "replace:allow-reenroll skipped: the name is free",
            "replace:any skipped: the name is free",
        ]
    );
}

#[test]
fn what_a_stranger_is_told_of_a_refusal() {
    let decision = decide(&request("10.2.0.7"), &Facts::stranger(), &rules(&[], &[], Reenroll::Token), NOW);
    let crate::Verdict::Refuse(refusal) = decision.verdict else { panic!("admitted") };
    assert_eq!(refusal.message(), "No rule admits web1.example.com from 10.2.0.7");
    assert_eq!(
        refusal.help(),
        "get a token from the server's operator (`vigocli tokens generate --pattern web1.example.com`) and run the line \
         again with `--token`; `vigocli enroll explain --hostname web1.example.com --ip 10.2.0.7` shows why each rule lost"
    );
}
