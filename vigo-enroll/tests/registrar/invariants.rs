//! What holds in every store at every time, whatever failed.

use std::collections::{BTreeMap, BTreeSet};

use vigo_core::audit::AuditRecord;
use vigo_core::record::{EnvoyRecord, HostClaim, Record, RequestRecord, TokenRecord};
use vigo_core::store::Store;
use vigo_core::{EnvoyId, Hostname, keyspace};

use crate::world::entries;

/// How much of what a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) envoys: usize,
    pub(crate) active: usize,
    pub(crate) uses: usize,
    pub(crate) requests: usize,
    pub(crate) audits: usize,
}

/// Checks that the records of a store fit each other.
#[track_caller]
pub(crate) fn check_invariants(store: &dyn Store) -> Census {
    let envoys = envoys(store);
    check_hosts(store, &envoys);
    let uses = check_tokens(store, &envoys);
    check_pointers(store, &envoys);
    let requests = check_requests(store, &envoys);
    let audits = check_audit(store, &envoys);
    let active = envoys.values().filter(|envoy| envoy.revocation.is_none()).count();
    Census { envoys: envoys.len(), active, uses, requests, audits }
}

fn records<R: Record>(store: &dyn Store, prefix: &str) -> Vec<(String, R)> {
    let key = |entry: &vigo_core::store::Entry| String::from_utf8(entry.key.clone()).expect("keys are text");
    entries(store, prefix)
        .iter()
        .map(|entry| (key(entry), R::decode(&entry.value).unwrap_or_else(|error| panic!("{}: {error}", key(entry)))))
        .collect()
}

fn envoys(store: &dyn Store) -> BTreeMap<EnvoyId, EnvoyRecord> {
    let records = records::<EnvoyRecord>(store, keyspace::ENVOYS);
    for (key, record) in &records {
        assert_eq!(*key, keyspace::envoy(&record.id), "an envoy lies under its id");
    }
    records.into_iter().map(|(_, record)| (record.id, record)).collect()
}

/// Every envoy in service holds the claim of its name, and every claim that is held is held by such an envoy.
#[track_caller]
fn check_hosts(store: &dyn Store, envoys: &BTreeMap<EnvoyId, EnvoyRecord>) {
    let mut held: BTreeMap<Hostname, EnvoyId> = BTreeMap::new();
    for (key, claim) in records::<HostClaim>(store, keyspace::HOSTS) {
        let envoy = envoys.get(&claim.envoy).unwrap_or_else(|| panic!("{key} names no envoy"));
        assert_eq!(key, keyspace::host(&envoy.hostname), "a claim is of its envoy's name");
        assert_eq!(claim.released.is_some(), envoy.revocation.is_some(), "{key}: claim and envoy tell the same");
        if claim.released.is_none() {
            held.insert(envoy.hostname.clone(), envoy.id);
        }
    }
    let mut active: BTreeMap<Hostname, EnvoyId> = BTreeMap::new();
    for envoy in envoys.values().filter(|envoy| envoy.revocation.is_none()) {
        let other = active.insert(envoy.hostname.clone(), envoy.id);
        assert_eq!(other, None, "two envoys in service are named {}", envoy.hostname);
    }
    assert_eq!(held, active, "claims and envoys in service");
}

/// Every use of a token is an envoy that it admitted, and every such envoy is one use.
#[track_caller]
fn check_tokens(store: &dyn Store, envoys: &BTreeMap<EnvoyId, EnvoyRecord>) -> usize {
    let mut uses: BTreeSet<EnvoyId> = BTreeSet::new();
    for (key, token) in records::<TokenRecord>(store, keyspace::TOKENS) {
        assert!(token.uses.len() <= token.uses_allowed as usize, "{key} was used too often");
        for used in &token.uses {
            let envoy = envoys.get(&used.envoy).unwrap_or_else(|| panic!("{key} was used for no envoy"));
            assert_eq!(envoy.admitted_by, format!("token:{}", token.id), "{key} was used for {}", envoy.id);
            assert_eq!((used.identity, used.at), (envoy.identity, envoy.enrolled_at), "{key}");
            assert!(uses.insert(envoy.id), "{key} was used twice for {}", envoy.id);
        }
    }
    let admitted = envoys.values().filter(|envoy| envoy.admitted_by.starts_with("token:")).map(|envoy| envoy.id);
    assert_eq!(admitted.collect::<BTreeSet<_>>(), uses, "envoys that a token admitted, and uses of tokens");
    uses.len()
}

