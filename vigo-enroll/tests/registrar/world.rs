//! A server of a fleet: registrar, issuer, bcrypt and a store that is watched.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tempfile::TempDir;
use vigo_core::audit::AuditRecord;
use vigo_core::record::{EnvoyRecord, Record, TokenRecord};
use vigo_core::store::{Entry, MemoryStore, RedbStore, Store, scan_all};
use vigo_core::{ApprovalId, ClientAddr, EnvoyId, IdentityKey, Pin, TokenId, TokenText, UnixTime, keyspace};
use vigo_enroll::operate::{self, Act, AnyHost, TokenDice, TokenRequest};
use vigo_enroll::rules::{Reenroll, Rules, TrustedRule};
use vigo_enroll::token::TokenKey;
use vigo_enroll::{Dice, Enrolled, HashPool, Limits, Rate, Refusal, Registrar, RegistrarParts};
use zeroize::Zeroizing;

use crate::issuer::{FakeIssuer, Temper};
use crate::machine::{Machine, draw, root};
use crate::spy::Spy;

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_780_000_000);

/// Where machines come from where a test says nothing else.
pub(crate) const HERE: &str = "192.0.2.7";

const FLEET_KEY: [u8; 32] = [0x11; 32];

pub(crate) fn secs(after: u64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs() + after)
}

pub(crate) fn addr(text: &str) -> ClientAddr {
    ClientAddr::new(text.parse().expect("an address"))
}

/// Runs a future on this thread. Nothing here needs a runtime, and so it is.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// An empty store, with the folder that it lies in.
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    pub(crate) store: Arc<dyn Store>,
    _dir: Option<TempDir>,
}

impl Engine {
    pub(crate) fn memory() -> Self {
        Self { name: "memory", store: Arc::new(MemoryStore::new()), _dir: None }
    }

    pub(crate) fn redb() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let path: &Path = &dir.path().join("vigo.redb");
        let store = RedbStore::create(path).expect("a new store");
        Self { name: "redb", store: Arc::new(store), _dir: Some(dir) }
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::memory(), Self::redb()]
    }
}

/// The server.
pub(crate) struct Fleet {
    /// What operators and tests use.
    pub(crate) store: Arc<dyn Store>,
    /// What the registrar uses: the same, watched.
    pub(crate) spy: Arc<Spy>,
    pub(crate) issuer: Arc<FakeIssuer>,
    pub(crate) hashes: Arc<HashPool>,
    pub(crate) registrar: Registrar<dyn Store>,
}

impl Fleet {
    /// In memory, admitting nobody without a token.
    pub(crate) fn new() -> Self {
        Self::over(&Engine::memory())
    }

    pub(crate) fn over(engine: &Engine) -> Self {
        Self::start(Arc::clone(&engine.store), rules(&[], Reenroll::Token), Temper::Good)
    }

    pub(crate) fn with_issuer(temper: Temper) -> Self {
        Self::start(Engine::memory().store, rules(&[("*.example.com", &["192.0.2.0/24"])], Reenroll::Token), temper)
    }

    /// Another server of the same fleet, with the same rules.
    pub(crate) fn another(&self) -> Self {
        self.another_with_hashes(hash_pool())
    }

    pub(crate) fn another_with_hashes(&self, hashes: HashPool) -> Self {
        Self::start_with(Arc::clone(&self.store), (*self.registrar.rules()).clone(), Temper::Good, hashes)
    }

    fn start(store: Arc<dyn Store>, rules: Rules, temper: Temper) -> Self {
        Self::start_with(store, rules, temper, hash_pool())
    }

    fn start_with(store: Arc<dyn Store>, rules: Rules, temper: Temper, hashes: HashPool) -> Self {
        let spy = Arc::new(Spy::new(Arc::clone(&store)));
        let issuer = Arc::new(FakeIssuer::new(temper));
        let hashes = Arc::new(hashes);
        let registrar = Registrar::new(RegistrarParts {
            store: Arc::clone(&spy) as Arc<dyn Store>,
            issuer: Arc::clone(&issuer) as Arc<dyn vigo_core::Issuer>,
            tokens: token_key(),
            hashes: Arc::clone(&hashes),
            rules,
            roots: vec![root()],
        });
        Self { store, spy, issuer, hashes, registrar }
    }

    pub(crate) fn with_limits(self, limits: &Limits) -> Self {
        Self { registrar: self.registrar.with_limits(limits), ..self }
    }

    pub(crate) fn set_rules(&self, trusted: &[(&str, &[&str])], reenroll: Reenroll) {
        let approved = block_on(operate::approvals(&*self.store)).expect("a list");
        self.registrar.set_rules(rules(trusted, reenroll).with_approved(approved));
    }

    /// Approves a pattern and tells the registrar.
    pub(crate) fn approve(&self, pattern: &str) -> ApprovalId {
        let id = ApprovalId::from_random(draw());
        let pattern = pattern.parse().expect("a pattern");
        block_on(operate::add_approval(&*self.store, id, pattern, AnyHost::Unconfirmed, "", &act()))
            .expect("it is approved");
        let approved = block_on(operate::approvals(&*self.store)).expect("a list");
        self.registrar.set_rules(self.registrar.rules().with_approved(approved));
        id
    }

    /// A token of one use, good for an hour from anywhere.
    pub(crate) fn token(&self, pattern: &str) -> TokenText {
        self.token_of(request(pattern)).0
    }

