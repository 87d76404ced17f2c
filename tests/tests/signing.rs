//! Builds of the agent, signed where they are built: by `cargo xtask`, and as openssl sees it.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::fs;
use std::path::{Path, PathBuf};

use vigo_tests::{Ended, Program, needs_tools, openssl};

/// A folder with a key and a build.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let _ = bench.xtask(&["keygen", &bench.at("signing.key")]).ok();
        bench.build("linux-x86_64", b"\x7fELF and the rest");
        bench
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn build(&self, target: &str, bytes: &[u8]) {
        fs::create_dir_all(self.at(target)).unwrap();
        fs::write(self.at(&format!("{target}/vigo")), bytes).unwrap();
    }

    fn xtask(&self, arguments: &[&str]) -> Ended {
        Program::ours("xtask").args(arguments).run()
    }

    fn sign(&self, key: &str, target: &str, more: &[&str]) -> Ended {
        let (key, build) = (self.at(key), self.at(&format!("{target}/vigo")));
        self.xtask(&[&["sign", "--key", &key, "--version", "0.2.0", &build], more].concat())
    }

    fn verify(&self, target: &str) -> Ended {
        self.xtask(&["verify", "--pub", &self.at("signing.key.pub"), &self.at(&format!("{target}/vigo"))])
    }

    /// Says what is wrong, and names the file.
    #[track_caller]
    fn refused(&self, target: &str, says: &str) {
        let said = self.verify(target).failed(1);
        assert!(said.contains(says) && said.contains(target), "{said}");
    }
}

fn mode(path: impl AsRef<Path>) -> u32 {
    std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap()) & 0o777
}

#[test]
fn rule_15_a_build_is_signed_and_checked() {
    let bench = Bench::new();
    assert_eq!(mode(bench.at("signing.key")), 0o600);
    let again = bench.xtask(&["keygen", &bench.at("signing.key")]).failed(1);
    assert!(again.contains("signing.key"), "a key is never overwritten: {again}");

    bench.refused("linux-x86_64", "cargo xtask sign");
    let _ = bench.sign("signing.key", "linux-x86_64", &[]).ok();
    let told = bench.verify("linux-x86_64").ok();
    assert!(told.starts_with("good ") && told.contains("0.2.0 linux-x86_64, to be installed until "), "{told}");
    // The public key as builds have it.
    let hex = bench.xtask(&["keygen", &bench.at("next.key")]).ok();
    let hex = hex.trim_end().rsplit('=').next().unwrap();
    let said = bench.xtask(&["verify", "--pub", hex, &bench.at("linux-x86_64/vigo")]).failed(1);
    assert!(said.contains("signature is not one of"), "{said}");
    let both = ["verify", "--pub", hex, "--pub", &bench.at("signing.key.pub"), &bench.at("linux-x86_64/vigo")];
    let _ = bench.xtask(&both).ok();
}

#[test]
fn rule_15_every_other_build_is_refused() {
    let bench = Bench::new();
    let _ = bench.sign("signing.key", "linux-x86_64", &["--minimum", "0.1.0"]).ok();
    let take = |to: &str, names: &[&str]| {
        for name in names {
            fs::copy(bench.at(&format!("linux-x86_64/{name}")), bench.at(&format!("{to}/{name}"))).unwrap();
        }
    };
    for (bytes, target) in [(&b"\x7fELF and another"[..], "linux-aarch64"), (b"", "linux-riscv64")] {
        bench.build(target, bytes);
        take(target, &["vigo.manifest", "vigo.sig"]);
        bench.refused(target, "the binary is not the one that was signed");
    }
    bench.build("macos-x86_64", b"\x7fELF and the rest");
    take("macos-x86_64", &["vigo.manifest", "vigo.sig"]);
    bench.refused("macos-x86_64", "for another system");

    let _ = bench.xtask(&["keygen", &bench.at("other.key")]).ok();
    bench.build("freebsd-x86_64", b"binary");
    let _ = bench.sign("other.key", "freebsd-x86_64", &[]).ok();
    bench.refused("freebsd-x86_64", "signature is not one of");
    fs::write(bench.at("freebsd-x86_64/vigo.sig"), []).unwrap();
    bench.refused("freebsd-x86_64", "a signature has 64 bytes, this file 0");

    for (more, says) in [(&["--minimum", "0.3.0"][..], "above its own version"), (&["--days", "0"], "--days")] {
        let ended = bench.sign("signing.key", "freebsd-x86_64", more);
        assert!(ended.code != 0 && ended.stderr.contains(says), "{ended:?}");
    }
    let said = bench.xtask(&["sign", "--key", "k", "--version", "two", "b"]);
    assert!(said.code == 2 && said.stderr.contains("MAJOR.MINOR.PATCH"), "{said:?}");
    fs::create_dir(bench.at("nowhere")).unwrap();
    fs::write(bench.at("nowhere/vigo"), b"binary").unwrap();
    let said = bench.sign("signing.key", "nowhere", &[]).failed(1);
    assert!(said.contains("named after its target"), "{said}");
    bench.build("linux-arm", b"");
    let said = bench.sign("signing.key", "linux-arm", &[]).failed(1);
    assert!(said.contains("from 1 byte"), "{said}");
    assert!(!PathBuf::from(bench.at("linux-arm/vigo.sig")).exists());
    fs::set_permissions(bench.at("signing.key"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let said = bench.sign("signing.key", "linux-x86_64", &[]).failed(1);
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn rule_15_openssl_verifies_what_was_signed_and_its_keys_sign() {
    if !needs_tools("rule_15_openssl_verifies_what_was_signed_and_its_keys_sign", &["openssl"]) {
        return;
    }
    let bench = Bench::new();
    let checks = |public: &str| {
        let (text, signature) = (bench.at("linux-x86_64/vigo.manifest"), bench.at("linux-x86_64/vigo.sig"));
        let command =
            ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", &text, "-sigfile", &signature];
        Program::at("openssl").args(command).run()
    };
    let _ = bench.sign("signing.key", "linux-x86_64", &[]).ok();
    let told = checks(&bench.at("signing.key.pub")).ok();
    assert!(told.contains("Signature Verified Successfully"), "{told}");
    // The private key is one that openssl reads too.
    let _ = openssl(&["pkey", "-in", &bench.at("signing.key"), "-noout"], "").ok();

    let theirs = bench.at("theirs.key");
    let _ = openssl(&["genpkey", "-algorithm", "ed25519", "-out", &theirs], "").ok();
    let _ = openssl(&["pkey", "-in", &theirs, "-pubout", "-out", &bench.at("theirs.pub")], "").ok();
    let _ = bench.sign("theirs.key", "linux-x86_64", &[]).ok();
    let _ = checks(&bench.at("theirs.pub")).ok();
    assert_ne!(checks(&bench.at("signing.key.pub")).code, 0);
    let _ = bench.xtask(&["verify", "--pub", &bench.at("theirs.pub"), &bench.at("linux-x86_64/vigo")]).ok();
}
