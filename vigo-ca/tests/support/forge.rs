//! Certificates that no authority of ours would make, some of them signed with its key all the same.

#![allow(dead_code, reason = "each test file uses its part")]

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use vigo_ca::{CertificateAuthority, PeerIdentity};
use vigo_core::{ServerId, UnixTime};

use crate::fleet::{DAY, NOW, envoy, identity, serial};

/// A certificate and its key.
pub(crate) struct Forged {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: KeyPair,
}

impl Forged {
    pub(crate) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

pub(crate) fn p256() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

pub(crate) fn datetime(time: UnixTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.as_secs().try_into().unwrap()).unwrap()
}

pub(crate) fn envoy_uri(server: &ServerId, byte: u8) -> String {
    format!("vigo://{server}/envoy/{}/{}", envoy(byte), hex::encode(PeerIdentity::digest_of(&identity(byte))))
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// What an envoy's certificate is made of, to be changed.
pub(crate) fn envoy_params(server: &ServerId, byte: u8) -> CertificateParams {
    params(byte, ExtendedKeyUsagePurpose::ClientAuth, vec![uri(&envoy_uri(server, byte))])
}

/// What a server's certificate is made of, to be changed.
pub(crate) fn leaf_params(names: &[&str]) -> CertificateParams {
    let names = names.iter().map(|name| match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName((*name).try_into().unwrap()),
    });
    params(0x1e, ExtendedKeyUsagePurpose::ServerAuth, names.collect())
}

/// What a CA's certificate is made of, to be changed. It has no name of ours: any fleet may use it.
pub(crate) fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(0xca, ExtendedKeyUsagePurpose::Any, vec![]);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![];
    params
}

fn params(byte: u8, usage: ExtendedKeyUsagePurpose, names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(rcgen::SerialNumber::from_slice(serial(byte).as_bytes()));
    params.not_before = datetime(NOW.before(DAY));
    params.not_after = datetime(NOW.after(DAY));
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.subject_alt_names = names;
    params
}

/// Signed with the authority's own key: what a thief of it could make, or an authority with a mistake in it.
pub(crate) fn signed_by(authority: &CertificateAuthority, params: &CertificateParams) -> Forged {
    let ca_key = KeyPair::from_pem(&authority.key_pem().unwrap()).unwrap();
    let root = CertificateDer::from(authority.root().der.as_slice());
    let issuer = Issuer::from_ca_cert_der(&root, ca_key).unwrap();
    let key = p256();
    Forged { der: params.signed_by(&key, &issuer).unwrap().into(), key }
}

/// Signed with the key of another certificate, whatever that is for.
pub(crate) fn signed_under(upper: &Forged, params: &CertificateParams) -> Forged {
    let issuer = Issuer::from_ca_cert_der(&upper.der, &upper.key).unwrap();
    let key = p256();
    Forged { der: params.signed_by(&key, &issuer).unwrap().into(), key }
}

pub(crate) fn self_signed(params: &CertificateParams) -> Forged {
    let key = p256();
    Forged { der: params.self_signed(&key).unwrap().into(), key }
}

/// An authority that was not made by us, with this certificate and key, for a fleet.
pub(crate) fn adopted(ca: &Forged, server: ServerId) -> CertificateAuthority {
    let cert = vigo_ca::pem::encode_certificate(&ca.der);
    CertificateAuthority::load(&cert, Some(&ca.key.serialize_pem()), &server, NOW).unwrap()
}
