//! Real processes, with what they print, and none left behind.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// A program to run: one of ours by name, another by its path.
pub struct Program {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, Option<OsString>)>,
    input: Vec<u8>,
    inside: Option<String>,
}

/// A program that ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said besides.
    pub stderr: String,
}

/// A program that runs until it is stopped; killed when dropped.
pub struct Daemon {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    reader: Option<thread::JoinHandle<()>>,
}

/// One of our programs, as cargo built it.
///
/// # Panics
/// When it was not built.
#[must_use]
fn ours(name: &str) -> PathBuf {
    let folder = std::env::current_exe().unwrap();
    // target/debug/deps/test-0123 → target/debug
    let folder = folder.parent().and_then(|deps| deps.parent()).unwrap();
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not there: `cargo build --bins` makes it", path.display());
    path
}

impl Program {
    /// One of ours: `vigo`, `vigo-server`, `vigocli`.
    #[must_use]
    pub fn ours(name: &str) -> Self {
        Self::at(ours(name))
    }

    /// Any other.
    #[must_use]
    pub fn at(program: impl Into<PathBuf>) -> Self {
        let variables = ["VIGO_TOKEN", "VIGO_CONFIG_FILE", "VIGO_ADMIN_SOCKET", "VIGO_CONFIG_DIR", "VIGO_STATE_DIR"];
        let variables = variables.into_iter().map(|name| (name.into(), None)).collect();
        Self { program: program.into(), arguments: Vec::new(), variables, input: Vec::new(), inside: None }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), Some(value.as_ref().to_owned())));
        self
    }

    /// What it reads from standard input.
    #[must_use]
    pub fn input(mut self, text: &str) -> Self {
        self.input = text.into();
        self
    }

    /// Runs it in a network namespace.
    #[must_use]
    pub fn inside(mut self, namespace: Option<&str>) -> Self {
        self.inside = namespace.map(str::to_owned);
        self
    }

    fn command(&self) -> Command {
        let mut command = match &self.inside {
            None => Command::new(&self.program),
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(&self.program);
                command
            }
        };
        command.args(&self.arguments);
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(self) -> Ended {
        self.start().end()
    }

    /// Starts it, with pipes for all that it says; [`Started::end`] waits.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(self) -> Started {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let mut input = child.stdin.take().unwrap();
        let text = self.input;
        // A program that ends without reading closes the pipe; that is its right.
        let writer = thread::spawn(move || drop(input.write_all(&text)));
        Started { child, writer }
    }

    /// Starts it as a daemon; what it says on standard error is kept.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn daemon(self) -> Daemon {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let said = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let keep = Arc::clone(&said);
        let reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                keep.lock().unwrap().push(line);
            }
        });
        Daemon { child, said, reader: Some(reader) }
    }
}

/// A program that was started and is to end by itself.
pub struct Started {
    child: Child,
    writer: thread::JoinHandle<()>,
}

impl Started {
    /// Waits for its end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    #[must_use]
    pub fn end(mut self) -> Ended {
        let mut stderr = self.child.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            text
        });
        let mut stdout = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        let stderr = errors.join().unwrap();
        let status = self.child.wait().unwrap();
        self.writer.join().unwrap();
        Ended {
            code: status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Kills it, as `kill -9` does.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Ended {
    /// Its output, if it ended well.
    ///
    /// # Panics
    /// When it did not, with all that it said.
    #[track_caller]
    #[must_use]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// What it said when it failed, with this exit code.
    ///
    /// # Panics
    /// When it ended otherwise.
    #[track_caller]
    #[must_use]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stderr
    }
}

impl Daemon {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Waits until it has said this.
    ///
    /// # Panics
    /// When it does not, or ends before it does.
    #[track_caller]
    pub fn says(&mut self, text: &str) -> String {
        until(&format!("the program says `{text}`"), || {
            let ended = self.child.try_wait().unwrap();
            let found = self.said.lock().unwrap().iter().find(|line| line.contains(text)).cloned();
            assert!(found.is_some() || ended.is_none(), "ended with {ended:?}: {}", self.all());
            found
        })
    }

    /// All that it has said.
    ///
    /// # Panics
    /// When the thread that listens panicked.
    #[must_use]
    pub fn all(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// Asks it to end, and waits.
    ///
    /// # Panics
    /// When it does not end, or not well.
    #[track_caller]
    pub fn stop(mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let status = until("the program ends", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}: {}", self.all());
    }

    /// Kills it, as `kill -9` does.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// When it does not.
    pub fn ends(&mut self) -> ExitStatus {
        until("the program ends by itself", || self.child.try_wait().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
