use std::fs;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use vigo_ca::files::{self, FileError};
use vigo_ca::pem::{self, PemError};
use vigo_core::{EnvoyId, IdentitySecret, KeyError, Pin, ServerKey};
use zeroize::Zeroizing;

use crate::{Config, ConfigError, Paths};

/// What a won enrolment left on this machine: who we are, and whom we trust.
pub struct Enrolment {
    /// The configuration that names it.
    pub config: Config,
    /// Signs every check-in.
    pub identity: IdentitySecret,
    /// The private key of the client certificate, PEM.
    pub tls_key: Zeroizing<String>,
    /// The client certificate.
    pub certificate: CertificateDer<'static>,
    /// The roots that the server's certificate must lead to.
    pub roots: Vec<CertificateDer<'static>>,
    /// Verifies replies and bundles.
    pub server_key: ServerKey,
}

/// Why an enrolment's files could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolmentError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// One of the files.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that does not hold what its name says.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl EnrolmentError {
    fn pem(path: &Path) -> impl FnOnce(PemError) -> Self {
        move |error| Self::Content { path: path.to_owned(), what: error.to_string() }
    }

    fn key(path: &Path) -> impl FnOnce(KeyError) -> Self {
        move |error| Self::Content { path: path.to_owned(), what: error.to_string() }
    }
}

const IDENTITY_KEY: &str = "identity_key";
const TLS_KEY: &str = "tls_key";
const CERTIFICATE: &str = "certificate";
const CA: &str = "ca";
const SERVER_KEY: &str = "server_key";

impl Enrolment {
    /// Reads the enrolment that the configuration names.
    ///
    /// # Errors
    /// `Config(NotEnrolled)` where there is none; else the file that is missing, loose or damaged.
    pub fn read(paths: &Paths) -> Result<Self, EnrolmentError> {
        let config = Config::read(&paths.config())?;
        let folder = paths.envoy(config.envoy);
        let file = |name: &str| folder.join(name);
        let identity = file(IDENTITY_KEY);
        let identity =
            IdentitySecret::from_pem(&files::read_private(&identity)?).map_err(EnrolmentError::key(&identity))?;
        let certificates = |name: &str| {
            let path = file(name);
            pem::certificates(&files::read_private(&path)?).map_err(EnrolmentError::pem(&path))
        };
        let certificate = certificates(CERTIFICATE)?.into_iter().next().ok_or_else(|| EnrolmentError::Content {
            path: file(CERTIFICATE),
            what: "no certificate in it".to_owned(),
        })?;
        let server_key = file(SERVER_KEY);
        let bytes = hex::decode(files::read_private(&server_key)?.trim()).unwrap_or_default();
        let server_key = ServerKey::try_from(bytes.as_slice()).map_err(EnrolmentError::key(&server_key))?;
        Ok(Self {
            identity,
            tls_key: files::read_private(&file(TLS_KEY))?,
            certificate,
            roots: certificates(CA)?,
            server_key,
            config,
        })
    }

    /// Writes the folder, every file synced, and then the configuration: only with that does the enrolment count, and
    /// the one before it stays what it was until then.
    ///
    /// # Errors
    /// When the system refuses; then the old enrolment still counts.
    pub fn commit(&self, paths: &Paths) -> Result<(), EnrolmentError> {
        let folder = paths.envoy(self.config.envoy);
        files::create_private_dir(&paths.envoys())?;
        files::create_private_dir(&folder)?;
        let put = |name: &str, bytes: &[u8]| files::replace_private(&folder.join(name), bytes);
        put(IDENTITY_KEY, self.identity.to_pem().as_bytes())?;
        put(TLS_KEY, self.tls_key.as_bytes())?;
        put(CERTIFICATE, pem::encode_certificate(&self.certificate).as_bytes())?;
        put(CA, self.roots.iter().map(|root| pem::encode_certificate(root)).collect::<String>().as_bytes())?;
        put(SERVER_KEY, format!("{}\n", self.server_key).as_bytes())?;
        // The folder's own name has to last as well as what is in it.
        sync(&paths.envoys())?;
        sync(paths.config_dir())?;
        self.config.write(&paths.config())?;
        Ok(())
    }

    /// Whether one of its roots has this pin: a server that proved itself by it is of the same fleet.
    pub(crate) fn trusts(&self, root: Pin) -> bool {
        self.pins().contains(&root)
    }

    /// The pins of its roots.
    pub(crate) fn pins(&self) -> Vec<Pin> {
        self.roots.iter().filter_map(|der| vigo_ca::Root::from_der(der).ok()).map(|root| root.pin).collect()
    }

    /// Removes the folders of all enrolments but `current`.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn retire_others(paths: &Paths, current: EnvoyId) -> std::io::Result<()> {
        for entry in fs::read_dir(paths.envoys())? {
            let entry = entry?;
            if entry.file_name().to_str() != Some(&current.to_string()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Makes the names in a directory last.
pub(crate) fn sync(directory: &Path) -> Result<(), FileError> {
    let failed = |source| FileError::Io { action: "write", path: directory.to_owned(), source };
    crate::os::here().sync_folder(directory).map_err(failed)
}
