//! One machine, its server, and somebody between the two who lies about builds.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use vigo_core::{AgentManifest, AgentSigningSecret, UnixTime};
use vigo_tests::{Daemon, Ended, Liar, Machine, Options, Program, Server, until};
use zeroize::Zeroizing;

/// The key that agents have compiled in, and the next, which they have not yet.
pub(crate) const CURRENT: u8 = 1;
pub(crate) const NEXT: u8 = 2;

pub(crate) const HERE: &str = "linux-x86_64";

pub(crate) fn secret(seed: u8) -> AgentSigningSecret {
    AgentSigningSecret::from_seed(&Zeroizing::new([seed; 32]))
}

pub(crate) fn public(seed: u8) -> String {
    secret(seed).public().to_string()
}

/// The seconds of now, by which agents judge a manifest: as the disk writes them down.
pub(crate) fn now() -> u64 {
    let modified = tempfile::tempfile().unwrap().metadata().unwrap().modified().unwrap();
    modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A build of the agent: `wrong` is what it does on trial, `nothing` for a good one.
pub(crate) fn build(version: &str, wrong: &str) -> Vec<u8> {
    static AGENT: OnceLock<Vec<u8>> = OnceLock::new();
    let agent = AGENT.get_or_init(|| {
        let path = std::env::current_exe().unwrap();
        fs::read(path.parent().unwrap().parent().unwrap().join("updatable")).unwrap()
    });
    let mut bytes = agent.clone();
    bytes.extend_from_slice(format!("\nBUILD {version} {wrong}\n").as_bytes());
    bytes
}

/// Its manifest, valid now.
pub(crate) fn manifest(version: &str, binary: &[u8]) -> AgentManifest {
    let valid = UnixTime::from_secs(now() - 60)..UnixTime::from_secs(now() + 3600);
    AgentManifest::of_binary(binary, HERE.parse().unwrap(), version.parse().unwrap(), valid)
}

/// What a server tells of a build.
pub(crate) struct Told {
    pub(crate) manifest: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) binary: Vec<u8>,
}

impl Told {
    /// Signed as it should be.
    pub(crate) fn of(manifest: &AgentManifest, binary: Vec<u8>) -> Self {
        Self::by(CURRENT, manifest, binary)
    }

    pub(crate) fn by(seed: u8, manifest: &AgentManifest, binary: Vec<u8>) -> Self {
        let signed = manifest.sign(&secret(seed)).unwrap();
        Self { manifest: signed.text, signature: signed.signature.as_bytes().to_vec(), binary }
    }

    /// Any text, signed by the right key.
    pub(crate) fn text(text: &str, binary: Vec<u8>) -> Self {
        let signature = SigningKey::from_bytes(&[CURRENT; 32]).sign(text.as_bytes()).to_bytes().to_vec();
        Self { manifest: text.as_bytes().to_vec(), signature, binary }
    }

    /// A good build of this version.
    pub(crate) fn good(version: &str) -> Self {
        let binary = build(version, "nothing");
        Self::of(&manifest(version, &binary), binary)
    }

    pub(crate) fn latest(&self) -> Value {
        json!({"manifest": STANDARD.encode(&self.manifest), "signature": STANDARD.encode(&self.signature)})
    }
}

pub(crate) fn is_latest(parts: &http::request::Parts) -> bool {
    parts.uri.path() == "/api/v1/agent/latest"
}

pub(crate) fn is_download(parts: &http::request::Parts) -> bool {
    parts.uri.path().starts_with("/api/v1/agent/download/")
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) machine: Machine,
    pub(crate) liar: Liar,
    pub(crate) keys: String,
    old: Vec<u8>,
}

impl World {
    pub(crate) fn new(hostname: &str) -> Self {
        let mut options = Options::default();
        options.sections +=
            &format!("agents: {{signing_keys: [\"{}\"]}}\ncheckin: {{interval: 1s}}\n", public(CURRENT));
        let server = Server::with(&options);
        let machine = Machine::enrolled(hostname, &server);
        let liar = Liar::between(&machine, &server);
        let world = Self { server, machine, liar, keys: public(CURRENT), old: build("0.2.0", "nothing") };
        world.reset();
        world
    }

