//! A hook that may only tighten: after the rules say yes, the embedder's code may say no, never the other way round.
//!
//! ```sh
//! cargo run -p vigo-examples --bin approval_hook -- web1.lan.example.com db1.lan.example.com web1.example.net
//! ```
//!
//! A whole registrar in memory, its rules admitting all of `*.lan.example.com`, and a hook that knows an inventory.
//! Prints what becomes of each host, and then the audit log.

use std::sync::Arc;

use vigo_ca::{CertificateAuthority, ClientRequest};
use vigo_core::audit::AuditRecord;
use vigo_core::frame::Audience;
use vigo_core::record::Record as _;
use vigo_core::store::{MemoryStore, scan_all};
use vigo_core::{
    ClientAddr, IdentitySecret, Platform, Registration, RequestId, Serial, ServerId, SignedRegistration, Takeover,
    keyspace,
};
use vigo_enroll::rules::{Reenroll, Rules, TrustedRule};
use vigo_enroll::token::TokenKey;
use vigo_enroll::{AdmissionHook, Candidate, Dice, HashPool, HookAnswer, Registrar, RegistrarParts};

/// The names that somebody bought a machine for.
struct Inventory(Vec<String>);

#[async_trait::async_trait]
impl AdmissionHook for Inventory {
    /// Only whom the rules admit comes here, and there is no answer that lets in anybody else.
    async fn ask(&self, candidate: Candidate<'_>) -> HookAnswer {
        let name = candidate.request.hostname.as_str();
        if self.0.iter().any(|known| known == name) {
            return HookAnswer::Proceed;
        }
        HookAnswer::Refuse {
            message: format!("{name} is not in the inventory ({} admits it)", candidate.grant.way_in()),
        }
    }
}

/// What an agent sends: a new identity, a certificate request, a name.
fn machine(hostname: &str, audience: Audience) -> anyhow::Result<SignedRegistration> {
    let identity = IdentitySecret::from_seed(&vigo_examples::seed());
    let registration = Registration {
        kind: vigo_core::RegistrationKind::Enrol,
        request: RequestId::from_random(vigo_examples::id()),
        identity: identity.public(),
        csr: ClientRequest::generate()?.csr().to_vec(),
        hostname: hostname.parse()?,
        token: None,
        takeover: Takeover::No,
        reported_ip: None,
        platform: Platform::default(),
    };
    Ok(registration.sign(&identity, None, audience)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let now = vigo_examples::now();
    let server = ServerId::from_random(vigo_examples::id());
    let authority = CertificateAuthority::create(&server, Serial::from_random(vigo_examples::id()), now)?;
    let root = authority.root().pin;
    let lan = TrustedRule::new("*.lan.example.com".parse()?, vec!["192.0.2.0/24".parse()?])?;
    let store = Arc::new(MemoryStore::new());
    let registrar = Registrar::new(RegistrarParts {
        store: Arc::clone(&store),
        issuer: Arc::new(authority),
        tokens: TokenKey::derive(&vigo_examples::seed()),
        hashes: Arc::new(HashPool::new(1.try_into()?, 8, 10)?),
        rules: Rules::new(vec![lan], vec![], Reenroll::Token),
        roots: vec![root],
    });
    // In a whole server: `vigo_server::Builder::admission_hook`.
    let registrar = registrar.with_hook(Arc::new(Inventory(vec!["web1.lan.example.com".to_owned()])));

    for hostname in std::env::args().skip(1) {
        let frame = machine(&hostname, Audience::root(&root))?;
        let from = ClientAddr::new("192.0.2.7".parse()?);
        let dice = Dice { envoy: vigo_examples::id(), serial: vigo_examples::id(), audit: vigo_examples::id() };
        match registrar.register(frame, from, now, dice).await {
            Ok(enrolled) => println!("{hostname}: enrolled by {}", enrolled.record.admitted_by),
            Err(refusal) => println!("{hostname}: {}: {}", refusal.code(), refusal.message()),
        }
    }
    let mut entries = scan_all(&*store, keyspace::AUDIT_RECORDS.as_bytes()).await?.entries;
    entries.sort_by_key(|entry| entry.revision);
    for entry in entries {
        let record = AuditRecord::decode(&entry.value)?;
        println!("audit: {} {}: {}", record.action, record.outcome, record.detail);
    }
    Ok(())
}
