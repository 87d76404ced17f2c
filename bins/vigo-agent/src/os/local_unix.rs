//! A daemon's socket: a file that its owner alone may open.

use std::fs::{Permissions, remove_file, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

pub(crate) struct Listener(UnixListener);

impl Listener {
    /// Listens. A file that is there already is a dead daemon's.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        match remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The folder is 0700 or at least nobody else's to write in, so nobody comes between these two.
        let listener = UnixListener::bind(path)?;
        set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(Self(listener))
    }

    pub(crate) async fn accept(&mut self) -> io::Result<UnixStream> {
        self.0.accept().await.map(|(stream, _)| stream)
    }
}

pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

/// Removes what a listener that has ended left.
pub(crate) fn remove(path: &Path) {
    let _ = remove_file(path);
}
