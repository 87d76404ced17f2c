//! Bad input of every kind: a clear error with its code, and nothing lost.

use vigo_tests::{Machine, Server};

/// What an agent is told, and what the audit log knows.
#[track_caller]
fn refused(server: &Server, hostname: &str, token: &str, told: &str, audited: &str) {
    let said = Machine::new(hostname).bootstrap(server, Some(token), &[]).failed(5);
    assert!(said.starts_with(&format!("vigo: {told}\n  help: ")), "{said}");
    assert!(!said.contains(token), "a token is never said: {said}");
    assert_eq!(server.last_audit("envoy.enrol").0, audited);
}

const REJECTED: &str = "The token is not accepted for this host";

#[test]
fn rule_08_tokens_that_are_no_way_in() {
    let server = Server::start();
    let good = server.token("web1.example.com", &[]);
    let parts: Vec<&str> = good.split('.').collect();
    let [version, id, secret, pin, mac] = parts[..] else { panic!("five parts: {}", parts.len()) };

    refused(&server, "web2.example.com", &good, REJECTED, "token_other_host");
    let elsewhere = server.token("web1.example.com", &["--cidr", "10.0.0.0/8"]);
    refused(&server, "web1.example.com", &elsewhere, REJECTED, "token_other_network");
    let expired = server.token("web1.example.com", &["--ttl", "1s"]);
    vigo_tests::until("the token expires", || {
        let tokens = server.json(&["tokens", "list"]);
        tokens.as_array().unwrap().iter().any(|token| token["status"] == "expired").then_some(())
    });
    refused(&server, "web1.example.com", &expired, REJECTED, "token_expired");
    let revoked = server.json(&["tokens", "generate", "--pattern", "web1.example.com"]);
    let _ = server.cli(&["--yes", "tokens", "revoke", revoked["id"].as_str().unwrap()]).ok();
    refused(&server, "web1.example.com", revoked["token"].as_str().unwrap(), REJECTED, "token_revoked");
    // Another secret, another id: the MAC no longer fits, and no more is looked at.
    let turned: String = secret.chars().rev().collect();
    let forged = [version, id, &turned, pin, mac].join(".");
    refused(&server, "web1.example.com", &forged, REJECTED, "token_forged");
    let other_id: String = id.chars().rev().collect();
    let forged = [version, &other_id, secret, pin, mac].join(".");
    refused(&server, "web1.example.com", &forged, REJECTED, "token_forged");

    let _ = Machine::new("web1.example.com").bootstrap(&server, Some(&good), &[]).ok();
    refused(&server, "web1.example.com", &good, "The token has been used", "token_used");
    assert_eq!(server.envoys().len(), 1);
}

#[test]
fn rule_08_what_is_no_token_is_not_sent() {
    let server = Server::start();
    let machine = Machine::new("web1.example.com");
    for token in ["", "hello", "vgt1.a.b.c", "vgt2.a.b.c.d", "vgt1.a.b.c.d.e", "vgt1.\u{e9}.b.c.d"] {
        let said = machine.bootstrap(&server, Some(token), &[]).failed(2);
        assert!(said.contains("what was given is no token"), "{said}");
    }
    let said = machine.bootstrap(&server, None, &["--token-file", "/nonexistent"]).failed(1);
    assert!(said.contains("--token-file /nonexistent"), "{said}");
    assert!(!machine.config_dir().join("pending").exists(), "nothing was drawn for it");
    assert_eq!(server.json(&["audit", "list"]).as_array().unwrap().len(), 0);
}

#[test]
fn rule_05_hostnames_of_every_bad_kind_are_refused_before_anything_is_sent() {
    let server = Server::start();
    let machine = Machine::new("unused.example.com");
    let token = server.token("*.example.com", &[]);
    let long = format!("{}.example.com", "a".repeat(64));
    for name in [
        "web_1",
        "10.0.0.1",
        "127.1",
        "a..b",
        "-a.example.com",
        "a-.example.com",
        "*.example.com",
        "b\u{fc}cher.example",
        "a b",
        "../etc",
        "$(id)",
        long.as_str(),
        "::1",
    ] {
        let (grpc, api) = (server.grpc(), server.api());
        let program =
            machine.vigo(&["bootstrap", "--no-service", "--server", &grpc, "--api-addr", &api, "--token-stdin"]);
        let said = program.args([format!("--hostname={name}")]).input(&token).run().failed(2);
        assert!(said.contains("--hostname"), "{name}: {said}");
    }
    assert!(server.envoys().is_empty());
}

#[test]
fn rule_01_another_servers_pin_stops_before_the_token_is_sent() {
    let (server, other) = (Server::start(), Server::start());
    let token = server.token("web1.example.com", &[]);
    let machine = Machine::new("web1.example.com");
    let said = machine.bootstrap(&server, Some(&token), &["--ca-pin", &other.ca_pin()]).failed(4);
    assert!(said.contains("not the one that was pinned") && said.contains(&server.ca_pin()), "{said}");
    // The token carries its server's pin, so it is never shown to another.
    let said = machine.bootstrap(&other, Some(&token), &[]).failed(4);
    assert!(said.contains("not the one that was pinned"), "{said}");
    let said = machine.bootstrap(&other, Some(&token), &["--ca-pin", &other.leaf_pin()]).failed(4);
    assert!(said.contains("the token is for a server whose CA is"), "{said}");
    for server in [&server, &other] {
        assert!(server.json(&["audit", "list"]).as_array().unwrap().iter().all(|row| row["action"] != "envoy.enrol"));
    }
    let _ = machine.bootstrap(&server, Some(&token), &["--ca-pin", &server.leaf_pin()]).ok();
    assert_eq!(machine.status()["trusted_by"], "leaf-pin");
}

