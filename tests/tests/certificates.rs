//! Certificates and pins as openssl and curl see them.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vigo_core::{Audience, SignedRegistration};
use vigo_tests::{Machine, Program, Server, client, needs_tools, openssl, sh};

#[test]
fn rule_10_openssl_verifies_what_the_server_issued() {
    if !needs_tools("rule_10_openssl_verifies_what_the_server_issued", &["openssl"]) {
        return;
    }
    let server = Server::start();
    let machine = Machine::enrolled("web1.example.com", &server);
    let (ca, certificate) = (machine.file("ca"), machine.file("certificate"));
    let (ca, certificate) = (ca.to_str().unwrap(), certificate.to_str().unwrap());
    let _ = openssl(&["verify", "-x509_strict", "-CAfile", ca, "-purpose", "sslclient", certificate], "").ok();
    let as_server = openssl(&["verify", "-CAfile", ca, "-purpose", "sslserver", certificate], "");
    assert_ne!(as_server.code, 0, "an envoy's certificate is a client's alone");
    let text = openssl(&["x509", "-in", certificate, "-noout", "-text"], "").ok();
    let show = server.json(&["envoys", "show", "web1.example.com"]);
    let uri = format!(
        "URI:vigo://{}/envoy/{}/",
        server.json(&["ca", "show"])["server_id"].as_str().unwrap(),
        machine.envoy()
    );
    for part in ["CA:FALSE", "TLS Web Client Authentication", "ASN1 OID: prime256v1", &uri] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("DNS:") && !text.contains("TLS Web Server"), "{text}");
    let serial = openssl(&["x509", "-in", certificate, "-noout", "-serial"], "").ok();
    let known = show["certificates"][0]["serial"].as_str().unwrap();
    assert_eq!(serial.trim().to_lowercase(), format!("serial={known}"));
    assert_eq!(known.len(), 32);
}

#[test]
fn the_query_chooses_the_bootstrap_script_and_no_header_enters_it() {
    if !needs_tools("the_query_chooses_the_bootstrap_script_and_no_header_enters_it", &["curl"]) {
        return;
    }
    let server = Server::start();
    let get = |query: &str| {
        let url = format!("{}/bootstrap{query}", server.api());
        let shown = "%{http_code} %{content_type}";
        let answer = Program::at("curl").args(["-ksSg", "-H", "Host: evil.example.com", "-w", shown, &url]).run().ok();
        assert!(!answer.contains("evil.example.com"), "{answer}");
        answer
    };
    let windows = get("?os=windows");
    let (leaf, address) = (format!("LeafPin = '{}'", server.leaf_pin()), "ApiAddr = 'https://");
    assert!(windows.starts_with("(& {\n") && windows.contains(&leaf) && windows.contains(address), "{windows}");
    assert!(windows.ends_with("} @args)200 text/plain; charset=utf-8"), "{windows}");
    let plain = get("");
    assert!(plain.starts_with("{\n") && plain.ends_with("\n}200 text/x-shellscript; charset=utf-8"), "{plain}");
    assert_eq!(get("?os=linux"), plain);
    assert_eq!(get("?os=openbsd"), plain);
    for unknown in ["?os=", "?os=plan9", "?os=Windows", "?os=%24(reboot)"] {
        let refused = get(unknown);
        assert!(refused.contains("\"no_agent\"") && refused.ends_with("404 application/json"), "{unknown}: {refused}");
    }
}

#[test]
fn rule_01_pins_are_what_openssl_computes_and_what_curl_checks() {
    if !needs_tools("rule_01_pins_are_what_openssl_computes_and_what_curl_checks", &["openssl", "curl"]) {
        return;
    }
    let server = Server::start();
    let pin = |file: &str| {
        let line = format!(
            "openssl x509 -in '{file}' -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -r"
        );
        format!("sha256:{}", sh(&line).ok().split(' ').next().unwrap())
    };
    assert_eq!(pin(server.file("tls/ca").to_str().unwrap()), server.ca_pin());
    assert_eq!(pin(server.file("tls/cert").to_str().unwrap()), server.leaf_pin());

    let curl = |pin: &str, path: &str| {
        let bytes = hex::decode(pin.strip_prefix("sha256:").unwrap()).unwrap();
        let pinned = format!("sha256//{}", STANDARD.encode(bytes));
        Program::at("curl").args(["-sSfk", "--pinnedpubkey", &pinned, &format!("{}{path}", server.api())]).run()
    };
    let script = curl(&server.leaf_pin(), "/bootstrap").ok();
    assert!(script.starts_with("{\n") && script.contains(&server.ca_pin()));
    let refused = curl(&server.ca_pin(), "/bootstrap");
    assert_eq!((refused.code, refused.stdout.as_str()), (90, ""), "{}", refused.stderr);
    let ca = curl(&server.leaf_pin(), "/api/v1/bootstrap/ca").ok();
    assert_eq!(ca, std::fs::read_to_string(server.file("tls/ca")).unwrap());
    // With the CA as the only root, the server's name and address verify without -k.
    let file = server.file("tls/ca");
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}/healthz", server.api_port());
        let answer = Program::at("curl").args(["-sSf", "--cacert", file.to_str().unwrap(), &url]).run().ok();
        assert_eq!(answer, "ok\n");
    }
}

