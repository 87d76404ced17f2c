//! `external_signer`, with SoftHSM and its key; openssl makes the requests and checks the certificates.
#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::path::Path;

use tempfile::TempDir;
use vigo_tests::{Ended, Program, needs_tools, openssl};

/// Where systems put SoftHSM's module.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

/// A folder with a SoftHSM of its own, a request, and where the CA's certificate is to be.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(desk.0.path().join("tokens")).unwrap();
        let tokens = desk.path("tokens");
        std::fs::write(desk.path("softhsm2.conf"), format!("directories.tokendir = {tokens}\n")).unwrap();
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/"];
        let out = ["-keyout", &desk.path("key.pem"), "-outform", "DER", "-out", &desk.path("csr.der")];
        let _ = openssl(&[&["req", "-new"], &key[..], &out].concat(), "").ok();
        desk
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn util(&self, arguments: &[&str]) {
        let program = Program::at("softhsm2-util").env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        let _ = program.args(arguments).run().ok();
    }

    fn token(&self, label: &str) {
        self.util(&["--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "5678"]);
    }

    fn sign(&self, token: &str, pin: &str) -> Ended {
        let module = MODULES.into_iter().find(|module| Path::new(module).exists()).expect("SoftHSM has a module");
        let program =
            Program::at(env!("CARGO_BIN_EXE_external_signer")).env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        let (ca, csr) = (self.path("ca.pem"), self.path("csr.der"));
        program.args([module, token, &ca, &csr, "web1.example.com"]).input(pin).run()
    }

    #[track_caller]
    fn verify(&self, certificate: &str) {
        let file = self.path("certificate.pem");
        std::fs::write(&file, certificate).unwrap();
        let ca = self.path("ca.pem");
        let _ = openssl(&["verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", &ca, &file], "").ok();
    }
}

#[test]
fn the_token_signs_and_keeps_the_key() {
    if !needs_tools("the_token_signs_and_keeps_the_key", &["softhsm2-util", "openssl"]) {
        return;
    }
    let desk = Desk::new();
    desk.token("vigo");
    let refused = desk.sign("vigo", "4321").failed(1);
    assert!(refused.contains("PIN") && !Path::new(&desk.path("ca.pem")).exists(), "{refused}");

    // Many, for the lengths that the numbers of a signature may have.
    for _ in 0..8 {
        desk.verify(&desk.sign("vigo", "1234\n").ok());
    }
    let ca = std::fs::read_to_string(desk.path("ca.pem")).unwrap();
    let text = openssl(&["x509", "-noout", "-text"], &ca).ok();
    assert!(text.contains("ecdsa-with-SHA256") && text.contains("CA:TRUE, pathlen:0"), "{text}");
    let mut files: Vec<_> = desk.0.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(
        files,
        ["ca.pem", "certificate.pem", "csr.der", "key.pem", "softhsm2.conf", "tokens"],
        "no key of the CA"
    );
    assert!(!ca.contains("PRIVATE"));
}

#[test]
fn another_tokens_key_is_not_the_cas() {
    if !needs_tools("another_tokens_key_is_not_the_cas", &["softhsm2-util", "openssl"]) {
        return;
    }
    let desk = Desk::new();
    desk.token("vigo");
    desk.token("other");
    desk.verify(&desk.sign("vigo", "1234").ok());
    let said = desk.sign("other", "1234").failed(1);
    assert!(said.contains("the CA key does not belong to the CA certificate"), "{said}");
    let said = desk.sign("third", "1234").failed(1);
    assert!(said.contains("there is no token third"), "{said}");
}

#[test]
fn a_key_that_was_in_a_file_is_not_taken_for_one_that_never_left() {
    if !needs_tools("a_key_that_was_in_a_file_is_not_taken_for_one_that_never_left", &["softhsm2-util", "openssl"]) {
        return;
    }
    let desk = Desk::new();
    desk.token("vigo");
    let key = desk.path("key.pem");
    desk.util(&["--import", &key, "--token", "vigo", "--label", "vigo-ca", "--id", "01", "--pin", "1234"]);
    let said = desk.sign("vigo", "1234").failed(1);
    assert!(said.contains("somebody may have a copy") && !Path::new(&desk.path("ca.pem")).exists(), "{said}");
}
