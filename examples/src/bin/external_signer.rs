//! A CA whose private key never is in this process: an HSM has it, and signs through PKCS#11.
//!
//! ```sh
//! softhsm2-util --init-token --free --label vigo --pin 1234 --so-pin 5678 # or an HSM of iron, with its own module
//! cargo run -p vigo-examples --bin external_signer -- \
//!   /usr/lib/softhsm/libsofthsm2.so vigo ca.pem csr.der web1.example.com < pin > certificate.pem
//! ```
//!
//! The first time, the key is made in the token and the CA's certificate in `ca.pem`; both are used from then on.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use sha2::{Digest as _, Sha256};
use vigo_ca::{CaSigner, CertificateAuthority, VerifiedCsr, files, pem};
use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret, Serial, ServerId};

const FLEET: ServerId = ServerId::from_random(*b"an embedders own");
const LABEL: &[u8] = b"vigo-ca";
/// The curve P-256 by its OID, DER (RFC 5480 §2.1.1.1).
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// A key pair in a token. A session does one thing at a time.
struct Hsm {
    session: Mutex<Session>,
    key: ObjectHandle,
    public: [u8; 65],
}

impl Hsm {
    fn open(module: &str, token: &str, pin: &str) -> anyhow::Result<Self> {
        let pkcs11 = Pkcs11::new(module)?;
        pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        let named = |slot: &_| pkcs11.get_token_info(*slot).is_ok_and(|info| info.label() == token);
        let slot = pkcs11.get_slots_with_initialized_token()?.into_iter().find(named);
        let session = pkcs11.open_rw_session(slot.with_context(|| format!("there is no token {token}"))?)?;
        session.login(UserType::User, Some(&AuthPin::new(pin.into())))?;

        let find = |class| session.find_objects(&[Attribute::Class(class), Attribute::Label(LABEL.to_vec())]);
        let (public, key) = match (&find(ObjectClass::PUBLIC_KEY)?[..], &find(ObjectClass::PRIVATE_KEY)?[..]) {
            ([public], [key]) => (*public, *key),
            ([], []) => {
                let both = [Attribute::Token(true), Attribute::Label(LABEL.to_vec())];
                let public = [Attribute::Verify(true), Attribute::EcParams(P256.to_vec())];
                let private = [
                    Attribute::Private(true),
                    Attribute::Sign(true),
                    Attribute::Sensitive(true),
                    Attribute::Extractable(false),
                ];
                let (public, private) = ([&both[..], &public].concat(), [&both[..], &private].concat());
                session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)?
            }
            _ => bail!("the token has more, or less, than one key pair named vigo-ca"),
        };
        let kept = session.get_attributes(key, &[AttributeType::NeverExtractable])?;
        if kept != [Attribute::NeverExtractable(true)] {
            bail!("the key was not made in the token, or could leave it: somebody may have a copy");
        }
        let found = session.get_attributes(public, &[AttributeType::EcPoint])?;
        let [Attribute::EcPoint(point)] = found.as_slice() else { bail!("the key has no point") };
        // An OCTET STRING of 65 bytes.
        let point = point.strip_prefix(&[0x04, 65]).and_then(|point| point.try_into().ok());
        let public = point.context("the key is not of P-256")?;
        Ok(Self { session: Mutex::new(session), key, public })
    }
}

impl CaSigner for Hsm {
    fn public_key(&self) -> [u8; 65] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        // Every module has this mechanism; one that hashes too, not every one has.
        let bare = session.sign(&Mechanism::Ecdsa, self.key, &Sha256::digest(message))?;
        let (r, s) = bare.split_at_checked(32).filter(|(_, s)| s.len() == 32).ok_or("not a signature of P-256")?;
        let both = [integer(r), integer(s)].concat();
        Ok([&[0x30, both.len() as u8], both.as_slice()].concat())
    }
}

/// A DER INTEGER, in as few bytes as there may be and never negative (X.690 §8.3).
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros..];
    let sign: &[u8] = if digits.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
    [&[0x02, (sign.len() + digits.len()) as u8], sign, digits].concat()
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, token, ca, csr, hostname] = arguments.as_slice() else {
        bail!("usage: external_signer MODULE TOKEN CA.PEM CSR.DER HOSTNAME < PIN")
    };
    let (ca, now) = (Path::new(ca), vigo_examples::now());
    let serial = || Serial::from_random(vigo_examples::id());
    let hsm = Arc::new(Hsm::open(module, token, std::io::read_to_string(std::io::stdin())?.trim())?);
    let authority = if ca.exists() {
        CertificateAuthority::load_with_signer(&files::read_public(ca)?, hsm, &FLEET, now)?
    } else {
        let made = CertificateAuthority::create_with_signer(hsm, &FLEET, serial(), now)?;
        files::write_new_private(ca, made.cert_pem().as_bytes())?;
        made
    };
    eprintln!("the CA is {}", authority.root().pin);

    // From here on all is as with a key in a file: this authority is an `Issuer`, for a registrar or a whole server.
    let csr = VerifiedCsr::from_der(&std::fs::read(csr).with_context(|| csr.clone())?)?;
    let identity = IdentitySecret::from_seed(&vigo_examples::seed()).public();
    let envoy = EnvoyId::from_random(vigo_examples::id());
    let grant = Admission::assertion(envoy, hostname.parse()?, identity, ClientAddr::new([127, 0, 0, 1].into()));
    let issued = authority.sign(&csr, grant, serial(), now)?;
    print!("{}", pem::encode_certificate(&issued.der));
    Ok(())
}
