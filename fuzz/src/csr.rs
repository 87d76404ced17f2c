//! Certificate requests: whatever one says, its key is all that gets into the certificate.
//!
//! An even first byte: the others are a request in DER. An odd one: they are the signed part of a request, and are
//! signed here with a fixed Ed25519 key, so that what lies behind the check of the signature is reached.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use rustls_pki_types::{CertificateDer, UnixTime as TlsTime};
use vigo_ca::{CertificateAuthority, PeerIdentity, VerifiedCsr};
use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret, Pin, Serial, ServerId, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

use crate::Seed;
use crate::input::flip_a_bit;

const NOW: UnixTime = UnixTime::from_secs(1_780_272_000);
const SERVER: ServerId = ServerId::from_random([0xf1; 16]);
const SERIAL: Serial = Serial::from_random([0x55; 16]);
/// The algorithm identifier of Ed25519.
const ED25519: [u8; 7] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
/// id-Ed25519's neighbour: Ed448.
const ED448: [u8; 7] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x71];

/// Made once for this target, and good for nothing else.
static AUTHORITY: LazyLock<CertificateAuthority> = LazyLock::new(|| {
    let (cert, key) = (include_str!("csr/authority.pem"), include_str!("csr/authority_key.pem"));
    CertificateAuthority::load(cert, Some(key), &SERVER, NOW).expect("the fixed authority")
});

/// The certificate of a request that asks for nothing.
static PLAIN: LazyLock<Vec<u8>> = LazyLock::new(|| issue(&signed(&info(&[0x30, 0], &[]))).expect("a plain request"));

/// The target.
pub fn check(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let request = if mode & 1 == 0 { rest.to_vec() } else { signed(rest) };
    let Some(der) = issue(&request) else { return };
    let (_, asked) = X509CertificationRequest::from_der(&request).expect("it was read before");
    let key = asked.certification_request_info.subject_pki.raw;
    let read = PeerIdentity::from_certificate(&der).expect("an envoy's certificate");
    assert_eq!((read.key_pin, read.envoy, read.serial), (Pin::of_spki(key), envoy(), SERIAL));
    differs_in_its_key_alone(&der, key);
    verifies(&der);
    assert!(VerifiedCsr::from_der(&flip_a_bit(&request, data)).is_err(), "a changed request was accepted");
}

fn issue(request: &[u8]) -> Option<Vec<u8>> {
    let csr = VerifiedCsr::from_der(request).ok()?;
    Some(AUTHORITY.sign(&csr, grant(), SERIAL, NOW).expect("a verified request is signed").der)
}

fn envoy() -> EnvoyId {
    EnvoyId::from_random([7; 16])
}

fn grant() -> Admission {
    let identity = IdentitySecret::from_seed(&Zeroizing::new([0x1d; 32])).public();
    let from = ClientAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
    Admission::assertion(envoy(), "web3.example.com".parse().expect("a name"), identity, from)
}

fn differs_in_its_key_alone(der: &[u8], key: &[u8]) {
    let ((_, made), (_, plain)) = (
        X509Certificate::from_der(der).expect("a certificate"),
        X509Certificate::from_der(&PLAIN).expect("a certificate"),
    );
    assert_eq!(made.public_key().raw, key);
    assert_eq!(made.raw_serial(), plain.raw_serial());
    assert_eq!(made.version, plain.version);
    assert_eq!(made.subject.as_raw(), plain.subject.as_raw());
    assert_eq!(made.issuer.as_raw(), plain.issuer.as_raw());
    assert_eq!(made.validity, plain.validity);
    assert_eq!((&made.issuer_uid, &made.subject_uid), (&plain.issuer_uid, &plain.subject_uid));
    // An identifier of the key: the same for the same key, and always of one length.
    let of_key = |oid: &str| oid == "2.5.29.14" && key != plain.public_key().raw;
    let extensions = |certificate: &X509Certificate<'_>| -> Vec<(String, bool, Vec<u8>)> {
        let all = certificate.extensions().iter().map(|extension| {
            let (oid, mut value) = (extension.oid.to_id_string(), extension.value.to_vec());
            if of_key(&oid) {
                value.fill(0);
            }
            (oid, extension.critical, value)
        });
        all.collect()
    };
    assert_eq!(extensions(&made), extensions(&plain));
}

