//! The class that checks the server's key: compiled as Windows PowerShell's compiler takes it, and asked about certificates
//! that openssl made.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use vigo_enroll::script::WebCertificate;

use crate::pki::{ours, theirs};
use crate::{compiled_source, script};

const DRIVER: &str = include_str!("driver.cs");

/// The class and a program around it.
struct Compiled {
    dir: TempDir,
}

impl Compiled {
    /// Compiles it; nothing where there is no compiler, which is written down.
    fn new() -> Option<Self> {
        for program in ["mcs", "mono"] {
            if !Path::new("/usr/bin").join(program).exists() {
                skip(&format!("vigo-enroll windows: the class that checks keys: there is no {program} here"));
                return None;
            }
        }
        let compiled = Self { dir: TempDir::new().expect("a temporary directory") };
        let text = script(WebCertificate::OwnCa);
        let source = compiled_source(&text);
        let class = source.lines().find_map(|line| line.strip_prefix("public sealed class ")).expect("a class");
        fs::write(compiled.at("class.cs"), source).expect("a file");
        fs::write(compiled.at("driver.cs"), DRIVER.replace("KEY_CHECK", class)).expect("a file");
        let output = Command::new("mcs")
            .args([
                "-langversion:5",
                "-warnaserror+",
                "-r:System.Numerics.dll",
                "-out:driver.exe",
                "driver.cs",
                "class.cs",
            ])
            .current_dir(compiled.dir.path())
            .output()
            .expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        Some(compiled)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("mono");
        command.arg("driver.exe").args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    /// A certificate by openssl, as a file in DER; gives openssl's own answer about its key too.
    fn certificate(&self, name: &str, key: &[&str], subject: &str) -> String {
        let (key_file, pem, der) = (format!("{name}.key"), format!("{name}.pem"), format!("{name}.der"));
        self.openssl(&[&["genpkey", "-out", &key_file, "-algorithm"], key].concat());
        self.openssl(&["req", "-x509", "-new", "-key", &key_file, "-subj", subject, "-days", "2", "-out", &pem]);
        self.openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
        let spki = self.openssl(&["pkey", "-in", &key_file, "-pubout", "-outform", "DER"]);
        format!("sha256:{}", hex::encode(Sha256::digest(spki)))
    }

    fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        let output = command.output().expect("openssl is installed: the crates' tests need it");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

#[expect(clippy::disallowed_methods, reason = "the test command names the file by this variable")]
fn skip(what: &str) {
    println!("SKIPPED {what}");
    if let Some(path) = std::env::var_os("VIGO_SKIP_LOG") {
        let log = fs::File::options().append(true).create(true).open(path);
        writeln!(log.expect("the skip log can be written"), "SKIPPED {what}").expect("the skip log can be written");
    }
}

#[test]
fn rule_01_a_pin_is_what_openssl_says_of_the_key() {
    let Some(compiled) = Compiled::new() else { return };
    let long = format!("/O={0}/OU={0}/CN={0}", "a".repeat(60));
    for (name, key, subject) in [
        ("p256", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"][..], "/CN=leaf"),
        ("p384", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], &long),
        ("rsa", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "/"),
        ("ed25519", &["ED25519"], "/CN=leaf"),
    ] {
        let expected = compiled.certificate(name, key, subject);
        assert_eq!(compiled.run(&["pin", &format!("{name}.der")]), expected, "{name}");
    }
    assert_eq!(compiled.run(&["damage", "p256.der"]), "held");
    assert_eq!(compiled.run(&["damage", "p384.der"]), "held");
}

#[test]
fn the_callback_fits_the_narrower_signature_of_an_http_client() {
    let Some(compiled) = Compiled::new() else { return };
    let pin = compiled.certificate("leaf", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "/CN=leaf");
    let nothing = "False no certificate that can be read";
    let expected = format!("asked=False passed=False\nTrue {pin}\n{nothing}");
    assert_eq!(compiled.run(&["bind", &pin, "leaf.der"]), expected);
    let other = format!("sha256:{}", "00".repeat(32));
    let expected = format!("asked=False passed=False\nFalse {pin}\n{nothing}");
    assert_eq!(compiled.run(&["bind", &other, "leaf.der"]), expected);
}

#[test]
fn rule_15_a_signature_is_good_where_openssl_made_it_and_nowhere_else() {
    let Some(compiled) = Compiled::new() else { return };
    let pin = compiled.certificate("signing", &["ED25519"], "/CN=signing");
    let spki = compiled.openssl(&["pkey", "-in", "signing.key", "-pubout", "-outform", "DER"]);
    let key = &spki[spki.len() - 32..];
    let text = b"vigo/agent/v1\nproduct vigo\n";
    fs::write(compiled.at("text"), text).expect("a file");
    compiled.openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", "signing.key", "-in", "text", "-out", "signature"]);
    let signature = fs::read(compiled.at("signature")).expect("a signature");
    let check = |key: &[u8], text: &[u8], signature: &[u8], expected: &str| {
        for (name, bytes) in [("key", key), ("text", text), ("signature", signature)] {
            fs::write(compiled.at(name), bytes).expect("a file");
        }
        let said = compiled.run(&["signed", "key", "text", "signature"]);
        assert!(said.starts_with(expected), "{expected}: {said}");
    };
    let changed = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    check(key, text, &signature, &format!("True {pin}"));
    check(key, &changed(text, 0), &signature, "False");
    check(key, &text[..text.len() - 1], &signature, "False");
    for at in [0, 31, 32, 62] {
        check(key, text, &changed(&signature, at), "False");
    }
    check(&changed(key, 3), text, &signature, "False");
    check(key, text, &[0; 64], "False");
    // The same equation holds with the order added to S: one signature must not have two spellings.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").expect("hex");
    let mut carry = 0;
    let doubled: Vec<u8> = signature[32..]
        .iter()
        .zip(&order)
        .map(|(a, b)| {
            carry += u16::from(*a) + u16::from(*b);
            let [low, high] = carry.to_le_bytes();
            carry = u16::from(high);
            low
        })
        .collect();
    check(key, text, &[&signature[..32], &doubled].concat(), "False");
}

/// `openssl s_server`, ended when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(certificate: &Path, key: &Path) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-www", "-accept", "127.0.0.1:0", "-cert"]).arg(certificate).arg("-key").arg(key);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl is installed");
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

#[test]
fn rule_02_a_request_is_made_to_the_pinned_key_alone() {
    let Some(compiled) = Compiled::new() else { return };
    let server = Server::start(&ours().file("leaf.pem"), &ours().file("leaf.key"));
    let url = format!("https://127.0.0.1:{}/", server.port);
    let found = ours().leaf_pin;
    for (pin, expected) in [
        (ours().leaf_pin, format!("answered passed=True found={found}")),
        (ours().ca_pin, format!("refused passed=False found={found} TrustFailure")),
        (theirs().leaf_pin, format!("refused passed=False found={found} TrustFailure")),
    ] {
        assert_eq!(compiled.run(&["fetch", &url, &pin.to_string()]), expected);
    }
}

/// Takes a line apart as programs on Windows do: backslashes count for themselves, but before a quote.
fn arguments_of(line: &str) -> Vec<String> {
    let (mut found, mut one, mut quoted, mut slashes) = (Vec::new(), None::<String>, false, 0);
    for c in line.chars().chain([' ']) {
        match c {
            '\\' => slashes += 1,
            '"' => {
                let text = one.get_or_insert_default();
                text.extend(std::iter::repeat_n('\\', slashes / 2));
                if slashes % 2 == 1 {
                    text.push('"');
                } else {
                    quoted = !quoted;
                }
                slashes = 0;
            }
            c => {
                if slashes > 0 {
                    one.get_or_insert_default().extend(std::iter::repeat_n('\\', slashes));
                    slashes = 0;
                }
                if c == ' ' && !quoted {
                    found.extend(one.take());
                } else {
                    one.get_or_insert_default().push(c);
                }
            }
        }
    }
    found
}

#[test]
fn a_command_line_is_taken_apart_into_the_same_arguments() {
    let Some(compiled) = Compiled::new() else { return };
    for arguments in [
        &["bootstrap", "--server", "[fd00::1]:1530", "--ca-pin", "sha256:00"][..],
        &["--bin-dir", "C:\\Program Files\\Vigo\\", "--no-service"],
        &["", "a\"b", "\\\"", "\\\\", "a\\\\\"b\\", "--x=\"y z\"", "'", "$(reboot)", "^&|<>%PATH%"],
    ] {
        let line = compiled.run(&[&["line"], arguments].concat());
        assert_eq!(arguments_of(&line), arguments, "{line}");
    }
}
