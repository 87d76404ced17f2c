//! A build and what lies beside it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use vigo_core::{AgentManifest, AgentTarget};

/// `<folder>/<os>-<arch>/vigo[.exe]`, and its manifest and signature.
pub(crate) struct Build {
    pub(crate) target: AgentTarget,
    pub(crate) bytes: Vec<u8>,
    pub(crate) manifest: PathBuf,
    pub(crate) signature: PathBuf,
}

impl Build {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let full = std::path::absolute(path)?;
        let folder = full.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        let target = folder.parse().with_context(|| {
            format!(
                "{}: a build lies in a folder named after its target, as in agents/linux-x86_64/vigo",
                path.display()
            )
        })?;
        let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
        if size > AgentManifest::MAX_SIZE {
            bail!("{}: {size} bytes; no agent takes more than {}", path.display(), AgentManifest::MAX_SIZE);
        }
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let beside = |end: &str| full.with_file_name(format!("vigo.{end}"));
        Ok(Self { target, bytes, manifest: beside("manifest"), signature: beside("sig") })
    }
}

/// Writes a file whole or not at all.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
