//! A server's home, and the server that runs in it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Daemon, Ended, Program};

/// A fleet: a home in a folder of its own, its server, and an operator on the server's host.
pub struct Server {
    home: TempDir,
    grpc: u16,
    api: u16,
    host: String,
    namespace: Option<String>,
    running: Option<Daemon>,
}

/// How a server is to be set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// More of `server.yaml`, top-level sections.
    pub sections: String,
    /// More lines of its `server:` section, indented by two.
    pub server: String,
    /// The address that it listens on and that agents are told to dial.
    pub host: String,
    /// The network namespace that it runs in.
    pub namespace: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // bcrypt's cheapest: the tests are not about its cost.
            sections: "bootstrap:\n  token_hash: {cost: 4}\n".to_owned(),
            server: String::new(),
            host: "127.0.0.1".to_owned(),
            namespace: None,
        }
    }
}

impl Server {
    /// A new fleet whose server runs.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&Options::default())
    }

    /// One with more under `bootstrap:` in its configuration, indented by two.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn with_bootstrap(lines: &str) -> Self {
        let mut options = Options::default();
        options.sections.push_str(lines);
        Self::with(&options)
    }

    /// One that is set up like this.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn with(options: &Options) -> Self {
        let mut server = Self::home(options);
        server.run();
        server
    }

    /// A home whose server was never started.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn home(options: &Options) -> Self {
        // Short: a unix socket's path has at most some hundred characters.
        let home = tempfile::Builder::new().prefix("vigo-").tempdir().unwrap();
        let (grpc, api) = (free_port(), free_port());
        let server =
            Self { home, grpc, api, host: options.host.clone(), namespace: options.namespace.clone(), running: None };
        let host = if options.host.contains(':') { format!("[{}]", options.host) } else { options.host.clone() };
        server.configure(&format!(
            "server:\n  grpc_listen: \"{host}:{grpc}\"\n  api_listen: \"{host}:{api}\"\n  hostname: \"{}\"\n{}{}",
            options.host, options.server, options.sections
        ));
        server
    }

    /// Replaces its configuration.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, yaml: &str) {
        std::fs::write(self.config(), yaml).unwrap();
    }

    /// Its configuration as text.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn configuration(&self) -> String {
        std::fs::read_to_string(self.config()).unwrap()
    }

    fn program(&self) -> Program {
        Program::ours("vigo-server")
            .args(["--config".as_ref(), self.config().as_os_str()])
            .inside(self.namespace.as_deref())
    }

    /// Starts the server and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn run(&mut self) {
        let mut running = self.program().daemon();
        running.says("serving");
        self.running = Some(running);
    }

    /// Starts the server and does not wait for it.
    pub fn begin(&mut self) {
        self.running = Some(self.program().daemon());
    }

    /// Tries to start a server that will not: what it says.
    #[must_use]
    pub fn try_run(&self) -> Ended {
        self.program().run()
    }

    /// `vigo-server check`.
    #[must_use]
    pub fn check(&self) -> Ended {
        self.program().args(["check"]).run()
    }

    /// Stops it in good order.
    ///
    /// # Panics
    /// When it does not stop.
    #[track_caller]
    pub fn stop(&mut self) {
        self.running.take().expect("the server runs").stop();
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn kill(&mut self) {
        self.running.take().expect("the server runs").kill();
    }

    /// The running process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn process(&mut self) -> &mut Daemon {
        self.running.as_mut().expect("the server runs")
    }

    /// Its home.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// A file of its home.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Its configuration's file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.file("server.yaml")
    }

    /// The port of gRPC.
    #[must_use]
    pub const fn grpc_port(&self) -> u16 {
        self.grpc
    }

    /// The port of HTTPS.
    #[must_use]
    pub const fn api_port(&self) -> u16 {
        self.api
    }

    /// Where agents dial.
    #[must_use]
    pub fn grpc(&self) -> String {
        with_port(&self.host, self.grpc)
    }

    /// Its HTTPS side.
    #[must_use]
    pub fn api(&self) -> String {
        format!("https://{}", with_port(&self.host, self.api))
    }

    /// vigocli, as root or the server's own user has it.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Ended {
        let config = self.config();
        Program::ours("vigocli").args(["--config".as_ref(), config.as_os_str()]).args(arguments).run()
    }

    /// What vigocli prints as JSON.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    #[must_use]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.cli(&[&["-o", "json"], arguments].concat()).ok();
        serde_json::from_str(&text).unwrap()
    }

    /// A new token for a pattern, with more flags.
    ///
    /// # Panics
    /// When none is made.
    #[track_caller]
    #[must_use]
    pub fn token(&self, pattern: &str, more: &[&str]) -> String {
        let made = self.json(&[&["tokens", "generate", "--pattern", pattern], more].concat());
        made["token"].as_str().unwrap().to_owned()
    }

    /// The pin of its CA.
    ///
    /// # Panics
    /// When the server does not answer.
    #[track_caller]
    #[must_use]
    pub fn ca_pin(&self) -> String {
        self.json(&["ca", "show"])["pins"][0].as_str().unwrap().to_owned()
    }

    /// The pin of its own key.
    ///
    /// # Panics
    /// When the server does not answer.
    #[track_caller]
    #[must_use]
    pub fn leaf_pin(&self) -> String {
        self.json(&["ca", "show"])["pins"][1].as_str().unwrap().to_owned()
    }

    /// All envoys: hostname and status, in the order of their enrolment.
    ///
    /// # Panics
    /// When the server does not answer.
    #[track_caller]
    #[must_use]
    pub fn envoys(&self) -> Vec<(String, String)> {
        let rows = self.json(&["envoys", "list"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(|row| (text(&row["hostname"]), text(&row["status"]))).collect()
    }

    /// The newest audit record of an action: `(outcome, detail)`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    #[must_use]
    pub fn last_audit(&self, action: &str) -> (String, String) {
        let rows = self.json(&["audit", "list", "--limit", "1000"]);
        let row = rows.as_array().unwrap().iter().find(|row| row["action"] == action);
        let row = row.unwrap_or_else(|| panic!("no {action} in {rows}"));
        (row["outcome"].as_str().unwrap().to_owned(), row["detail"].as_str().unwrap().to_owned())
    }
}

fn with_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A port that nobody listens on. The kernel gives each in turn, so another process gets the same one much later.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
