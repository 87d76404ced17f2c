//! The book's pages: their fenced blocks, and a desk at which the commands in them are typed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Ended, Machine, Options, Program, Server};

/// A fenced block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What is said behind the fence; empty where nothing is.
    pub language: String,
    /// The line of the fence, from 1.
    pub line: usize,
    /// What is in it.
    pub text: String,
}

/// The fenced blocks of a page, in order.
///
/// # Panics
/// When one is not closed.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block { language: language.trim().to_owned(), line: at + 1, text: String::new() });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    found
}

/// The commands of a `console` block: each line is `$ ` and a command, or goes on after a backslash.
///
/// # Panics
/// When another line is in it: what a command prints stands in a block of its own.
#[must_use]
pub fn commands(block: &Block) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), goes_on) {
            (Some(command), false) => found.push(command.to_owned()),
            (_, true) => found.last_mut().unwrap().push_str(&format!("\n{line}")),
            (None, false) => panic!("line {}: `{line}` is no command", block.line),
        }
        goes_on = line.ends_with('\\');
    }
    found
}

/// Where the commands of one page are typed: a folder, a fleet of its own, and this machine's agent in folders of its own.
pub struct Desk {
    folder: tempfile::TempDir,
    server: Server,
    pin: String,
    machines: Vec<Machine>,
    own: Machine,
    quickstart: Option<crate::Daemon>,
}

impl Desk {
    /// A desk whose fleet has these envoys, and this in its `server.yaml` besides what every test needs.
    ///
    /// # Panics
    /// When the fleet does not start.
    #[must_use]
    pub fn new(sections: &str, envoys: &[&str]) -> Self {
        let mut options = Options::default();
        if !sections.is_empty() {
            options.sections = sections.to_owned();
        }
        let server = Server::with(&options);
        let machines = envoys.iter().map(|hostname| Machine::enrolled(hostname, &server)).collect();
        let folder = tempfile::Builder::new().prefix("vigo-").tempdir().unwrap();
        // The token that an operator handed over, for the one page that has it in a file.
        std::fs::write(folder.path().join("token"), server.token("web9.example.com", &[])).unwrap();
        std::fs::write(folder.path().join("password"), "correct horse battery staple\n").unwrap();
        let pin = server.ca_pin();
        Self { folder, server, pin, machines, own: Machine::new("web9.example.com"), quickstart: None }
    }

    /// What a page says, and what it is here: ports, folders, and what a test may not do to the machine that it runs on.
    fn substitutions(&self) -> [(&'static str, String); 8] {
        [
            ("sudo ", String::new()),
            ("/srv/vigo", self.server.dir().display().to_string()),
            ("/root/token", self.folder.path().join("token").display().to_string()),
            ("vigo.example.com:1530", self.server.grpc()),
            ("https://vigo.example.com:8443", self.server.api()),
            ("sha256:…", self.pin.clone()),
            // A service belongs to the machine.
            ("vigo bootstrap ", "vigo bootstrap --no-service ".to_owned()),
            // Where `scripts/run` leaves the programs.
            ("target/release/", String::new()),
        ]
    }

    /// Types a command as a page has it. What starts and stops a service does so with the desk's own server.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn type_in(&mut self, command: &str) -> Ended {
        match command {
            "sudo systemctl stop vigo-server" => self.server.stop(),
            "sudo systemctl start vigo-server" => self.server.run(),
            "scripts/run" => self.quickstart(),
            _ => {
                let line =
                    self.substitutions().iter().fold(command.to_owned(), |line, (from, to)| line.replace(from, to));
                return self.shell(&line).run();
            }
        }
        Ended { code: 0, stdout: String::new(), stderr: String::new() }
    }

    fn shell(&self, line: &str) -> Program {
        let programs = std::env::current_exe().unwrap();
        let programs = programs.ancestors().nth(2).unwrap().display().to_string();
        let machine = self.machines.first().unwrap_or(&self.own);
        Program::at("/bin/sh")
            .args(["-c", &format!("cd '{}' && PATH='{programs}':$PATH\n{line}", self.folder.path().display())])
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("VIGO_CONFIG_FILE", self.server.config())
            .env("VIGO_CONFIG_DIR", machine.config_dir())
            .env("VIGO_STATE_DIR", machine.state_dir())
    }

    /// `scripts/run` without its build: the quickstart, which stays up.
    fn quickstart(&mut self) {
        let ports = [free_port(), free_port()];
        let line = format!("exec vigo-server quickstart --grpc-port {} --api-port {}", ports[0], ports[1]);
        self.quickstart = Some(self.shell(&line).daemon());
        let list = "vigocli --config vigo-quickstart/server.yaml -o json envoys list";
        crate::until("the quickstart shows this host", || {
            self.shell(list).run().stdout.contains("\"active\"").then_some(())
        });
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The pages of the book, by their path below `docs/src`.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn pages() -> BTreeMap<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/src");
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(source.join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if source.join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                let text = std::fs::read_to_string(source.join(&path)).unwrap();
                found.insert(path.to_str().unwrap().to_owned(), text);
            }
        }
    }
    found
}