#[test]
fn rule_01_the_servers_key_outlives_its_certificate() {
    let mut server = Server::start();
    let pins = (server.ca_pin(), server.leaf_pin());
    let before = std::fs::read_to_string(server.file("tls/cert")).unwrap();
    server.stop();
    server.configure(&server.configuration().replace("server:\n", "server:\n  tls_sans: [other.example.com]\n"));
    server.run();
    assert_ne!(std::fs::read_to_string(server.file("tls/cert")).unwrap(), before, "a name more is a new certificate");
    assert_eq!((server.ca_pin(), server.leaf_pin()), pins);
}

/// A registration whose certificate request openssl made, sent as JSON; what the server answers.
async fn ask(server: &Server, seed: u8, csr: Vec<u8>, token: &str) -> Value {
    let (mut registration, identity, _) = client::registration("web1.example.com", seed, Some(token));
    registration.csr = csr;
    let root = server.ca_pin().parse().unwrap();
    let SignedRegistration { body, signature, .. } = registration.sign(&identity, None, Audience::root(&root)).unwrap();
    let body = json!({"frame": STANDARD.encode(body), "signature": STANDARD.encode(signature.as_bytes())}).to_string();
    let url = format!("{}/api/v1/bootstrap/register", server.api());
    let answer = Program::at("curl").args(["-sSk", "--data-binary", "@-", &url]).input(&body).run().ok();
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[tokio::test]
async fn rule_10_hostile_requests_made_by_openssl() {
    if !needs_tools("rule_10_hostile_requests_made_by_openssl", &["openssl", "curl"]) {
        return;
    }
    let server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let folder = tempfile::tempdir().unwrap();
    let request = |key: &str, more: &str| {
        let dir = folder.path().display();
        let line = format!(
            "cd {dir} && openssl genpkey {key} -out key.pem 2>/dev/null && \
             openssl req -new -key key.pem -subj /CN=root -outform DER -out csr.der {more} && cat key.pem >/dev/null"
        );
        let _ = sh(&line).ok();
        std::fs::read(folder.path().join("csr.der")).unwrap()
    };
    let p256 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
    for (seed, key, why) in [
        (1, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "Ed25519 or ECDSA P-256"),
        (2, "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", "Ed25519 or ECDSA P-256"),
        (3, "-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "Ed25519 or ECDSA P-256"),
    ] {
        let answer = ask(&server, seed, request(key, ""), &token).await;
        assert_eq!(answer["error"]["code"], "csr_refused", "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(why), "{answer}");
    }
    let mut flipped = request(p256, "");
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let answer = ask(&server, 4, flipped, &token).await;
    assert_eq!(answer["error"]["code"], "csr_refused", "{answer}");
    let answer = ask(&server, 5, vec![0x30; 17 * 1024], &token).await;
    assert_eq!(answer["error"]["code"], "csr_refused", "{answer}");
    let answer = ask(&server, 6, Vec::new(), &token).await;
    assert_eq!(answer["error"]["code"], "csr_refused", "{answer}");
    assert_eq!(server.json(&["tokens", "list"])[0]["used"], 0, "none of them cost the token");

    // CA:TRUE, more names, more uses: the request is good, and none of it comes back.
    let wishes = "-addext basicConstraints=critical,CA:TRUE -addext subjectAltName=DNS:evil.example.com,IP:10.0.0.1 \
                  -addext extendedKeyUsage=serverAuth,codeSigning -addext keyUsage=keyCertSign";
    let answer = ask(&server, 7, request(p256, wishes), &token).await;
    let certificate = answer["certificate"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let text = openssl(&["x509", "-noout", "-text"], certificate).ok();
    for wish in
        ["CA:TRUE", "evil", "10.0.0.1", "Server Authentication", "Code Signing", "Certificate Sign", "CN = root"]
    {
        assert!(!text.contains(wish), "{wish}: {text}");
    }
    assert!(text.contains("CA:FALSE") && text.contains("URI:vigo://"), "{text}");
    assert_eq!(answer["ca"].as_str().unwrap(), std::fs::read_to_string(server.file("tls/ca")).unwrap());
}
