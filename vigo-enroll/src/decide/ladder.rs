//! The ladder of replacement: every row of it.

use vigo_core::Takeover;
use vigo_core::record::RevocationCause::{self, Deleted, Operator, Replaced};
use vigo_core::record::TokenRecord;

use super::cases::{NAME, NOW, envoy_id, held, proved, released, request, rules, secs_from_now, shown, signed, token};
use super::cases::{told, with_token, with_window};
use super::decide;
use crate::decision::Verdict;
use crate::facts::{Facts, HolderFact, ProofFact};
use crate::rules::Reenroll::{self, Any, Proof, Token};

const ALL: [Reenroll; 3] = [Proof, Token, Any];
const TOKEN: &str = "token:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const PROOF: &str = "proof:01010101-0101-4101-8101-010101010101";
const APPROVED: &str = "approved:01010101010101010101010101010101";

fn decided(facts: &Facts, takeover: Takeover, reenroll: Reenroll) -> crate::Decision {
    let request = crate::Request { takeover, ..request("192.0.2.7") };
    decide(&request, facts, &rules(&[], &["*.example.com"], reenroll), NOW)
}

/// In each of these modes, with replacement asked for.
#[track_caller]
fn check(facts: &Facts, modes: &[Reenroll], expected: &str) {
    for &mode in modes {
        let decision = decided(facts, Takeover::Asked, mode);
        assert_eq!(told(&decision), expected, "{mode} {:#?}", shown(&decision));
    }
}

fn stranger(holder: HolderFact) -> Facts {
    Facts { holder, ..Facts::stranger() }
}

fn with_proof(n: u8, hostname: &str, revoked: Option<RevocationCause>, holder: HolderFact) -> Facts {
    Facts { proof: signed(n, hostname, revoked), ..stranger(holder) }
}

fn allow_replace(pattern: &str) -> TokenRecord {
    TokenRecord { allow_replace: true, ..token(pattern) }
}

#[test]
fn rule_09_a_free_name_needs_no_permit() {
    check(&stranger(HolderFact::Nobody), &ALL, APPROVED);
    for mode in ALL {
        assert_eq!(told(&decided(&stranger(HolderFact::Nobody), Takeover::No, mode)), APPROVED);
    }
}

#[test]
fn rule_09_a_taken_name_without_proof() {
    check(&stranger(held(1)), &[Proof, Token], "hostname_taken");
    check(&stranger(held(1)), &[Any], &format!("{APPROVED} +any replaces"));
}

#[test]
fn rule_09_a_proof_by_the_old_identity() {
    check(&with_proof(1, NAME, None, held(1)), &ALL, &format!("{PROOF} +proof replaces"));
    let forged = Facts { proof: ProofFact::BadSignature(envoy_id(1)), ..stranger(held(1)) };
    check(&forged, &[Proof, Token], "hostname_taken");
    // By another envoy than the one that has the name.
    check(&with_proof(2, "web2.example.com", None, held(1)), &[Proof, Token], "hostname_taken");
    check(&with_proof(2, NAME, Some(Replaced), held(1)), &[Proof, Token], "hostname_taken");
    // A record of the same name that does not have the name: a way in, and no proof against its holder.
    check(&with_proof(2, NAME, None, held(1)), &[Proof, Token], "hostname_taken");
    // Beside a token that is the way in, it still proves.
    let both = Facts { token: proved(token("*.example.com")), ..with_proof(1, NAME, None, held(1)) };
    check(&both, &ALL, &format!("{TOKEN} +proof replaces"));
}

#[test]
fn rule_09_a_token_for_exactly_that_name_or_made_to_replace() {
    let with = |token| Facts { holder: held(1), ..with_token(token) };
    let won = &format!("{TOKEN} +token replaces");
    check(&with(token(NAME)), &[Token, Any], won);
    check(&with(token(NAME)), &[Proof], "hostname_taken");
    check(&with(allow_replace("*.example.com")), &[Token, Any], won);
    check(&with(allow_replace("*.example.com")), &[Proof], "hostname_taken");
    check(&with(token("*.example.com")), &[Proof, Token], "hostname_taken");
    check(&with(token("*.example.com")), &[Any], &format!("{TOKEN} +any replaces"));
    check(&with(token("web?.example.com")), &[Token], "hostname_taken");
    // A bad one is refused before anything is said of the name.
    check(&with(token("db1.example.com")), &ALL, "token_rejected (token_other_host)");
}

