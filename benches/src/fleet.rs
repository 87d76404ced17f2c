//! A server's home for a benchmark, and its server.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::ClientConfig;
use vigo_ca::tls::FirstContact;
use vigo_core::{Pin, ServerId};

use crate::Process;

/// A fleet whose stock server runs as a process of its own.
pub struct Fleet {
    /// The home; removed when dropped.
    pub home: tempfile::TempDir,
    /// The server.
    pub process: Process,
    /// Where it listens for gRPC.
    pub server: SocketAddr,
    /// Where it listens for HTTPS.
    pub api: SocketAddr,
    /// The pin of its CA.
    pub root: Pin,
    /// The fleet's id.
    pub id: ServerId,
}

impl Fleet {
    /// Starts one; `program` is the server.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(program: &str) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let [grpc, api] = [free_port()?, free_port()?];
        std::fs::write(
            home.path().join("server.yaml"),
            format!(
                "server:\n  grpc_listen: \"127.0.0.1:{grpc}\"\n  api_listen: \"127.0.0.1:{api}\"\n  hostname: 127.0.0.1\n\
                 bootstrap:\n  trusted_enrollment: [{{pattern: 'bench*.example.com', cidrs: [127.0.0.0/8]}}]\n"
            ),
        )?;
        let config = home.path().join("server.yaml");
        let process = Process::start(program, &[&config], "serving")?;
        let pem = std::fs::read_to_string(home.path().join("tls/ca"))?;
        let der = vigo_ca::pem::certificates(&pem)?.into_iter().next().context("a CA certificate")?;
        let root = vigo_ca::Root::from_der(&der)?;
        let id = root.server.context("a CA of ours names its fleet")?;
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Self { home, process, server: at(grpc), api: at(api), root: root.pin, id })
    }

    /// The TLS configuration of a machine that knows the CA's pin.
    ///
    /// # Errors
    /// When there is none.
    pub fn first_contact(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Ok(Arc::new(FirstContact::new(provider, vec![self.root]).client_config()?))
    }

    /// A file of its home.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
