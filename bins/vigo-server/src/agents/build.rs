//! One binary: what it is, and whether the signature beside it is good.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use vigo_core::{AgentManifest, AgentSigningKey, AgentTarget, AgentVersion, SignedManifest, SigningKeys};

use super::AgentError;
use crate::clock;

/// Reads builds. What was computed of a file counts until the file changes.
#[derive(Debug)]
pub(super) struct Builds {
    keys: SigningKeys,
    digests: Mutex<HashMap<PathBuf, Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    stamp: Stamp,
    sha256: [u8; 32],
}

/// What changes when a file does: also where its size and its time of modification were kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
    modified: (i64, i64),
    size: u64,
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.len(),
        }
    }
}

/// One binary.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
    /// Its manifest, if this server's keys signed it.
    pub(crate) signed: Option<Signed>,
}

/// A manifest that was checked, and by which key.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) manifest: SignedManifest,
    pub(crate) version: AgentVersion,
    pub(crate) key: AgentSigningKey,
}

/// Why a build that lies there is not offered.
#[derive(Debug, thiserror::Error)]
#[error("the agent for {target} is not offered: {why}")]
pub(crate) struct Refused {
    target: AgentTarget,
    why: String,
}

impl Builds {
    pub(super) fn new(keys: SigningKeys) -> Self {
        Self { keys, digests: Mutex::default() }
    }

    pub(super) fn keys(&self) -> &[AgentSigningKey] {
        self.keys.as_slice()
    }

    /// The build at a path; `None` where there is no file.
    pub(super) async fn read(&self, path: &Path, target: &AgentTarget) -> Result<Option<Build>, AgentError> {
        let metadata = match tokio::fs::metadata(path).await {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let size = metadata.len();
        let sha256 = self.digest(path, Stamp::of(&metadata)).await?;
        if !self.keys.as_slice().is_empty() {
            let signed =
                self.signed(path, target, size, sha256).await.map_err(|why| Refused { target: target.clone(), why })?;
            let version = signed.version.to_string();
            return Ok(Some(Build { path: path.to_owned(), version, size, sha256, signed: Some(signed) }));
        }
        let version = match tokio::fs::read_to_string(path.with_file_name("VERSION")).await {
            Ok(text) if text.trim().parse::<AgentVersion>().is_ok() => text.trim().to_owned(),
            _ => env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Some(Build { path: path.to_owned(), version, size, sha256, signed: None }))
    }

    async fn digest(&self, path: &Path, stamp: Stamp) -> io::Result<[u8; 32]> {
        let known = self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(known) = known.filter(|known| known.stamp == stamp) {
            return Ok(known.sha256);
        }
        let file = path.to_owned();
        let sha256 = tokio::task::spawn_blocking(move || digest(&file)).await.map_err(io::Error::other)??;
        let known = Known { stamp, sha256 };
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), known);
        Ok(sha256)
    }

    /// What an agent would check, before it is asked to.
    async fn signed(&self, path: &Path, target: &AgentTarget, size: u64, sha256: [u8; 32]) -> Result<Signed, String> {
        let text = small(&path.with_file_name("vigo.manifest"), AgentManifest::MAX_BYTES).await?;
        let signature = small(&path.with_file_name("vigo.sig"), 64).await?;
        let signature = signature.as_slice().try_into().map_err(|_| "vigo.sig is no signature of 64 bytes")?;
        let manifest = SignedManifest { text, signature };
        let said = manifest.verify(self.keys.as_slice()).map_err(|error| error.to_string())?;
        if said.size != size || said.sha256 != sha256 {
            return Err("its manifest is another build's".to_owned());
        }
        said.check(target, &said.version, &said.version, clock::now()).map_err(|error| error.to_string())?;
        let key = self.keys.as_slice().iter().find(|&&key| manifest.verify(&[key]).is_ok());
        let key = *key.ok_or("no key signed it")?;
        Ok(Signed { manifest, version: said.version, key })
    }
}

async fn small(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match tokio::fs::read(path).await {
        Ok(bytes) if bytes.len() <= most => Ok(bytes),
        Ok(_) => Err(format!("{name} is too long")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("there is no {name} beside it; `cargo xtask sign` writes it"))
        }
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&chunk[..count]),
        }
    }
}