/// Serials and identity keys lead to their envoys, and every envoy's do.
#[track_caller]
fn check_pointers(store: &dyn Store, envoys: &BTreeMap<EnvoyId, EnvoyRecord>) {
    let stored = |prefix| -> BTreeMap<Vec<u8>, Vec<u8>> {
        entries(store, prefix).into_iter().map(|entry| (entry.key, entry.value)).collect()
    };
    let expected = |keys: &dyn Fn(&EnvoyRecord) -> Vec<String>| -> BTreeMap<Vec<u8>, Vec<u8>> {
        let of = |envoy: &EnvoyRecord| {
            let id = envoy.id.as_bytes().to_vec();
            keys(envoy).into_iter().map(move |key| (key.into_bytes(), id.clone()))
        };
        envoys.values().flat_map(of).collect()
    };
    let serials = expected(&|envoy| envoy.certificates.iter().map(|c| keyspace::serial(&c.serial)).collect());
    assert_eq!(stored("serial/"), serials, "serials");
    let identities = expected(&|envoy| vec![keyspace::identity(&envoy.identity)]);
    assert_eq!(identities.len(), envoys.len(), "no two envoys ever have one identity key");
    assert_eq!(stored("identity/"), identities, "identity keys");
}

/// Every stored result is of an envoy, and every envoy has one.
#[track_caller]
fn check_requests(store: &dyn Store, envoys: &BTreeMap<EnvoyId, EnvoyRecord>) -> usize {
    let requests = records::<RequestRecord>(store, "request/");
    let mut of: BTreeSet<EnvoyId> = BTreeSet::new();
    for (key, request) in &requests {
        let envoy = envoys.get(&request.envoy).unwrap_or_else(|| panic!("{key} leads to no envoy"));
        assert_eq!((request.identity, &request.hostname), (envoy.identity, &envoy.hostname), "{key}");
        assert!(!request.certificate.is_empty(), "{key} has no certificate");
        assert!(of.insert(envoy.id), "{} has two requests", envoy.id);
    }
    assert_eq!(of, envoys.keys().copied().collect(), "requests and envoys");
    requests.len()
}

/// Every envoy came by one act in the audit log, and went by one.
#[track_caller]
fn check_audit(store: &dyn Store, envoys: &BTreeMap<EnvoyId, EnvoyRecord>) -> usize {
    let audits = records::<AuditRecord>(store, keyspace::AUDIT_RECORDS);
    let subjects = |action: &str| -> Vec<String> {
        let done = audits.iter().filter(|(_, record)| record.action == action && record.outcome == "ok");
        let mut subjects: Vec<String> = done.map(|(_, record)| record.subject.clone()).collect();
        subjects.sort();
        subjects
    };
    let mut ids: Vec<String> = envoys.keys().map(ToString::to_string).collect();
    ids.sort();
    assert_eq!(subjects("envoy.enrol"), ids, "enrolments in the audit log");
    for envoy in envoys.values() {
        let id = envoy.id.to_string();
        let gone = ["envoy.revoke", "envoy.delete"].iter().any(|action| subjects(action).contains(&id))
            || audits
                .iter()
                .any(|(_, r)| r.outcome == "ok" && r.detail.to_lowercase().contains(&format!("replaced {id}")));
        assert_eq!(gone, envoy.revocation.is_some(), "the audit log knows what became of {id}");
    }
    audits.len()
}
