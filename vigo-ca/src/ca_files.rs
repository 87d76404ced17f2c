use std::path::{Path, PathBuf};

use vigo_core::{Serial, ServerId, UnixTime};

use crate::files::{self, FileError};
use crate::{CaError, CertificateAuthority};

/// Where an authority's certificate and key are kept.
///
/// A CA is made once. Whoever lost a file of it gets an error that says what to do, never a new CA: a fleet that trusts
/// the old one would be cut off.
///
/// ```
/// use vigo_ca::{CaFiles, CaFilesError};
/// use vigo_core::{Serial, ServerId, UnixTime};
/// # let dir = tempfile::tempdir()?;
/// # let (cert, key) = (dir.path().join("ca.crt"), dir.path().join("ca.key"));
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// let files = CaFiles::new(&cert, Some(key.clone()));
/// let made = files.create(&server, Serial::from_random([2; 16]), now)?;
/// assert_eq!(files.load(&server, now)?.root(), made.root());
///
/// // A key that got lost is asked for; no new authority takes the old one's place.
/// std::fs::remove_file(&key)?;
/// let error = files.load_or_create(&server, Serial::from_random([3; 16]), now).unwrap_err();
/// assert!(matches!(error, CaFilesError::NoKey { .. }));
/// assert!(error.to_string().contains("restore the key from a backup"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaFiles {
    cert: PathBuf,
    key: Option<PathBuf>,
}

/// Why the files of an authority are refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaFilesError {
    /// A file cannot be read or written, or is open to others.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key is there, the certificate is not.
    #[error(
        "the CA key {} is there, but its certificate {} is not: restore the certificate from a backup (every envoy has \
         a copy of it); if no envoy was ever enrolled, move the key away and start again", key.display(), cert.display()
    )]
    NoCertificate {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate is there, the key is not.
    #[error(
        "the CA certificate {} is there, but its key {} is not: restore the key from a backup; to run without it, and \
         enrol nobody, leave server.tls.ca_key_file empty", cert.display(), key.display()
    )]
    NoKey {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The files are no usable CA.
    #[error("{}: {source}", file.display())]
    Ca {
        /// The file to look at: the key's where the key is wrong, else the certificate's.
        file: PathBuf,
        /// What is wrong.
        source: CaError,
    },
    /// There is nothing yet, and no file to put a key into.
    #[error("{} does not exist, and no CA can be made without server.tls.ca_key_file", cert.display())]
    NowhereForKey {
        /// The certificate's file.
        cert: PathBuf,
    },
}

impl CaFiles {
    /// These files. Without a file for the key, the authority can sign nothing.
    #[must_use]
    pub fn new(cert: impl Into<PathBuf>, key: Option<PathBuf>) -> Self {
        Self { cert: cert.into(), key }
    }

    /// Whether at least one of the files is there.
    ///
    /// # Errors
    /// `File`, when that cannot be told.
    pub fn exist(&self) -> Result<bool, CaFilesError> {
        let key = self.key.as_deref().map_or(Ok(false), exists)?;
        Ok(exists(&self.cert)? || key)
    }

    /// Loads the authority.
    ///
    /// # Errors
    /// With the file and the next step: one is missing, open to others, not a CA of this fleet, expired, or the two do
    /// not belong together.
    pub fn load(&self, server: &ServerId, now: UnixTime) -> Result<CertificateAuthority, CaFilesError> {
        let there = exists(&self.cert)?;
        let key = match &self.key {
            Some(key) => match (there, exists(key)?) {
                (true, true) => Some(files::read_private(key)?),
                (true, false) => return Err(CaFilesError::NoKey { cert: self.cert.clone(), key: key.clone() }),
                (false, true) => return Err(CaFilesError::NoCertificate { cert: self.cert.clone(), key: key.clone() }),
                (false, false) => return Err(FileError::Absent { path: self.cert.clone() }.into()),
            },
            None => None,
        };
        let cert = files::read_public(&self.cert)?;
        CertificateAuthority::load(&cert, key.as_ref().map(|key| key.as_str()), server, now)
            .map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: CaError) -> CaFilesError {
        let file = match (&source, &self.key) {
            (CaError::Key(_), Some(key)) => key,
            _ => &self.cert,
        };
        CaFilesError::Ca { file: file.clone(), source }
    }

    /// Makes a new authority and its files, neither of which may be there yet.
    ///
    /// # Errors
    /// `File` when one is there or cannot be written, `Ca`, `NowhereForKey`.
    pub fn create(
        &self,
        server: &ServerId,
        serial: Serial,
        now: UnixTime,
    ) -> Result<CertificateAuthority, CaFilesError> {
        let Some(key) = &self.key else { return Err(CaFilesError::NowhereForKey { cert: self.cert.clone() }) };
        for path in [&self.cert, key] {
            if exists(path)? {
                return Err(FileError::Present { path: path.clone() }.into());
            }
        }
        let made = CertificateAuthority::create(server, serial, now).map_err(|source| self.unusable(source))?;
        let key_pem = made.key_pem().ok_or_else(|| CaFilesError::NowhereForKey { cert: self.cert.clone() })?;
        // The key first: a certificate whose key was never written would look like a CA that lost it.
        files::write_new_private(key, key_pem.as_bytes())?;
        files::write_new_private(&self.cert, made.cert_pem().as_bytes())?;
        Ok(made)
    }

    /// Loads the authority, or makes it when **none** of its files is there.
    ///
    /// Only for a server that has no fleet yet: with a store that knows of one, use [`CaFiles::load`].
    ///
    /// # Errors
    /// As [`CaFiles::load`] and [`CaFiles::create`].
    pub fn load_or_create(
        &self,
        server: &ServerId,
        serial: Serial,
        now: UnixTime,
    ) -> Result<CertificateAuthority, CaFilesError> {
        if self.exist()? { self.load(server, now) } else { self.create(server, serial, now) }
    }
}

/// A link that leads nowhere counts: something is meant to be there.
pub(crate) fn exists(path: &Path) -> Result<bool, FileError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(FileError::Io { action: "read", path: path.to_owned(), source }),
    }
}
