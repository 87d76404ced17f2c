//! The `openssl` command, in a directory of its own.

use std::io::Write as _;
use std::process::{Command, Output};

pub(crate) struct Openssl(tempfile::TempDir);

impl Openssl {
    /// `None` where there is none that can be used: the test is skipped then, and says so.
    pub(crate) fn for_test(test: &str) -> Option<Self> {
        let version = match Command::new("openssl").arg("version").output() {
            Ok(output) => String::from_utf8(output.stdout).unwrap(),
            Err(_) => return skip(test, "there is no openssl here"),
        };
        // LibreSSL prints other texts, and lacks some of the options.
        if !version.starts_with("OpenSSL 3") && !version.starts_with("OpenSSL 4") {
            return skip(test, &format!("OpenSSL 3 is needed, not {}", version.trim()));
        }
        let here = Self(tempfile::tempdir().unwrap());
        here.write("req.cnf", "[req]\ndistinguished_name = dn\n[dn]\n");
        Some(here)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Runs `openssl` with these arguments, cut at spaces.
    fn run(&self, arguments: &str) -> Output {
        Command::new("openssl").args(arguments.split_whitespace()).current_dir(self.0.path()).output().unwrap()
    }

    /// What it prints when it succeeds.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says when it fails.
    #[track_caller]
    pub(crate) fn said(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "openssl {arguments} succeeds");
        all(output)
    }

    /// It fails and says this.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &str, says: &str) {
        let said = self.said(arguments);
        assert!(said.contains(says), "openssl {arguments} does not say {says:?}: {said}");
    }

    /// Whether a certificate request is signed by its own key. Older versions say it and succeed all the same.
    pub(crate) fn takes_request(&self, name: &str) -> bool {
        let output = self.run(&format!("req -config req.cnf -inform DER -in {name} -noout -verify"));
        output.status.success() && all(output).contains("verify OK")
    }
}

fn all(output: Output) -> String {
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

#[expect(clippy::disallowed_methods, reason = "the test command names the file by this variable")]
fn skip(test: &str, why: &str) -> Option<Openssl> {
    let line = format!("SKIPPED {test}: {why}");
    println!("{line}");
    if let Some(path) = std::env::var_os("VIGO_SKIP_LOG") {
        let mut log = std::fs::File::options().append(true).create(true).open(path).unwrap();
        writeln!(log, "{line}").unwrap();
    }
    None
}
