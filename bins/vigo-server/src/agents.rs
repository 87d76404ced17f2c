//! The agent binaries that this server offers.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// Where packages put the binaries.
const PACKAGED: &str = "/usr/share/vigo/agents";

/// The agent binaries that a server offers: `<dir>/<os>-<arch>/vigo`, then the packaged ones, and in a development build
/// the one built beside the server, for this host.
#[derive(Debug)]
pub(crate) struct Agents {
    dir: PathBuf,
    beside: Option<PathBuf>,
    digests: Mutex<HashMap<PathBuf, Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    modified: SystemTime,
    size: u64,
    sha256: String,
}

/// One binary.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
    pub(crate) size: u64,
    /// Hexadecimal.
    pub(crate) sha256: String,
}

impl Agents {
    pub(crate) fn new(dir: PathBuf) -> Self {
        let beside = if cfg!(debug_assertions) || is_cargo_build() { beside("vigo") } else { None };
        Self { dir, beside, digests: Mutex::default() }
    }

    /// The binary for a platform.
    pub(crate) async fn find(&self, os: &str, arch: &str) -> io::Result<Option<Build>> {
        let plain = |text: &str| {
            !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !plain(os) || !plain(arch) {
            return Ok(None);
        }
        let folder = format!("{os}-{arch}");
        for root in [self.dir.as_path(), Path::new(PACKAGED)] {
            let path = root.join(&folder).join("vigo");
            if let Some(build) = self.build(path.clone()).await? {
                only_ours(&path)?;
                return Ok(Some(build));
            }
        }
        match &self.beside {
            Some(path) if os == std::env::consts::OS && arch == std::env::consts::ARCH => {
                self.build(path.clone()).await
            }
            _ => Ok(None),
        }
    }

    async fn build(&self, path: PathBuf) -> io::Result<Option<Build>> {
        let metadata = match tokio::fs::metadata(&path).await {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (modified, size) = (metadata.modified()?, metadata.len());
        let known = self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        let sha256 = match known {
            Some(known) if known.modified == modified && known.size == size => known.sha256,
            _ => {
                let file = path.clone();
                let sha256 = tokio::task::spawn_blocking(move || digest(&file)).await.map_err(io::Error::other)??;
                let known = Known { modified, size, sha256: sha256.clone() };
                self.digests.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), known);
                sha256
            }
        };
        let version = match tokio::fs::read_to_string(path.with_file_name("VERSION")).await {
            Ok(text) if is_version(text.trim()) => text.trim().to_owned(),
            _ => env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Some(Build { path, version, size, sha256 }))
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

fn is_version(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+".contains(&b))
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(&chunk[..count]),
        }
    }
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
