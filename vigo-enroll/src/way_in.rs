//! The ways in: token, proof by an identity, trusted rule, approved pattern.

use vigo_core::record::TokenRecord;
use vigo_core::{EnvoyId, UnixTime};

use crate::facts::{Facts, ProofFact, Request, TokenFact};
use crate::lost::Lost;
use crate::outcome::{RuleId, Skipped};
use crate::refusal::{Reason, TokenFault};
use crate::rules::{Rules, TrustedRule};
use crate::trace::Trace;

pub(crate) fn find(
    request: &Request,
    facts: &Facts,
    rules: &Rules,
    now: UnixTime,
    trace: &mut Trace,
) -> Result<RuleId, Reason> {
    let id = token_rule(&facts.token);
    let mut won: Option<RuleId> = None;
    match token(request, &facts.token, now) {
        Token::None => trace.lost(|| (id, Lost::NoToken)),
        Token::Good => {
            trace.won(&id);
            won = Some(id);
        }
        Token::Bad(fault, lost) => {
            trace.lost(|| (id, lost));
            trace.skipped(Skipped::BadToken, || proof_rule(&facts.proof));
            skip_patterns(rules, trace, Skipped::BadToken);
            return Err(Reason::Token { fault, hostname: request.hostname.clone() });
        }
    }

    let id = proof_rule(&facts.proof);
    match (&won, proof(request, &facts.proof)) {
        (Some(_), _) => trace.skipped(Skipped::AlreadyWon, || id),
        (None, Ok(_)) => {
            trace.won(&id);
            won = Some(id);
        }
        (None, Err(lost)) => trace.lost(|| (id, lost)),
    }

    match won {
        Some(rule) => {
            skip_patterns(rules, trace, Skipped::AlreadyWon);
            Ok(rule)
        }
        None => patterns(request, rules, trace)
            .ok_or_else(|| Reason::NotAdmitted { hostname: request.hostname.clone(), from: request.from }),
    }
}

enum Token {
    None,
    Good,
    Bad(TokenFault, Lost),
}

fn token_rule(fact: &TokenFact) -> RuleId {
    RuleId::Token(match fact {
        TokenFact::None | TokenFact::Malformed | TokenFact::Forged => None,
        TokenFact::Unknown(id) | TokenFact::WrongSecret(id) => Some(*id),
        TokenFact::Proved(record) => Some(record.id),
    })
}

fn token(request: &Request, fact: &TokenFact, now: UnixTime) -> Token {
    match fact {
        TokenFact::None => Token::None,
        TokenFact::Malformed => Token::Bad(TokenFault::Malformed, Lost::TokenMalformed),
        TokenFact::Forged => Token::Bad(TokenFault::Forged, Lost::TokenForged),
        TokenFact::Unknown(id) => Token::Bad(TokenFault::Unknown, Lost::TokenUnknown(*id)),
        TokenFact::WrongSecret(id) => Token::Bad(TokenFault::WrongSecret, Lost::WrongSecret(*id)),
        TokenFact::Proved(record) => match good(record, request, now) {
            Ok(()) => Token::Good,
            Err((fault, lost)) => Token::Bad(fault, lost),
        },
    }
}

/// That it is spent comes first: its holder is told so for ever, whatever else becomes of the token.
fn good(token: &TokenRecord, request: &Request, now: UnixTime) -> Result<(), (TokenFault, Lost)> {
    if token.is_used_up() {
        return Err((TokenFault::UsedUp, Lost::UsedUp { used: token.uses.len(), allowed: token.uses_allowed }));
    }
    if let Some(revocation) = &token.revocation {
        return Err((TokenFault::Revoked, Lost::Revoked(revocation.clone())));
    }
    if token.expires_at <= now {
        return Err((TokenFault::Expired, Lost::Expired { at: token.expires_at, now }));
    }
    if !token.pattern.matches(&request.hostname) {
        let (pattern, hostname) = (token.pattern.clone(), request.hostname.clone());
        return Err((TokenFault::OtherHost, Lost::OtherHost { pattern, hostname }));
    }
    if !token.cidrs.is_empty() && !token.cidrs.iter().any(|cidr| cidr.contains(request.from)) {
        let lost = Lost::OtherNetwork { cidrs: token.cidrs.clone(), from: request.from };
        return Err((TokenFault::OtherNetwork, lost));
    }
    Ok(())
}

