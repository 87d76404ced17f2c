use vigo_core::{
    Accepted, CheckIn, EnvoyId, FrameError, IdentitySecret, Reply, ReplyOutcome, RequestDigest, ServerId, ServerKey,
    SessionPoint, SignedCheckIn, SignedReply, UnixTime,
};

/// The agent's half of the check-in: where the conversation with the server stands, and what follows from an answer.
///
/// Pure state. It holds the point of the next frame: the epoch, the sequence after the last one *sent*, and the newest
/// challenge *seen*. So a lost reply costs a sequence and nothing else, and no frame is ever sent twice.
///
/// - The first frame of a process has no point; the server answers with one and the frame is signed again at once.
/// - The same when the server started anew. More than [`RESYNCS`](Self::RESYNCS) in one exchange, and it gives up: a
///   server that never takes a frame is no reason to spin.
/// - A frame refused as replayed or forged drops the point once and starts over: whatever a crash or a restore did to
///   either side, an honest agent finds its way back.
#[derive(Debug)]
pub struct Conversation {
    envoy: EnvoyId,
    server: ServerId,
    key: ServerKey,
    point: Option<SessionPoint>,
    resyncs: u8,
    restarted: bool,
}

/// What an answer calls for.
#[must_use]
#[derive(Debug)]
pub enum Turn {
    /// The frame was taken, at this time by the server's clock.
    Accepted(Accepted, UnixTime),
    /// Sign again, now.
    Again,
}

/// Why an exchange came to nothing, though an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// The answer is not the server's, or not to this request.
    #[error("the server's reply is refused: {0}")]
    Reply(#[from] FrameError),
    /// The server asked to start over again and again.
    #[error("the server asked to start over {0} times and took no frame")]
    NeverTaken(u8),
}

impl Conversation {
    /// How often one exchange may be told to start over: a server that started anew, then another of the same fleet.
    pub const RESYNCS: u8 = 2;

    /// A conversation that has not begun.
    #[must_use]
    pub const fn new(envoy: EnvoyId, server: ServerId, key: ServerKey) -> Self {
        Self { envoy, server, key, point: None, resyncs: 0, restarted: false }
    }

    /// Begins an exchange: one check-in, however many frames it takes.
    pub fn begin(&mut self) {
        self.resyncs = 0;
        self.restarted = false;
    }

