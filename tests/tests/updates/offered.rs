//! What a server with signing keys hands out: what they signed, as it was signed, and nothing else.

use serde_json::Value;
use vigo_core::{AgentManifest, UnixTime};
use vigo_tests::{Options, Server, needs_tools, sh, until};

use crate::world::{CURRENT, HERE, NEXT, Told, manifest, now, public, secret};

struct Offering {
    server: Server,
}

impl Offering {
    fn get(&self, path: &str) -> Value {
        let answer = sh(&format!("curl -sk '{}/api/v1/agent/{path}'", self.server.api())).ok();
        serde_json::from_str(&answer).unwrap_or(Value::String(answer))
    }

    fn latest(&self) -> Value {
        self.get("latest?os=linux&arch=x86_64")
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let folder = self.server.dir().join("agents").join(HERE);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }

    fn lay(&self, told: &Told) {
        for (name, bytes) in [("vigo", &told.binary), ("vigo.manifest", &told.manifest), ("vigo.sig", &told.signature)]
        {
            self.put(name, bytes);
        }
    }

    /// Neither described nor handed out.
    #[track_caller]
    fn refused(&self, says: &str) {
        for answer in [self.latest(), self.get("download/linux/x86_64")] {
            assert_eq!(answer["error"]["code"], "agent_unsigned", "{answer}");
            assert!(answer["error"]["message"].as_str().unwrap().contains(says), "{answer}");
        }
    }
}

#[test]
fn rule_15_a_server_offers_only_what_its_keys_signed() {
    if !needs_tools("a_server_offers_only_what_its_keys_signed", &["curl"]) {
        return;
    }
    let mut options = Options::default();
    options.sections += &format!("agents: {{signing_keys: [\"{}\"]}}\n", public(CURRENT));
    let offering = Offering { server: Server::with(&options) };
    let binary = b"\x7fELF and the rest".to_vec();
    let good = || manifest("0.3.0", &binary);
    let of = |manifest: &AgentManifest| Told::of(manifest, binary.clone());

    // The agent that lies beside a development server is not signed.
    assert_eq!(offering.latest()["error"]["code"], "no_agent");
    offering.put("vigo", &binary);
    offering.refused("there is no vigo.manifest beside it; `cargo xtask sign` writes it");
    offering.lay(&Told::by(NEXT, &good(), binary.clone()));
    offering.refused("signature is not one of");
    offering.lay(&of(&manifest("0.3.0", b"another")));
    offering.refused("its manifest is another build's");
    offering.lay(&of(&AgentManifest { target: "linux-aarch64".parse().unwrap(), ..good() }));
    offering.refused("for another system");
    offering.lay(&of(&AgentManifest {
        expires: UnixTime::from_secs(now() - 1),
        not_before: UnixTime::from_secs(1),
        ..good()
    }));
    offering.refused("it has expired");
    offering.lay(&Told { signature: vec![0; 63], ..of(&good()) });
    offering.refused("no signature of 64 bytes");

    let told = of(&good());
    offering.lay(&told);
    let latest = offering.latest();
    assert_eq!(latest["version"], "0.3.0");
    assert_eq!((&latest["manifest"], &latest["signature"]), (&told.latest()["manifest"], &told.latest()["signature"]));
    assert_eq!(latest["signing_key"], public(CURRENT));
    let text = sh(&format!(
        "curl -sk -H 'Accept: text/plain' '{}/api/v1/agent/latest?os=linux&arch=x86_64'",
        offering.server.api()
    ));
    let text = text.ok();
    for (name, value) in [("manifest", &latest["manifest"]), ("signature", &latest["signature"])] {
        assert!(text.contains(&format!("\n{name} {}\n", value.as_str().unwrap())), "{text}");
    }
    // New machines are told to demand that key.
    let pin = secret(CURRENT).public().pin();
    until("the line has the signing pin", || {
        let line = offering.server.json(&["bootstrap", "command"]);
        line["command"].as_str().unwrap().contains(&format!("--signing-pin {pin}")).then_some(())
    });

    let checked = offering.server.check().ok();
    assert!(checked.contains(&format!("agent {HERE} 0.3.0, signed by {pin}")), "{checked}");

    // Changed after it was looked at.
    offering.put("vigo", b"\x7fELF and the resT");
    offering.refused("its manifest is another build's");
    let checked = offering.server.check().ok();
    assert!(checked.contains(&format!("warning: the agent for {HERE} is not offered: its manifest is")), "{checked}");
}

#[test]
fn signing_keys_of_the_configuration() {
    #[track_caller]
    fn check(keys: &str, says: &str) {
        let mut options = Options::default();
        options.sections += &format!("agents: {{signing_keys: {keys}}}\n");
        let said = Server::home(&options).check().failed(1);
        assert!(said.contains(says), "{said}");
    }
    let zero = "0".repeat(64);
    check(&format!("[\"{zero}\"]"), "a signing key of zero bytes is none");
    check("[\"abc\"]", "64 hexadecimal digits");
    check(&format!("[\"01{}\"]", &zero[2..]), "a weak key");
    let (a, b) = (public(1), public(2));
    check(&format!("[\"{a}\", \"{b}\", \"{a}\"]"), "one or two keys");
}
