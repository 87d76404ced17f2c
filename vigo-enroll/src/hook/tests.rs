use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use vigo_core::audit::AuditRecord;
use vigo_core::frame::Audience;
use vigo_core::record::Record as _;
use vigo_core::store::{Entry, MemoryStore, Outcome, Page, Revision, Store, StoreError, Transaction, Watch, scan_all};
use vigo_core::{
    Admission, ClientAddr, IdentitySecret, IssueError, IssuedCertificate, Issuer, Pin, Platform, Registration,
    RequestId, Serial, Takeover, TokenText, UnixTime, keyspace,
};
use zeroize::Zeroizing;

use super::{AdmissionHook, Candidate, HookAnswer};
use crate::operate::{self, Act, TokenDice, TokenRequest};
use crate::refusal::{Reason, RefusalKind};
use crate::rules::{Reenroll, Rules, TrustedRule};
use crate::token::TokenKey;
use crate::{Dice, Enrolled, HashPool, Refusal, Registrar, RegistrarParts};

const NOW: UnixTime = UnixTime::from_secs(1_780_000_000);

fn root() -> Pin {
    Pin::from([0xca; 32])
}

fn draw() -> [u8; 16] {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes
}

/// Writes down whom it is asked about; refuses while it has words for that.
#[derive(Default)]
struct Hook {
    asked: Mutex<Vec<String>>,
    refuses: Mutex<Option<&'static str>>,
}

#[async_trait]
impl AdmissionHook for Hook {
    async fn ask(&self, candidate: Candidate<'_>) -> HookAnswer {
        let Candidate { request, grant, identity, platform, now } = candidate;
        let (host, from, way_in) = (&request.hostname, request.from, grant.way_in());
        let key = &identity.to_string()[..8];
        self.asked.lock().unwrap().push(format!(
            "{host} from {from} by {way_in}, {key} {} {}",
            platform.os,
            now.as_secs()
        ));
        match *self.refuses.lock().unwrap() {
            Some(message) => HookAnswer::Refuse { message: message.to_owned() },
            None => HookAnswer::Proceed,
        }
    }
}

/// Signs nothing, and counts what it was asked to sign.
#[derive(Default)]
struct Counter(AtomicU64);

impl Issuer for Counter {
    fn check(&self, _: &[u8]) -> Result<(), IssueError> {
        Ok(())
    }

    fn issue(&self, csr: &[u8], _: Admission, serial: Serial, now: UnixTime) -> Result<IssuedCertificate, IssueError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(IssuedCertificate { der: csr.to_vec(), serial, key_pin: Pin::of_spki(csr), not_after: now })
    }
}

/// A store where somebody else is faster, the first time.
struct Contended(MemoryStore, AtomicU64);

#[async_trait]
impl Store for Contended {
    async fn get(&self, key: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.0.get(key).await
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        self.0.scan(prefix, after, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        match self.1.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(Outcome::Conflict),
            _ => self.0.commit(transaction).await,
        }
    }

    fn watch(&self, prefix: &[u8], from: Revision) -> Watch {
        self.0.watch(prefix, from)
    }
}

struct Fleet<S: Store> {
    store: Arc<S>,
    issuer: Arc<Counter>,
    hook: Arc<Hook>,
    hashes: Arc<HashPool>,
    registrar: Registrar<S>,
}

fn token_key() -> TokenKey {
    TokenKey::derive(&[0x11; 32])
}

impl<S: Store> Fleet<S> {
    fn over(store: S) -> Self {
        let lan =
            TrustedRule::new("*.lan.example.com".parse().unwrap(), vec!["192.0.2.0/24".parse().unwrap()]).unwrap();
        let (store, issuer, hook) = (Arc::new(store), Arc::new(Counter::default()), Arc::new(Hook::default()));
        let hashes = Arc::new(HashPool::new(1.try_into().unwrap(), 8, 4).unwrap());
        let registrar = Registrar::new(RegistrarParts {
            store: Arc::clone(&store),
            issuer: Arc::clone(&issuer) as Arc<dyn Issuer>,
            tokens: token_key(),
            hashes: Arc::clone(&hashes),
            rules: Rules::new(vec![lan], vec![], Reenroll::Token),
            roots: vec![root()],
        });
        let registrar = registrar.with_hook(Arc::clone(&hook) as Arc<dyn AdmissionHook>);
        Self { store, issuer, hook, hashes, registrar }
    }

    async fn register(&self, hostname: &str, token: Option<&TokenText>) -> Result<Enrolled, Refusal> {
        let secret = IdentitySecret::from_seed(&Zeroizing::new([7; 32]));
        let registration = Registration {
            kind: vigo_core::RegistrationKind::Enrol,
            request: RequestId::from_random([7; 16]),
            identity: secret.public(),
            csr: b"csr".to_vec(),
            hostname: hostname.parse().unwrap(),
            token: token.map(|token| TokenText::new(token.reveal().to_owned())),
            takeover: Takeover::No,
            reported_ip: None,
            platform: Platform { agent_version: "1".into(), os: "linux".into(), arch: "riscv64".into() },
        };
        let signed = registration.sign(&secret, None, Audience::root(&root())).unwrap();
        let dice = Dice { envoy: draw(), serial: draw(), audit: draw() };
        self.registrar.register(signed, ClientAddr::new("192.0.2.7".parse().unwrap()), NOW, dice).await
    }

