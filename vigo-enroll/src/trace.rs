use crate::lost::Lost;
use crate::outcome::{Outcome, RuleId, RuleOutcome, Skipped};

/// Where the outcomes of rules are written, or not: a registration needs the verdict alone, and pays nothing for the
/// rest.
pub(crate) enum Trace {
    Kept(Vec<RuleOutcome>),
    Dropped,
}

impl Trace {
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    pub(crate) fn won(&mut self, rule: &RuleId) {
        self.write(|| (rule.clone(), Outcome::Won));
    }

    pub(crate) fn lost(&mut self, lost: impl FnOnce() -> (RuleId, Lost)) {
        self.write(|| {
            let (rule, lost) = lost();
            (rule, Outcome::Lost(lost))
        });
    }

    pub(crate) fn skipped(&mut self, why: Skipped, rule: impl FnOnce() -> RuleId) {
        self.write(|| (rule(), Outcome::Skipped(why)));
    }

    fn write(&mut self, outcome: impl FnOnce() -> (RuleId, Outcome)) {
        if let Self::Kept(outcomes) = self {
            let (rule, outcome) = outcome();
            outcomes.push(RuleOutcome { rule, outcome });
        }
    }

    pub(crate) fn into_outcomes(self) -> Vec<RuleOutcome> {
        match self {
            Self::Kept(outcomes) => outcomes,
            Self::Dropped => Vec::new(),
        }
    }
}
