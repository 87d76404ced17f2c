use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vigo_ca::files::{self, FileError};
use vigo_ca::{ClientRequest, PrivateKeyError};
use vigo_core::{Hostname, IdentitySecret, Pin, RequestId, Takeover};
use zeroize::Zeroizing;

use crate::dice::{self, DiceError};
use crate::enrolment::sync;
use crate::{ApiAddr, ServerAddr, Trust};

/// A registration that was drawn and is not finished: everything that asking again needs in order to be the same
/// request. It is on disk, synced, before anything is sent. The token is no part of it.
pub struct Pending {
    /// What the server knows the request by.
    pub request: RequestId,
    /// What it is for.
    pub purpose: Purpose,
    /// Whom it was sent to, once a server was verified.
    pub contact: Option<KnownRoot>,
    /// The identity to be.
    pub identity: IdentitySecret,
    /// The private key for the client certificate, PEM.
    pub tls_key: Zeroizing<String>,
    /// The certificate request, DER.
    pub csr: Vec<u8>,
}

/// What a registration is for: the same line typed again has an equal one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// The server that is asked.
    pub server: ServerAddr,
    /// Its HTTPS side.
    pub api: ApiAddr,
    /// The name to be known by.
    pub hostname: Hostname,
    /// Whether an envoy of that name may be replaced.
    pub takeover: Takeover,
}

/// The root that a server proved itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownRoot {
    /// Its pin.
    pub pin: Pin,
    /// Why it was trusted.
    pub trust: Trust,
}

/// Why a registration could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PendingError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder could not be moved or removed.
    #[error("cannot remove {}: {source}", path.display())]
    Remove {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No randomness.
    #[error(transparent)]
    Dice(#[from] DiceError),
    /// The keys could not be made.
    #[error("the TLS key could not be made: {0}")]
    Key(#[from] PrivateKeyError),
    /// The folder holds something else.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    request_id: String,
    server: String,
    api_addr: String,
    hostname: String,
    takeover: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trusted_by: Option<Trust>,
}

const REQUEST: &str = "request";
const IDENTITY_KEY: &str = "identity_key";
const TLS_KEY: &str = "tls_key";
const CSR: &str = "csr";

impl Pending {
    /// Reads the folder; `None` where there is none.
    ///
    /// # Errors
    /// `Damaged` when it holds something else, `File` when it cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, PendingError> {
        if !folder.exists() {
            return Ok(None);
        }
        let damaged = |what: String| PendingError::Damaged { path: folder.to_owned(), what };
        let file = |name: &str| match files::read_private(&folder.join(name)) {
            Err(FileError::Absent { path }) => Err(damaged(format!("{} is missing", path.display()))),
            other => other.map_err(PendingError::File),
        };
        let text = file(REQUEST)?;
        let request: Request = serde_saphyr::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let contact = match (&request.root, request.trusted_by) {
            (Some(pin), Some(trust)) => {
                Some(KnownRoot { pin: pin.parse().map_err(|_| damaged("root".into()))?, trust })
            }
            _ => None,
        };
        let purpose = Purpose {
            server: request.server.parse().map_err(|_| damaged("server".into()))?,
            api: request.api_addr.parse().map_err(|_| damaged("api_addr".into()))?,
            hostname: request.hostname.parse().map_err(|_| damaged("hostname".into()))?,
            takeover: if request.takeover { Takeover::Asked } else { Takeover::No },
        };
        Ok(Some(Self {
            request: request.request_id.parse().map_err(|_| damaged("request_id".into()))?,
            purpose,
            contact,
            identity: IdentitySecret::from_pem(&file(IDENTITY_KEY)?).map_err(|_| damaged("identity_key".into()))?,
            tls_key: file(TLS_KEY)?,
            csr: hex::decode(file(CSR)?.trim()).map_err(|_| damaged("csr".into()))?,
        }))
    }

    /// Draws two keys and a request id and keeps them. The folder appears complete or not at all.
    ///
    /// # Errors
    /// When the system refuses; then nothing was sent and nothing is kept.
    pub fn draw(folder: &Path, purpose: Purpose) -> Result<Self, PendingError> {
        let parent = folder.parent().unwrap_or(Path::new("."));
        files::create_private_dir(parent)?;
        let tls = ClientRequest::generate()?;
        let pending = Self {
            request: RequestId::from_random(dice::bytes()?),
            purpose,
            contact: None,
            identity: IdentitySecret::from_seed(&dice::seed()?),
            tls_key: tls.key_pem(),
            csr: tls.csr().to_vec(),
        };
        let fresh = parent.join(".pending.new");
        remove(&fresh)?;
        files::create_private_dir(&fresh)?;
        let put = |name: &str, bytes: &[u8]| files::write_new_private(&fresh.join(name), bytes);
        put(IDENTITY_KEY, pending.identity.to_pem().as_bytes())?;
        put(TLS_KEY, pending.tls_key.as_bytes())?;
        put(CSR, hex::encode(&pending.csr).as_bytes())?;
        put(REQUEST, pending.text(&fresh)?.as_bytes())?;
        Self::discard(folder)?;
        fs::rename(&fresh, folder).map_err(|source| FileError::Io {
            action: "create",
            path: folder.to_owned(),
            source,
        })?;
        sync(parent)?;
        Ok(pending)
    }

    /// Notes who is about to be asked, and how, so that a daemon that finishes this later asks nobody else.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn note(&mut self, folder: &Path, contact: KnownRoot, takeover: Takeover) -> Result<(), PendingError> {
        if self.contact == Some(contact) && self.purpose.takeover == takeover {
            return Ok(());
        }
        self.contact = Some(contact);
        self.purpose.takeover = takeover;
        files::replace_private(&folder.join(REQUEST), self.text(folder)?.as_bytes())?;
        Ok(())
    }

    /// Whether a registration for `purpose` would be this one again. Asking to replace an envoy makes it no other.
    #[must_use]
    pub fn serves(&self, purpose: &Purpose) -> bool {
        self.purpose.server == purpose.server && self.purpose.hostname == purpose.hostname
    }

    /// Removes the folder: first its name, so that no half of it is ever found.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn discard(folder: &Path) -> Result<(), PendingError> {
        let old = folder.with_file_name(".pending.old");
        remove(&old)?;
        match fs::rename(folder, &old) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|source| PendingError::Remove { path: folder.to_owned(), source })?,
        }
        sync(folder.parent().unwrap_or(Path::new(".")))?;
        remove(&old)
    }

    fn text(&self, folder: &Path) -> Result<String, PendingError> {
        let request = Request {
            request_id: self.request.to_string(),
            server: self.purpose.server.to_string(),
            api_addr: self.purpose.api.to_string(),
            hostname: self.purpose.hostname.to_string(),
            takeover: self.purpose.takeover == Takeover::Asked,
            root: self.contact.map(|contact| contact.pin.to_string()),
            trusted_by: self.contact.map(|contact| contact.trust),
        };
        serde_saphyr::to_string(&request)
            .map_err(|error| PendingError::Damaged { path: folder.to_owned(), what: error.to_string() })
    }
}

