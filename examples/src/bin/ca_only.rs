//! A certificate authority alone: a CA is made (or loaded), a request is read, planned, signed, and the certificate
//! checked by somebody else's verifier.
//!
//! ```sh
//! openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj / -outform DER -out csr.der
//! cargo run -p vigo-examples --bin ca_only -- ca csr.der web1.example.com > certificate.pem
//! openssl verify -CAfile ca/ca.pem certificate.pem
//! ```
//!
//! The plan goes to standard error, the certificate to standard output.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls_pki_types::{CertificateDer, UnixTime};
use vigo_ca::{CaFiles, PeerIdentity, VerifiedCsr, files, pem};
use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret, Serial, ServerId};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// An embedder's own fleet has an id of its own, drawn once.
const FLEET: ServerId = ServerId::from_random(*b"an embedders own");

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, csr, hostname] = arguments.as_slice() else { bail!("usage: ca_only FOLDER CSR HOSTNAME") };
    let (folder, now) = (Path::new(folder), vigo_examples::now());
    let serial = || Serial::from_random(vigo_examples::id());

    // Made the first time, with a key that only its owner may read; loaded from then on, and never silently made anew.
    files::create_private_dir(folder)?;
    let ca = CaFiles::new(folder.join("ca.pem"), Some(folder.join("ca.key")));
    let ca = ca.load_or_create(&FLEET, serial(), now)?.with_validity(Duration::from_secs(30 * 24 * 3600));

    // The sender is shown to hold the key. Whatever else the request asks for is not even read.
    let csr = VerifiedCsr::from_der(&std::fs::read(csr).with_context(|| csr.clone())?)?;

    // Whoever calls `assertion` says: this machine may join. Here it is whoever runs the program; in a fleet, `decide`.
    let identity = IdentitySecret::from_seed(&vigo_examples::seed()).public();
    let envoy = EnvoyId::from_random(vigo_examples::id());
    let grant = Admission::assertion(envoy, hostname.parse()?, identity, ClientAddr::new([127, 0, 0, 1].into()));

    let serial = serial();
    eprintln!("{}", ca.profile().plan(&csr, &grant, serial, now));
    let issued = ca.sign(&csr, grant, serial, now)?;

    let der = CertificateDer::from(issued.der);
    verify(&der, &CertificateDer::from(ca.root().der.clone()), now.as_secs())?;
    let peer = PeerIdentity::from_certificate(&der)?;
    eprintln!("verified: envoy {}, key {}", peer.envoy, peer.key_pin);
    print!("{}", pem::encode_certificate(&der));
    Ok(())
}

/// As a TLS server would check a client, with webpki.
fn verify(der: &CertificateDer<'_>, root: &CertificateDer<'_>, now: u64) -> anyhow::Result<()> {
    let anchors = [anchor_from_trusted_cert(root)?];
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let client = KeyUsage::client_auth();
    EndEntityCert::try_from(der)?.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &[], now, client, None, None)?;
    Ok(())
}
