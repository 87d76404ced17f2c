use std::time::Duration;

/// When to speak next: a jittered interval after a success, a capped exponential back-off with jitter after a failure.
///
/// Pure: the spread is an argument. A whole fleet that lost its server at one moment comes back spread over time.
///
/// ```
/// use std::time::Duration;
/// use vigo_agent::{Outcome, Pace};
/// let mut pace = Pace::default();
/// assert_eq!(pace.after(Outcome::Accepted, Duration::from_secs(300), u32::MAX / 2).as_secs(), 299);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    failures: u32,
}

/// How a check-in ended, as far as the next one depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was accepted.
    Accepted,
    /// It failed; another may succeed.
    Failed,
    /// The envoy was revoked: only an operator can change that.
    Revoked,
}

impl Pace {
    /// The first wait after a failure.
    pub const FIRST: Duration = Duration::from_secs(5);
    /// No wait after a failure is longer, however long the interval.
    pub const LONGEST: Duration = Duration::from_secs(600);
    /// The wait of an envoy that was revoked.
    pub const REVOKED: Duration = Duration::from_secs(3600);
    const SHORTEST_CAP: Duration = Duration::from_secs(10);

    /// The wait until the next check-in. `spread` is a random number: ± 10 % of an interval, the upper half of a back-off.
    #[must_use]
    pub fn after(&mut self, outcome: Outcome, interval: Duration, spread: u32) -> Duration {
        let share = f64::from(spread) / f64::from(u32::MAX);
        match outcome {
            Outcome::Accepted => {
                self.failures = 0;
                interval.mul_f64(0.9 + 0.2 * share)
            }
            Outcome::Revoked => {
                self.failures = 0;
                Self::REVOKED.mul_f64(0.9 + 0.2 * share)
            }
            Outcome::Failed => {
                let cap = interval.clamp(Self::SHORTEST_CAP, Self::LONGEST);
                let base = Self::FIRST.min(interval).max(Duration::from_millis(100));
                let wait = base.saturating_mul(1 << self.failures.min(16)).min(cap);
                self.failures = self.failures.saturating_add(1);
                wait.mul_f64(0.5 + 0.5 * share)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(interval: u64, outcomes: &[Outcome], spread: u32, expected: &[u64]) {
        let mut pace = Pace::default();
        let waits: Vec<u64> = outcomes
            .iter()
            .map(|&outcome| pace.after(outcome, Duration::from_secs(interval), spread).as_millis() as u64)
            .collect();
        assert_eq!(waits, expected);
    }

    #[test]
    fn waits() {
        use Outcome::*;
        check(300, &[Accepted, Accepted], 0, &[270_000, 270_000]);
        check(300, &[Accepted], u32::MAX, &[330_000]);
        check(300, &[Failed; 9], u32::MAX, &[5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
        check(300, &[Failed, Failed, Accepted, Failed], u32::MAX, &[5000, 10_000, 330_000, 5000]);
        check(300, &[Failed; 3], 0, &[2500, 5000, 10_000]);
        check(1, &[Failed; 6], u32::MAX, &[1000, 2000, 4000, 8000, 10_000, 10_000]);
        check(
            7200,
            &[Failed; 9],
            u32::MAX,
            &[5000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000],
        );
        check(300, &[Revoked], 0, &[3_240_000]);
    }

    proptest! {
        #[test]
        fn no_wait_is_zero_or_above_an_hour_and_a_tenth(interval in 1u64..3600, failures in 0usize..200, spread: u32) {
            let mut pace = Pace::default();
            for _ in 0..failures {
                let wait = pace.after(Outcome::Failed, Duration::from_secs(interval), spread);
                prop_assert!(wait > Duration::ZERO && wait <= Pace::LONGEST);
            }
            let wait = pace.after(Outcome::Accepted, Duration::from_secs(interval), spread);
            prop_assert!(wait > Duration::ZERO && wait <= Duration::from_secs(3960));
        }
    }
}
