use vigo_core::UnixTime;

use crate::decision::{Decision, Grant, Permit, Verdict};
use crate::facts::{Facts, IdentityFact, Request, RequestFact};
use crate::lost::Lost;
use crate::outcome::{RuleId, Skipped};
use crate::refusal::Reason;
use crate::replace;
use crate::rules::Rules;
use crate::trace::Trace;
use crate::way_in;

/// Whether a request may join, and why: nothing but its arguments counts, and nothing is changed.
///
/// The ways in are asked in this order: a token if one is given (a bad one is refused and never falls through), proof by
/// an older identity, trusted rules, approved patterns. No way in: refused. Then the identity key and the request id must
/// be new, and the name free or a [`Permit`] won.
///
/// ```
/// use std::time::Duration;
/// use vigo_core::{ClientAddr, EnvoyId, Takeover, UnixTime};
/// use vigo_enroll::rules::{Reenroll, Rules, TrustedRule};
/// use vigo_enroll::{Facts, HolderFact, Permit, Request, Verdict, decide};
/// let lab = TrustedRule::new("*.lab.example.com".parse()?, vec!["10.1.0.0/24".parse()?])?;
/// let rules = Rules::new(vec![lab], vec![], Reenroll::Proof);
/// let from = ClientAddr::new("10.1.0.7".parse()?);
/// let request = Request { hostname: "web1.lab.example.com".parse()?, from, takeover: Takeover::Asked };
///
/// // An envoy has the name, and an operator allows it to be replaced for an hour.
/// let (id, now) = (EnvoyId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// let reenroll_until = Some(now.after(Duration::from_secs(3600)));
/// let facts = Facts { holder: HolderFact::Envoy { id, reenroll_until }, ..Facts::stranger() };
/// let Verdict::Admit(grant) = decide(&request, &facts, &rules, now).verdict else { panic!("refused") };
/// assert_eq!((grant.replaces(), grant.permit()), (Some(id), Some(Permit::Window)));
///
/// let too_late = now.after(Duration::from_secs(3601));
/// let Verdict::Refuse(refusal) = decide(&request, &facts, &rules, too_late).verdict else { panic!("admitted") };
/// assert_eq!(refusal.code(), "hostname_taken");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decide(request: &Request, facts: &Facts, rules: &Rules, now: UnixTime) -> Decision {
    let mut trace = Trace::Kept(Vec::new());
    let verdict = match judge(request, facts, rules, now, &mut trace) {
        Ok(grant) => Verdict::Admit(grant),
        Err(reason) => Verdict::Refuse(reason.into()),
    };
    Decision { verdict, trace: trace.into_outcomes() }
}

/// The verdict of [`decide`] without its trace: what a look-up among any number of rules costs, where the trace has a line
/// for each of them.
///
/// # Errors
/// Why not, in full; a stranger is shown the [`Refusal`](crate::Refusal) that is made of it.
pub fn verdict(request: &Request, facts: &Facts, rules: &Rules, now: UnixTime) -> Result<Grant, Reason> {
    judge(request, facts, rules, now, &mut Trace::Dropped)
}

fn judge(request: &Request, facts: &Facts, rules: &Rules, now: UnixTime, trace: &mut Trace) -> Result<Grant, Reason> {
    let way_in = way_in::find(request, facts, rules, now, trace);
    let way_in = match way_in {
        Ok(way_in) => way_in,
        Err(reason) => {
            trace.skipped(Skipped::NoWayIn, || RuleId::Unused);
            skip_permits(trace, Skipped::NoWayIn);
            return Err(reason);
        }
    };
    if let Err(reason) = unused(facts, trace) {
        skip_permits(trace, Skipped::AlreadyRefused);
        return Err(reason);
    }
    let (replaces, permit) = replace::find(request, facts, &way_in, rules.reenroll(), now, trace)?;
    Ok(Grant { way_in, replaces, permit })
}

fn skip_permits(trace: &mut Trace, why: Skipped) {
    for permit in Permit::ALL {
        trace.skipped(why, || RuleId::Replace(permit));
    }
}

/// An identity key and a request id stand for one envoy, for ever.
fn unused(facts: &Facts, trace: &mut Trace) -> Result<(), Reason> {
    let (lost, reason) = match (facts.identity, facts.request) {
        (IdentityFact::Unused, RequestFact::Unused) => {
            trace.won(&RuleId::Unused);
            return Ok(());
        }
        (IdentityFact::Revoked(envoy), _) => (Lost::IdentityRevoked(envoy), Reason::EnvoyRevoked(envoy)),
        (IdentityFact::Used(envoy), _) => (Lost::IdentityUsed(envoy), Reason::IdentityUsed(envoy)),
        (IdentityFact::Unused, RequestFact::Used) => (Lost::RequestReused, Reason::RequestReused),
    };
    trace.lost(|| (RuleId::Unused, lost));
    Err(reason)
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod ladder;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod ways_in;
