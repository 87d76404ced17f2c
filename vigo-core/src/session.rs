use crate::{Challenge, ChallengeKey, EnvoyId, Epoch, Resync, Sequence, SessionPoint};

/// One envoy's conversation with one server process: which sequences and challenges are still good. Pure state, 32 bytes.
///
/// - A frame of another epoch, or of none, is never accepted: it gets a resync, and an honest agent signs again at once.
/// - A sequence is accepted once, and none below it after.
/// - The last acknowledged challenge stays good until a newer one is echoed, and so do those outstanding since (their
///   replies may be lost); at most [`OUTSTANDING`](Self::OUTSTANDING) are, then the last of them is issued again. Echoing
///   one acknowledges it and burns every other. A burnt one coming back means that two machines speak for one envoy.
///
/// ```
/// use vigo_core::{ChallengeKey, EnvoyId, Epoch, Session, SessionPoint, Step};
/// // Random bytes, in earnest.
/// let (key, epoch, envoy) =
///     (ChallengeKey::derive(&[1; 32]), Epoch::from_random([2; 16]), EnvoyId::from_random([3; 16]));
/// let mut session = Session::default();
///
/// // An agent that starts is told where to begin, and goes on with each challenge that it is given.
/// let Step::Resync(start) = session.step(&key, envoy, epoch, None) else { panic!() };
/// let first = SessionPoint { epoch, sequence: start.next, challenge: start.challenge };
/// let Step::Fresh(challenge) = session.step(&key, envoy, epoch, Some(&first)) else { panic!() };
/// assert_eq!(session.step(&key, envoy, epoch, Some(&first)), Step::Replayed);
/// let second = SessionPoint { epoch, sequence: start.next.next(), challenge };
/// assert!(matches!(session.step(&key, envoy, epoch, Some(&second)), Step::Fresh(_)));
///
/// // Another machine that has the key, and the first challenge, is noticed.
/// let copy = SessionPoint { sequence: second.sequence.next(), ..first };
/// assert!(matches!(session.step(&key, envoy, epoch, Some(&copy)), Step::Clone(_)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session {
    last: u64,
    acknowledged: u64,
    first_outstanding: u64,
    issued: u64,
}

/// What a frame's place in the conversation says.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The frame is new and the newest: answer it, with this challenge.
    Fresh(Challenge),
    /// The frame is of another process's epoch or of none: answer with this, take nothing from it.
    Resync(Resync),
    /// The frame echoes a burnt challenge: another machine speaks for this envoy. Note it; answer with this.
    Clone(Resync),
    /// The frame was seen before, or is older than one that was: refuse it.
    Replayed,
    /// The challenge was never issued to this envoy: refuse it.
    Forged,
}

impl Session {
    /// How many challenges may be outstanding at once.
    pub const OUTSTANDING: u64 = 8;

    /// Takes a frame's place in the conversation, after its signature was verified.
    pub fn step(&mut self, key: &ChallengeKey, envoy: EnvoyId, epoch: Epoch, point: Option<&SessionPoint>) -> Step {
        let Some(point) = point.filter(|point| point.epoch == epoch) else {
            return Step::Resync(self.resync(key, envoy, epoch));
        };
        let Some(counter) = key.counter(envoy, epoch, &point.challenge) else {
            return Step::Forged;
        };
        if point.sequence.get() <= self.last {
            return Step::Replayed;
        }
        if counter != self.acknowledged || counter == 0 {
            if counter < self.first_outstanding || counter > self.issued {
                return Step::Clone(self.resync(key, envoy, epoch));
            }
            self.acknowledged = counter;
            self.first_outstanding = self.issued + 1;
        }
        self.last = point.sequence.get();
        Step::Fresh(self.issue(key, envoy, epoch))
    }

    fn resync(&mut self, key: &ChallengeKey, envoy: EnvoyId, epoch: Epoch) -> Resync {
        Resync { epoch, next: Sequence::new(self.last).next(), challenge: self.issue(key, envoy, epoch) }
    }

