//! Undoing what `bootstrap` did. Files are removed by their known names and folders only if they are empty then: what is
//! not ours stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vigo_core::EnvoyId;

use crate::os::{self, Os};
use crate::service::{Ground, Manager, ServiceError, Start};
use crate::{Config, Lock, LockError, Paths, install};

/// What was there and is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uninstalled {
    /// Files and folders; what was in a folder of these is not named.
    pub removed: Vec<PathBuf>,
    /// Folders that stay because something is in them that is not ours.
    pub left: Vec<PathBuf>,
    /// A program that runs and cannot remove itself, as on Windows.
    pub in_use: Option<PathBuf>,
    /// This very program, where only folders were removed.
    pub stays: Option<PathBuf>,
    /// Who this machine was. The server knows it until it is revoked there.
    pub envoy: Option<EnvoyId>,
}

/// Why not all of it is gone. What was removed stays removed, and the same call goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UninstallError {
    /// The service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// An agent runs that no service started, or somebody registers.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file or folder.
    #[error("cannot remove {}: {source}", path.display())]
    Remove {
        /// It.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How much is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The service, the program and the folders.
    Machine,
    /// The folders.
    Folders,
}

/// Removes it from this machine: all of it where this process may and these are the folders that the service uses.
///
/// # Errors
/// With what could not be removed.
pub(crate) fn uninstall(paths: &Paths) -> Result<Uninstalled, UninstallError> {
    let (os, ground) = (os::here(), Ground::here());
    let own = std::env::current_exe().ok();
    Removal { os, ground: &ground, manager: os.manager(), own: own.as_deref() }.all(paths, scope(os, &ground, paths))
}

fn scope(os: &dyn Os, ground: &Ground, paths: &Paths) -> Scope {
    if os.may_install() && is_for(os, os.manager(), ground, paths) { Scope::Machine } else { Scope::Folders }
}

/// Whether the service and the installed program are those of these folders.
fn is_for(os: &dyn Os, manager: Option<Manager>, ground: &Ground, paths: &Paths) -> bool {
    let places = os.places();
    if (paths.config_dir(), paths.state_dir()) == (&places.config_dir, &places.state_dir) {
        return true;
    }
    let Some((manager, file)) = manager.and_then(|manager| Some((manager, manager.file()?))) else { return false };
    let Ok(text) = fs::read_to_string(ground.at(file)) else { return false };
    let programs = programs(os, std::env::current_exe().ok().as_deref());
    programs.iter().any(|program| {
        let plan = Start::new(program, paths).and_then(|start| manager.install(&start));
        plan.is_ok_and(|plan| plan.writes(file, &text))
    })
}

/// Where the program may be, the usual places first.
fn programs(os: &dyn Os, own: Option<&Path>) -> Vec<PathBuf> {
    let usual = os.places().programs.into_iter().map(|folder| folder.join(os.program()));
    usual.chain(own.map(Path::to_owned)).collect()
}

struct Removal<'a> {
    os: &'a dyn Os,
    ground: &'a Ground,
    manager: Option<Manager>,
    /// This very program.
    own: Option<&'a Path>,
}

