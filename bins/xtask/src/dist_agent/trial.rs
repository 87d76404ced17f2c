//! `vigo version`, executed here, whatever the binary was built for, where there is something that executes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::target::{Run, Target};

/// What stands in for a library that wine lacks.
const STAND_IN: &str = include_str!("bcryptprimitives.c");

/// What became of a binary's first run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It said its version.
    Yes(&'static str),
    /// Nothing here executes it.
    No(String),
}

/// Runs it; an error when it runs and does not say this version.
pub(crate) fn run(target: &Target, binary: &Path, folder: &Path, version: &str) -> anyhow::Result<Ran> {
    let (mut command, how) = match target.run {
        Run::Not => return Ok(Ran::No("nothing here runs it".to_owned())),
        Run::Natively => (Command::new(binary), "natively"),
        Run::Qemu(program) => {
            if !has(program) {
                return Ok(Ran::No(format!("there is no {program} here (qemu-user-static)")));
            }
            let mut command = Command::new(program);
            command.arg(binary);
            (command, "qemu-user")
        }
        Run::Wine => {
            if !has("wine") || !has("wineserver") {
                return Ok(Ran::No("there is no wine here (wine, wine64)".to_owned()));
            }
            let Some(folder) = beside_the_stand_in(binary, folder)? else {
                return Ok(Ran::No("there is no x86_64-w64-mingw32-gcc here (gcc-mingw-w64-x86-64)".to_owned()));
            };
            let mut command = Command::new("wine");
            command.arg(folder.join("vigo.exe")).env("WINEPREFIX", folder.join("prefix")).env("WINEDEBUG", "-all");
            (command, "wine")
        }
    };
    let output = command.arg("version").output().with_context(|| format!("cannot run it by {how}"))?;
    if target.run == Run::Wine {
        // What wine started besides would stay for a while.
        let _ = Command::new("wineserver").arg("-k").env("WINEPREFIX", folder.join("wine/prefix")).status();
    }
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || said.trim_end() != format!("vigo {version}") {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("run by {how} it said `{}` and ended with {}: {}", said.trim_end(), output.status, errors.trim_end());
    }
    Ok(Ran::Yes(how))
}

/// A folder with the program and the library beside it; `None` where that cannot be made.
fn beside_the_stand_in(binary: &Path, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    const COMPILER: &str = "x86_64-w64-mingw32-gcc";
    if !has(COMPILER) {
        return Ok(None);
    }
    let folder = folder.join("wine");
    std::fs::create_dir_all(&folder)?;
    let source = folder.join("bcryptprimitives.c");
    std::fs::write(&source, STAND_IN)?;
    let mut command = Command::new(COMPILER);
    command.args(["-shared", "-O1", "-o"]).arg(folder.join("bcryptprimitives.dll")).arg(&source).arg("-ladvapi32");
    super::tools::run(&mut command)?;
    std::fs::copy(binary, folder.join("vigo.exe"))?;
    Ok(Some(folder))
}

#[expect(clippy::disallowed_methods, reason = "commands are found by the PATH of whoever runs this program")]
fn has(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::super::target::TARGETS;
    use super::*;

    #[track_caller]
    fn check(script: &str, expected: Result<Ran, &str>) {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("vigo");
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&binary, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        match (run(&TARGETS[0], &binary, dir.path(), "1.2.3"), expected) {
            (Ok(ran), Ok(expected)) => assert_eq!(ran, expected),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (got, _) => panic!("{got:?}"),
        }
    }

    #[test]
    fn what_counts_as_running() {
        check("[ \"$*\" = version ] && echo vigo 1.2.3", Ok(Ran::Yes("natively")));
        check("echo vigo 1.2.4", Err("run by natively it said `vigo 1.2.4` and ended with exit status: 0: "));
        check("echo vigo 1.2.3; exit 1", Err("run by natively it said `vigo 1.2.3` and ended with exit status: 1: "));
        let macos = TARGETS.iter().find(|target| target.name == "macos-aarch64").unwrap();
        let nowhere = Path::new("/nowhere");
        assert_eq!(run(macos, nowhere, nowhere, "1.2.3").unwrap(), Ran::No("nothing here runs it".to_owned()));
    }
}