fn proof_rule(fact: &ProofFact) -> RuleId {
    RuleId::Proof(match fact {
        ProofFact::None => None,
        ProofFact::Unknown(envoy) | ProofFact::BadSignature(envoy) => Some(*envoy),
        ProofFact::Signed(record) => Some(record.id),
    })
}

/// The envoy that the sender proves to be: of the same name, and not revoked.
pub(crate) fn proof(request: &Request, fact: &ProofFact) -> Result<EnvoyId, Lost> {
    match fact {
        ProofFact::None => Err(Lost::NoProof),
        ProofFact::Unknown(envoy) => Err(Lost::ProofUnknown(*envoy)),
        ProofFact::BadSignature(envoy) => Err(Lost::ProofForged(*envoy)),
        ProofFact::Signed(record) => match &record.revocation {
            Some(revocation) => Err(Lost::ProofRevoked(record.id, revocation.cause)),
            None if record.hostname != request.hostname => {
                Err(Lost::ProofOtherHost { proved: record.hostname.clone(), hostname: request.hostname.clone() })
            }
            None => Ok(record.id),
        },
    }
}

/// The first trusted rule, else the first approved pattern. The tables find it; the others are walked through only
/// to write down why they lost.
fn patterns(request: &Request, rules: &Rules, trace: &mut Trace) -> Option<RuleId> {
    let trusted = rules.trusted_for(&request.hostname, request.from);
    let approved = if trusted.is_some() { None } else { rules.approved_for(&request.hostname) };
    if trace.is_kept() {
        for (i, rule) in rules.trusted.iter().enumerate() {
            match trusted {
                Some(first) if first == i => trace.won(&trusted_rule(i, rule)),
                Some(first) if first < i => trace.skipped(Skipped::AlreadyWon, || trusted_rule(i, rule)),
                _ => trace.lost(|| (trusted_rule(i, rule), why_trusted_lost(rule, request))),
            }
        }
        for (i, (record, _)) in rules.approved.iter().enumerate() {
            let id = RuleId::Approved(record.id);
            match approved {
                Some(first) if first == i => trace.won(&id),
                Some(first) if first < i => trace.skipped(Skipped::AlreadyWon, || id),
                None if trusted.is_some() => trace.skipped(Skipped::AlreadyWon, || id),
                _ => trace.lost(|| {
                    let (pattern, hostname) = (record.pattern.clone(), request.hostname.clone());
                    (id, Lost::OtherHost { pattern, hostname })
                }),
            }
        }
    }
    trusted
        .map(|i| trusted_rule(i, &rules.trusted[i]))
        .or_else(|| approved.map(|i| RuleId::Approved(rules.approved[i].0.id)))
}

fn trusted_rule(index: usize, rule: &TrustedRule) -> RuleId {
    RuleId::Trusted(index + 1, rule.pattern().clone())
}

fn why_trusted_lost(rule: &TrustedRule, request: &Request) -> Lost {
    if rule.pattern().matches(&request.hostname) {
        Lost::OtherNetwork { cidrs: rule.cidrs().to_vec(), from: request.from }
    } else {
        Lost::OtherHost { pattern: rule.pattern().clone(), hostname: request.hostname.clone() }
    }
}

fn skip_patterns(rules: &Rules, trace: &mut Trace, why: Skipped) {
    if !trace.is_kept() {
        return;
    }
    for (i, rule) in rules.trusted.iter().enumerate() {
        trace.skipped(why, || trusted_rule(i, rule));
    }
    for (record, _) in rules.approved.iter() {
        trace.skipped(why, || RuleId::Approved(record.id));
    }
}
