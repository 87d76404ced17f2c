//! When an envoy last checked in: a few times, in little room, for a hundred thousand envoys.

use vigo_core::UnixTime;

/// The last times, at most [`Recent::MOST`].
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Seconds since 1970, in a ring; 0 where there is none yet.
    times: [u32; Recent::MOST],
    next: u8,
}

impl Recent {
    /// So many are kept.
    pub const MOST: usize = 32;

    /// Adds the newest.
    pub fn push(&mut self, at: UnixTime) {
        let next = usize::from(self.next) % Self::MOST;
        self.times[next] = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
        self.next = u8::try_from((next + 1) % Self::MOST).unwrap_or(0);
    }

    /// The newest first.
    #[must_use]
    pub fn times(&self) -> Vec<UnixTime> {
        let next = usize::from(self.next);
        let (newer, older) = (self.times[..next].iter().rev(), self.times[next..].iter().rev());
        newer.chain(older).filter(|at| **at != 0).map(|at| UnixTime::from_secs((*at).into())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_and_the_oldest_are_forgotten() {
        let mut recent = Recent::default();
        assert!(recent.times().is_empty());
        let many = u64::try_from(Recent::MOST).unwrap() * 2 + 5;
        for at in 1..=many {
            recent.push(UnixTime::from_secs(at));
            let expected: Vec<u64> = (1..=at).rev().take(Recent::MOST).collect();
            assert_eq!(recent.times().iter().map(|at| at.as_secs()).collect::<Vec<_>>(), expected);
        }
    }
}