#[test]
fn rule_09_what_an_operator_allows() {
    let open = |holder| with_window(holder, secs_from_now(1));
    check(&stranger(open(held(1))), &ALL, &format!("{APPROVED} +allow-reenroll replaces"));
    check(&stranger(with_window(held(1), NOW)), &[Proof, Token], "hostname_taken");
    // It is no way in by itself.
    let decision = decide(&request("192.0.2.7"), &stranger(open(held(1))), &rules(&[], &[], Token), NOW);
    assert_eq!(told(&decision), "not_admitted");
    let multi = Facts { holder: open(held(1)), ..with_token(token("*.example.com")) };
    check(&multi, &ALL, &format!("{TOKEN} +allow-reenroll replaces"));
}

#[test]
fn rule_09_replacing_must_be_asked_for() {
    for mode in ALL {
        for facts in [
            stranger(held(1)),
            with_proof(1, NAME, None, held(1)),
            Facts { holder: held(1), ..with_token(token(NAME)) },
            stranger(with_window(held(1), secs_from_now(1))),
        ] {
            assert_eq!(told(&decided(&facts, Takeover::No, mode)), "hostname_taken");
        }
    }
}

#[test]
fn rule_09_a_name_whose_last_envoy_was_revoked() {
    for cause in [Operator, Deleted] {
        let gone = released(1, cause);
        check(&stranger(gone.clone()), &ALL, "hostname_revoked");
        check(&with_proof(1, NAME, Some(cause), gone.clone()), &ALL, "hostname_revoked");
        let with = |token| Facts { holder: gone.clone(), ..with_token(token) };
        check(&with(token(NAME)), &[Token, Any], &format!("{TOKEN} +token"));
        check(&with(token(NAME)), &[Proof], "hostname_revoked");
        check(&with(allow_replace("*.example.com")), &[Token, Any], &format!("{TOKEN} +token"));
        check(&with(token("*.example.com")), &ALL, "hostname_revoked");
        let open = with_window(gone.clone(), secs_from_now(1));
        check(&stranger(open.clone()), &ALL, &format!("{APPROVED} +allow-reenroll"));
        // Nobody is replaced, so it need not be asked for.
        assert_eq!(told(&decided(&stranger(open), Takeover::No, Token)), format!("{APPROVED} +allow-reenroll"));
        check(&stranger(with_window(gone, NOW)), &ALL, "hostname_revoked");
    }
    check(&stranger(released(1, Replaced)), &ALL, APPROVED);
}

#[track_caller]
fn help(facts: &Facts, takeover: Takeover, mode: Reenroll, expected: &str) {
    let Verdict::Refuse(refusal) = decided(facts, takeover, mode).verdict else { panic!("admitted") };
    if refusal.code() == "hostname_taken" {
        assert_eq!(refusal.message(), "An active envoy with this hostname already exists");
    }
    assert_eq!(refusal.help(), expected);
}

#[test]
fn rule_09_the_refusal_prints_the_command_that_would_allow_it() {
    let both = "allow it on the server with `vigocli envoys allow-reenroll web1.example.com`, or make a token for exactly \
                that name with `vigocli tokens generate --pattern web1.example.com` and give it with `--token`; \
                then run the line again";
    help(&stranger(held(1)), Takeover::Asked, Token, both);
    help(&stranger(released(1, Operator)), Takeover::Asked, Token, both);
    help(
        &stranger(held(1)),
        Takeover::Asked,
        Proof,
        "allow it on the server with `vigocli envoys allow-reenroll web1.example.com`; then run the line again",
    );
    help(
        &stranger(held(1)),
        Takeover::No,
        Token,
        &format!("to replace it, add `--force` to the line; should that be refused, {both}"),
    );
}

#[test]
fn rule_09_the_trace_of_a_refused_takeover() {
    let facts = Facts {
        proof: signed(2, NAME, Some(Operator)),
        holder: with_window(held(1), secs_from_now(-7)),
        ..with_token(token("*.example.com"))
    };
    let decision = decided(&facts, Takeover::Asked, Token);
    assert_eq!(told(&decision), "hostname_taken");
    assert_eq!(
        shown(&decision)[4..],
        [
            "replace:proof lost: the proof is by the key of envoy 02020202-0202-4202-8202-020202020202, which was \
             revoked: it proves nothing",
            "replace:token lost: the token is for *.example.com, not for exactly web1.example.com, and was not made with \
             --allow-replace",
            "replace:allow-reenroll lost: an operator allowed it until @1779999993, and it is @1780000000",
            "replace:any lost: `bootstrap.reenroll` is `token`",
        ]
    );
}
