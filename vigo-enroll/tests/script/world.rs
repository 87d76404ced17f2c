//! A machine on which every command is recorded: its arguments, its environment, and for the agent its standard input.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vigo_core::Pin;
use vigo_enroll::script::{ScriptValues, WebCertificate, bootstrap};

use crate::pki;
use crate::shells::{Shell, find};

/// What every system has and the script may use; busybox's, which take little more than POSIX asks for. A shell that
/// follows POSIX to the letter has `[`, `echo` and `printf` itself, and uses them where the search path has such a program
/// alone.
const UTILITIES: &[&str] = &[
    "[", "awk", "cat", "chmod", "dd", "echo", "env", "head", "mkdir", "mktemp", "mv", "printf", "rm", "rmdir", "sed",
    "stty", "tail", "timeout", "tr", "wc",
];

/// What the script must never call.
const FORBIDDEN: &[&str] = &[
    "systemctl",
    "service",
    "launchctl",
    "sysrc",
    "rcctl",
    "svccfg",
    "svcadm",
    "rc-update",
    "kill",
    "pkill",
    "sudo",
    "doas",
    "pfexec",
    "id",
    "hostname",
];

/// What can fetch on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetcher {
    Curl,
    /// GNU wget, which can pin.
    Wget,
    /// GNU wget from before it could pin, and openssl.
    OldWgetAndOpenssl,
    /// busybox wget, and openssl.
    BusyboxWgetAndOpenssl,
    /// busybox wget alone.
    BusyboxWget,
    /// FreeBSD's fetch, and openssl.
    FetchAndOpenssl,
    /// OpenBSD's ftp, and openssl.
    FtpAndOpenssl,
    /// An ftp whose checks nobody knows, and openssl.
    UselessFtpAndOpenssl,
    Nothing,
    /// The real ones of this machine by these names.
    Real(&'static [&'static str]),
}

/// The machine.
pub(crate) struct World {
    dir: TempDir,
    /// As the agent's target has it.
    platform: (&'static str, &'static str),
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) calls: Vec<Call>,
    /// What the agent read from its standard input.
    pub(crate) agent_stdin: Option<String>,
}

/// One command that ran.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: String,
}

impl World {
    /// Linux on x86_64, with sha256sum.
    pub(crate) fn new(fetcher: Fetcher) -> Self {
        let world = Self::of("linux", "x86_64", fetcher);
        world.fake("uname", "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac");
        world.wrap("sha256sum");
        world
    }