    fn refuse(&self, message: Option<&'static str>) {
        *self.hook.refuses.lock().unwrap() = message;
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.hook.asked.lock().unwrap())
    }

    fn signed(&self) -> u64 {
        self.issuer.0.load(Ordering::Relaxed)
    }

    async fn audit(&self) -> Vec<(String, String)> {
        let page = scan_all(&*self.store, keyspace::AUDIT_RECORDS.as_bytes()).await.unwrap();
        let records = page.entries.iter().map(|entry| AuditRecord::decode(&entry.value).unwrap());
        records.map(|record| (record.outcome, record.detail)).collect()
    }
}

const ASKED: &str = "web1.lan.example.com from 192.0.2.7 by trusted:1:*.lan.example.com, ea4a6c63 linux 1780000000";

#[tokio::test]
async fn a_refusal_comes_before_anything_is_signed_and_is_in_the_audit_log() {
    let fleet = Fleet::over(MemoryStore::new());
    fleet.refuse(Some("web1 is not in the inventory"));
    let refusal = fleet.register("web1.lan.example.com", None).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.kind()), ("refused_by_hook", RefusalKind::Policy));
    assert_eq!(refusal.message(), "web1 is not in the inventory");
    assert_eq!(fleet.asked(), [ASKED]);
    assert_eq!(fleet.signed(), 0);
    assert_eq!(fleet.audit().await, [("refused_by_hook".to_owned(), "web1 is not in the inventory".to_owned())]);
    let all = scan_all(&*fleet.store, b"").await.unwrap();
    assert_eq!(all.entries.len(), 1, "but for the audit record nothing was written");

    fleet.refuse(None);
    assert!(fleet.register("web1.lan.example.com", None).await.is_ok(), "a refusal is no ban");
    assert_eq!((fleet.asked(), fleet.signed()), (vec![ASKED.to_owned()], 1));
}

#[tokio::test]
async fn whom_the_rules_refuse_no_hook_lets_in() {
    let fleet = Fleet::over(MemoryStore::new());
    let refusal = fleet.register("web1.example.com", None).await.unwrap_err();
    assert_eq!(refusal.code(), "not_admitted");
    let forged = TokenText::new("vgt1.forged".to_owned());
    let refusal = fleet.register("web1.lan.example.com", Some(&forged)).await.unwrap_err();
    assert_eq!(refusal.code(), "token_rejected");
    assert_eq!(fleet.asked(), [""; 0], "it is not even asked");
}

#[tokio::test]
async fn a_token_is_not_used_by_a_machine_that_the_hook_refused() {
    let fleet = Fleet::over(MemoryStore::new());
    let request = TokenRequest::new("web1.example.com".parse().unwrap());
    let act = Act { by: "ada".to_owned(), now: NOW, audit: draw() };
    let dice = TokenDice { id: draw(), secret: Zeroizing::new([0xa5; 32]), salt: draw() };
    let made = operate::create_token(&*fleet.store, &fleet.hashes, &token_key(), request, &root(), &act, dice).await;
    let token = made.unwrap().0;
    fleet.refuse(Some("not today"));
    for _ in 0..2 {
        assert_eq!(fleet.register("web1.example.com", Some(&token)).await.unwrap_err().code(), "refused_by_hook");
    }
    fleet.refuse(None);
    assert!(fleet.register("web1.example.com", Some(&token)).await.is_ok());
}

#[tokio::test]
async fn what_was_won_stays_won() {
    let fleet = Fleet::over(MemoryStore::new());
    let first = fleet.register("web1.lan.example.com", None).await.unwrap();
    fleet.refuse(Some("changed my mind"));
    let again = fleet.register("web1.lan.example.com", None).await.unwrap();
    assert_eq!((again.repeated, again.record), (true, first.record));
    assert_eq!(fleet.asked().len(), 1);
}

#[tokio::test]
async fn a_decision_that_stays_the_same_is_asked_about_once() {
    let fleet = Fleet::over(Contended(MemoryStore::new(), AtomicU64::new(0)));
    assert!(fleet.register("web1.lan.example.com", None).await.is_ok());
    assert_eq!(fleet.store.1.load(Ordering::Relaxed), 2, "the first commit met a conflict");
    assert_eq!(fleet.asked(), [ASKED]);
}

#[track_caller]
fn check(message: &str, expected: &str) {
    let refusal = Refusal::from(Reason::RefusedByHook { message: message.to_owned() });
    assert_eq!(refusal.message(), expected);
}

#[test]
fn a_hooks_words_are_fit_for_a_terminal() {
    check("Not in the inventory", "Not in the inventory");
    check("no\u{1b}[2J, not\r\n this one", "no[2J, not this one");
    check("", "The server's operator does not admit this host");
    check("\n \t", "The server's operator does not admit this host");
    check(&"ä".repeat(1000), &"ä".repeat(HookAnswer::MAX_MESSAGE));
}
