//! The agent binaries that this server offers.

mod build;
mod offers;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vigo_core::{AgentSigningKey, AgentTarget, Pin, SigningKeys};

pub(crate) use build::{Build, Refused};
pub use offers::Offers;

use build::Builds;

/// Where packages put the binaries.
const PACKAGED: &str = "/usr/share/vigo/agents";
/// How often the folders are looked at for builds that came or went.
const LOOK: Duration = Duration::from_secs(10);

/// The agent binaries that a server offers: `<dir>/<os>-<arch>/vigo`, then the packaged ones, and in a development build
/// the one built beside the server, for this host.
///
/// With signing keys it offers what they signed and nothing else. Without, it offers what lies there to new machines, and
/// no updates: an agent would refuse them.
#[derive(Debug)]
pub(crate) struct Agents {
    roots: [PathBuf; 2],
    beside: Option<PathBuf>,
    builds: Builds,
}

/// Why no binary is handed out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// One lies there that this server's signature check refuses.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It cannot be read, or may be changed by others.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The keys of the configuration; with none there, the ones that this server was built with.
pub(crate) fn signing_keys(configured: &SigningKeys) -> anyhow::Result<SigningKeys> {
    match (configured.as_slice(), option_env!("VIGO_AGENT_SIGNING_PUBKEY")) {
        ([], Some(built_in)) => Ok(built_in.parse()?),
        _ => Ok(configured.clone()),
    }
}

impl Agents {
    pub(crate) fn new(dir: PathBuf, keys: SigningKeys) -> Self {
        let development = cfg!(debug_assertions) || is_cargo_build();
        let beside = (development && keys.as_slice().is_empty()).then(|| beside("vigo")).flatten();
        Self { roots: [dir, PACKAGED.into()], beside, builds: Builds::new(keys) }
    }

    /// The pin of the current signing key.
    pub(crate) fn signing_pin(&self) -> Option<Pin> {
        self.builds.keys().first().map(AgentSigningKey::pin)
    }

    /// The binary for a platform; `None` where none lies.
    pub(crate) async fn find(&self, target: &AgentTarget) -> Result<Option<Build>, AgentError> {
        for root in &self.roots {
            let path = root.join(target.to_string()).join("vigo");
            if let Some(build) = self.builds.read(&path, target).await? {
                only_ours(&path)?;
                return Ok(Some(build));
            }
        }
        match &self.beside {
            Some(path) if target.os() == std::env::consts::OS && target.arch() == std::env::consts::ARCH => {
                self.builds.read(path, target).await
            }
            _ => Ok(None),
        }
    }

    /// All targets for which something lies there.
    async fn targets(&self) -> Vec<AgentTarget> {
        let mut targets = Vec::new();
        for root in &self.roots {
            let Ok(mut entries) = tokio::fs::read_dir(root).await else { continue };
            while let Ok(Some(entry)) = entries.next_entry().await {
                targets.extend(entry.file_name().to_str().and_then(|name| name.parse::<AgentTarget>().ok()));
            }
        }
        targets.sort();
        targets.dedup();
        targets
    }

    /// What lies there for each target.
    pub(crate) async fn all(&self) -> Vec<(AgentTarget, Result<Option<Build>, AgentError>)> {
        let mut all = Vec::new();
        for target in self.targets().await {
            let found = self.find(&target).await;
            all.push((target, found));
        }
        all
    }

    /// Looks at the folders until told to stop, so that replies name what may be fetched.
    pub(crate) async fn watch(&self, offers: &Offers, stop: CancellationToken) {
        loop {
            let mut signed = Vec::new();
            for (target, found) in self.all().await {
                match found {
                    Ok(Some(Build { signed: Some(build), .. })) => {
                        signed.push((target, Ok((build.version, build.key.pin()))));
                    }
                    Ok(_) => {}
                    Err(error) => signed.push((target, Err(error.to_string()))),
                }
            }
            offers.replace(signed);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// Whoever may change what root runs on every machine is root on every machine.
fn only_ours(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    for path in [Some(path), path.parent()].into_iter().flatten() {
        let mode = path.metadata()?.permissions().mode();
        if mode & 0o022 != 0 {
            let what = format!("{} may be changed by others: run `chmod go-w {0}`", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
    }
    Ok(())
}

/// The program of this name that lies beside this server's.
pub(crate) fn beside(name: &str) -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.parent()?.join(name);
    path.is_file().then_some(path)
}

/// Whether this program lies where cargo puts what it builds.
fn is_cargo_build() -> bool {
    let here = std::env::current_exe().ok();
    here.and_then(|exe| Some(exe.parent()?.parent()?.join("CACHEDIR.TAG").is_file())).unwrap_or(false)
}
