use std::error::Error as _;
use std::sync::Arc;

use rcgen::{PublicKeyData as _, SigningKey as _};
use vigo_core::{
    Admission, ClientAddr, EnvoyId, IdentitySecret, IssueError, IssuedCertificate, Issuer as _, Serial, ServerId,
    UnixTime,
};
use zeroize::Zeroizing;

use super::{CaSigner, Failure};
use crate::key::P256Key;
use crate::{
    CaError, CertificateAuthority, ClientRequest, LeafError, PeerIdentity, RootError, SignError, SubjectName,
    VerifiedCsr,
};

const NOW: UnixTime = UnixTime::from_secs(1_780_272_000);
const SERVER: ServerId = ServerId::from_random([1; 16]);
const SERIAL: Serial = Serial::from_random([4; 16]);

/// What a signer is like.
#[derive(Clone, Copy)]
enum Temper {
    Good,
    Failing,
    /// It signs something else.
    Astray,
    /// What it gives is no signature.
    Garbled,
}

/// An HSM, as far as an authority can tell.
struct Hsm(P256Key, Temper);

impl Hsm {
    fn pem() -> Zeroizing<String> {
        P256Key::generate().unwrap().to_pem()
    }

    fn new(key: &str, temper: Temper) -> Arc<Self> {
        Arc::new(Self(P256Key::from_pem(key).unwrap(), temper))
    }
}

impl CaSigner for Hsm {
    fn public_key(&self) -> [u8; 65] {
        self.0.der_bytes().try_into().unwrap()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        match self.1 {
            Temper::Good => Ok(self.0.sign(message)?),
            Temper::Failing => Err("the slot is empty".into()),
            Temper::Astray => Ok(self.0.sign(b"something else")?),
            Temper::Garbled => Ok(vec![0x30; 70]),
        }
    }
}

fn create(key: &str, temper: Temper) -> Result<CertificateAuthority, CaError> {
    CertificateAuthority::create_with_signer(Hsm::new(key, temper), &SERVER, SERIAL, NOW)
}

/// An authority whose certificate was made in better times.
fn loaded(key: &str, temper: Temper) -> CertificateAuthority {
    let cert = create(key, Temper::Good).unwrap().cert_pem();
    CertificateAuthority::load_with_signer(&cert, Hsm::new(key, temper), &SERVER, NOW).unwrap()
}

fn sign(authority: &CertificateAuthority) -> Result<IssuedCertificate, SignError> {
    let csr = ClientRequest::generate().unwrap();
    authority.sign(&VerifiedCsr::from_der(csr.csr()).unwrap(), grant(), SERIAL, NOW)
}

fn grant() -> Admission {
    let identity = IdentitySecret::from_seed(&Zeroizing::new([3; 32])).public();
    let from = ClientAddr::new([192, 0, 2, 7].into());
    Admission::assertion(EnvoyId::from_random([2; 16]), "web3.example.com".parse().unwrap(), identity, from)
}

#[test]
fn a_key_that_lies_elsewhere_signs_like_one_that_is_here() {
    let key = Hsm::pem();
    let made = create(&key, Temper::Good).unwrap();
    assert!(made.can_sign() && made.key_pem().is_none());
    let authority =
        CertificateAuthority::load_with_signer(&made.cert_pem(), Hsm::new(&key, Temper::Good), &SERVER, NOW);
    let authority = authority.unwrap();
    assert_eq!(authority.root(), made.root());
    let issued = sign(&authority).unwrap();
    assert_eq!(PeerIdentity::from_certificate(&issued.der).unwrap().envoy, EnvoyId::from_random([2; 16]));
    assert!(authority.root().signed(&issued.der));
    let names = ["fleet.example.com".parse::<SubjectName>().unwrap()];
    assert!(authority.issue_leaf(&names, None, SERIAL, NOW).unwrap().is_issued_by(&authority));

    // The same key in a file: the same authority.
    let held = CertificateAuthority::load(&made.cert_pem(), Some(&key), &SERVER, NOW).unwrap();
    assert!(authority.root().signed(&sign(&held).unwrap().der));
}

#[test]
fn the_key_is_the_certificates() {
    let made = create(&Hsm::pem(), Temper::Good).unwrap();
    let other = Hsm::new(&Hsm::pem(), Temper::Good);
    let error = CertificateAuthority::load_with_signer(&made.cert_pem(), other, &SERVER, NOW).unwrap_err();
    assert!(matches!(error, CaError::Mismatch), "{error}");
}

#[test]
fn a_signer_that_fails_is_heard() {
    let key = Hsm::pem();
    let error = create(&key, Temper::Failing).unwrap_err();
    assert_eq!(error.to_string(), "the CA key did not sign: the slot is empty");
    let authority = loaded(&key, Temper::Failing);
    let error = sign(&authority).unwrap_err();
    assert_eq!(error.to_string(), "the CA key did not sign: the slot is empty");
    assert_eq!(error.source().unwrap().to_string(), "the slot is empty");
    // That is no fault of the machine that asks.
    let error = authority.issue(ClientRequest::generate().unwrap().csr(), grant(), SERIAL, NOW).unwrap_err();
    assert!(matches!(error, IssueError::Authority(_)), "{error}");
}

#[test]
fn a_wrong_signature_goes_nowhere() {
    for temper in [Temper::Astray, Temper::Garbled] {
        let key = Hsm::pem();
        let error = create(&key, temper).unwrap_err();
        assert!(matches!(error, CaError::Root(RootError::NotSelfSigned)), "{error}");
        let authority = loaded(&key, temper);
        let error = sign(&authority).unwrap_err();
        assert!(matches!(error, SignError::BadSignature), "{error}");
        let names = ["fleet.example.com".parse::<SubjectName>().unwrap()];
        let error = authority.issue_leaf(&names, None, SERIAL, NOW).unwrap_err();
        assert!(matches!(error, LeafError::Sign(SignError::BadSignature)), "{error}");
    }
}