    fn issue(&mut self, key: &ChallengeKey, envoy: EnvoyId, epoch: Epoch) -> Challenge {
        if self.first_outstanding == 0 {
            self.first_outstanding = 1;
        }
        if self.issued + 1 - self.first_outstanding < Self::OUTSTANDING {
            self.issued += 1;
        }
        key.issue(envoy, epoch, self.issued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EPOCH: Epoch = Epoch::from_random([1; 16]);

    struct Server {
        key: ChallengeKey,
        session: Session,
    }

    fn envoy() -> EnvoyId {
        EnvoyId::from_random([9; 16])
    }

    impl Server {
        fn new() -> Self {
            Self { key: ChallengeKey::derive(&[3; 32]), session: Session::default() }
        }

        fn step(&mut self, sequence: u64, challenge: Challenge) -> Step {
            let point = SessionPoint { epoch: EPOCH, sequence: Sequence::new(sequence), challenge };
            self.session.step(&self.key, envoy(), EPOCH, Some(&point))
        }

        fn resync(&mut self) -> Resync {
            match self.session.step(&self.key, envoy(), EPOCH, None) {
                Step::Resync(resync) => resync,
                other => panic!("{other:?}"),
            }
        }

        #[track_caller]
        fn fresh(&mut self, sequence: u64, challenge: Challenge) -> Challenge {
            match self.step(sequence, challenge) {
                Step::Fresh(next) => next,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_plain_way() {
        let mut server = Server::new();
        let start = server.resync();
        assert_eq!(start.next, Sequence::FIRST);
        let mut challenge = start.challenge;
        for sequence in 1..100 {
            challenge = server.fresh(sequence, challenge);
        }
    }

    #[test]
    fn a_frame_is_accepted_once_and_in_order() {
        let mut server = Server::new();
        let c1 = server.resync().challenge;
        let c2 = server.fresh(1, c1);
        assert_eq!(server.step(1, c1), Step::Replayed);
        let _ = server.fresh(7, c2);
        assert_eq!(server.step(3, c2), Step::Replayed);
        assert_eq!(server.step(0, c2), Step::Replayed);
    }

    #[test]
    fn lost_replies_cost_nothing_and_no_more_than_eight_are_outstanding() {
        let mut server = Server::new();
        let c1 = server.resync().challenge;
        let mut issued = Vec::new();
        for sequence in 1..=12 {
            issued.push(server.fresh(sequence, c1));
        }
        assert_eq!(issued[7..], [issued[7]; 5], "the eighth is repeated");
        let next = server.fresh(13, issued[7]);
        let _ = server.fresh(14, next);
    }

    #[test]
    fn any_outstanding_one_may_be_echoed_and_burns_the_others() {
        let mut server = Server::new();
        let c1 = server.resync().challenge;
        let (a, b, c) = (server.fresh(1, c1), server.fresh(2, c1), server.fresh(3, c1));
        let _ = server.fresh(4, b);
        for burnt in [a, c, c1] {
            assert!(matches!(server.step(5, burnt), Step::Clone(_)));
        }
        let _ = server.fresh(5, b);
    }

    #[test]
    fn two_machines_with_one_identity_are_noticed() {
        let mut server = Server::new();
        let mut first = server.resync().challenge;
        first = server.fresh(1, first);
        // The copy starts: a new process, so a resync; then it speaks.
        let copy = server.resync();
        let _ = server.fresh(copy.next.get(), copy.challenge);
        assert!(matches!(server.step(3, first), Step::Clone(_)));
    }

    #[test]
    fn frames_of_other_epochs_envoys_and_keys() {
        let mut server = Server::new();
        let challenge = server.resync().challenge;
        let point = SessionPoint { epoch: Epoch::from_random([2; 16]), sequence: Sequence::FIRST, challenge };
        assert!(matches!(server.session.step(&server.key, envoy(), EPOCH, Some(&point)), Step::Resync(_)));
        let other = EnvoyId::from_random([8; 16]);
        let forged = server.key.issue(other, EPOCH, 1);
        assert_eq!(server.step(5, forged), Step::Forged);
        let forged = ChallengeKey::derive(&[4; 32]).issue(envoy(), EPOCH, 1);
        assert_eq!(server.step(5, forged), Step::Forged);
    }

    proptest! {
        /// Whatever replies are lost, and whenever the agent restarts, one honest machine is never refused.
        #[test]
        fn an_honest_agent_is_never_refused(events in prop::collection::vec(0u8..4, 1..200)) {
            let mut server = Server::new();
            let start = server.resync();
            let (mut sequence, mut challenge) = (start.next.get(), start.challenge);
            for event in events {
                match event {
                    0 => {
                        let resync = server.resync();
                        (sequence, challenge) = (resync.next.get(), resync.challenge);
                    }
                    1 => {
                        let _lost = server.fresh(sequence, challenge);
                        sequence += 1;
                    }
                    _ => {
                        challenge = server.fresh(sequence, challenge);
                        sequence += 1;
                    }
                }
            }
        }
    }
}
