//! The server's certificates as TLS configurations, and as new ones when their time is near or a file was changed. The
//! listeners take the newest for each connection, so nothing is started anew.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio_util::sync::CancellationToken;
use vigo_ca::tls::{self, DenySet};
use vigo_ca::{CertificateAuthority, LeafFiles, Root, ServerLeaf, SubjectName};
use vigo_core::{Serial, ServerId, UnixTime};

use crate::app::App;
use crate::clock;
use crate::config::ApiTls;

/// How often the files and the clock are looked at.
const PERIOD: Duration = Duration::from_secs(10);

/// What the TLS configurations are made of.
pub(crate) struct Certificates {
    parts: Parts,
    leaf: ArcSwap<ServerLeaf>,
    grpc: Arc<ArcSwap<ServerConfig>>,
    api: Arc<ArcSwap<ServerConfig>>,
    stamps: Mutex<Stamps>,
}

/// What does not change while the server runs.
pub(crate) struct Parts {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) server: ServerId,
    pub(crate) root: Root,
    pub(crate) deny: Arc<DenySet>,
    pub(crate) files: LeafFiles,
    pub(crate) names: Vec<SubjectName>,
    /// A certificate from elsewhere for the HTTPS listener.
    pub(crate) public: Option<ApiTls>,
}

/// When the files of the certificate from elsewhere were last changed.
type Stamps = [Option<SystemTime>; 2];

impl Parts {
    fn grpc(&self, leaf: &ServerLeaf) -> Result<ServerConfig, tls::TlsError> {
        let roots = std::slice::from_ref(&self.root);
        tls::grpc_server_config(Arc::clone(&self.provider), leaf, roots, self.server, Arc::clone(&self.deny))
    }

    fn api(&self, leaf: &ServerLeaf) -> anyhow::Result<ServerConfig> {
        let provider = Arc::clone(&self.provider);
        let Some(ApiTls { cert_file, key_file }) = &self.public else {
            return Ok(tls::web_server_config(provider, leaf)?);
        };
        let named = || format!("server.api_tls ({}, {})", cert_file.display(), key_file.display());
        let chain = vigo_ca::files::read_public(cert_file).with_context(named)?;
        let key = vigo_ca::files::read_private(key_file).with_context(named)?;
        tls::public_server_config(provider, &chain, &key).with_context(named)
    }

    fn stamps(&self) -> Stamps {
        let stamp = |path: &PathBuf| Path::metadata(path).and_then(|meta| meta.modified()).ok();
        self.public.as_ref().map_or([None, None], |public| [stamp(&public.cert_file), stamp(&public.key_file)])
    }
}

impl Certificates {
    pub(crate) fn new(parts: Parts, leaf: ServerLeaf) -> anyhow::Result<Self> {
        let stamps = parts.stamps();
        let (grpc, api) = (parts.grpc(&leaf)?, parts.api(&leaf)?);
        Ok(Self {
            grpc: Arc::new(ArcSwap::from_pointee(grpc)),
            api: Arc::new(ArcSwap::from_pointee(api)),
            leaf: ArcSwap::from_pointee(leaf),
            stamps: Mutex::new(stamps),
            parts,
        })
    }