    pub(crate) fn bin(&self) -> PathBuf {
        self.machine.dir().join("bin")
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.bin().join("vigo")
    }

    /// The old program in its place, as if no update was ever tried.
    pub(crate) fn reset(&self) {
        let _ = fs::remove_dir_all(self.bin());
        let _ = fs::remove_file(self.machine.state_dir().join("update.json"));
        fs::create_dir(self.bin()).unwrap();
        self.put_back();
    }

    /// The old program in its place, all else as it is.
    pub(crate) fn put_back(&self) {
        let fresh = self.bin().join("fresh");
        fs::write(&fresh, &self.old).unwrap();
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(fresh, self.program()).unwrap();
    }

    pub(crate) fn vigo(&self, arguments: &[&str]) -> Program {
        let (config, state) = (self.machine.config_dir(), self.machine.state_dir());
        Program::at(self.program())
            .args(["--config-dir".as_ref(), config.as_os_str(), "--state-dir".as_ref(), state.as_os_str()])
            .args(arguments)
            .env("TEST_SIGNING_KEYS", &self.keys)
            .env("TEST_DEADLINE", "6000")
            .env("VIGO_LOG", "warn,vigo_agent=info")
    }

    pub(crate) fn update(&self) -> Ended {
        self.vigo(&["update", "--json"]).run()
    }

    /// The version of the program in its place: it can be run.
    #[track_caller]
    pub(crate) fn version(&self) -> String {
        self.vigo(&["version"]).run().ok().trim().to_owned()
    }

    /// The names of all that lies beside the program.
    pub(crate) fn beside(&self) -> Vec<String> {
        let names = fs::read_dir(self.bin()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "vigo").collect();
        names.sort();
        names
    }

    pub(crate) fn ledger(&self) -> Value {
        let text = fs::read_to_string(self.machine.state_dir().join("update.json")).unwrap_or_else(|_| "{}".into());
        serde_json::from_str(&text).unwrap()
    }

    /// The machine's server says this of its build, and hands the bytes out as the real one does.
    pub(crate) fn tell(&self, told: Told) {
        self.liar.tell(Box::new(move |parts| {
            if is_latest(parts) {
                return Some(axum::Json(told.latest()).into_response());
            }
            is_download(parts).then(|| whole(&told.binary))
        }));
    }

    /// Nobody lies: what the server has, it says itself.
    pub(crate) fn tell_the_truth(&self) {
        self.liar.tell(Box::new(|_| None));
    }

    /// The server has this build, signed.
    pub(crate) fn publish(&self, told: &Told) {
        let folder = self.server.dir().join("agents").join(HERE);
        fs::create_dir_all(&folder).unwrap();
        // All of it at once, and before anybody looks: the binary first, the signature last.
        for (name, bytes) in [("vigo", &told.binary), ("vigo.manifest", &told.manifest), ("vigo.sig", &told.signature)]
        {
            fs::write(folder.join("fresh"), bytes).unwrap();
            fs::rename(folder.join("fresh"), folder.join(name)).unwrap();
        }
    }

    /// The daemon's own process is the program in its place by now, and serves: not one that is on trial beside it.
    pub(crate) fn becomes(&self, daemon: &Daemon, version: &str) {
        let exe = format!("/proc/{}/exe", daemon.id());
        until("the daemon is the new program", || {
            // In this order: the old one has this path too, until the new one is there.
            let is_there = self.version() == format!("vigo {version}");
            let is_it = fs::read_link(&exe).is_ok_and(|path| path == self.program());
            (is_there && is_it && self.vigo(&["status"]).run().stdout.contains("Service: running")).then_some(())
        });
    }

    /// A good build of this version installs, by hand.
    #[track_caller]
    pub(crate) fn installs(&self, version: &str, after: &str) {
        self.tell(Told::good(version));
        let told = self.update();
        assert_eq!(told.code, 0, "the good one after {after}: {}{}", told.stdout, told.stderr);
        assert_eq!(self.version(), format!("vigo {version}"), "after {after}");
        assert_eq!(self.beside(), ["vigo.previous"], "after {after}");
    }
}

pub(crate) fn whole(bytes: &[u8]) -> Response {
    Body::from(bytes.to_vec()).into_response()
}
