//! `ca_only`, with requests that openssl made and certificates that openssl checks.
#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;
use vigo_tests::{Ended, Program, needs_tools, openssl};

/// A folder with a CA and requests.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// A request that asks to be a CA and another host; it has no say in that.
    fn request(&self, key: &[&str]) -> String {
        let (file, secret) = (self.path("csr.der"), self.path("key.pem"));
        let wishes = ["-nodes", "-subj", "/CN=other", "-addext", "basicConstraints=critical,CA:TRUE"];
        let out = ["-keyout", &secret, "-outform", "DER", "-out", &file];
        let _ = openssl(&[&["req", "-new", "-newkey"], key, &wishes, &out].concat(), "").ok();
        file
    }

    fn sign(&self, csr: &str) -> Ended {
        Program::at(env!("CARGO_BIN_EXE_ca_only")).args([&self.path("ca"), csr, "web1.example.com"]).run()
    }
}

const P256: [&str; 3] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

#[test]
fn openssl_accepts_what_was_planned() {
    if !needs_tools("openssl_accepts_what_was_planned", &["openssl"]) {
        return;
    }
    let desk = Desk::new();
    for key in [&P256[..], &["ed25519"]] {
        let signed = desk.sign(&desk.request(key));
        assert!(signed.stderr.contains(" for the client vigo://616e20656d62656464657273206f776e/envoy/"));
        assert!(signed.stderr.contains("\nverified: envoy "), "{}", signed.stderr);
        let certificate = signed.ok();
        let file = desk.path("certificate.pem");
        std::fs::write(&file, &certificate).unwrap();
        let checked = openssl(&["verify", "-purpose", "sslclient", "-CAfile", &desk.path("ca/ca.pem"), &file], "");
        assert!(checked.ok().ends_with("certificate.pem: OK\n"));
        let text = openssl(&["x509", "-noout", "-text"], &certificate).ok();
        assert!(text.contains("URI:vigo://") && text.contains("CA:FALSE"), "{text}");
        assert!(!text.contains("CA:TRUE") && !text.contains("CN = other") && !text.contains("CN=other"), "{text}");
        let public = openssl(&["x509", "-noout", "-pubkey"], &certificate).ok();
        assert_eq!(public, openssl(&["pkey", "-in", &desk.path("key.pem"), "-pubout"], "").ok());
    }
    let key = std::fs::metadata(desk.path("ca/ca.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_not_to_be_signed_is_refused() {
    if !needs_tools("what_is_not_to_be_signed_is_refused", &["openssl"]) {
        return;
    }
    let desk = Desk::new();
    let said = desk.sign(&desk.request(&["rsa:2048"])).failed(1);
    assert!(said.contains("the key of a certificate request is Ed25519 or ECDSA P-256"), "{said}");
    // The last byte of a request is the signature's.
    let csr = desk.request(&["ed25519"]);
    let mut bytes = std::fs::read(&csr).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&csr, bytes).unwrap();
    let said = desk.sign(&csr).failed(1);
    assert!(said.contains("is not signed by its own key"), "{said}");
    // A lost key is not replaced.
    std::fs::remove_file(desk.path("ca/ca.key")).unwrap();
    let said = desk.sign(&desk.request(&P256)).failed(1);
    assert!(said.contains("restore the key from a backup"), "{said}");
}
