//! Certificate requests of every bad kind: refused, or stripped of all but the key.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "support/fleet.rs"]
mod fleet;

use fleet::{NOW, authority, envoy, grant, identity, serial, server_id};
use proptest::prelude::*;
use rcgen::{
    Attribute, BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SignatureAlgorithm, SigningKey,
};
use vigo_ca::{CsrError, PeerIdentity, Role, SignError, VerifiedCsr};
use vigo_core::{IdentityKey, IssueError, Issuer as _, KeyError, Pin};
use x509_parser::prelude::FromDer as _;

/// The subject, names and attributes of hostile requests hold this word, so that it can be searched for.
const MARK: &str = "intruder";

type Sign = dyn Fn(&[u8]) -> Vec<u8>;

/// A key whose parts can be made not to fit.
struct Forged {
    public: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
    sign: Box<Sign>,
}

impl PublicKeyData for Forged {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for Forged {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok((self.sign)(message))
    }
}

fn p256() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

fn request(key: &impl SigningKey) -> Vec<u8> {
    hostile(key, |_| Vec::new())
}

fn hostile(key: &impl SigningKey, change: impl FnOnce(&mut CertificateParams) -> Vec<Attribute>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, MARK);
    let attributes = change(&mut params);
    params.serialize_request_with_attributes(key, attributes).unwrap().der().to_vec()
}

#[track_caller]
fn refused(csr: &[u8], expected: CsrError) {
    assert_eq!(VerifiedCsr::from_der(csr), Err(expected));
    let message = match authority().issue(csr, grant(1), serial(1), NOW) {
        Err(IssueError::Request(message)) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(message, expected.to_string());
    assert!(matches!(authority().check(csr), Err(IssueError::Request(_))));
}

/// Whatever the request asked for, the certificate has the key, our name, our uses and our dates.
#[track_caller]
fn stripped(csr: &[u8], key: &impl PublicKeyData) {
    let authority = authority();
    authority.check(csr).unwrap();
    let issued = authority.issue(csr, grant(1), serial(1), NOW).unwrap();
    assert!(!issued.der.windows(MARK.len()).any(|bytes| bytes == MARK.as_bytes()), "the request left something behind");
    assert_eq!(issued.key_pin, Pin::of_spki(&key.subject_public_key_info()));
    assert_eq!(issued.serial, serial(1));
    assert_eq!(
        PeerIdentity::from_certificate(&issued.der).unwrap(),
        PeerIdentity {
            server: server_id(),
            envoy: envoy(1),
            identity_digest: PeerIdentity::digest_of(&identity(1)),
            serial: serial(1),
            key_pin: issued.key_pin,
            not_after: issued.not_after,
        }
    );
    let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(&issued.der).unwrap();
    assert_eq!(parsed.subject().to_string(), format!("CN={}", envoy(1)));
    assert_eq!(parsed.validity().not_before.timestamp(), NOW.as_secs() as i64 - 300);
    assert_eq!(parsed.validity().not_after.timestamp(), NOW.as_secs() as i64 + 8760 * 3600);
    assert!(!parsed.is_ca());
    let mut extensions: Vec<_> = parsed.extensions().iter().map(|ext| ext.oid.to_id_string()).collect();
    extensions.sort();
    // Subject key identifier, key usage, alternative name, basic constraints, authority key identifier, extended key
    // usage.
    assert_eq!(extensions, ["2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.35", "2.5.29.37"]);
    let usage = parsed.key_usage().unwrap().unwrap().value;
    assert_eq!(usage.flags, 1, "digital signature alone: {usage}");
}

#[test]
fn rule_10_a_certificate_takes_only_the_key() {
    let key = p256();
    stripped(&request(&key), &key);
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    stripped(&request(&ed25519), &ed25519);
    let ca = hostile(&key, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Vec::new()
    });
    stripped(&ca, &key);
    let server = hostile(&key, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::Any];
        params.subject_alt_names = vec![
            SanType::DnsName("intruder.example.com".try_into().unwrap()),
            SanType::IpAddress("127.0.0.1".parse().unwrap()),
            SanType::URI("vigo://f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1/envoy/intruder".try_into().unwrap()),
        ];
        Vec::new()
    });
    stripped(&server, &key);
    // A critical extension that nobody knows, and a name constraint.
    let unknown = hostile(&key, |params| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 1], b"\x04\x08intruder".to_vec());
        extension.set_criticality(true);
        let constraints = CustomExtension::from_oid_content(&[2, 5, 29, 30], b"\x30\x00".to_vec());
        params.custom_extensions = vec![extension, constraints];
        Vec::new()
    });
    stripped(&unknown, &key);
    let challenge = hostile(&key, |_| {
        vec![Attribute { oid: &[1, 2, 840, 113549, 1, 9, 7], values: b"\x31\x0a\x0c\x08intruder".to_vec() }]
    });
    stripped(&challenge, &key);
}