#[test]
fn rule_01_first_use_is_said_recorded_and_shown() {
    let server = Server::with_bootstrap("  trusted_enrollment: [{pattern: '*.example.com', cidrs: [127.0.0.0/8]}]\n");
    let machine = Machine::new("web1.example.com");
    let told = machine.bootstrap(&server, None, &[]);
    assert!(told.stderr.contains("no pin was given") && told.stderr.contains(&server.ca_pin()), "{}", told.stderr);
    assert_eq!((told.code, &machine.status()["trusted_by"]), (0, &"first-use".into()));
    let text = machine.vigo(&["status"]).run().ok();
    assert!(text.contains("Trusted by: first use"), "{text}");
}

#[test]
fn rule_03_a_token_in_an_argument_works_with_a_warning() {
    let server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let machine = Machine::new("web1.example.com");
    let told = machine.bootstrap(&server, None, &["--token", &token]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(told.stderr.contains("can be seen by others") && !told.stderr.contains(&token), "{}", told.stderr);
    let token = server.token("web2.example.com", &[]);
    let machine = Machine::new("web2.example.com");
    let told = machine.bootstrapping(&server, &[]).env("VIGO_TOKEN", &token).run();
    assert_eq!(told.code, 0, "{}", told.stderr);
    let token = server.token("web3.example.com", &[]);
    let machine = Machine::new("web3.example.com");
    let file = machine.dir().join("token");
    std::fs::write(&file, format!("{token}\nmore\n")).unwrap();
    let _ = machine.bootstrap(&server, None, &["--token-file", file.to_str().unwrap()]).ok();
}

#[test]
fn rule_03_no_log_holds_a_token() {
    let mut server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let secret = token.split('.').nth(2).unwrap();
    let machine = Machine::new("web1.example.com");
    let told = machine.bootstrapping(&server, &["--token-stdin"]).input(&token).env("VIGO_LOG", "trace").run();
    assert_eq!(told.code, 0);
    let refused = Machine::new("web1.example.com")
        .bootstrapping(&server, &["--token-stdin"])
        .input(&token)
        .env("VIGO_LOG", "trace")
        .run();
    let audit = server.json(&["audit", "list"]).to_string() + &server.json(&["tokens", "list"]).to_string();
    for text in [told.stdout, told.stderr, refused.stderr, server.process().all(), audit] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named_with_the_next_step() {
    let server = Server::start();
    let machine = Machine::new("web1.example.com");
    let ask = |address: &str| machine.vigo(&["register", "--server", address, "--hostname", "web1.example.com"]).run();
    let said = ask("127.0.0.1:1").failed(6);
    assert!(said.contains("127.0.0.1:1 could not be reached") && said.contains("TCP port 1?"), "{said}");
    let said = ask("no-such-host.invalid").failed(6);
    assert!(said.contains("no-such-host.invalid:1530 could not be reached"), "{said}");
    // The HTTPS port instead of gRPC's.
    let said = ask(&format!("127.0.0.1:{}", server.api_port()));
    assert_ne!(said.code, 0);
    assert!(said.stderr.contains("help: "), "{}", said.stderr);
    let said = machine.vigo(&["register"]).run().failed(2);
    assert!(said.contains("no server is named") && said.contains("--server"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_is_sent() {
    let server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let machine = Machine::new("web1.example.com");
    std::fs::write(machine.config_dir(), "a file").unwrap();
    let said = machine.bootstrap(&server, Some(&token), &[]).failed(1);
    assert!(said.contains("is not a directory"), "{said}");
    std::fs::remove_file(machine.config_dir()).unwrap();
    let file = machine.dir().join("file");
    std::fs::write(&file, "").unwrap();
    let said = machine.bootstrap(&server, Some(&token), &["--bin-dir", file.to_str().unwrap()]).failed(1);
    assert!(said.contains("cannot install") && said.contains("--bin-dir"), "{said}");
    assert!(server.envoys().is_empty());
    let _ = machine.bootstrap(&server, Some(&token), &[]).ok();
}

#[test]
fn a_server_without_its_ca_key_enrols_nobody_and_goes_on_serving_the_others() {
    let mut server = Server::start();
    let machine = Machine::enrolled("web1.example.com", &server);
    let token = server.token("web2.example.com", &[]);
    server.stop();
    server.configure(&server.configuration().replace("server:\n", "server:\n  tls: {ca_key_file: \"\"}\n"));
    server.run();
    let said = Machine::new("web2.example.com").bootstrap(&server, Some(&token), &[]).failed(6);
    assert!(said.contains("no CA key") && said.contains("ca_key_file"), "{said}");
    let _ = machine.check_in().ok();
    server.process().says("this server enrols nobody");
    assert_eq!(
        server.json(&["tokens", "list"])[0]["used"].as_u64().unwrap()
            + server.json(&["tokens", "list"])[1]["used"].as_u64().unwrap(),
        1
    );
}

#[test]
fn a_pending_registration_that_is_damaged_is_named() {
    let server = Server::start();
    let token = server.token("web1.example.com", &[]);
    let machine = Machine::new("web1.example.com");
    let _ = machine.register(&server, Some(&token), &[]).ok();
    let identity = machine.config_dir().join("pending/identity_key");
    std::fs::write(&identity, "half").unwrap();
    let said = machine.register(&server, Some(&token), &["--force"]).failed(1);
    assert!(said.contains("is damaged") && said.contains("rm -r"), "{said}");
}