fn verifies(der: &[u8]) {
    let der = CertificateDer::from(der);
    let root = CertificateDer::from(AUTHORITY.root().der.as_slice());
    let anchors = [anchor_from_trusted_cert(&root).expect("the root is one")];
    let now = TlsTime::since_unix_epoch(Duration::from_secs(NOW.as_secs()));
    EndEntityCert::try_from(&der)
        .and_then(|leaf| {
            leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &[], now, KeyUsage::client_auth(), None, None)?;
            Ok(())
        })
        .expect("webpki takes what was signed");
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[0x7b; 32])
}

/// A request with this signed part.
fn signed(info: &[u8]) -> Vec<u8> {
    let signature = signing_key().sign(info).to_bytes();
    wrapped(info, &ED25519, &signature)
}

fn wrapped(info: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let bits = [&[0], signature].concat();
    der(0x30, &[info, algorithm, &der(3, &bits)].concat())
}

/// The signed part of a request for the fixed key, with this subject and these attributes (RFC 2986 §4.1).
fn info(subject: &[u8], attributes: &[u8]) -> Vec<u8> {
    info_for(&ED25519, signing_key().verifying_key().as_bytes(), subject, attributes)
}

fn info_for(algorithm: &[u8], key: &[u8], subject: &[u8], attributes: &[u8]) -> Vec<u8> {
    let bits = der(3, &[&[0], key].concat());
    let key = der(0x30, &[algorithm, &bits].concat());
    der(0x30, &[&[2, 1, 0], subject, &key, &der(0xa0, attributes)].concat())
}

/// Tag, length in as few bytes as there may be, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len().to_be_bytes() {
        [.., 0, low] if low < 0x80 => vec![low],
        [.., 0, low] => vec![0x81, low],
        [.., high, low] => vec![0x82, high, low],
    };
    [&[tag], length.as_slice(), content].concat()
}

/// Requests that ask for what nobody may have. Those with P-256 keys in the corpus were made by openssl.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let oid = |bytes: &[u8]| der(6, bytes);
    let name = der(0x30, &der(0x31, &der(0x30, &[oid(&[0x55, 4, 3]), der(0x0c, b"intruder")].concat())));
    let extension =
        |id: u8, value: &[u8]| der(0x30, &[oid(&[0x55, 0x1d, id]), vec![1, 1, 0xff], der(4, value)].concat());
    // extensionRequest (RFC 2985 §5.4.2): CA:TRUE, every key usage, another name.
    let wanted = [
        extension(19, &[0x30, 3, 1, 1, 0xff]),
        extension(15, &[3, 2, 1, 0xfe]),
        extension(17, &der(0x30, &der(0x82, b"intruder.example"))),
    ]
    .concat();
    let request_oid = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x0e]);
    let attribute = der(0x30, &[request_oid, der(0x31, &der(0x30, &wanted))].concat());
    let password_oid = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7]);
    let password = der(0x30, &[password_oid, der(0x31, &der(0x0c, b"password"))].concat());
    let plain = info(&[0x30, 0], &[]);
    let weak = info_for(&ED25519, &[0; 32], &[0x30, 0], &[]);
    let signature = signing_key().sign(&plain).to_bytes();
    // A sequence of the class "application": the reader below takes it for one.
    let odd_tag = [&[0x70], &ED25519[1..]].concat();
    let inner = |name: &str, info: &[u8]| Seed::new(name, [&[1], info].concat());
    let whole = |name: &str, request: &[u8]| Seed::new(name, [&[0], request].concat());
    vec![
        inner("signed-plain", &plain),
        inner("signed-subject", &info(&name, &[])),
        inner("signed-extensions", &info(&name, &attribute)),
        inner("signed-attributes", &info(&name, &[password.clone(), attribute.clone()].concat())),
        inner("signed-other-key", &info_for(&ED25519, &[9; 32], &name, &[])),
        inner("signed-weak-key", &weak),
        inner("signed-odd-tag", &info_for(&odd_tag, signing_key().verifying_key().as_bytes(), &[0x30, 0], &[])),
        inner("signed-ed448", &info_for(&ED448, &[9; 57], &name, &[])),
        whole("plain", &signed(&plain)),
        whole("hostile", &signed(&info(&name, &attribute))),
        whole("other-algorithm", &wrapped(&plain, &ED448, &signature)),
        whole("more-behind", &[signed(&plain), vec![0]].concat()),
        whole("authority", &AUTHORITY.root().der),
    ]
}