    /// For the listener of agents.
    pub(crate) fn grpc(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.grpc)
    }

    /// For the HTTPS listener.
    pub(crate) fn api(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.api)
    }

    /// The certificate of the fleet's own CA.
    pub(crate) fn leaf(&self) -> Arc<ServerLeaf> {
        self.leaf.load_full()
    }

    /// Issues the next certificate for the same key when the time of this one is near.
    fn renew(&self, authority: &CertificateAuthority, now: UnixTime) -> anyhow::Result<()> {
        let Parts { files, names, .. } = &self.parts;
        if !authority.can_sign() || !self.leaf.load().needs_renewal(names, now) {
            return Ok(());
        }
        let leaf = files.load_or_issue(authority, names, Serial::from_random(clock::random()), now)?;
        self.grpc.store(Arc::new(self.parts.grpc(&leaf)?));
        tracing::info!(until = leaf.not_after().as_secs(), "the server's certificate was renewed; its key is the same");
        let api = self.parts.api(&leaf);
        self.leaf.store(Arc::new(leaf));
        // Last, since it may be a certificate from elsewhere that is at fault.
        self.api.store(Arc::new(api?));
        Ok(())
    }

    /// Takes the certificate from elsewhere anew when its files were changed. Files that do not fit together, as in the
    /// middle of a change, leave the old one in force and are looked at again.
    fn reload(&self) -> anyhow::Result<()> {
        let now = self.parts.stamps();
        let mut before = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if now == *before {
            return Ok(());
        }
        self.api.store(Arc::new(self.parts.api(&self.leaf.load())?));
        *before = now;
        tracing::info!("server.api_tls was changed: the new certificate is in force");
        Ok(())
    }
}

/// Looks at files and clock until the server stops.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        for outcome in [app.certificates.renew(&app.authority, clock::now()), app.certificates.reload()] {
            if let Err(error) = outcome {
                tracing::error!("the certificate in force stays: {error:#}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vigo_ca::CaFiles;

    use super::*;

    fn made(dir: &Path, public: Option<ApiTls>, now: UnixTime) -> (Certificates, CertificateAuthority) {
        let server = ServerId::from_random([1; 16]);
        let serial = || Serial::from_random(clock::random());
        let ca = CaFiles::new(dir.join("ca"), Some(dir.join("ca_key")));
        let authority = ca.load_or_create(&server, serial(), now).unwrap();
        let files = LeafFiles::new(dir.join("cert"), dir.join("key"));
        let names = vec!["localhost".parse().unwrap()];
        let leaf = files.load_or_issue(&authority, &names, serial(), now).unwrap();
        let parts = Parts {
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            server,
            root: authority.root().clone(),
            deny: Arc::new(DenySet::new()),
            files,
            names,
            public,
        };
        (Certificates::new(parts, leaf).unwrap(), authority)
    }

    #[test]
    fn rule_01_a_renewed_certificate_has_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let now = clock::now();
        let (certificates, authority) = made(dir.path(), None, now);
        let (before, grpc) = (certificates.leaf(), certificates.grpc().load_full());
        certificates.renew(&authority, now).unwrap();
        assert_eq!(certificates.leaf().not_after(), before.not_after(), "not before its time");
        let later = before.not_after().before(Duration::from_hours(24));
        certificates.renew(&authority, later).unwrap();
        assert!(certificates.leaf().not_after() > before.not_after());
        assert_eq!(certificates.leaf().pin(), before.pin());
        assert!(!Arc::ptr_eq(&certificates.grpc().load_full(), &grpc));
    }

    #[test]
    fn a_certificate_from_elsewhere_is_taken_anew_when_its_files_fit() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let now = clock::now();
        drop(made(other.path(), None, now));
        let (cert, key) = (other.path().join("cert"), other.path().join("key"));
        let public = ApiTls { cert_file: cert.clone(), key_file: key.clone() };
        let (certificates, _) = made(dir.path(), Some(public), now);
        let first = certificates.api().load_full();
        certificates.reload().unwrap();
        assert!(Arc::ptr_eq(&certificates.api().load_full(), &first), "nothing was changed");

        let change = |path: &Path, from: &Path| {
            std::fs::copy(from, path).unwrap();
            let later = std::fs::File::open(path).unwrap().metadata().unwrap().modified().unwrap() + PERIOD;
            std::fs::File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
        };
        change(&cert, &dir.path().join("cert"));
        let error = format!("{:#}", certificates.reload().unwrap_err());
        assert!(error.contains("server.api_tls"), "{error}");
        assert!(Arc::ptr_eq(&certificates.api().load_full(), &first), "half a change leaves the old one");
        change(&key, &dir.path().join("key"));
        certificates.reload().unwrap();
        assert!(!Arc::ptr_eq(&certificates.api().load_full(), &first));
    }
}