#[test]
fn rule_10_keys_of_other_kinds_are_refused() {
    for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ECDSA_P521_SHA512, &rcgen::PKCS_RSA_SHA256] {
        refused(&request(&KeyPair::generate_for(algorithm).unwrap()), CsrError::KeyType);
    }
    // openssl req -new -newkey rsa:512 -nodes -subj /CN=intruder -outform DER | xxd -p
    refused(&hex::decode(RSA_512).unwrap(), CsrError::KeyType);
    // A compressed point: a second encoding, and so a second pin, of one key.
    let key = p256();
    let point = key.public_key_raw();
    let mut public = vec![2 + (point[64] & 1)];
    public.extend_from_slice(&point[1..33]);
    let algorithm = key.algorithm();
    let compressed = Forged { public, algorithm, sign: Box::new(move |message| key.sign(message).unwrap()) };
    refused(&request(&compressed), CsrError::KeyType);
    let nowhere = Forged { public: [4; 65].to_vec(), algorithm, sign: Box::new(|_| vec![0x30, 0]) };
    refused(&request(&nowhere), CsrError::BadSignature);
}

#[test]
fn rule_10_the_sender_must_hold_the_key() {
    let (key, other) = (p256(), p256());
    let public = key.public_key_raw().to_vec();
    let algorithm = key.algorithm();
    refused(
        &request(&Forged { public, algorithm, sign: Box::new(move |message| other.sign(message).unwrap()) }),
        CsrError::BadSignature,
    );
    let mut flipped = request(&key);
    *flipped.last_mut().unwrap() ^= 1;
    refused(&flipped, CsrError::BadSignature);
    // What was signed is the subject too, so that it cannot be changed on the way, though nothing takes it.
    let mut renamed = request(&key);
    let at = renamed.windows(MARK.len()).position(|bytes| bytes == MARK.as_bytes()).unwrap();
    renamed[at] ^= 1;
    refused(&renamed, CsrError::BadSignature);
    // The signature algorithm of another kind of key: ecdsa-with-SHA256 becomes ecdsa-with-SHA384.
    let mut relabelled = request(&key);
    let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let at = relabelled.windows(oid.len()).rposition(|bytes| bytes == oid).unwrap();
    relabelled[at + 7] = 3;
    refused(&relabelled, CsrError::SignatureAlgorithm);
}

/// What is around the signed part is not signed: it has one encoding, so that nobody can change it on the way either.
#[test]
fn rule_10_every_flipped_bit_of_a_request() {
    let keys = [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P256_SHA256];
    for key in keys.map(|algorithm| KeyPair::generate_for(algorithm).unwrap()) {
        let good = request(&key);
        VerifiedCsr::from_der(&good).unwrap();
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(VerifiedCsr::from_der(&flipped).is_err(), "bit {bit} of {}", hex::encode(&good));
        }
    }
}

#[test]
fn requests_that_are_none() {
    let good = request(&p256());
    let after = |more: &[u8]| [good.as_slice(), more].concat();
    refused(&after(b"\0"), CsrError::Malformed);
    refused(&after(&good), CsrError::Malformed);
    refused(&good[..good.len() - 1], CsrError::Malformed);
    refused(b"", CsrError::Malformed);
    refused(b"-----BEGIN CERTIFICATE REQUEST-----", CsrError::Malformed);
    refused(&authority().root().der, CsrError::Malformed);
    refused(&vec![0x30; 16 * 1024 + 1], CsrError::TooLong);
    // Signed and well-formed, and still too long.
    let attribute = |length: u16| {
        let key = p256();
        let csr = hostile(&key, |_| {
            let [high, low] = length.to_be_bytes();
            let [outer_high, outer_low] = (length + 4).to_be_bytes();
            let mut values = vec![0x31, 0x82, outer_high, outer_low, 0x0c, 0x82, high, low];
            values.resize(8 + usize::from(length), b'x');
            vec![Attribute { oid: &[1, 2, 840, 113549, 1, 9, 7], values }]
        });
        (csr, key)
    };
    let (long, _) = attribute(16 * 1024);
    refused(&long, CsrError::TooLong);
    let (fits, key) = attribute(15 * 1024);
    stripped(&fits, &key);
}

#[test]
fn rule_11_weak_and_torsioned_keys_get_no_certificate() {
    #[track_caller]
    fn check(key: &str, expected: KeyError) {
        let public = hex::decode(key).unwrap();
        let sign = Box::new(|_: &[u8]| [[1].as_slice(), &[0; 63]].concat());
        refused(&request(&Forged { public, algorithm: &rcgen::PKCS_ED25519, sign }), CsrError::Key(expected));
    }
    check(&"00".repeat(32), KeyError::Weak);
    // The neutral element: with it, the signature above is good for every message.
    check("0100000000000000000000000000000000000000000000000000000000000000", KeyError::Weak);
    check("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", KeyError::Weak);
    // The base point plus a point of order eight.
    check("98519eadf35b995233b51b5cd23e9cc5a28b639b5a4af0ec903cb960d81b7819", KeyError::Torsion);
    check("0200000000000000000000000000000000000000000000000000000000000000", KeyError::NotAPoint);
    check(&"ab".repeat(31), KeyError::Length);
}