fn remove(folder: &Path) -> Result<(), PendingError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| PendingError::Remove { path: folder.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purpose(hostname: &str) -> Purpose {
        Purpose {
            server: "fleet.example.com".parse().unwrap(),
            api: "https://fleet.example.com".parse().unwrap(),
            hostname: hostname.parse().unwrap(),
            takeover: Takeover::No,
        }
    }

    fn read(folder: &Path) -> Pending {
        Pending::read(folder).unwrap().unwrap()
    }

    #[test]
    fn drawn_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pending");
        assert!(Pending::read(&folder).unwrap().is_none());
        let mut drawn = Pending::draw(&folder, purpose("web3")).unwrap();
        let again = read(&folder);
        assert_eq!(
            (again.request, again.identity.public(), &again.csr, &again.tls_key, again.contact),
            (drawn.request, drawn.identity.public(), &drawn.csr, &drawn.tls_key, None)
        );
        assert!(again.serves(&Purpose { takeover: Takeover::Asked, ..purpose("web3") }));
        assert!(!again.serves(&purpose("web4")));
        let contact = KnownRoot { pin: Pin::of_spki(b"root"), trust: Trust::FirstUse };
        drawn.note(&folder, contact, Takeover::Asked).unwrap();
        let again = read(&folder);
        assert_eq!((again.request, again.contact), (drawn.request, Some(contact)));
        assert_eq!(again.purpose.takeover, Takeover::Asked);
        Pending::discard(&folder).unwrap();
        Pending::discard(&folder).unwrap();
        assert!(Pending::read(&folder).unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn drawing_again_is_another_request() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pending");
        // What a crash in the middle of drawing leaves behind.
        fs::create_dir(dir.path().join(".pending.new")).unwrap();
        fs::write(dir.path().join(".pending.new/csr"), "30").unwrap();
        let first = Pending::draw(&folder, purpose("web3")).unwrap();
        let second = Pending::draw(&folder, purpose("web4")).unwrap();
        assert_ne!(first.request, second.request);
        assert_ne!(first.identity.public(), second.identity.public());
        assert_eq!(read(&folder).request, second.request);
    }

    #[test]
    fn rule_03_private_files_hold_no_token() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pending");
        Pending::draw(&folder, purpose("web3")).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
                assert!(!fs::read_to_string(entry.path()).unwrap().contains("token"));
                entry.file_name().into_string().unwrap()
            })
            .collect();
        names.sort();
        assert_eq!(names, ["csr", "identity_key", "request", "tls_key"]);
        fs::set_permissions(folder.join("tls_key"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Pending::read(&folder), Err(PendingError::File(FileError::LooseMode { .. }))));
    }

    #[track_caller]
    fn check_damaged(file: &str, content: &str) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pending");
        Pending::draw(&folder, purpose("web3")).unwrap();
        files::replace_private(&folder.join(file), content.as_bytes()).unwrap();
        assert!(matches!(Pending::read(&folder), Err(PendingError::Damaged { .. })), "{file}");
    }

    #[test]
    fn a_damaged_one_is_told_from_an_unreadable_one() {
        check_damaged("request", "");
        check_damaged("request", "request_id: 7\n");
        check_damaged("identity_key", "");
        check_damaged("csr", "zz");
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Pending::read(dir.path()), Err(PendingError::Damaged { .. })));
    }
}
