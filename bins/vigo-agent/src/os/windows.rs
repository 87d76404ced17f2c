//! Windows: the service control manager, access lists instead of modes, no way for a process to become another program.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Os, Phase, Places};
use crate::service::{Manager, windows as text};

pub(super) struct Windows;

/// What the service control manager takes for a crash, so that it starts the service again.
const START_AGAIN: i32 = 75;

#[expect(clippy::disallowed_methods, reason = "Windows says in its environment where its folders are")]
fn folder(variable: &str, usual: &str) -> PathBuf {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute()).unwrap_or_else(|| usual.into())
}

fn icacls(arguments: &[String]) -> io::Result<()> {
    let output = Command::new("icacls.exe").args(arguments).env_remove("VIGO_TOKEN").output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("icacls.exe: {}", said.trim())))
}

impl Os for Windows {
    fn places(&self) -> Places {
        let data = folder("ProgramData", r"C:\ProgramData").join("Vigo");
        Places {
            programs: vec![folder("ProgramFiles", r"C:\Program Files").join("Vigo")],
            config_dir: data.join("config"),
            state_dir: data.join("state"),
        }
    }

    fn program(&self) -> &'static str {
        "vigo.exe"
    }

    fn manager(&self) -> Option<Manager> {
        Some(Manager::Windows)
    }

    fn may_install(&self) -> bool {
        vigo_windows_service::may_install_services()
    }

    fn tell(&self, _: Phase) {
        // `vigo_windows_service::run` tells when the service is up and when it has ended.
    }

    fn restart(&self, _: &Path) -> io::Result<Infallible> {
        std::process::exit(START_AGAIN)
    }

    fn protect(&self, folder: &Path) -> io::Result<()> {
        // Who may not install services has folders of their own, where their own access list holds.
        if !self.may_install() {
            return Ok(());
        }
        // The folder around it too, where it is one of ours: whoever owns that can put another in this one's place.
        let around = folder.parent().filter(|around| around.file_name().is_some_and(|name| name == "Vigo"));
        for folder in around.into_iter().chain([folder]) {
            let Some(folder) = folder.to_str() else { return Err(io::ErrorKind::InvalidFilename.into()) };
            icacls(&text::owner(folder))?;
            icacls(&text::access(folder))?;
        }
        Ok(())
    }

    fn make_program(&self, _: &File) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn swap(&self, new: tempfile::TempPath, program: &Path) -> io::Result<()> {
        // A program that runs can be renamed, not replaced. The name says what a later run removes.
        let old = program.with_file_name(format!("{}{}", crate::install::OLD, std::process::id()));
        let had = match std::fs::rename(program, &old) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if let Err(error) = new.persist(program) {
            if had {
                std::fs::rename(&old, program)?;
            }
            return Err(error.error);
        }
        // It may be running; then it stays until the next time.
        let _ = std::fs::remove_file(&old);
        Ok(())
    }

    fn exchange(&self, new: &Path, program: &Path, previous: &Path) -> io::Result<()> {
        // A program that runs can be renamed, not replaced.
        std::fs::rename(program, previous)?;
        std::fs::rename(new, program).or_else(|error| {
            std::fs::rename(previous, program)?;
            Err(error)
        })
    }
}
