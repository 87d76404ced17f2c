//! What the tests share: one fleet at one moment.

#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use vigo_ca::{CertificateAuthority, ClientRequest, ServerLeaf, SubjectName, VerifiedCsr};
use vigo_core::{
    Admission, ClientAddr, EnvoyId, IdentityKey, IdentitySecret, IssuedCertificate, Serial, ServerId, UnixTime,
};
use zeroize::Zeroizing;

/// 2026-06-01T00:00:00Z
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_780_272_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn server_id() -> ServerId {
    ServerId::from_random([0xf1; 16])
}

pub(crate) fn authority() -> CertificateAuthority {
    authority_of(server_id())
}

pub(crate) fn authority_of(server: ServerId) -> CertificateAuthority {
    CertificateAuthority::create(&server, serial(0xca), NOW).unwrap()
}

pub(crate) fn serial(byte: u8) -> Serial {
    Serial::from_random([byte; 16])
}

pub(crate) fn envoy(byte: u8) -> EnvoyId {
    EnvoyId::from_random([byte; 16])
}

pub(crate) fn identity(byte: u8) -> IdentityKey {
    IdentitySecret::from_seed(&Zeroizing::new([byte; 32])).public()
}

pub(crate) fn grant(byte: u8) -> Admission {
    let from = ClientAddr::from("192.0.2.7:40000".parse::<SocketAddr>().unwrap());
    Admission::assertion(envoy(byte), "web3.example.com".parse().unwrap(), identity(byte), from)
}

/// An envoy's certificate, issued at `now`, and its key as PEM.
pub(crate) fn issue(
    authority: &CertificateAuthority,
    byte: u8,
    now: UnixTime,
) -> (IssuedCertificate, Zeroizing<String>) {
    let request = ClientRequest::generate().unwrap();
    let csr = VerifiedCsr::from_der(request.csr()).unwrap();
    (authority.sign(&csr, grant(byte), serial(byte), now).unwrap(), request.key_pem())
}

pub(crate) fn names(texts: &[&str]) -> Vec<SubjectName> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn leaf(authority: &CertificateAuthority) -> ServerLeaf {
    authority.issue_leaf(&names(&["vigo.example.com", "127.0.0.1", "::1"]), None, serial(0x1e), NOW).unwrap()
}
