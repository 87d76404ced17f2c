use std::path::PathBuf;

use vigo_core::{Serial, UnixTime};
use zeroize::Zeroizing;

use crate::ca_files::exists;
use crate::files::{self, FileError};
use crate::{CertificateAuthority, LeafError, ServerLeaf, SubjectName};

/// Where a server's certificate and key are kept. The key is made once and kept; certificates come and go.
///
/// ```
/// use vigo_ca::{CertificateAuthority, LeafFiles, SubjectName};
/// use vigo_core::{Serial, ServerId, UnixTime};
/// # use std::time::Duration;
/// # let dir = tempfile::tempdir()?;
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// let files = LeafFiles::new(dir.path().join("server.crt"), dir.path().join("server.key"));
/// let names: Vec<SubjectName> = vec!["vigo.example.com".parse()?, "192.0.2.1".parse()?];
/// let leaf = files.load_or_issue(&authority, &names, Serial::from_random([3; 16]), now)?;
///
/// // A year later it is another certificate for the same key, so its pin is what it was.
/// let later = now.after(Duration::from_secs(365 * 24 * 3600));
/// let renewed = files.load_or_issue(&authority, &names, Serial::from_random([4; 16]), later)?;
/// assert!(renewed.not_after() > leaf.not_after());
/// assert_eq!(renewed.pin(), leaf.pin());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafFiles {
    cert: PathBuf,
    key: PathBuf,
}

/// Why the files of a server's certificate are refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeafFilesError {
    /// A file cannot be read or written, or is open to others.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificate is there, the key is not.
    #[error(
        "the server's certificate {} is there, but its key {} is not: restore the key from a backup, or move the \
         certificate away and a new pair is made (its pin changes, so lines printed before stop working)",
        cert.display(), key.display()
    )]
    NoKey {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate is another authority's.
    #[error(
        "the server's certificate {} was not issued by this fleet's CA: move it away and one is issued for the same key \
         (a publicly trusted certificate goes to server.api_tls)", cert.display()
    )]
    OtherAuthority {
        /// The certificate's file.
        cert: PathBuf,
    },
    /// The files cannot be used, or no certificate can be issued.
    #[error("{}: {source}", file.display())]
    Leaf {
        /// The file to look at: the key's where the key is wrong, else the certificate's.
        file: PathBuf,
        /// What is wrong.
        source: LeafError,
    },
}

impl LeafFiles {
    /// These files.
    #[must_use]
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { cert: cert.into(), key: key.into() }
    }

    /// Loads the certificate; `None` where there is none yet. Nothing is written.
    ///
    /// # Errors
    /// With the file and the next step: it is unreadable, open to others, without its key, or another authority's.
    pub fn load(&self, authority: &CertificateAuthority) -> Result<Option<ServerLeaf>, LeafFilesError> {
        if !exists(&self.cert)? {
            return Ok(None);
        }
        let Some(key) = self.read_key()? else {
            return Err(LeafFilesError::NoKey { cert: self.cert.clone(), key: self.key.clone() });
        };
        let leaf = ServerLeaf::load(&files::read_public(&self.cert)?, &key).map_err(|source| self.unusable(source))?;
        if !leaf.is_issued_by(authority) {
            return Err(LeafFilesError::OtherAuthority { cert: self.cert.clone() });
        }
        Ok(Some(leaf))
    }

    /// Loads the certificate, and issues another for the same key when it is time or a name is missing. Makes the key
    /// when neither file is there. An authority without a key keeps what is there as long as it is good.
    ///
    /// # Errors
    /// With the file and the next step.
    pub fn load_or_issue(
        &self,
        authority: &CertificateAuthority,
        names: &[SubjectName],
        serial: Serial,
        now: UnixTime,
    ) -> Result<ServerLeaf, LeafFilesError> {
        if let Some(leaf) = self.load(authority)? {
            let good = now <= leaf.not_after();
            if !leaf.needs_renewal(names, now) || (!authority.can_sign() && good) {
                return Ok(leaf);
            }
        }
        let key = self.read_key()?;
        let leaf = authority.issue_leaf(names, key.as_ref().map(|key| key.as_str()), serial, now);
        let leaf = leaf.map_err(|source| self.unusable(source))?;
        if key.is_none() {
            files::write_new_private(&self.key, leaf.key_pem().as_bytes())?;
        }
        files::replace_private(&self.cert, leaf.cert_pem().as_bytes())?;
        Ok(leaf)
    }

    fn read_key(&self) -> Result<Option<Zeroizing<String>>, FileError> {
        if exists(&self.key)? { files::read_private(&self.key).map(Some) } else { Ok(None) }
    }

    fn unusable(&self, source: LeafError) -> LeafFilesError {
        let file = if matches!(source, LeafError::Key(_)) { &self.key } else { &self.cert };
        LeafFilesError::Leaf { file: file.clone(), source }
    }
}
