//! A daemon's socket: a named pipe that SYSTEM, the administrators and whoever made it may open, on this machine alone.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer};

/// `ERROR_PIPE_BUSY`: every instance has its client, and the next one is about to be made.
const BUSY: i32 = 231;

/// The pipe for a path. Pipes have names of their own, in which a backslash may not stand.
fn name(path: &Path) -> String {
    format!(r"\\.\pipe\vigo-envoy:{}", path.display().to_string().replace('\\', "/"))
}

pub(crate) struct Listener {
    name: String,
    next: NamedPipeServer,
}

impl Listener {
    /// Listens. A name that somebody else has taken is refused.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let name = name(path);
        let next = vigo_windows_service::private_pipe(&name, vigo_windows_service::Instance::First)?;
        Ok(Self { name, next })
    }

    pub(crate) async fn accept(&mut self) -> io::Result<NamedPipeServer> {
        self.next.connect().await?;
        let next = vigo_windows_service::private_pipe(&self.name, vigo_windows_service::Instance::Further)?;
        Ok(std::mem::replace(&mut self.next, next))
    }
}

pub(crate) async fn connect(path: &Path) -> io::Result<NamedPipeClient> {
    let name = name(path);
    loop {
        match ClientOptions::new().open(&name) {
            Err(error) if error.raw_os_error() == Some(BUSY) => tokio::time::sleep(Duration::from_millis(20)).await,
            other => return other,
        }
    }
}

/// A pipe goes with its last instance.
pub(crate) fn remove(_: &Path) {}
