//! What the tests of the decision put their cases together from.

use vigo_core::record::{ApprovedRecord, EnvoyRecord, Revocation, RevocationCause, TokenRecord, TokenUse};
use vigo_core::store::Revision;
use vigo_core::{
    ApprovalId, ClientAddr, EnvoyId, Hostname, IdentityKey, IdentitySecret, Platform, Takeover, TokenId, UnixTime,
};

use crate::decision::{Decision, Verdict};
use crate::facts::{Facts, HolderFact, ProofFact, Request, TokenFact};
use crate::rules::{Reenroll, Rules, TrustedRule};

pub(super) const NOW: UnixTime = UnixTime::from_secs(1_780_000_000);
pub(super) const NAME: &str = "web1.example.com";

pub(super) fn secs_from_now(secs: i64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs().saturating_add_signed(secs))
}

pub(super) fn envoy_id(n: u8) -> EnvoyId {
    EnvoyId::from_random([n; 16])
}

pub(super) fn key(n: u8) -> IdentityKey {
    IdentitySecret::from_seed(&zeroize::Zeroizing::new([n; 32])).public()
}

pub(super) fn request(from: &str) -> Request {
    Request { hostname: NAME.parse().unwrap(), from: ClientAddr::new(from.parse().unwrap()), takeover: Takeover::Asked }
}

pub(super) fn rules(trusted: &[(&str, &[&str])], approved: &[&str], reenroll: Reenroll) -> Rules {
    let trusted = trusted
        .iter()
        .map(|(pattern, cidrs)| {
            TrustedRule::new(pattern.parse().unwrap(), cidrs.iter().map(|c| c.parse().unwrap()).collect()).unwrap()
        })
        .collect();
    let approved = (1..).zip(approved).map(|(n, pattern)| (approval(n, pattern), Revision::new(n.into()))).collect();
    Rules::new(trusted, approved, reenroll)
}

fn approval(n: u8, pattern: &str) -> ApprovedRecord {
    ApprovedRecord {
        id: ApprovalId::from_random([n; 16]),
        pattern: pattern.parse().unwrap(),
        note: String::new(),
        created_at: NOW,
        created_by: "ada".to_owned(),
    }
}

/// A token of one use, good for another hour from anywhere.
pub(super) fn token(pattern: &str) -> TokenRecord {
    TokenRecord {
        id: TokenId::from_random([0xaa; 16]),
        secret_hash: String::new(),
        pattern: pattern.parse().unwrap(),
        cidrs: vec![],
        uses_allowed: 1,
        uses: vec![],
        created_at: secs_from_now(-60),
        expires_at: secs_from_now(3600),
        note: String::new(),
        allow_replace: false,
        revocation: None,
        created_by: "ada".to_owned(),
    }
}

pub(super) fn token_use() -> TokenUse {
    TokenUse { envoy: envoy_id(9), identity: key(9), at: NOW }
}

pub(super) fn proved(token: TokenRecord) -> TokenFact {
    TokenFact::Proved(Box::new(token))
}

pub(super) fn revocation(cause: RevocationCause) -> Revocation {
    Revocation { cause, at: secs_from_now(-5), by: "ada".to_owned(), reason: String::new() }
}

pub(super) fn envoy(n: u8, hostname: &str, revoked: Option<RevocationCause>) -> EnvoyRecord {
    EnvoyRecord {
        id: envoy_id(n),
        hostname: hostname.parse::<Hostname>().unwrap(),
        identity: key(n),
        address: ClientAddr::new([192, 0, 2, 1].into()),
        reported_ip: None,
        enrolled_at: secs_from_now(-1000),
        certificates: vec![],
        admitted_by: "token".to_owned(),
        platform: Platform::default(),
        revocation: revoked.map(revocation),
        directive: None,
    }
}

pub(super) fn signed(n: u8, hostname: &str, revoked: Option<RevocationCause>) -> ProofFact {
    ProofFact::Signed(Box::new(envoy(n, hostname, revoked)))
}

pub(super) fn held(n: u8) -> HolderFact {
    HolderFact::Envoy { id: envoy_id(n), reenroll_until: None }
}

pub(super) fn released(n: u8, cause: RevocationCause) -> HolderFact {
    HolderFact::Released { last: envoy_id(n), revocation: revocation(cause), reenroll_until: None }
}

pub(super) fn with_window(holder: HolderFact, until: UnixTime) -> HolderFact {
    let reenroll_until = Some(until);
    match holder {
        HolderFact::Nobody => HolderFact::Nobody,
        HolderFact::Envoy { id, .. } => HolderFact::Envoy { id, reenroll_until },
        HolderFact::Released { last, revocation, .. } => HolderFact::Released { last, revocation, reenroll_until },
    }
}

pub(super) fn with_token(token: TokenRecord) -> Facts {
    Facts { token: proved(token), ..Facts::stranger() }
}

/// The rule that admitted, with what allowed the name, or the refusal's code and its finer one.
pub(super) fn told(decision: &Decision) -> String {
    match &decision.verdict {
        Verdict::Admit(grant) => {
            let permit = grant.permit().map(|p| format!(" +{p}")).unwrap_or_default();
            let replaced = grant.replaces().map(|_| " replaces").unwrap_or_default();
            format!("{}{permit}{replaced}", grant.way_in())
        }
        Verdict::Refuse(r) if r.code() == r.audit_code() => r.code().to_owned(),
        Verdict::Refuse(r) => format!("{} ({})", r.code(), r.audit_code()),
    }
}

/// The trace as `enroll explain` shows it.
pub(super) fn shown(decision: &Decision) -> Vec<String> {
    decision.trace.iter().map(|o| format!("{} {}: {}", o.rule, o.outcome.word(), o.outcome)).collect()
}
