//! A machine to be managed: an agent with folders of its own.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Daemon, Ended, Program};
use crate::server::Server;

/// An agent with its folders.
pub struct Machine {
    folder: TempDir,
    hostname: String,
    namespace: Option<String>,
}

impl Machine {
    /// A machine that calls itself by this name.
    ///
    /// # Panics
    /// When its folder cannot be made.
    #[must_use]
    pub fn new(hostname: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("vigo-").tempdir().unwrap();
        Self { folder, hostname: hostname.to_owned(), namespace: None }
    }

    /// The same in a network namespace.
    #[must_use]
    pub fn inside(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// The folder of its configuration.
    #[must_use]
    pub fn config_dir(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    /// The folder of its state.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// All of it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// `vigo` with its folders and these arguments.
    #[must_use]
    pub fn vigo(&self, arguments: &[&str]) -> Program {
        let (config, state) = (self.config_dir(), self.state_dir());
        Program::ours("vigo")
            .args(["--config-dir".as_ref(), config.as_os_str(), "--state-dir".as_ref(), state.as_os_str()])
            .args(arguments)
            .inside(self.namespace.as_deref())
    }

    fn asking(&self, command: &str, server: &Server, more: &[&str]) -> Program {
        let (grpc, api) = (server.grpc(), server.api());
        self.vigo(&[command, "--server", &grpc, "--api-addr", &api]).args(["--hostname", &self.hostname]).args(more)
    }

    /// `vigo register`, the token by standard input.
    #[must_use]
    pub fn register(&self, server: &Server, token: Option<&str>, more: &[&str]) -> Ended {
        let program = self.asking("register", server, more);
        match token {
            Some(token) => program.args(["--token-stdin"]).input(token).run(),
            None => program.run(),
        }
    }

    /// `vigo bootstrap --no-service`, the token by standard input.
    #[must_use]
    pub fn bootstrap(&self, server: &Server, token: Option<&str>, more: &[&str]) -> Ended {
        let program = self.bootstrapping(server, more);
        match token {
            Some(token) => program.args(["--token-stdin"]).input(token).run(),
            None => program.run(),
        }
    }

    /// The same, not run yet and without a token.
    #[must_use]
    pub fn bootstrapping(&self, server: &Server, more: &[&str]) -> Program {
        self.asking("bootstrap", server, &[&["--no-service"], more].concat())
    }

    /// A machine that enrolled with a token for exactly its name, and checked in.
    ///
    /// # Panics
    /// When it was not let in.
    #[track_caller]
    #[must_use]
    pub fn enrolled(hostname: &str, server: &Server) -> Self {
        let machine = Self::new(hostname);
        let token = server.token(hostname, &[]);
        let _ = machine.bootstrap(server, Some(&token), &[]).ok();
        machine
    }

    /// `vigo run`.
    #[must_use]
    pub fn check_in(&self) -> Ended {
        self.vigo(&["run"]).run()
    }

    /// `vigo daemon`.
    #[must_use]
    pub fn daemon(&self) -> Daemon {
        self.vigo(&["daemon"]).env("VIGO_LOG", "debug,h2=warn,hyper=warn,rustls=warn,tower=warn").daemon()
    }

    /// `vigo status --json`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    #[must_use]
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.vigo(&["status", "--json"]).run().ok()).unwrap()
    }

    /// The id of the enrolment that counts.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    #[must_use]
    pub fn envoy(&self) -> String {
        self.status()["envoy_id"].as_str().unwrap().to_owned()
    }

    /// A file of the enrolment that counts.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.config_dir().join("envoys").join(self.envoy()).join(name)
    }
}
