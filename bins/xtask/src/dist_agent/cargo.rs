//! One call of cargo for another system.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::target::{Job, Link, Order};
use super::tools::{Tools, run};

/// What all builds have in common.
pub(crate) struct Cargo<'a> {
    pub(crate) tools: &'a Tools,
    /// The folder of the workspace.
    pub(crate) workspace: &'a Path,
    /// The folder of all that is made on the way. cargo's own folder in it is one for all systems: what runs here while
    /// others are built for is built once.
    pub(crate) folder: PathBuf,
    /// The keys that agents trust, as they are compiled in.
    pub(crate) keys: Option<String>,
}

/// The variables of the call of cargo that this program was started by, or of another toolchain.
const OTHERS: [&str; 10] = [
    "CARGO",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MANIFEST_DIR",
    "LD_LIBRARY_PATH",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];

impl Cargo<'_> {
    /// Checks or builds; where the binary is.
    pub(crate) fn run(&self, order: Order) -> anyhow::Result<PathBuf> {
        let (target, ..) = order;
        let scripts = self.tools.scripts(target)?;
        run(&mut self.command(order, &scripts))?;
        Ok(self.folder.join("cargo").join(target.triple).join("agent").join(target.binary()))
    }

    fn command(&self, (target, job, provider): Order, scripts: &Path) -> Command {
        let by_zigbuild = job == Job::Build && target.link == Link::Zigbuild;
        let mut command = if by_zigbuild {
            let mut command = Command::new(self.tools.venv.join("bin/cargo-zigbuild"));
            command.arg("zigbuild");
            command
        } else {
            let mut command = Command::new("/usr/bin/cargo");
            command.arg(if job == Job::Build { "build" } else { "check" });
            command
        };
        command.args([
            "--locked",
            "--profile",
            "agent",
            "--package",
            "vigo-agent",
            "--bin",
            "vigo",
            "--no-default-features",
        ]);
        command.args(["--features", provider.feature(), "--target", target.triple, "-Z", "build-std=std,panic_abort"]);
        for variable in OTHERS {
            command.env_remove(variable);
        }
        let underscored = target.triple.replace('-', "_");
        let path = format!("{}:/usr/bin:/bin", self.tools.venv.join("bin").display());
        command
            .current_dir(self.workspace)
            .env("PATH", path)
            .env("CARGO", "/usr/bin/cargo")
            .env("RUSTC", "/usr/bin/rustc")
            // The standard library is built from its sources, which no stable compiler does unless it is told so.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", self.folder.join("cargo"))
            .env(format!("CC_{underscored}"), scripts.join("cc"))
            .env(format!("CXX_{underscored}"), scripts.join("cc"))
            .env(format!("AR_{underscored}"), scripts.join("ar"));
        match &self.keys {
            Some(keys) => command.env("VIGO_AGENT_SIGNING_PUBKEY", keys),
            None => command.env_remove("VIGO_AGENT_SIGNING_PUBKEY"),
        };
        if target.triple.ends_with("-musl") {
            // zig brings the files that a program starts with.
            command.env("RUSTFLAGS", "-C link-self-contained=no");
        }
        if target.triple.ends_with("-apple-darwin") {
            command.env("MACOSX_DEPLOYMENT_TARGET", "11.0");
            // A program that is changed after it was linked has lost its signature, and is killed when it starts.
            command.env("CARGO_PROFILE_AGENT_STRIP", "false");
        }
        if job == Job::Build && target.link == Link::Script {
            command.env(format!("CARGO_TARGET_{}_LINKER", underscored.to_uppercase()), scripts.join("link-gcc"));
        }
        command
    }
}
