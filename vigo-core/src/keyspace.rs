//! Where in the store each record lies. One function for each key, one constant for each prefix.
//!
//! ```
//! use vigo_core::{EnvoyId, keyspace};
//! // All envoys are one scan, each is one key.
//! let id = EnvoyId::from_random([7; 16]);
//! assert_eq!(keyspace::envoy(&id), format!("{}{id}", keyspace::ENVOYS));
//! assert_eq!(keyspace::host(&"Web3.example.com.".parse()?), "host/web3.example.com");
//! assert!(keyspace::audit_link(9) < keyspace::audit_link(10));
//! # Ok::<(), vigo_core::HostnameError>(())
//! ```

use crate::{ApprovalId, EnvoyId, Hostname, IdentityKey, RequestId, Serial, TokenId};

/// The fleet's id: 16 bytes. A store with another one belongs to another fleet.
pub const FLEET: &str = "fleet/id";
/// All envoys: [`EnvoyRecord`](crate::record::EnvoyRecord).
pub const ENVOYS: &str = "envoy/";
/// All hostnames ever enrolled: [`HostClaim`](crate::record::HostClaim).
pub const HOSTS: &str = "host/";
/// All tokens: [`TokenRecord`](crate::record::TokenRecord).
pub const TOKENS: &str = "token/";
/// All approved patterns: [`ApprovedRecord`](crate::record::ApprovedRecord).
pub const APPROVED: &str = "approved/";
/// Last-seen pages: [`SeenPage`](crate::record::SeenPage).
pub const SEEN: &str = "seen/";
/// Audit records, each under a key of its own: [`AuditRecord`](crate::audit::AuditRecord).
pub const AUDIT_RECORDS: &str = "audit/record/";
/// The audit chain: [`ChainLink`](crate::audit::ChainLink).
pub const AUDIT_CHAIN: &str = "audit/chain/";

/// One envoy.
#[must_use]
pub fn envoy(id: &EnvoyId) -> String {
    format!("{ENVOYS}{id}")
}

/// Who holds a hostname, or held it last.
#[must_use]
pub fn host(name: &Hostname) -> String {
    format!("{HOSTS}{name}")
}

/// The envoy of an identity key: 16 bytes, kept for ever, so that a key never enrols twice.
#[must_use]
pub fn identity(key: &IdentityKey) -> String {
    format!("identity/{key}")
}

/// The envoy of a certificate: 16 bytes, kept for ever.
#[must_use]
pub fn serial(serial: &Serial) -> String {
    format!("serial/{serial}")
}

/// The stored result of a registration: [`RequestRecord`](crate::record::RequestRecord).
#[must_use]
pub fn request(id: &RequestId) -> String {
    format!("request/{id}")
}

/// One token.
#[must_use]
pub fn token(id: &TokenId) -> String {
    format!("{TOKENS}{id}")
}

/// One approved pattern.
#[must_use]
pub fn approved(id: &ApprovalId) -> String {
    format!("{APPROVED}{id}")
}

/// The last-seen page that an envoy's id falls in: one of 64.
#[must_use]
pub fn seen_page(id: &EnvoyId) -> u8 {
    id.as_bytes()[0] >> 2
}

/// One last-seen page.
#[must_use]
pub fn seen(page: u8) -> String {
    format!("{SEEN}{page:02}")
}

/// An audit record's own key: 16 random bytes make it unique.
#[must_use]
pub fn audit_record(unique: [u8; 16]) -> String {
    format!("{AUDIT_RECORDS}{}", hex::encode(unique))
}

/// One link of the audit chain; the first is number 1. Keys sort as numbers do.
#[must_use]
pub fn audit_link(number: u64) -> String {
    format!("{AUDIT_CHAIN}{number:020}")
}
