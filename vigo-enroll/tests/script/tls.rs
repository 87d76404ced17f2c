//! The pins over real TLS: openssl's server, and the real curl, wget and openssl as clients.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use vigo_enroll::script::WebCertificate;

use crate::pki::{self, Pki};
use crate::shells::{common_shells, is_there};
use crate::world::{Fetcher, World, values};

/// `openssl s_server` that hands out a world's files; ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(world: &World, pki: &Pki) -> Self {
        let root = world.at("root");
        for (file, path) in world.files() {
            let to = root.join(&path[1..]);
            fs::create_dir_all(to.parent().expect("a folder")).expect("a directory");
            fs::copy(world.at("served").join(file), to).expect("a copy");
        }
        let mut child = Command::new("openssl")
            .args(["s_server", "-WWW", "-accept", "127.0.0.1:0", "-cert"])
            .arg(pki.file("leaf.pem"))
            .arg("-key")
            .arg(pki.file("leaf.key"))
            .arg("-cert_chain")
            .arg(pki.file("ca.pem"))
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok())
            .expect("openssl names its port");
        // What it says later must be read too, or it stands still.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs against a server with this PKI and expects the exit code; the script's pins are [`pki::ours`].
#[track_caller]
fn check(fetcher: &'static [&'static str], served: &Pki, host: &str, code: i32, message: &str) {
    if !fetcher.iter().all(|name| is_there(name, "pins over real TLS")) {
        return;
    }
    for shell in common_shells() {
        let world = World::new(Fetcher::Real(fetcher));
        let server = Server::start(&world, served);
        let values = values("127.0.0.1:1530", &format!("https://{host}:{}", server.port), WebCertificate::OwnCa);
        let bin_dir = world.bin_dir();
        let ran = world.run(&shell, &values, &["--bin-dir", bin_dir.to_str().expect("UTF-8")], &[]);
        assert_eq!(ran.code, Some(code), "{} {fetcher:?}: {}", shell.name, ran.stderr);
        assert!(ran.stderr.contains(message), "{} {fetcher:?}: {}", shell.name, ran.stderr);
        assert_eq!(ran.count("vigo"), usize::from(code == 0), "{} {fetcher:?}: {}", shell.name, ran.stderr);
        assert!(world.is_clean(), "{} {fetcher:?}", shell.name);
    }
}

#[test]
fn rule_02_the_right_key_is_accepted_by_every_downloader() {
    for fetcher in [&["curl"][..], &["wget"], &["openssl"]] {
        for host in ["127.0.0.1", "localhost"] {
            check(fetcher, pki::ours(), host, 0, "fetching vigo 0.1.0");
        }
    }
}

#[test]
fn rule_02_the_wrong_key_is_refused_by_every_downloader() {
    for fetcher in [&["curl"][..], &["wget"]] {
        check(fetcher, pki::theirs(), "127.0.0.1", 4, "pin_mismatch");
    }
    // It even hands out the right CA, but its certificate is not that CA's.
    check(&["openssl"], pki::theirs(), "127.0.0.1", 6, "server_unreachable");
}

#[test]
fn rule_02_openssl_checks_the_name_too() {
    check(&["openssl"], pki::ours(), "127.0.0.2", 6, "server_unreachable");
}
