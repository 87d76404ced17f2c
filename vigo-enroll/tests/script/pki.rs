//! A CA and a server's certificate, made by openssl: not by the code that the script belongs to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;
use vigo_core::Pin;

/// The files and pins of one CA and the certificate that it signed for 127.0.0.1 and localhost.
pub(crate) struct Pki {
    dir: TempDir,
    pub(crate) ca_pin: Pin,
    pub(crate) leaf_pin: Pin,
}

impl Pki {
    fn make() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let run = |args: &str| openssl(dir.path(), args);
        for name in ["ca", "leaf"] {
            run(&format!("ecparam -name prime256v1 -genkey -noout -out {name}.key"));
        }
        run("req -x509 -new -key ca.key -subj /CN=ca -days 2 -out ca.pem");
        run("req -new -key leaf.key -subj /CN=leaf -out leaf.csr");
        std::fs::write(dir.path().join("san"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").expect("a file");
        run("x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out leaf.pem");
        let pin = |name: &str| Pin::of_spki(&run(&format!("pkey -in {name}.key -pubout -outform DER")));
        let (ca_pin, leaf_pin) = (pin("ca"), pin("leaf"));
        Self { dir, ca_pin, leaf_pin }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// The server's.
pub(crate) fn ours() -> &'static Pki {
    static OURS: OnceLock<Pki> = OnceLock::new();
    OURS.get_or_init(Pki::make)
}

/// Somebody else's, with the same names.
pub(crate) fn theirs() -> &'static Pki {
    static THEIRS: OnceLock<Pki> = OnceLock::new();
    THEIRS.get_or_init(Pki::make)
}

fn openssl(dir: &Path, args: &str) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(args.split(' '))
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed: the crates' tests need it");
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