#[test]
fn the_identity_key_is_no_tls_key() {
    let secret = vigo_core::IdentitySecret::from_seed(&zeroize::Zeroizing::new([1; 32]));
    let key = KeyPair::from_pem(&secret.to_pem()).unwrap();
    assert_eq!(key.public_key_raw(), secret.public().as_bytes());
    let csr = VerifiedCsr::from_der(&request(&key)).unwrap();
    assert!(csr.is_key_of(&identity(1)) && !csr.is_key_of(&identity(2)));
    assert!(matches!(authority().sign(&csr, grant(1), serial(1), NOW), Err(SignError::IdentityKey)));
    assert!(authority().sign(&csr, grant(2), serial(1), NOW).is_ok());
    assert!(matches!(authority().issue(&request(&key), grant(1), serial(1), NOW), Err(IssueError::Request(_))));
}

#[test]
fn rule_10_the_plan_says_all_before_it_is_signed() {
    let authority = authority();
    let csr = VerifiedCsr::from_der(&request(&p256())).unwrap();
    let plan = authority.profile().plan(&csr, &grant(1), serial(1), NOW);
    assert_eq!(plan.not_before, NOW.before(std::time::Duration::from_secs(300)));
    assert_eq!(plan.not_after, NOW.after(fleet::DAY * 365));
    let digest = hex::encode(PeerIdentity::digest_of(&identity(1)));
    let uri = format!("vigo://{}/envoy/{}/{digest}", server_id(), envoy(1));
    assert_eq!(plan.role, Role::Envoy { uri: uri.clone() });
    assert_eq!(
        plan.to_string(),
        format!(
            "certificate 41010101010101010101010101010101 for the client {uri}, key {}, \
             valid from 1780271700 to 1811808000 (Unix time)",
            csr.key_pin()
        )
    );
    let end = authority.root().not_after;
    let late = end.before(fleet::HOUR);
    assert_eq!(authority.profile().plan(&csr, &grant(1), serial(1), late).not_after, end, "never past the CA's end");
    let short = authority.with_validity(fleet::HOUR);
    assert_eq!(short.profile().plan(&csr, &grant(1), serial(1), NOW).not_after, NOW.after(fleet::HOUR));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_a_request(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(VerifiedCsr::from_der(&bytes).is_err());
    }

    /// Every byte of a request is signed, or part of the signature: a changed one is never good, and never a panic.
    #[test]
    fn rule_10_changed_requests_are_refused(
        ed25519: bool,
        at: prop::sample::Index,
        flip in 1u8..,
        cut: prop::sample::Index,
    ) {
        let key = if ed25519 { KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap() } else { p256() };
        let good = request(&key);
        let mut changed = good.clone();
        changed[at.index(good.len())] ^= flip;
        prop_assert!(VerifiedCsr::from_der(&changed).is_err(), "{}", hex::encode(&changed));
        prop_assert!(VerifiedCsr::from_der(&good[..cut.index(good.len())]).is_err());
    }

    #[test]
    fn any_identity_gets_its_own_name(seed: [u8; 32], id: [u8; 16], random: [u8; 16]) {
        let identity: IdentityKey = vigo_core::IdentitySecret::from_seed(&zeroize::Zeroizing::new(seed)).public();
        let from = vigo_core::ClientAddr::from("192.0.2.7:40000".parse::<std::net::SocketAddr>().unwrap());
        let envoy = vigo_core::EnvoyId::from_random(id);
        let grant = vigo_core::Admission::assertion(envoy, "a.example".parse().unwrap(), identity, from);
        let serial = vigo_core::Serial::from_random(random);
        let csr = VerifiedCsr::from_der(&request(&p256())).unwrap();
        let issued = authority().sign(&csr, grant, serial, NOW).unwrap();
        let peer = PeerIdentity::from_certificate(&issued.der).unwrap();
        prop_assert_eq!((peer.envoy, peer.serial, peer.server), (envoy, serial, server_id()));
        prop_assert_eq!(peer.identity_digest, PeerIdentity::digest_of(&identity));
    }
}

const RSA_512: &str = "\
    3081cc307802010030133111300f06035504030c08696e747275646572305c300d06092a864886f70d0101010500034b003048024100d7\
    2588dcd74a8c2937956a6e31358eaee18d2e166230888ea47c75be2b0b87f3daca0b88c7355975ba04a40ffcf0b1012a9373e3a1ce5edb\
    350edfe97b4d4fc70203010001a000300d06092a864886f70d01010b050003410005709534f97ab6ff849eaa44a6c6f45c52976dc71884\
    969bf1db22e886bc0b7ffcce3490167a05889d091ff363c9113ce9b43c224cad31d8059c8d731195e038";
