//! Every kind of certificate that the authority makes, read and verified by `openssl`, and verified by `webpki` too.

use vigo_ca::pem::encode_certificate;
use vigo_ca::{CertificateAuthority, PeerIdentity};
use vigo_core::{Pin, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::fleet::{self, DAY, HOUR, NOW, authority, envoy, identity, server_id};
use crate::tool::Openssl;

/// An authority with one envoy and one server, and their certificates as files.
struct Scene {
    openssl: Openssl,
    authority: CertificateAuthority,
    envoy: Vec<u8>,
}

fn scene(test: &str) -> Option<Scene> {
    let openssl = Openssl::for_test(test)?;
    let authority = authority();
    let envoy = fleet::issue(&authority, 1, NOW).0.der;
    openssl.write("root.pem", authority.cert_pem());
    openssl.write("envoy.pem", encode_certificate(&envoy));
    openssl.write("server.pem", encode_certificate(&fleet::leaf(&authority).chain()[0]));
    Some(Scene { openssl, authority, envoy })
}

impl Scene {
    /// What `openssl x509` says of a certificate: every line, trimmed.
    fn says(&self, name: &str, what: &str) -> Vec<String> {
        let options = "-noout -nameopt RFC2253 -dateopt iso_8601";
        let text = self.openssl.ok(&format!("x509 -in {name}.pem {options} {what}"));
        text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    /// All of a certificate but its keys.
    #[track_caller]
    fn check(&self, name: &str, plain: &[&str], extensions: &[&str]) {
        assert_eq!(self.says(name, "-serial -subject -issuer -startdate -enddate"), plain);
        let known = "-ext basicConstraints,keyUsage,extendedKeyUsage,subjectAltName";
        let mut found = self.says(name, known);
        // In whatever order they are in the certificate: each a line with its name and a line with its content.
        found = found.chunks(2).map(|pair| pair.join(" ")).collect();
        found.sort();
        assert_eq!(found, extensions);
        // And no other but the two that tie a certificate to its authority's key.
        let all = self.says(name, "-text");
        let all = all.iter().filter(|line| line.starts_with("X509v3 ") && !line.ends_with("extensions:"));
        assert_eq!(all.count(), extensions.len() + 2);
        assert_eq!(
            self.says(name, "-ext authorityKeyIdentifier")[1],
            self.says("root", "-ext subjectKeyIdentifier")[1]
        );
    }
}

const AUTHORITY: &str = "CN=Vigo CA f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1";

#[test]
fn rule_10_what_an_envoys_certificate_says() {
    let Some(scene) = scene("rule_10_what_an_envoys_certificate_says") else { return };
    let digest = hex::encode(PeerIdentity::digest_of(&identity(1)));
    scene.check(
        "envoy",
        &[
            "serial=41010101010101010101010101010101",
            "subject=CN=01010101-0101-4101-8101-010101010101",
            &format!("issuer={AUTHORITY}"),
            "notBefore=2026-05-31 23:55:00Z",
            "notAfter=2027-06-01 00:00:00Z",
        ],
        &[
            "X509v3 Basic Constraints: critical CA:FALSE",
            "X509v3 Extended Key Usage: TLS Web Client Authentication",
            "X509v3 Key Usage: critical Digital Signature",
            &format!("X509v3 Subject Alternative Name: URI:vigo://{}/envoy/{}/{digest}", server_id(), envoy(1)),
        ],
    );
}

#[test]
fn rule_10_what_a_servers_certificate_says() {
    let Some(scene) = scene("rule_10_what_a_servers_certificate_says") else { return };
    scene.check(
        "server",
        &[
            "serial=5E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E",
            "subject=CN=Vigo server",
            &format!("issuer={AUTHORITY}"),
            "notBefore=2026-05-31 23:55:00Z",
            "notAfter=2027-07-02 23:55:00Z",
        ],
        &[
            "X509v3 Basic Constraints: critical CA:FALSE",
            "X509v3 Extended Key Usage: TLS Web Server Authentication",
            "X509v3 Key Usage: critical Digital Signature",
            "X509v3 Subject Alternative Name: DNS:vigo.example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
        ],
    );
}

#[test]
fn rule_10_what_the_authoritys_certificate_says() {
    let Some(scene) = scene("rule_10_what_the_authoritys_certificate_says") else { return };
    scene.check(
        "root",
        &[
            "serial=4ACACACACACACACACACACACACACACACA",
            &format!("subject={AUTHORITY}"),
            &format!("issuer={AUTHORITY}"),
            "notBefore=2026-05-31 23:55:00Z",
            "notAfter=2036-05-29 00:00:00Z",
        ],
        &[
            "X509v3 Basic Constraints: critical CA:TRUE, pathlen:0",
            "X509v3 Key Usage: critical Certificate Sign, CRL Sign",
            "X509v3 Subject Alternative Name: URI:vigo://f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1",
        ],
    );
}

/// Whatever random bytes a serial is made of, it has 16 bytes and is positive (RFC 5280 §4.1.2.2 has room for 20).
#[test]
fn rule_10_serials_have_128_bits() {
    let Some(openssl) = Openssl::for_test("rule_10_serials_have_128_bits") else { return };
    for byte in [0, 0x7f, 0x80, 0xff] {
        let authority = authority();
        let (issued, _) = fleet::issue(&authority, byte, NOW);
        openssl.write("envoy.pem", encode_certificate(&issued.der));
        let said = openssl.ok("x509 -in envoy.pem -noout -serial");
        let digits = said.trim().strip_prefix("serial=").unwrap().to_lowercase();
        assert_eq!((digits.len(), digits), (32, issued.serial.to_string()));
    }
}

#[test]
fn rule_10_openssl_verifies_each_for_its_own_purpose() {
    let Some(scene) = scene("rule_10_openssl_verifies_each_for_its_own_purpose") else { return };
    let openssl = &scene.openssl;
    let verify = |now: UnixTime, rest: &str| {
        format!("verify -x509_strict -check_ss_sig -attime {} -CAfile root.pem {rest}", now.as_secs())
    };
    openssl.ok(&verify(NOW, "-purpose sslclient envoy.pem"));
    openssl.ok(&verify(NOW, "-purpose sslserver server.pem"));
    openssl.ok(&verify(NOW, "-purpose sslserver -verify_hostname vigo.example.com server.pem"));
    openssl.ok(&verify(NOW, "-purpose sslserver -verify_ip 127.0.0.1 server.pem"));
    openssl.ok(&verify(NOW, "-purpose sslserver -verify_ip ::1 server.pem"));
    openssl.ok(&verify(NOW, "root.pem"));

    for (purpose, name) in [("sslserver", "envoy"), ("sslclient", "server"), ("smimesign", "envoy")] {
        let unsuited = ["unsupported certificate purpose", "unsuitable certificate purpose"];
        // OpenSSL 3.2 found a better word.
        let said = openssl.said(&verify(NOW, &format!("-purpose {purpose} {name}.pem")));
        assert!(unsuited.iter().any(|words| said.contains(words)), "{said}");
    }
    openssl.fails(&verify(NOW, "-verify_hostname other.example.com server.pem"), "hostname mismatch");
    openssl.fails(&verify(NOW, "-verify_ip 127.0.0.2 server.pem"), "IP address mismatch");
    openssl.fails(&verify(NOW.before(HOUR), "envoy.pem"), "not yet valid");
    openssl.fails(&verify(NOW.after(DAY * 366), "envoy.pem"), "expired");
    openssl.fails(&verify(NOW.after(DAY * 398), "server.pem"), "expired");
    // The same name, another key.
    openssl.write("root.pem", authority().cert_pem());
    openssl.fails(&verify(NOW, "envoy.pem"), "envoy.pem: verification failed");
}

/// A certificate asked for near the authority's end ends with it, so that no verifier is left with half a chain.
#[test]
fn rule_10_nothing_outlives_the_authority() {
    let Some(openssl) = Openssl::for_test("rule_10_nothing_outlives_the_authority") else { return };
    let authority = authority();
    let end = authority.root().not_after;
    let late = end.before(DAY);
    openssl.write("root.pem", authority.cert_pem());
    openssl.write("envoy.pem", encode_certificate(&fleet::issue(&authority, 1, late).0.der));
    let server = authority.issue_leaf(&fleet::names(&["a.example"]), None, fleet::serial(2), late).unwrap();
    openssl.write("server.pem", server.cert_pem());
    for name in ["envoy", "server"] {
        let ends = openssl.ok(&format!("x509 -in {name}.pem -noout -enddate -dateopt iso_8601"));
        assert_eq!(ends.trim(), "notAfter=2036-05-29 00:00:00Z");
        openssl.ok(&format!("verify -attime {} -CAfile root.pem {name}.pem", late.as_secs()));
        openssl.fails(&format!("verify -attime {} -CAfile root.pem {name}.pem", end.as_secs() + 1), "expired");
    }
}

#[test]
fn rule_01_pins_are_what_openssl_computes() {
    let Some(scene) = scene("rule_01_pins_are_what_openssl_computes") else { return };
    let openssl = &scene.openssl;
    let leaf = fleet::leaf(&scene.authority);
    openssl.write("server.pem", leaf.cert_pem());
    let envoy = PeerIdentity::from_certificate(&scene.envoy).unwrap();
    for (name, pin) in [("root", scene.authority.root().pin), ("server", leaf.pin()), ("envoy", envoy.key_pin)] {
        openssl.ok(&format!("x509 -in {name}.pem -pubkey -noout -out public.pem"));
        openssl.ok("pkey -pubin -in public.pem -outform DER -out public.der");
        // `SHA2-256(public.der)= …` or `SHA256(public.der)= …`
        let said = openssl.ok("dgst -sha256 public.der");
        assert_eq!(format!("sha256:{}", said.trim().rsplit(' ').next().unwrap()), pin.to_string());
        // And as curl takes it.
        openssl.ok("dgst -sha256 -binary -out digest public.der");
        assert_eq!(format!("sha256//{}", openssl.ok("base64 -in digest").trim()), pin.to_curl());
        assert_eq!(Pin::of_spki(&openssl.read("public.der")), pin);
    }
}

#[test]
fn rule_10_webpki_verifies_each_for_its_own_purpose() {
    let authority = authority();
    let root = authority.root().der.as_slice().into();
    let anchors = [anchor_from_trusted_cert(&root).unwrap()];
    let verify = |der: &[u8], usage: KeyUsage, now: UnixTime| {
        let der = der.into();
        let now = rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_secs()));
        let certificate = EndEntityCert::try_from(&der).unwrap();
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        certificate.verify_for_usage(algorithms, &anchors, &[], now, usage, None, None).map(drop)
    };
    let envoy = fleet::issue(&authority, 1, NOW).0.der;
    let server = fleet::leaf(&authority).chain()[0].to_vec();
    verify(&envoy, KeyUsage::client_auth(), NOW).unwrap();
    verify(&server, KeyUsage::server_auth(), NOW).unwrap();
    assert!(verify(&envoy, KeyUsage::server_auth(), NOW).is_err());
    assert!(verify(&server, KeyUsage::client_auth(), NOW).is_err());
    assert!(verify(&envoy, KeyUsage::client_auth(), NOW.after(DAY * 366)).is_err());
    assert!(verify(&envoy, KeyUsage::client_auth(), NOW.before(HOUR)).is_err());
}
