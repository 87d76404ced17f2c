//! Whether a name may be enrolled that is taken, or whose last envoy was revoked.

use vigo_core::record::RevocationCause;
use vigo_core::{Breadth, EnvoyId, Takeover, UnixTime};

use crate::decision::Permit;
use crate::facts::{Facts, HolderFact, Request, TokenFact};
use crate::lost::Lost;
use crate::outcome::{RuleId, Skipped};
use crate::refusal::Reason;
use crate::rules::Reenroll;
use crate::trace::Trace;
use crate::way_in;

/// What stands in the way of a name, and what may remove it.
struct Question<'a> {
    request: &'a Request,
    facts: &'a Facts,
    way_in: &'a RuleId,
    reenroll: Reenroll,
    now: UnixTime,
    holder: Holder,
    window: Option<UnixTime>,
}

#[derive(Clone, Copy)]
enum Holder {
    Active(EnvoyId),
    RevokedByOperator(EnvoyId),
}

/// The envoy to be replaced and what allows that; nothing where the name is free.
pub(crate) fn find(
    request: &Request,
    facts: &Facts,
    way_in: &RuleId,
    reenroll: Reenroll,
    now: UnixTime,
    trace: &mut Trace,
) -> Result<(Option<EnvoyId>, Option<Permit>), Reason> {
    let (holder, window) = match &facts.holder {
        HolderFact::Envoy { id, reenroll_until } => (Holder::Active(*id), *reenroll_until),
        HolderFact::Released { last, revocation, reenroll_until } => match revocation.cause {
            // Deleting revokes first, so it does not give a name back to whoever a pattern admits.
            RevocationCause::Operator | RevocationCause::Deleted => (Holder::RevokedByOperator(*last), *reenroll_until),
            // The successor has gone with nobody's doing: nothing stands in the way.
            RevocationCause::Replaced => return Ok(free(trace)),
        },
        HolderFact::Nobody => return Ok(free(trace)),
    };
    let question = Question { request, facts, way_in, reenroll, now, holder, window };
    let mut won = None;
    for permit in Permit::ALL {
        let rule = RuleId::Replace(permit);
        match (won, question.ask(permit)) {
            (Some(_), _) => trace.skipped(Skipped::AlreadyWon, || rule),
            (None, Ok(())) => {
                trace.won(&rule);
                won = Some(permit);
            }
            (None, Err(lost)) => trace.lost(|| (rule, lost)),
        }
    }
    let hostname = request.hostname.clone();
    match (won, holder) {
        (Some(permit), Holder::Active(envoy)) => Ok((Some(envoy), Some(permit))),
        (Some(permit), Holder::RevokedByOperator(_)) => Ok((None, Some(permit))),
        (None, Holder::Active(_)) => Err(Reason::HostnameTaken { hostname, takeover: request.takeover, reenroll }),
        (None, Holder::RevokedByOperator(_)) => Err(Reason::HostnameRevoked { hostname, reenroll }),
    }
}

fn free(trace: &mut Trace) -> (Option<EnvoyId>, Option<Permit>) {
    for permit in Permit::ALL {
        trace.skipped(Skipped::NameFree, || RuleId::Replace(permit));
    }
    (None, None)
}

impl Question<'_> {
    fn ask(&self, permit: Permit) -> Result<(), Lost> {
        if let (Holder::Active(envoy), Takeover::No) = (self.holder, self.request.takeover) {
            return Err(Lost::NotAsked(envoy));
        }
        match permit {
            Permit::Proof => self.proof(),
            Permit::Token => self.token(),
            Permit::Window => self.window(),
            Permit::AnyWayIn => self.any(),
        }
    }

    fn proof(&self) -> Result<(), Lost> {
        let proved = way_in::proof(self.request, &self.facts.proof)?;
        match self.holder {
            Holder::Active(holder) if holder == proved => Ok(()),
            Holder::Active(holder) => Err(Lost::ProofOtherEnvoy { proved, holder }),
            Holder::RevokedByOperator(envoy) => Err(Lost::NameRevoked(envoy)),
        }
    }

    fn token(&self) -> Result<(), Lost> {
        match self.reenroll {
            Reenroll::Proof => return Err(Lost::Mode(self.reenroll)),
            Reenroll::Token | Reenroll::Any => {}
        }
        let (RuleId::Token(_), TokenFact::Proved(token)) = (self.way_in, &self.facts.token) else {
            return Err(Lost::NoTokenWon);
        };
        // It is the way in, so its pattern takes the name: one without wildcards is exactly that name.
        if token.pattern.breadth() == Breadth::One || token.allow_replace {
            return Ok(());
        }
        Err(Lost::TokenNotExact { pattern: token.pattern.clone(), hostname: self.request.hostname.clone() })
    }

    fn window(&self) -> Result<(), Lost> {
        match self.window {
            None => Err(Lost::NoWindow),
            Some(until) if until <= self.now => Err(Lost::WindowOver { until, now: self.now }),
            Some(_) => Ok(()),
        }
    }

    fn any(&self) -> Result<(), Lost> {
        match (self.reenroll, self.holder) {
            (Reenroll::Any, Holder::Active(_)) => Ok(()),
            (Reenroll::Any, Holder::RevokedByOperator(envoy)) => Err(Lost::NameRevoked(envoy)),
            (Reenroll::Proof | Reenroll::Token, _) => Err(Lost::Mode(self.reenroll)),
        }
    }
}