    /// A machine without `uname` and without a program for checksums.
    pub(crate) fn of(os: &'static str, arch: &'static str, fetcher: Fetcher) -> Self {
        let world = Self { dir: TempDir::new().expect("a temporary directory"), platform: (os, arch) };
        for dir in ["path", "calls", "served", "work"] {
            fs::create_dir(world.at(dir)).expect("a directory");
        }
        for name in UTILITIES {
            world.applet(name);
        }
        for name in FORBIDDEN {
            world.fake(name, "exit 99");
        }
        world.serve_agent("exit 0");
        fs::copy(pki::ours().file("ca.pem"), world.at("served/ca")).expect("a copy");
        fs::write(world.at("served/script"), bootstrap(&world.values())).expect("a file");
        world.install(fetcher);
        world
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Where the agent goes.
    pub(crate) fn bin_dir(&self) -> PathBuf {
        self.at("target/sbin")
    }

    /// What the server offers: an agent that records how it was called, and then does `body`.
    pub(crate) fn serve_agent(&self, body: &str) {
        let stdin = self.at("agent_stdin");
        let agent = format!("#!/bin/sh\n{}\n/bin/cat >'{}'\n{body}\n", self.recording(), stdin.display());
        fs::write(self.at("served/vigo"), &agent).expect("a file");
        self.announce(agent.len(), &hex::encode(Sha256::digest(agent.as_bytes())));
    }

    /// What the server says of it.
    pub(crate) fn announce(&self, size: usize, sha256: &str) {
        let (os, arch) = self.platform;
        let text = format!(
            "version 0.1.0\nos {os}\narch {arch}\nsize {size}\nsha256 {sha256}\nurl https://elsewhere.example/vigo\n"
        );
        fs::write(self.at("served/latest"), text).expect("a file");
    }

    /// A command of this machine, recorded.
    pub(crate) fn wrap(&self, name: &str) {
        let real = find(name).unwrap_or_else(|| panic!("{name} is installed"));
        self.fake(name, &format!("exec {} \"$@\"", real.display()));
    }

    /// The same of busybox, where this machine has it.
    fn applet(&self, name: &str) {
        match find("busybox") {
            Some(busybox) => self.fake(name, &format!("exec {} {name} \"$@\"", busybox.display())),
            None => self.wrap(name),
        }
    }

    /// A command that is recorded and does `body`.
    pub(crate) fn fake(&self, name: &str, body: &str) {
        let path = self.at("path").join(name);
        fs::write(&path, format!("#!/bin/sh\n{}\n{body}\n", self.recording())).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    pub(crate) fn without(&self, name: &str) {
        fs::remove_file(self.at("path").join(name)).expect("it was there");
    }

    /// One file for each call, NUL-separated: program, number of arguments, arguments, environment.
    fn recording(&self) -> String {
        format!(
            r#"{{ printf '%s\0%s\0' "${{0##*/}}" "$#"; [ "$#" -eq 0 ] || printf '%s\0' "$@"; /bin/cat "/proc/$$/environ"; }} >'{}'/"$(/bin/date +%s%N)-$$""#,
            self.at("calls").display()
        )
    }

    pub(crate) fn values(&self) -> ScriptValues {
        values("vigo.example.com:1530", "https://vigo.example.com:8443", WebCertificate::OwnCa)
    }

    /// `https://…` or a path below it, as the server has them: (file, what ends the address).
    pub(crate) fn files(&self) -> [(&'static str, String); 4] {
        let (os, arch) = self.platform;
        [
            ("latest", format!("/api/v1/agent/latest?os={os}&arch={arch}&format=text")),
            ("vigo", format!("/api/v1/agent/download/{os}/{arch}")),
            ("ca", "/api/v1/bootstrap/ca".to_owned()),
            ("script", "/bootstrap".to_owned()),
        ]
    }

    /// Pipes the script to a shell, as `curl … | sh -s -- ARGS` does.
    pub(crate) fn run(&self, shell: &Shell, values: &ScriptValues, args: &[&str], env: &[(&str, &str)]) -> Ran {
        let mut child = self
            .command(shell, env)
            .args(shell.piped)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the shell starts");
        let mut stdin = child.stdin.take().expect("piped");
        // A shell that stops early closes its end; what it then did is what the test looks at.
        let _ = stdin.write_all(bootstrap(values).as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("the shell ends");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            calls: self.calls(),
            agent_stdin: fs::read_to_string(self.at("agent_stdin")).ok(),
        }
    }

    /// The shell, with nothing but this machine's commands.
    pub(crate) fn command(&self, shell: &Shell, env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(shell.path());
        command
            .args(shell.flags)
            .current_dir(self.at("work"))
            .env_clear()
            .env("PATH", self.at("path"))
            .env("HOME", self.at("work"))
            .envs(env.iter().copied());
        command
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.at("calls")).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files.iter().map(|path| Call::read(path)).collect()
    }

    /// Whether the script left nothing but what the agent made.
    pub(crate) fn is_clean(&self) -> bool {
        !self.bin_dir().exists() && fs::read_dir(self.at("work")).expect("a directory").next().is_none()
    }
}

impl Call {
    fn read(path: &Path) -> Self {
        let text = String::from_utf8_lossy(&fs::read(path).expect("a recorded call")).into_owned();
        let mut fields = text.split('\0').map(str::to_owned);
        let program = fields.next().expect("a program");
        let count = fields.next().and_then(|count| count.parse().ok()).expect("a count");
        let args = fields.by_ref().take(count).collect();
        Self { program, args, env: fields.collect::<Vec<_>>().join("\n") }
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn only(&self, program: &str) -> &Call {
        let mut calls = self.calls.iter().filter(|call| call.program == program);
        let call = calls.next().unwrap_or_else(|| panic!("{program} was not called: {}", self.stderr));
        assert!(calls.next().is_none(), "{program} was called twice");
        call
    }

    pub(crate) fn count(&self, program: &str) -> usize {
        self.calls.iter().filter(|call| call.program == program).count()
    }

    /// Whether anything was asked of the server.
    pub(crate) fn sent(&self) -> bool {
        self.calls.iter().any(|call| {
            matches!(call.program.as_str(), "curl" | "wget") && !call.args.iter().any(|arg| arg == "--help")
                || matches!(call.program.as_str(), "fetch" | "ftp")
                || call.args.iter().any(|arg| arg == "s_client")
        })
    }
}

/// The script's values, with the pins of [`pki::ours`].
pub(crate) fn values(server: &str, api_addr: &str, certificate: WebCertificate) -> ScriptValues {
    let pki = pki::ours();
    ScriptValues::new(server, api_addr, pki.ca_pin, pki.leaf_pin, certificate).expect("good values")
}

/// A token of the server's form for a CA.
pub(crate) fn token(ca_pin: Pin) -> String {
    use base64::Engine as _;
    let pin = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(ca_pin.as_bytes());
    format!("vgt1.{}.{SECRET}.{pin}.{}", "0f".repeat(16), "M".repeat(43))
}

/// The part of a token that must be seen nowhere.
pub(crate) const SECRET: &str = "s3cretS3cretS3cret_s3cret-S3cretS3cretS3cre";
