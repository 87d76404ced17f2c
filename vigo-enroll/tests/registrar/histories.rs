//! Any history of registrations, operators' acts and failures: the store does what the model says.

use std::time::Duration;

use proptest::prelude::*;
use vigo_core::record::TokenRecord;
use vigo_core::{EnvoyId, TokenText, UnixTime};
use vigo_enroll::operate::{self, Act, OperateError, TokenRequest};
use vigo_enroll::rules::Reenroll;
use vigo_enroll::{Enrolled, Refusal};

use crate::invariants::check_invariants;
use crate::machine::{Machine, draw};
use crate::model::{Asked, HOSTS, KEYS, Model, TRUSTED, tokens};
use crate::spy::{Fault, When};
use crate::world::{Engine, Fleet, HERE, block_on, no_limits, request, secs, told};

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    Register(Asked, Option<(When, Fault)>),
    /// The registration of this place is sent again.
    Repeat(prop::sample::Index, Option<(When, Fault)>),
    Revoke(usize),
    Delete(usize),
    Allow(usize, u64),
    RevokeToken(usize),
    Pass(u64),
}

fn faults() -> impl Strategy<Value = Option<(When, Fault)>> {
    let call = (1..12u64).prop_map(When::Call);
    let kind = prop_oneof![
        Just(Fault::Unavailable),
        Just(Fault::ReplyLost),
        Just(Fault::RequestLost),
        Just(Fault::Conflict),
        (1..8u64).prop_map(Fault::Late),
    ];
    prop_oneof![
        4 => Just(None),
        2 => (call, kind).prop_map(Some),
        1 => Just(Some((When::Commits(1), Fault::Gone))),
        1 => Just(Some((When::Commits(2), Fault::RequestLost))),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let asked =
        (0..KEYS, 0..HOSTS.len(), prop::option::of(0..tokens().len()), any::<bool>(), prop::option::of(0..KEYS))
            .prop_map(|(key, host, token, forced, proof)| Asked { key, host, token, forced, proof });
    let event = prop_oneof![
        12 => (asked, faults()).prop_map(|(asked, fault)| Event::Register(asked, fault)),
        4 => (any::<prop::sample::Index>(), faults()).prop_map(|(index, fault)| Event::Repeat(index, fault)),
        2 => (0..HOSTS.len()).prop_map(Event::Revoke),
        1 => (0..HOSTS.len()).prop_map(Event::Delete),
        2 => (0..HOSTS.len(), 1..40u64).prop_map(|(host, secs)| Event::Allow(host, secs)),
        1 => (0..tokens().len()).prop_map(Event::RevokeToken),
        2 => (1..20u64).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 1..40)
}

/// A registration that was sent.
struct Sent {
    asked: Asked,
    machine: Machine,
    /// Whether its result is stored, and the certificate where anybody was told it.
    stored: Option<Option<Vec<u8>>>,
}

/// Store and model side by side.
struct Run {
    fleet: Fleet,
    model: Model,
    tokens: Vec<(TokenText, TokenRecord)>,
    sent: Vec<Sent>,
    envoys: [Option<EnvoyId>; KEYS],
}

impl Run {
    fn new(engine: &Engine, mode: Reenroll) -> Self {
        let fleet = Fleet::over(engine).with_limits(&no_limits());
        fleet.set_rules(&[(TRUSTED, &["192.0.2.0/24"])], mode);
        let make = |token: crate::model::Token| {
            fleet.token_of(TokenRequest {
                uses: token.uses.try_into().expect("at least one"),
                allow_replace: token.replaces,
                ttl: Duration::from_secs(token.expires),
                ..request(token.host.map_or("*.example.com", |host| HOSTS[host]))
            })
        };
        let tokens = tokens().into_iter().map(make).collect();
        Self { tokens, fleet, model: Model::new(mode), sent: Vec::new(), envoys: [None; KEYS] }
    }

    fn now(&self) -> UnixTime {
        secs(self.model.now)
    }

    fn act(&self) -> Act {
        Act { by: "ada".to_owned(), now: self.now(), audit: draw() }
    }

    fn happen(&mut self, event: Event) {
        let (store, act) = (&*self.fleet.store, self.act());
        match event {
            Event::Register(asked, fault) => {
                let machine = self.machine(&asked);
                // Who names an envoy that is not there yet has proved nothing, then and later.
                let asked = Asked { proof: asked.proof.filter(|key| self.envoys[*key].is_some()), ..asked };
                self.sent.push(Sent { asked, machine, stored: None });
                self.send(self.sent.len() - 1, fault);
            }
            Event::Repeat(index, fault) if !self.sent.is_empty() => self.send(index.index(self.sent.len()), fault),
            Event::Repeat(..) => {}
            Event::Revoke(host) => {
                let got = self.holder(host).map(|id| block_on(operate::revoke_envoy(store, &id, "", &act)));
                assert_eq!(code(got), self.model.revoke(host), "revoke {}", HOSTS[host]);
            }
            Event::Delete(host) => {
                let got = self.holder(host).map(|id| block_on(operate::delete_envoy(store, &id, "", &act)));
                assert_eq!(code(got), self.model.delete(host), "delete {}", HOSTS[host]);
            }
            Event::Allow(host, span) => {
                let (name, until) = (HOSTS[host].parse().expect("a hostname"), secs(self.model.now + span));
                let got = block_on(operate::allow_reenroll(store, &name, until, &act));
                assert_eq!(code(Some(got)), self.model.allow(host, span), "allow {}", HOSTS[host]);
            }
            Event::RevokeToken(token) => {
                let id = self.tokens[token].1.id;
                block_on(operate::revoke_token(store, &id, "", &act)).expect("it is there");
                self.model.revoke_token(token);
            }
            Event::Pass(secs) => self.model.now += secs,
        }
        self.compare();
    }

    fn machine(&self, asked: &Asked) -> Machine {
        let seed = |key: usize| u32::try_from(key).expect("few keys");
        let mut machine = Machine::new(seed(asked.key), HOSTS[asked.host]);
        if let Some(token) = asked.token {
            machine = machine.token(&self.tokens[token].0);
        }
        if let Some(proof) = asked.proof {
            let id = self.envoys[proof].unwrap_or(EnvoyId::from_random([0xff; 16]));
            machine = machine.claiming(id, &Machine::new(seed(proof), "old.example.com"));
        }
        if asked.forced { machine.forced() } else { machine }
    }

    fn holder(&self, host: usize) -> Option<EnvoyId> {
        self.model.holder(host).and_then(|key| self.envoys[key])
    }

    /// Sends a registration, failing as it is said, and expects what the model says. Where the store was not there the
    /// machine is told to ask again; then either all of it happened or nothing.
    fn send(&mut self, place: usize, fault: Option<(When, Fault)>) {
        if let Some((when, fault)) = fault {
            self.fleet.spy.fail(when, fault);
        }
        let machine = self.sent[place].machine.clone();
        let before = check_invariants(&*self.fleet.store).envoys;
        let got = self.fleet.register_at(&machine, HERE, self.now());
        self.fleet.spy.settle();
        let happened = check_invariants(&*self.fleet.store).envoys > before;
        if told(&got) == "unavailable" && !happened {
            assert!(fault.is_some(), "nothing failed");
            return;
        }
        self.expect(place, &got, happened);
    }

    fn expect(&mut self, place: usize, got: &Result<Enrolled, Refusal>, happened: bool) {
        let sent = &mut self.sent[place];
        let expected = match &sent.stored {
            Some(_) => self.model.again(&sent.asked).to_owned(),
            None => self.model.register(&sent.asked),
        };
        assert_eq!(happened, sent.stored.is_none() && expected.starts_with("enrolled"), "{expected}");
        match got {
            Err(refusal) if refusal.code() == "unavailable" => assert!(happened),
            got => assert_eq!(told(got), expected, "{:?}", sent.asked),
        }
        if happened {
            sent.stored = Some(None);
            self.envoys[sent.asked.key] = Some(self.fleet.envoy_of(&sent.machine.identity()));
        }
        if let (Ok(enrolled), Some(certificate)) = (got, &mut sent.stored) {
            let told = certificate.get_or_insert_with(|| enrolled.certificate.clone());
            assert_eq!(*told, enrolled.certificate, "byte for byte");
        }
    }

    fn compare(&self) {
        let census = check_invariants(&*self.fleet.store);
        assert_eq!((census.envoys, census.active), (self.model.envoys(), self.model.active()));
        for (kept, token) in self.tokens.iter().zip(&self.model.tokens) {
            let record = self.fleet.token_record(&kept.1.id);
            assert_eq!(record.uses_allowed - u32::try_from(record.uses.len()).expect("few"), token.uses);
        }
    }

    /// At last every machine asks again.
    fn finish(&mut self) {
        for place in 0..self.sent.len() {
            self.send(place, None);
            self.compare();
        }
    }
}

fn code<T>(result: Option<Result<T, OperateError>>) -> &'static str {
    match result {
        Some(Ok(_)) => "ok",
        Some(Err(error)) => error.code(),
        None => "not_found",
    }
}

fn check(engine: &Engine, mode: Reenroll, events: Vec<Event>) {
    let mut run = Run::new(engine, mode);
    events.into_iter().for_each(|event| run.happen(event));
    run.finish();
}

fn modes() -> impl Strategy<Value = Reenroll> {
    prop_oneof![Just(Reenroll::Proof), Just(Reenroll::Token), Just(Reenroll::Any)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn rule_09_any_history_is_what_the_model_says(mode in modes(), events in events()) {
        check(&Engine::memory(), mode, events);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn rule_09_any_history_over_redb(mode in modes(), events in events()) {
        check(&Engine::redb(), mode, events);
    }
}