    pub(crate) fn token_of(&self, request: TokenRequest) -> (TokenText, TokenRecord) {
        block_on(self.create_token(request)).expect("a token")
    }

    pub(crate) async fn create_token(
        &self,
        request: TokenRequest,
    ) -> Result<(TokenText, TokenRecord), operate::OperateError> {
        let dice = TokenDice { id: draw(), secret: fresh_secret(), salt: draw() };
        operate::create_token(&*self.store, &self.hashes, &token_key(), request, &root(), &act(), dice).await
    }

    pub(crate) fn register(&self, machine: &Machine) -> Result<Enrolled, Refusal> {
        self.register_at(machine, HERE, NOW)
    }

    pub(crate) fn register_at(&self, machine: &Machine, from: &str, now: UnixTime) -> Result<Enrolled, Refusal> {
        block_on(self.registrar.register(machine.signed(), addr(from), now, dice()))
    }

    /// Enrols it, which must succeed.
    #[track_caller]
    pub(crate) fn enrol(&self, machine: &Machine) -> Enrolled {
        self.register(machine).unwrap_or_else(|refusal| panic!("{}: {}", machine.hostname, refusal.audit_code()))
    }

    pub(crate) fn envoy(&self, id: &EnvoyId) -> EnvoyRecord {
        self.record(&keyspace::envoy(id))
    }

    /// The envoy that this key enrolled as.
    pub(crate) fn envoy_of(&self, key: &IdentityKey) -> EnvoyId {
        let entry = block_on(self.store.get(keyspace::identity(key).as_bytes())).expect("an answer");
        EnvoyId::try_from(entry.expect("it enrolled").value.as_slice()).expect("an id")
    }

    pub(crate) fn token_record(&self, id: &TokenId) -> TokenRecord {
        self.record(&keyspace::token(id))
    }

    fn record<R: Record>(&self, key: &str) -> R {
        let entry = block_on(self.store.get(key.as_bytes())).expect("an answer").expect("a record");
        R::decode(&entry.value).expect("a readable record")
    }

    /// The audit log, the oldest record first.
    pub(crate) fn audit(&self) -> Vec<AuditRecord> {
        let mut entries = entries(&*self.store, keyspace::AUDIT_RECORDS);
        entries.sort_by_key(|entry| entry.revision);
        entries.iter().map(|entry| AuditRecord::decode(&entry.value).expect("a readable record")).collect()
    }

    pub(crate) fn last_audit(&self) -> AuditRecord {
        self.audit().pop().expect("an audit record")
    }
}

pub(crate) fn entries(store: &dyn Store, prefix: &str) -> Vec<Entry> {
    block_on(scan_all(store, prefix.as_bytes())).expect("a scan").entries
}

pub(crate) fn rules(trusted: &[(&str, &[&str])], reenroll: Reenroll) -> Rules {
    let trusted = trusted.iter().map(|(pattern, cidrs)| {
        let cidrs = cidrs.iter().map(|cidr| cidr.parse().expect("a network")).collect();
        TrustedRule::new(pattern.parse().expect("a pattern"), cidrs).expect("a rule")
    });
    Rules::new(trusted.collect(), vec![], reenroll)
}

/// Two threads, room for every racer, and the least cost that there is.
fn hash_pool() -> HashPool {
    HashPool::new(2.try_into().expect("not zero"), 64, 4).expect("threads")
}

pub(crate) fn token_key() -> TokenKey {
    TokenKey::derive(&FLEET_KEY)
}

pub(crate) fn ca_pin() -> Pin {
    root()
}

pub(crate) fn fresh_secret() -> Zeroizing<[u8; 32]> {
    let mut secret = [0xa5; 32];
    secret[..16].copy_from_slice(&draw());
    Zeroizing::new(secret)
}

pub(crate) fn request(pattern: &str) -> TokenRequest {
    TokenRequest::new(pattern.parse().expect("a pattern"))
}

pub(crate) fn dice() -> Dice {
    Dice { envoy: draw(), serial: draw(), audit: draw() }
}

/// Ada does something.
pub(crate) fn act() -> Act {
    Act { by: "ada".to_owned(), now: NOW, audit: draw() }
}

/// Limits that no test reaches by accident.
pub(crate) fn no_limits() -> Limits {
    let plenty = Rate { burst: 1_000_000, per_minute: 60_000 };
    Limits { registrations: plenty, tokens: plenty, replacements: plenty, refusals: plenty, all_refusals: plenty }
}

/// What came of a registration, in words; for a refusal the code, and the finer one for the audit log where they differ.
pub(crate) fn told(result: &Result<Enrolled, Refusal>) -> String {
    match result {
        Ok(Enrolled { repeated: true, .. }) => "enrolled before".to_owned(),
        Ok(enrolled) => match (&enrolled.replaced, enrolled.permit) {
            (None, None) => "enrolled".to_owned(),
            (None, Some(permit)) => format!("enrolled, allowed by {permit}"),
            (Some(_), Some(permit)) => format!("enrolled, replaced by {permit}"),
            (Some(_), None) => "enrolled, replaced without a permit".to_owned(),
        },
        Err(refusal) if refusal.code() == refusal.audit_code() => refusal.code().to_owned(),
        Err(refusal) => format!("{} ({})", refusal.code(), refusal.audit_code()),
    }
}

/// Token checks limited like this, and nothing else.
pub(crate) fn with_token_limit(tokens: Rate) -> Limits {
    Limits { tokens, ..no_limits() }
}
