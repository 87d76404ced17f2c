//! The compiler and linker for other systems, apart from the toolchain that everything else is built with: Debian's rustc
//! with the sources of std, and zig, which has a C compiler and a libc for most of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::target::Target;

/// What is needed of the system: a file that is there then, and the package that has it.
const NEEDED: [(&str, &str); 4] = [
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library/Cargo.toml", "rust-web-src"),
    ("/usr/bin/python3", "python3-venv"),
];

/// What is needed of the Python package index, which is where zig can be had from without more.
const PACKAGES: [&str; 2] = ["ziglang==0.17.1", "cargo-zigbuild==0.24.1"];

/// The tools, ready.
pub(crate) struct Tools {
    pub(crate) venv: PathBuf,
    zig: PathBuf,
    /// The folder of the scripts that stand before zig.
    scripts: PathBuf,
}

impl Tools {
    /// Finds them, or installs what is missing: into a folder of ours, and as root on Debian into the system.
    pub(crate) fn ready(folder: &Path) -> anyhow::Result<Self> {
        let missing: Vec<&str> =
            NEEDED.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, package)| *package).collect();
        if !missing.is_empty() {
            install(&missing)?;
        }
        let venv = folder.join("venv");
        let stamp = venv.join("packages");
        let wanted = PACKAGES.join("\n");
        if std::fs::read_to_string(&stamp).ok().as_deref() != Some(&wanted) {
            eprintln!("dist-agent: installing {} into {}", PACKAGES.join(" and "), venv.display());
            run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&venv))
                .context("on Debian: apt-get install python3-venv")?;
            run(Command::new(venv.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .args(PACKAGES))?;
            std::fs::write(&stamp, &wanted)?;
        }
        let script = "import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), 'zig'))";
        let output = Command::new(venv.join("bin/python")).args(["-c", script]).output().context("python")?;
        let zig = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if !zig.is_file() {
            bail!("there is no zig in {}: remove that folder and try again", venv.display());
        }
        Ok(Self { venv, zig, scripts: folder.join("scripts") })
    }

    /// Scripts that stand before zig as the C compiler, the linker and the archiver of a target; their folder.
    pub(crate) fn scripts(&self, target: &Target) -> anyhow::Result<PathBuf> {
        let folder = self.scripts.join(target.triple);
        std::fs::create_dir_all(&folder)?;
        for (name, text) in scripts(&self.zig, target) {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        }
        Ok(folder)
    }
}

/// The names and texts of the scripts.
fn scripts(zig: &Path, target: &Target) -> [(&'static str, String); 3] {
    let (zig, system) = (zig.display(), target.zig);
    let without = |patterns: &str, then: &str| {
        format!(
            "#!/bin/bash\n\
             kept=()\n\
             for word in \"$@\"; do case $word in {patterns}) ;; *) kept+=(\"$word\") ;; esac; done\n\
             exec \"{zig}\" {then}\n"
        )
    };
    // zig has names of its own for systems and processors, and is told them.
    let cc = without("--target=* | -target=* | -march=*", &format!("cc -target {system} \"${{kept[@]}}\""));
    // What zig brings itself, or does not have and does not need.
    let own = "-lgcc | -lgcc_eh | -lgcc_s | -l:libpthread.a | -lssp_nonshared | -lmsvcrt | *rsbegin.o | *rsend.o | crt2.o \
               | dllcrt2.o | -Wl,--disable-auto-image-base | -fno-use-linker-plugin";
    let ld = without(own, &format!("cc -target {system} \"${{kept[@]}}\" -lunwind"));
    // rustc takes a linker for what its name says: this one takes the arguments of gcc.
    [("cc", cc), ("link-gcc", ld), ("ar", format!("#!/bin/sh\nexec \"{zig}\" ar \"$@\"\n"))]
}

/// Installs packages as root on Debian; says which are missing elsewhere.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let line = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if !is_root || !Path::new("/usr/bin/apt-get").exists() {
        bail!("missing: {}. On Debian, as root: {line}", packages.join(" "));
    }
    eprintln!("dist-agent: {line}");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        run(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-qq", "-y", "--no-install-recommends"], packages].concat())
}

/// Runs a command whose output is progress.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    // What this program says is its result; what others say goes by on standard error.
    let status = command.stdout(std::io::stderr()).status().with_context(|| format!("cannot run {name}"))?;
    if status.success() { Ok(()) } else { bail!("{name} ended with {status}") }
}

#[cfg(test)]
mod tests {
    use super::super::target::TARGETS;
    use super::*;

    #[test]
    fn the_scripts_leave_out_what_zig_does_not_take() {
        let dir = tempfile::tempdir().unwrap();
        // A zig that says how it was called.
        let zig = dir.path().join("my zig");
        std::fs::write(&zig, "#!/bin/sh\nprintf '%s;' \"$@\"\n").unwrap();
        std::fs::set_permissions(&zig, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let tools = Tools { venv: dir.path().to_owned(), zig, scripts: dir.path().join("scripts") };
        let windows = TARGETS.iter().find(|target| target.name == "windows-x86_64").unwrap();
        let folder = tools.scripts(windows).unwrap();
        let check = |script: &str, words: &[&str], expected: &str| {
            let output = Command::new(folder.join(script)).args(words).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{script} {words:?}");
        };
        check("cc", &["--target=x", "-march=native", "-c", "a b.c"], "cc;-target;x86_64-windows-gnu;-c;a b.c;");
        check("link-gcc", &["/x/rsend.o", "a.o", "-lgcc_eh"], "cc;-target;x86_64-windows-gnu;a.o;-lunwind;");
        check("ar", &["crs", "x.a"], "ar;crs;x.a;");
    }
}