impl Removal<'_> {
    fn all(&self, paths: &Paths, scope: Scope) -> Result<Uninstalled, UninstallError> {
        let mut done =
            Uninstalled { envoy: Config::read(&paths.config()).ok().map(|c| c.envoy), ..Uninstalled::default() };
        if scope == Scope::Machine {
            // A service that names this program, wherever that is, says that this program was installed.
            let named = self.own.filter(|own| self.service_starts(own, paths)).map(Path::to_owned);
            if let Some(manager) = self.manager {
                done.removed.extend(self.ground.carry_out(&manager.remove())?);
            }
            let usual = programs(self.os, None).into_iter().map(|program| self.ground.at(program));
            let programs: Vec<PathBuf> = usual.chain(named).collect();
            self.folders(paths, scope, &mut done)?;
            for program in programs {
                self.program(&program, &mut done)?;
            }
        } else {
            self.folders(paths, scope, &mut done)?;
            done.stays = self.own.map(Path::to_owned);
        }
        done.shorten();
        Ok(done)
    }

    fn service_starts(&self, program: &Path, paths: &Paths) -> bool {
        let Some((manager, file)) = self.manager.and_then(|manager| Some((manager, manager.file()?))) else {
            return false;
        };
        let plan = Start::new(program, paths).and_then(|start| manager.install(&start));
        let text = fs::read_to_string(self.ground.at(file));
        matches!((plan, text), (Ok(plan), Ok(text)) if plan.writes(file, &text))
    }

    fn folders(&self, paths: &Paths, scope: Scope, done: &mut Uninstalled) -> Result<(), UninstallError> {
        // Whoever holds these writes there.
        let locks = [paths.lock(), paths.enrol_lock()];
        let held: Vec<Lock> =
            locks.iter().filter_map(|path| self.lock(path, scope).transpose()).collect::<Result<_, _>>()?;
        let config = paths.config_dir();
        remove_file(&paths.config(), done)?;
        for name in ["pending", ".pending.new", ".pending.old"] {
            self.folder(&config.join(name), &Paths::PENDING_FILES, done)?;
        }
        for (name, path) in entries(&paths.envoys())? {
            if name.parse::<EnvoyId>().is_ok() {
                self.folder(&path, &Paths::ENVOY_FILES, done)?;
            }
        }
        remove_folder(&paths.envoys(), done)?;
        for name in Paths::STATE_FILES {
            remove_file(&paths.state_dir().join(name), done)?;
        }
        // Windows removes no file that is open.
        drop(held);
        for lock in &locks {
            remove_file(lock, done)?;
        }
        for folder in [config, paths.state_dir()] {
            self.folder(folder, &[], done)?;
            // The folder around it, where it is one of ours.
            if let Some(around) = folder.parent().filter(|around| is_ours(around)) {
                remove_folder(around, done)?;
            }
        }
        Ok(())
    }

    fn lock(&self, path: &Path, scope: Scope) -> Result<Option<Lock>, LockError> {
        if !path.parent().is_some_and(Path::is_dir) {
            return Ok(None);
        }
        // A service that was just stopped may need a moment to end.
        let ends = |error: &LockError| scope == Scope::Machine && matches!(error, LockError::Held { .. });
        self.ground.patiently(|| Lock::take(path), ends).map(Some)
    }

    /// A folder with these files, and what runs that were killed left in it.
    fn folder(&self, folder: &Path, files: &[&str], done: &mut Uninstalled) -> Result<(), UninstallError> {
        for (name, path) in entries(folder)? {
            if files.contains(&name.as_str()) || (name.starts_with(".vigo-") && name.ends_with(".tmp")) {
                remove_file(&path, done)?;
            }
        }
        remove_folder(folder, done)
    }

    /// What lies beside the program while an update is under way, and after one that was ended.
    fn names_around_an_update(&self) -> [String; 3] {
        [".previous-new", ".failed", ".failed-new"].map(|end| format!("{}{end}", self.os.program()))
    }

    fn program(&self, program: &Path, done: &mut Uninstalled) -> Result<(), UninstallError> {
        match remove_file(program, done) {
            Err(_) if cfg!(windows) && self.own == Some(program) => done.in_use = Some(program.to_owned()),
            other => other?,
        }
        let previous = crate::update::previous(program);
        let Some(folder) = program.parent() else { return Ok(()) };
        for (name, path) in entries(folder)? {
            // The one that the last update replaced, and its second name while that was being made.
            let is_previous = path == previous || self.names_around_an_update().contains(&name);
            if is_previous || install::is_left_behind(&name) {
                remove_file(&path, done)?;
            }
        }
        if is_ours(folder) && done.in_use.is_none() { remove_folder(folder, done) } else { Ok(()) }
    }
}

/// Folders of this name are made for nothing else.
fn is_ours(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "vigo" || name == "Vigo")
}

/// Names and paths of what is in a real folder, in order; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, UninstallError> {
    if !fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir()) {
        return Ok(Vec::new());
    }
    let failed = |source| UninstallError::Remove { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut found: Vec<_> = entries
        .map(|entry| {
            entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).map_err(failed)
        })
        .collect::<Result<_, _>>()?;
    found.sort();
    Ok(found)
}

fn remove_file(path: &Path, done: &mut Uninstalled) -> Result<(), UninstallError> {
    match fs::remove_file(path) {
        Ok(()) => done.removed.push(path.to_owned()),
        Err(error) if is_absent(&error) => {}
        Err(source) => return Err(UninstallError::Remove { path: path.to_owned(), source }),
    }
    Ok(())
}

fn remove_folder(path: &Path, done: &mut Uninstalled) -> Result<(), UninstallError> {
    match fs::remove_dir(path) {
        Ok(()) => done.removed.push(path.to_owned()),
        Err(error) if is_absent(&error) => {}
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => done.left.push(path.to_owned()),
        Err(source) => return Err(UninstallError::Remove { path: path.to_owned(), source }),
    }
    Ok(())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl Uninstalled {
    /// What lies in a folder that is named is not named, and a folder that stays is named once.
    fn shorten(&mut self) {
        let all = self.removed.clone();
        self.removed.retain(|path| !path.ancestors().skip(1).any(|above| all.iter().any(|other| other == above)));
        let left = std::mem::take(&mut self.left);
        for path in left {
            let within = |other: &PathBuf| other.starts_with(&path);
            if !self.left.iter().any(within) {
                self.left.push(path);
            }
        }
    }

    /// For a person.
    pub(crate) fn text(&self) -> String {
        let mut text: String = self.removed.iter().map(|path| format!("removed    {}\n", path.display())).collect();
        if text.is_empty() {
            text = "nothing of vigo was left here\n".to_owned();
        }
        for path in &self.left {
            text += &format!("left       {}: something is in it that is not vigo's\n", path.display());
        }
        if let Some(path) = &self.in_use {
            text +=
                &format!("left       {}: it runs just now; remove it once this command has ended\n", path.display());
        }
        if let Some(path) = self.stays.as_ref().filter(|_| !self.removed.is_empty()) {
            text += &format!("left       {}: the program; remove it where nothing else uses it\n", path.display());
        }
        if let Some(envoy) = self.envoy {
            text += &format!(
                "next: this machine stays enrolled until the server is told otherwise: vigocli envoys revoke {envoy}\n"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests;
