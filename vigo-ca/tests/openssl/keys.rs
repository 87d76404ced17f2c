//! Keys and authorities that `openssl` made, and keys that it reads.

use vigo_ca::{
    CaError, CertificateAuthority, ClientRequest, LeafError, PeerIdentity, PrivateKeyError, Root, ServerLeaf,
    VerifiedCsr,
};
use vigo_core::{IdentitySecret, Pin};

use crate::fleet::{self, DAY, NOW, authority, grant, names, serial, server_id};
use crate::tool::Openssl;

const P256: &str = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";

/// The pin of a private key, as `openssl` sees it.
fn pin_of(openssl: &Openssl, key: &str) -> Pin {
    openssl.ok(&format!("pkey -in {key} -pubout -outform DER -out public.der"));
    Pin::of_spki(&openssl.read("public.der"))
}

#[test]
fn rule_01_a_key_that_openssl_made_keeps_its_pin() {
    let Some(openssl) = Openssl::for_test("rule_01_a_key_that_openssl_made_keeps_its_pin") else { return };
    let authority = authority();
    for (how, begins) in [
        (format!("{P256} -out key.pem"), "-----BEGIN PRIVATE KEY-----"),
        ("ecparam -name prime256v1 -genkey -noout -out key.pem".to_owned(), "-----BEGIN EC PRIVATE KEY-----"),
        ("ecparam -name prime256v1 -genkey -out key.pem".to_owned(), "-----BEGIN EC PARAMETERS-----"),
    ] {
        openssl.ok(&how);
        let key = openssl.text("key.pem");
        assert!(key.starts_with(begins), "openssl {how}");
        let leaf = authority.issue_leaf(&names(&["a.example"]), Some(&key), serial(1), NOW).unwrap();
        assert_eq!(leaf.pin(), pin_of(&openssl, "key.pem"), "openssl {how}");
        // Written again, it is the same key to openssl, and to us.
        openssl.write("again.pem", &*leaf.key_pem());
        openssl.ok("pkey -in again.pem -noout -check");
        assert_eq!(pin_of(&openssl, "again.pem"), leaf.pin());
        assert_eq!(ServerLeaf::load(&leaf.cert_pem(), &leaf.key_pem()).unwrap().pin(), leaf.pin());
    }
}

#[test]
fn keys_of_other_kinds_are_no_servers() {
    let Some(openssl) = Openssl::for_test("keys_of_other_kinds_are_no_servers") else { return };
    let authority = authority();
    let not_plain = PrivateKeyError::Pem(vigo_ca::pem::PemError::NoKey);
    for (how, expected) in [
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out key.pem", PrivateKeyError::NotP256),
        ("ecparam -name secp256k1 -genkey -noout -out key.pem", PrivateKeyError::NotP256),
        ("genpkey -algorithm ED25519 -out key.pem", PrivateKeyError::NotP256),
        ("genrsa -traditional -out key.pem 2048", PrivateKeyError::NotP256),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x -out key.pem", not_plain),
    ] {
        openssl.ok(how);
        let issued = authority.issue_leaf(&names(&["a.example"]), Some(&openssl.text("key.pem")), serial(1), NOW);
        assert!(matches!(&issued, Err(LeafError::Key(error)) if *error == expected), "openssl {how}: {issued:?}");
    }
}

#[test]
fn openssl_reads_the_keys_that_are_made_here() {
    let Some(openssl) = Openssl::for_test("openssl_reads_the_keys_that_are_made_here") else { return };
    let authority = authority();
    let request = ClientRequest::generate().unwrap();
    for (key, pin) in [
        (authority.key_pem().unwrap(), authority.root().pin),
        (request.key_pem(), VerifiedCsr::from_der(request.csr()).unwrap().key_pin()),
    ] {
        openssl.write("key.pem", &*key);
        assert!(openssl.ok("pkey -in key.pem -noout -check -text").contains("NIST CURVE: P-256"));
        assert_eq!(pin_of(&openssl, "key.pem"), pin);
    }
}

