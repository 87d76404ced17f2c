//! A server as a process of its own, ended when dropped.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// A program that says on a line of its own when it serves.
pub struct Process(Child);

impl Process {
    /// Starts it and waits for a line on standard error that contains `ready`.
    ///
    /// # Errors
    /// When it does not start, or ends first.
    pub fn start(program: &str, arguments: &[&Path], ready: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).env("VIGO_LOG", "warn,vigo_server::server=info").stdin(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().with_context(|| format!("cannot run {program}"))?;
        let mut lines = BufReader::new(child.stderr.take().context("standard error is piped")?).lines();
        let mut said = Vec::new();
        for line in lines.by_ref() {
            let line = line?;
            if line.contains(ready) {
                // What it says later is read and dropped, so that it never waits for us.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self(child));
            }
            said.push(line);
        }
        anyhow::bail!("{program} ended: {}", said.join("\n"))
    }

    /// Ends it.
    pub fn end(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
