//! Certificate requests that `openssl` made.

use vigo_ca::{CsrError, PeerIdentity, VerifiedCsr};
use vigo_core::Pin;

use crate::fleet::{NOW, authority, envoy, grant, serial, server_id};
use crate::tool::Openssl;

const P256: &str = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const PLAIN: &str = "-subj /CN=intruder.example.com";

/// Makes a key and a request for it.
fn request(openssl: &Openssl, key: &str, options: &str) -> Vec<u8> {
    openssl.ok(&format!("{key} -out key.pem"));
    openssl.ok(&format!("req -new -config req.cnf -key key.pem {options} -outform DER -out request.der"));
    assert!(openssl.takes_request("request.der"));
    openssl.read("request.der")
}

/// The request is taken, and the certificate has its key and nothing else of it.
#[track_caller]
fn taken(openssl: &Openssl, key: &str, options: &str) {
    let csr = VerifiedCsr::from_der(&request(openssl, key, options)).unwrap();
    openssl.ok("pkey -in key.pem -pubout -outform DER -out public.der");
    assert_eq!(csr.key_pin(), Pin::of_spki(&openssl.read("public.der")));

    let authority = authority();
    let issued = authority.sign(&csr, grant(1), serial(1), NOW).unwrap();
    let peer = PeerIdentity::from_certificate(&issued.der).unwrap();
    assert_eq!((peer.server, peer.envoy, peer.key_pin), (server_id(), envoy(1), csr.key_pin()));
    openssl.write("root.pem", authority.cert_pem());
    openssl.write("envoy.pem", vigo_ca::pem::encode_certificate(&issued.der));
    let verify = format!("verify -x509_strict -attime {} -CAfile root.pem", NOW.as_secs());
    openssl.ok(&format!("{verify} -purpose sslclient envoy.pem"));
    openssl.said(&format!("{verify} -purpose sslserver envoy.pem"));
    let text = openssl.ok("x509 -in envoy.pem -noout -text");
    assert!(!text.contains("intruder") && !text.contains("CA:TRUE") && !text.contains("Server Auth"), "{text}");
    // openssl's own way to say whose key it is.
    openssl.ok("x509 -in envoy.pem -noout -pubkey -out certified.pem");
    openssl.ok("pkey -in key.pem -pubout -out public.pem");
    assert_eq!(openssl.text("certified.pem"), openssl.text("public.pem"));
}

#[test]
fn rule_10_requests_for_more_than_a_key() {
    let Some(openssl) = Openssl::for_test("rule_10_requests_for_more_than_a_key") else { return };
    for key in [P256, "genpkey -algorithm ED25519"] {
        for options in [
            PLAIN,
            "-subj /",
            "-subj /O=intruder/OU=intruder/CN=intruder",
            "-subj / -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign",
            "-subj / -addext extendedKeyUsage=serverAuth,anyExtendedKeyUsage",
            "-subj / -addext subjectAltName=DNS:intruder.example.com,IP:127.0.0.1,URI:vigo://intruder",
            "-subj / -addext nameConstraints=permitted;DNS:intruder -addext 1.2.3.4=critical,ASN1:UTF8String:intruder",
        ] {
            taken(&openssl, key, options);
        }
    }
}

#[track_caller]
fn refused(openssl: &Openssl, key: &str, options: &str, expected: CsrError) {
    let csr = request(openssl, key, options);
    assert_eq!(VerifiedCsr::from_der(&csr).map(drop), Err(expected), "openssl {key} and req {options}");
}

#[test]
fn rule_10_keys_of_other_kinds() {
    let Some(openssl) = Openssl::for_test("rule_10_keys_of_other_kinds") else { return };
    for key in [
        "genrsa",
        "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
        "genpkey -algorithm ED448",
        // P-256 with the curve written out: another encoding, and so another pin, of one key.
        "ecparam -name prime256v1 -genkey -param_enc explicit",
    ] {
        refused(&openssl, key, PLAIN, CsrError::KeyType);
    }
    refused(&openssl, P256, "-subj / -sha384", CsrError::SignatureAlgorithm);
    refused(&openssl, P256, "-subj / -sha512", CsrError::SignatureAlgorithm);
}

#[test]
fn rule_10_the_sender_holds_the_key() {
    let Some(openssl) = Openssl::for_test("rule_10_the_sender_holds_the_key") else { return };
    for key in [P256, "genpkey -algorithm ED25519"] {
        let mut csr = request(&openssl, key, PLAIN);
        *csr.last_mut().unwrap() ^= 1;
        openssl.write("request.der", &csr);
        assert!(!openssl.takes_request("request.der"));
        assert_eq!(VerifiedCsr::from_der(&csr).map(drop), Err(CsrError::BadSignature), "{key}");
        csr.pop();
        assert_eq!(VerifiedCsr::from_der(&csr).map(drop), Err(CsrError::Malformed), "{key}");
        // As PEM: the frame carries DER.
        openssl.ok("req -new -config req.cnf -key key.pem -subj / -out request.pem");
        assert_eq!(VerifiedCsr::from_der(&openssl.read("request.pem")).map(drop), Err(CsrError::Malformed), "{key}");
    }
}

#[test]
fn rule_10_requests_have_an_end() {
    let Some(openssl) = Openssl::for_test("rule_10_requests_have_an_end") else { return };
    let names = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("DNS:intruder-{at:04}.example.com")).collect();
        format!("-subj / -addext subjectAltName={}", names.join(","))
    };
    // 29 bytes for each name.
    taken(&openssl, P256, &names(500));
    refused(&openssl, P256, &names(600), CsrError::TooLong);
}