#[test]
fn an_identity_that_openssl_made_is_read() {
    let Some(openssl) = Openssl::for_test("an_identity_that_openssl_made_is_read") else { return };
    openssl.ok("genpkey -algorithm ED25519 -out key.pem");
    openssl.ok("pkey -in key.pem -pubout -outform DER -out public.der");
    // RFC 8410: twelve bytes that say Ed25519, then the key.
    let read = IdentitySecret::from_pem(&openssl.text("key.pem")).unwrap();
    assert_eq!(openssl.read("public.der")[12..], *read.public().as_bytes());
}

#[test]
fn an_authority_that_openssl_made_serves_a_fleet() {
    let Some(openssl) = Openssl::for_test("an_authority_that_openssl_made_serves_a_fleet") else { return };
    openssl.ok("ecparam -name prime256v1 -genkey -noout -out ca.key");
    let make = "req -x509 -new -config req.cnf -key ca.key -subj /O=House/CN=Root -days 3650 -out ca.pem";
    openssl.ok(&format!("{make} -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign"));
    let ders = vigo_ca::pem::certificates(&openssl.text("ca.pem")).unwrap();
    let root = Root::from_der(&ders[0]).unwrap();
    assert_eq!((root.server, root.pin), (None, pin_of(&openssl, "ca.key")));
    // It is good from the moment at which openssl made it.
    let now = root.not_before.after(DAY);
    let load =
        |cert: &str| CertificateAuthority::load(&openssl.text(cert), Some(&openssl.text("ca.key")), &server_id(), now);
    let authority = load("ca.pem").unwrap();
    let (issued, _) = fleet::issue(&authority, 1, now);
    assert_eq!(PeerIdentity::from_certificate(&issued.der).unwrap().server, server_id());
    openssl.write("envoy.pem", vigo_ca::pem::encode_certificate(&issued.der));
    let verify = format!("verify -x509_strict -attime {} -CAfile ca.pem -purpose sslclient envoy.pem", now.as_secs());
    openssl.ok(&verify);
    let leaf = authority.issue_leaf(&names(&["a.example"]), None, serial(2), now).unwrap();
    openssl.write("server.pem", leaf.cert_pem());
    openssl.ok(&format!("verify -attime {} -CAfile ca.pem -purpose sslserver server.pem", now.as_secs()));

    openssl.ok(&format!("{make} -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign"));
    assert!(matches!(load("ca.pem"), Err(CaError::Root(vigo_ca::RootError::KeyUsage))));
    openssl.ok(&format!("{make} -addext basicConstraints=critical,CA:FALSE"));
    assert!(matches!(load("ca.pem"), Err(CaError::Root(vigo_ca::RootError::NotCa))));
}

#[test]
fn openssl_reads_the_requests_that_are_made_here() {
    let Some(openssl) = Openssl::for_test("openssl_reads_the_requests_that_are_made_here") else { return };
    let request = ClientRequest::generate().unwrap();
    openssl.write("request.der", request.csr());
    assert!(openssl.takes_request("request.der"));
    let text = openssl.ok("req -config req.cnf -inform DER -in request.der -noout -text -nameopt RFC2253");
    assert!(text.lines().any(|line| line.trim() == "Subject:"), "it asks for no name: {text}");
    assert!(!text.contains("X509v3"), "it asks for nothing: {text}");
    let again = ClientRequest::from_key_pem(&request.key_pem()).unwrap();
    let csr = VerifiedCsr::from_der(again.csr()).unwrap();
    assert_eq!(csr, VerifiedCsr::from_der(request.csr()).unwrap());
    let issued = authority().sign(&csr, grant(1), serial(1), NOW).unwrap();
    openssl.write("key.pem", &*request.key_pem());
    assert_eq!(issued.key_pin, pin_of(&openssl, "key.pem"));
}
