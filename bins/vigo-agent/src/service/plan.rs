//! What installing or removing a service comes to, as data: files and commands in order.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use super::ServiceError;

/// Steps in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A file that is complete whenever the machine stops, with this mode where files have one.
    Write { path: &'static str, mode: u32, text: String },
    /// A second name for a file, where it can be had.
    Link { path: &'static str, to: &'static str },
    /// No file of this name.
    Remove { path: &'static str },
    /// A command.
    Run { program: &'static str, arguments: Vec<String>, failure: OnFailure },
}

/// What a command's failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// Nothing further is done.
    Stop,
    /// Nothing: there was nothing to do.
    GoOn,
    /// What it needs may take some seconds to come about.
    TryAgain,
}

impl Plan {
    pub(crate) fn write(mut self, path: &'static str, mode: u32, text: String) -> Self {
        self.steps.push(Step::Write { path, mode, text });
        self
    }

    pub(crate) fn link(mut self, path: &'static str, to: &'static str) -> Self {
        self.steps.push(Step::Link { path, to });
        self
    }

    pub(crate) fn remove(mut self, path: &'static str) -> Self {
        self.steps.push(Step::Remove { path });
        self
    }

    fn command(mut self, program: &'static str, arguments: &[&str], failure: OnFailure) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        self.steps.push(Step::Run { program, arguments, failure });
        self
    }

    pub(crate) fn run(self, program: &'static str, arguments: &[&str]) -> Self {
        self.command(program, arguments, OnFailure::Stop)
    }

    pub(crate) fn attempt(self, program: &'static str, arguments: &[&str]) -> Self {
        self.command(program, arguments, OnFailure::GoOn)
    }

    pub(crate) fn insist(self, program: &'static str, arguments: &[&str]) -> Self {
        self.command(program, arguments, OnFailure::TryAgain)
    }
}

impl Plan {
    /// Whether it would write exactly this.
    pub(crate) fn writes(&self, file: &str, content: &str) -> bool {
        let is = |step: &Step| matches!(step, Step::Write { path, text, .. } if *path == file && text == content);
        self.steps.iter().any(is)
    }
}

/// Where plans are carried out: this machine, or a folder that stands for one.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// The folder that `/` stands for.
    root: PathBuf,
    /// Where commands are looked for.
    path: OsString,
    /// Between two tries.
    pause: Duration,
}

/// How often a command is tried that may have to wait.
const TRIES: u32 = 20;

impl Ground {
    /// This machine. What administers it may lie where the `PATH` of whoever calls does not look.
    #[expect(clippy::disallowed_methods, reason = "commands are found by the PATH of whoever runs this program")]
    pub(crate) fn here() -> Self {
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        if cfg!(unix) {
            path.push(if path.is_empty() { "" } else { ":" });
            path.push("/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
        }
        Self { root: PathBuf::from("/"), path, pause: Duration::from_millis(500) }
    }

    #[cfg(test)]
    pub(crate) fn folder(root: &Path, tools: &Path) -> Self {
        Self { root: root.to_owned(), path: tools.into(), pause: Duration::ZERO }
    }

    /// Where an absolute path lies.
    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if self.root == Path::new("/") {
            path.to_owned()
        } else {
            self.root.join(path.strip_prefix("/").unwrap_or(path))
        }
    }

    /// Carries a plan out, up to the first step that fails; the paths of files that were removed.
    pub(crate) fn carry_out(&self, plan: &Plan) -> Result<Vec<PathBuf>, ServiceError> {
        let mut removed = Vec::new();
        for step in &plan.steps {
            match step {
                Step::Write { path, mode, text } => {
                    let path = self.at(path);
                    write(&path, *mode, text).map_err(|source| ServiceError::Write { path, source })?;
                }
                Step::Link { path, to } => link(&self.at(path), to),
                Step::Remove { path } => {
                    let path = self.at(path);
                    match fs::remove_file(&path) {
                        Ok(()) => removed.push(path),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(source) => return Err(ServiceError::Remove { path, source }),
                    }
                }
                Step::Run { program, arguments, failure } => self.run(program, arguments, *failure)?,
            }
        }
        Ok(removed)
    }

    /// Tries for some seconds what may have to wait.
    pub(crate) fn patiently<T, E>(
        &self,
        mut attempt: impl FnMut() -> Result<T, E>,
        again: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        let mut last = attempt();
        for _ in 1..TRIES {
            if !last.as_ref().is_err_and(&again) {
                break;
            }
            std::thread::sleep(self.pause);
            last = attempt();
        }
        last
    }

    fn run(&self, program: &str, arguments: &[String], failure: OnFailure) -> Result<(), ServiceError> {
        let again = |_: &String| failure == OnFailure::TryAgain;
        match self.patiently(|| self.try_once(program, arguments), again) {
            Err(_) if failure == OnFailure::GoOn => Ok(()),
            Err(what) => Err(ServiceError::Command { command: format!("{program} {}", arguments.join(" ")), what }),
            Ok(()) => Ok(()),
        }
    }

    fn try_once(&self, program: &str, arguments: &[String]) -> Result<(), String> {
        let output = process::Command::new(program)
            .args(arguments)
            .env("PATH", &self.path)
            // No child inherits a token.
            .env_remove("VIGO_TOKEN")
            .stdin(process::Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        // sc.exe and some scripts complain on standard output.
        let said = [output.stderr, output.stdout].concat();
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        Err(if line.is_empty() { output.status.to_string() } else { crate::refused::clean(&line) })
    }
}

/// Complete whenever the machine stops.
fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".vigo-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    set_mode(file.as_file(), mode)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    crate::os::here().sync_folder(folder)
}

#[cfg(unix)]
fn set_mode(file: &fs::File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &fs::File, _: u32) -> io::Result<()> {
    Ok(())
}

/// A name that is a convenience: without it everything works. What is there already and no link is not ours.
#[cfg(unix)]
fn link(path: &Path, to: &str) {
    let there = fs::symlink_metadata(path);
    if there.is_ok_and(|meta| !meta.is_symlink()) {
        return;
    }
    let make = || -> io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::os::unix::fs::symlink(to, path)
    };
    if let Err(error) = make() {
        tracing::debug!(%error, path = %path.display(), "no second name");
    }
}

#[cfg(not(unix))]
fn link(_: &Path, _: &str) {}