    /// Signs the next frame. Each has a sequence of its own, whether the one before was answered or not.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn sign(&mut self, mut facts: CheckIn, identity: &IdentitySecret) -> Result<SignedCheckIn, FrameError> {
        facts.envoy = self.envoy;
        facts.session = self.point.clone();
        if let Some(point) = &mut self.point {
            point.sequence = point.sequence.next();
        }
        facts.sign(identity, &self.server)
    }

    /// Takes the answer to the frame that has this digest.
    ///
    /// # Errors
    /// `Reply` when it is not the server's answer to that frame: nothing of it was used. `NeverTaken`.
    pub fn answer(&mut self, request: RequestDigest, reply: &SignedReply) -> Result<Turn, ConversationError> {
        let Reply { server_time, outcome, .. } = reply.verify(&self.key, &self.server, self.envoy, request)?;
        match outcome {
            ReplyOutcome::Accepted(accepted) => {
                if let Some(point) = &mut self.point {
                    point.challenge = accepted.challenge;
                }
                Ok(Turn::Accepted(accepted, server_time))
            }
            ReplyOutcome::Resync(resync) => {
                self.point =
                    Some(SessionPoint { epoch: resync.epoch, sequence: resync.next, challenge: resync.challenge });
                if self.resyncs == Self::RESYNCS {
                    return Err(ConversationError::NeverTaken(self.resyncs + 1));
                }
                self.resyncs += 1;
                Ok(Turn::Again)
            }
        }
    }

    /// Takes a refusal's code. `true`: the point was dropped, sign again now; at most once in an exchange.
    #[must_use]
    pub fn refused(&mut self, code: &str) -> bool {
        let again = matches!(code, "replayed" | "forged_challenge") && !self.restarted;
        if again {
            self.restarted = true;
            self.point = None;
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use vigo_core::{ChallengeKey, Epoch, PolicyChange, ServerSecret, Session, StateReport, Step};
    use zeroize::Zeroizing;

    use super::*;

    /// The server's half, from vigo-core's own state: what it takes is the truth that the tests hold the agent to.
    struct Server {
        secret: ServerSecret,
        challenges: ChallengeKey,
        session: Session,
        epoch: u8,
        /// Every sequence taken in this epoch.
        taken: Vec<u64>,
        clones: u32,
    }

    enum Answer {
        Reply(SignedReply),
        Refused(&'static str),
    }

    fn envoy() -> EnvoyId {
        EnvoyId::from_random([1; 16])
    }

    fn server_id() -> ServerId {
        ServerId::from_random([2; 16])
    }

    fn identity() -> IdentitySecret {
        IdentitySecret::from_seed(&Zeroizing::new([3; 32]))
    }

    fn server_secret() -> ServerSecret {
        ServerSecret::from_seed(&Zeroizing::new([4; 32]))
    }

    fn conversation() -> Conversation {
        Conversation::new(envoy(), server_id(), server_secret().public())
    }

    fn facts() -> CheckIn {
        CheckIn {
            envoy: envoy(),
            session: None,
            platform: vigo_core::Platform::default(),
            policy: None,
            trusted_roots: vec![],
            report: StateReport::default(),
        }
    }

    impl Server {
        fn new() -> Self {
            Self {
                secret: server_secret(),
                challenges: ChallengeKey::derive(&[5; 32]),
                session: Session::default(),
                epoch: 1,
                taken: vec![],
                clones: 0,
            }
        }

        fn restart(&mut self) {
            self.epoch = self.epoch.wrapping_add(1);
            self.session = Session::default();
            self.taken.clear();
        }

        fn take(&mut self, frame: &SignedCheckIn) -> Answer {
            let check_in = frame.verify(envoy(), &identity().public(), &server_id()).unwrap();
            let epoch = Epoch::from_random([self.epoch; 16]);
            let outcome = match self.session.step(&self.challenges, envoy(), epoch, check_in.session.as_ref()) {
                Step::Fresh(challenge) => {
                    self.taken.push(check_in.session.unwrap().sequence.get());
                    ReplyOutcome::Accepted(Accepted {
                        challenge,
                        interval: Duration::from_secs(300),
                        policy: PolicyChange::None,
                        notices: vec![],
                        directive: None,
                        offered: None,
                    })
                }
                Step::Resync(resync) => ReplyOutcome::Resync(resync),
                Step::Clone(resync) => {
                    self.clones += 1;
                    ReplyOutcome::Resync(resync)
                }
                Step::Replayed => return Answer::Refused("replayed"),
                Step::Forged => return Answer::Refused("forged_challenge"),
            };
            let reply = Reply { request: frame.digest(), envoy: envoy(), server_time: UnixTime::from_secs(9), outcome };
            Answer::Reply(reply.sign(&self.secret, &server_id()).unwrap())
        }
    }

    /// One exchange with nothing lost: the number of frames that it took.
    #[track_caller]
    fn exchange(agent: &mut Conversation, server: &mut Server) -> Result<usize, ConversationError> {
        agent.begin();
        for frames in 1..=8 {
            let frame = agent.sign(facts(), &identity()).unwrap();
            match server.take(&frame) {
                Answer::Reply(reply) => match agent.answer(frame.digest(), &reply)? {
                    Turn::Accepted(..) => return Ok(frames),
                    Turn::Again => {}
                },
                Answer::Refused(code) => assert!(agent.refused(code), "gave up after {code}"),
            }
        }
        panic!("no end");
    }

    #[test]
    fn the_first_costs_two_frames_and_the_others_one() {
        let (mut agent, mut server) = (conversation(), Server::new());
        assert_eq!(exchange(&mut agent, &mut server), Ok(2));
        assert_eq!(exchange(&mut agent, &mut server), Ok(1));
        server.restart();
        assert_eq!(exchange(&mut agent, &mut server), Ok(2));
        agent = conversation();
        assert_eq!(exchange(&mut agent, &mut server), Ok(2));
        assert_eq!(exchange(&mut agent, &mut server), Ok(1));
        assert_eq!(server.clones, 0);
    }

    #[test]
    fn a_server_that_never_takes_a_frame_is_given_up() {
        let (mut agent, mut server) = (conversation(), Server::new());
        agent.begin();
        for expected in [true, true, false] {
            let frame = agent.sign(facts(), &identity()).unwrap();
            server.restart();
            let Answer::Reply(reply) = server.take(&frame) else { panic!() };
            assert_eq!(agent.answer(frame.digest(), &reply).is_ok(), expected);
        }
        assert_eq!(exchange(&mut agent, &mut server), Ok(1), "the next exchange starts where it ended");
    }

    #[test]
    fn a_lost_point_is_found_again() {
        let (mut agent, mut server) = (conversation(), Server::new());
        assert_eq!(exchange(&mut agent, &mut server), Ok(2));
        agent.point.as_mut().unwrap().sequence = vigo_core::Sequence::FIRST;
        assert_eq!(exchange(&mut agent, &mut server), Ok(3), "refused as replayed, then resync, then taken");
        agent.begin();
        assert!(agent.refused("replayed"));
        assert!(!agent.refused("replayed"), "once in an exchange");
        agent.begin();
        assert!(!agent.refused("envoy_revoked"));
    }

    #[test]
    fn replies_of_others_change_nothing() {
        let (mut agent, mut server) = (conversation(), Server::new());
        agent.begin();
        let frame = agent.sign(facts(), &identity()).unwrap();
        let Answer::Reply(reply) = server.take(&frame) else { panic!() };
        let other = agent.sign(CheckIn { trusted_roots: vec![[7; 32].into()], ..facts() }, &identity()).unwrap();
        assert_eq!(
            agent.answer(other.digest(), &reply).unwrap_err(),
            ConversationError::Reply(FrameError::OtherRequest)
        );
        let mut flipped = reply.clone();
        flipped.body[5] ^= 1;
        assert_eq!(
            agent.answer(frame.digest(), &flipped).unwrap_err(),
            ConversationError::Reply(FrameError::BadSignature)
        );
        let mut stranger = Server { secret: ServerSecret::from_seed(&Zeroizing::new([8; 32])), ..Server::new() };
        let Answer::Reply(forged) = stranger.take(&frame) else { panic!() };
        assert_eq!(
            agent.answer(frame.digest(), &forged).unwrap_err(),
            ConversationError::Reply(FrameError::BadSignature)
        );
        assert!(agent.point.is_none());
    }

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Exchange,
        RequestLost,
        ReplyLost,
        ServerRestarts,
        AgentRestarts,
        Replayed(prop::sample::Index),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            3 => Just(Event::Exchange),
            2 => Just(Event::RequestLost),
            3 => Just(Event::ReplyLost),
            1 => Just(Event::ServerRestarts),
            1 => Just(Event::AgentRestarts),
            2 => any::<prop::sample::Index>().prop_map(Event::Replayed),
        ]
    }

    proptest! {
        /// Whatever is lost, whoever restarts, whatever an eavesdropper sends again: no frame is taken twice, the
        /// sequences taken only rise, and the next exchange that nothing disturbs
        /// is accepted within three frames.
        #[test]
        fn nothing_wrong_is_taken_and_nothing_gets_stuck(events in prop::collection::vec(event(), 1..120)) {
            let (mut agent, mut server) = (conversation(), Server::new());
            let mut seen = Vec::new();
            for event in events {
                match event {
                    Event::Exchange => prop_assert!(exchange(&mut agent, &mut server).unwrap() <= 3),
                    Event::RequestLost => seen.push(agent.sign(facts(), &identity()).unwrap()),
                    Event::ReplyLost => {
                        let frame = agent.sign(facts(), &identity()).unwrap();
                        let _ = server.take(&frame);
                        seen.push(frame);
                    }
                    Event::ServerRestarts => server.restart(),
                    Event::AgentRestarts => agent = conversation(),
                    Event::Replayed(index) if !seen.is_empty() => {
                        // A frame that never arrived may be taken, once; that is delivery, not replay.
                        let frame = index.get(&seen);
                        let before = server.taken.len();
                        let _ = server.take(frame);
                        let between = server.taken.len();
                        let _ = server.take(frame);
                        prop_assert!(between - before <= 1);
                        prop_assert_eq!(server.taken.len(), between, "taken twice");
                    }
                    Event::Replayed(_) => {}
                }
                prop_assert!(server.taken.is_sorted_by(|a, b| a < b));
            }
            prop_assert!(exchange(&mut agent, &mut server).unwrap() <= 3);
        }
    }
}
