//! A server's home: the fleet's keys and its store, made together once and never silently made again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vigo_ca::files::{self, FileError};
use vigo_ca::{CaFiles, CaFilesError, CertificateAuthority, LeafFiles, LeafFilesError, ServerLeaf};
use vigo_core::store::{OpenError, Outcome, RedbStore, Store, StoreError, Transaction};
use vigo_core::{KeyError, Serial, ServerId, ServerSecret, UnixTime, keyspace};
use zeroize::Zeroizing;

use crate::clock;
use crate::config::{Config, ConfigError};
use crate::names;

/// The mark of a store whose fleet is still being made: its files may be missing and are made then.
const UNFINISHED: &str = "fleet/unfinished";

/// What a home holds, opened and found to belong together.
pub struct Home {
    /// The fleet.
    pub server: ServerId,
    /// Its facts.
    pub store: Arc<dyn Store>,
    /// Its CA.
    pub authority: CertificateAuthority,
    /// This server's certificate, with its key.
    pub leaf: ServerLeaf,
    /// Where that is kept.
    pub leaf_files: LeafFiles,
    /// What it is for.
    pub names: Vec<vigo_ca::SubjectName>,
    /// Signs replies and bundles.
    pub signing: ServerSecret,
    /// Makes token MACs and challenges.
    pub fleet_key: Zeroizing<[u8; 32]>,
    /// What agents are told to dial.
    pub(crate) public: names::Public,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Why a home could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A name or address in it.
    #[error("{0}")]
    Name(String),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key file's content.
    #[error("{}: {source}; restore it from a backup", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: KeyError,
    },
    /// A key file that is not 32 bytes in hexadecimal.
    #[error("{}: not a key (64 hexadecimal digits expected); restore it from a backup", .0.display())]
    TokenKey(PathBuf),
    /// The CA.
    #[error(transparent)]
    Ca(#[from] CaFilesError),
    /// The server's certificate.
    #[error(transparent)]
    Leaf(#[from] LeafFilesError),
    /// The store's file.
    #[error(transparent)]
    Open(#[from] vigo_core::store::OpenError),
    /// The store's content.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The fleet's files are there and its store is not.
    #[error("{} exists, but the store {} does not: restore the store from a backup, or move the folder `tls` away to start a new fleet", ca.display(), store.display())]
    StoreGone {
        /// A file that shows that there was a fleet.
        ca: PathBuf,
        /// The missing store.
        store: PathBuf,
    },
    /// The store is there and a file of its fleet is not.
    #[error("the fleet in {} needs {}, which is gone: restore it from a backup", store.display(), file.display())]
    FileGone {
        /// The missing file.
        file: PathBuf,
        /// The store.
        store: PathBuf,
    },
    /// The system.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What [`Home::check`] found.
pub struct Checked {
    /// The fleet.
    pub server: ServerId,
    /// The pin of its CA.
    pub ca_pin: vigo_core::Pin,
    /// The store, unless a running server has it.
    pub store: Option<RedbStore>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// What a home's files hold besides the store and the server's certificate.
struct Keys {
    authority: CertificateAuthority,
    signing: ServerSecret,
    fleet_key: Zeroizing<[u8; 32]>,
    public: names::Public,
    names: Vec<vigo_ca::SubjectName>,
}

impl Keys {
    fn load(files: &Files, config: &Config, server: &ServerId, now: UnixTime) -> Result<Self, HomeError> {
        let authority = files.authority.load(server, now)?.with_validity(config.bootstrap.cert_validity.0);
        let signing = read_key(&files.signing, &files.store)?;
        let signing = ServerSecret::from_pem(&signing)
            .map_err(|source| HomeError::Key { path: files.signing.clone(), source })?;
        let fleet_key = token_key(files)?;
        let public = names::public(&config.server).map_err(HomeError::Name)?;
        let names = names::all(&config.server, &public).map_err(HomeError::Name)?;
        Ok(Self { authority, signing, fleet_key, public, names })
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.public.warning.clone().into_iter().collect();
        if !self.authority.can_sign() {
            warnings.push("there is no CA key (server.tls.ca_key_file): this server enrols nobody".into());
        }
        warnings
    }
}

/// The files of a home, made absolute.
struct Files {
    ca: PathBuf,
    ca_key: Option<PathBuf>,
    authority: CaFiles,
    leaf: LeafFiles,
    folders: Vec<PathBuf>,
    signing: PathBuf,
    token: PathBuf,
    store: PathBuf,
}

impl Files {
    fn of(config: &Config, dir: &Path) -> Self {
        let tls = &config.server.tls;
        let ca = dir.join(&tls.ca_file);
        let ca_key = (!tls.ca_key_file.as_os_str().is_empty()).then(|| dir.join(&tls.ca_key_file));
        let (cert, key) = (dir.join(&tls.cert_file), dir.join(&tls.key_file));
        let all = [Some(&ca), ca_key.as_ref(), Some(&cert), Some(&key)];
        Self {
            folders: all.into_iter().flatten().filter_map(|file| Some(file.parent()?.to_path_buf())).collect(),
            signing: ca.with_file_name("signing_key"),
            token: ca.with_file_name("token_key"),
            store: dir.join(&config.store.path),
            authority: CaFiles::new(ca.clone(), ca_key.clone()),
            ca_key,
            leaf: LeafFiles::new(cert, key),
            ca,
        }
    }
}

impl Home {
    /// Opens a home; makes the fleet where there is neither store nor CA.
    ///
    /// # Errors
    /// When something is missing, unreadable, open to others, or of another fleet. Nothing is then changed.
    pub async fn open(config: &Config, dir: &Path) -> Result<Self, HomeError> {
        let files = Files::of(config, dir);
        let now = clock::now();
        let store = if files.store.exists() { RedbStore::open(&files.store)? } else { create_store(&files).await? };
        let server = fleet_id(&store, &files).await?;
        if store.get(UNFINISHED.as_bytes()).await?.is_some() {
            make_fleet(&files, &server, now)?;
            let done = Transaction::new().delete(UNFINISHED);
            if !matches!(store.commit(done).await?, Outcome::Committed(_)) {
                return Err(StoreError::Unavailable("the new fleet could not be noted".into()).into());
            }
        }
        let keys = Keys::load(&files, config, &server, now)?;
        let warnings = keys.warnings();
        let Keys { authority, signing, fleet_key, public, names } = keys;
        let leaf = files.leaf.load_or_issue(&authority, &names, Serial::from_random(clock::random()), now)?;
        let store: Arc<dyn Store> = Arc::new(store);
        let leaf_files = files.leaf;
        Ok(Self { server, store, authority, leaf, leaf_files, names, signing, fleet_key, public, warnings })
    }
}

impl Home {
    /// Reads a home that was started before, and changes nothing in it. A running server has its store to itself; then
    /// all the rest is read.
    ///
    /// # Errors
    /// As [`Home::open`].
    pub async fn check(config: &Config, dir: &Path) -> Result<Checked, HomeError> {
        let files = Files::of(config, dir);
        let (store, server) = match RedbStore::open(&files.store) {
            Ok(store) => {
                let server = fleet_id(&store, &files).await?;
                (Some(store), server)
            }
            Err(error @ OpenError::InUse { .. }) => (None, fleet_of(&files.ca)?.ok_or(error)?),
            Err(error) => return Err(error.into()),
        };
        let keys = Keys::load(&files, config, &server, clock::now())?;
        files.leaf.load(&keys.authority)?;
        let mut warnings = keys.warnings();
        if store.is_none() {
            warnings.push("a running server has the store: it was not read".into());
        }
        Ok(Checked { server, ca_pin: keys.authority.root().pin, store, warnings })
    }
}

/// The fleet that a CA's certificate names.
fn fleet_of(ca: &Path) -> Result<Option<ServerId>, HomeError> {
    let text = files::read_public(ca)?;
    let certificate = vigo_ca::pem::certificates(&text).ok().and_then(|found| found.into_iter().next());
    Ok(certificate.and_then(|der| vigo_ca::Root::from_der(&der).ok()).and_then(|root| root.server))
}

/// Makes the store of a new fleet beside its place and moves it there, so that a half-made one is never opened. Of several
/// first starts in one home at the same time one does; the others find its store, or that it is being made.
async fn create_store(files: &Files) -> Result<RedbStore, HomeError> {
    let _first = lock_folder(&files.store)?;
    if files.store.exists() {
        return Ok(RedbStore::open(&files.store)?);
    }
    let parts = [Some(&files.ca), files.ca_key.as_ref(), Some(&files.signing), Some(&files.token)];
    if let Some(ca) = parts.into_iter().flatten().find(|path| path.exists()) {
        return Err(HomeError::StoreGone { ca: ca.clone(), store: files.store.clone() });
    }
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| HomeError::Io { path, source }
    };
    let mut beside = files.store.clone().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(&beside)(error)),
        _ => {}
    }
    let store = RedbStore::create(&beside)?;
    let id = ServerId::from_random(clock::random());
    let first = Transaction::new()
        .absent(keyspace::FLEET)
        .put(keyspace::FLEET, id.as_bytes().as_slice())
        .put(UNFINISHED, b"1".as_slice());
    if !matches!(store.commit(first).await?, Outcome::Committed(_)) {
        return Err(StoreError::Unavailable("the new store did not take its first commit".into()).into());
    }
    drop(store);
    std::fs::rename(&beside, &files.store).map_err(io(&files.store))?;
    if let Some(folder) = files.store.parent() {
        // The store's name must last before the files that belong to it are made.
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))?;
    }
    Ok(RedbStore::open(&files.store)?)
}

/// Held while the returned file is open.
fn lock_folder(store: &Path) -> Result<std::fs::File, HomeError> {
    let folder = store.parent().unwrap_or(Path::new("."));
    files::create_private_dir(folder)?;
    let io = |source| HomeError::Io { path: folder.to_path_buf(), source };
    let folder = std::fs::File::open(folder).map_err(io)?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path: store.to_path_buf() }.into()),
        Err(std::fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

async fn fleet_id(store: &RedbStore, files: &Files) -> Result<ServerId, HomeError> {
    let damaged =
        || StoreError::Damaged(format!("{} has no fleet id; restore it from a backup", files.store.display()));
    let entry = store.get(keyspace::FLEET.as_bytes()).await?.ok_or_else(damaged)?;
    Ok(ServerId::try_from(entry.value.as_slice()).map_err(|_| damaged())?)
}

/// Makes the files of a new fleet; those that an interrupted first start has made already stay.
fn make_fleet(files: &Files, server: &ServerId, now: UnixTime) -> Result<(), HomeError> {
    for folder in &files.folders {
        files::create_private_dir(folder)?;
    }
    if let Some(key) = files.ca_key.as_ref().filter(|key| key.exists() && !files.ca.exists()) {
        // Cut off between the two. Nothing was ever signed with this key: the fleet has not begun.
        std::fs::remove_file(key).map_err(|source| HomeError::Io { path: key.clone(), source })?;
    }
    files.authority.load_or_create(server, Serial::from_random(clock::random()), now)?;
    if !files.signing.exists() {
        let secret = ServerSecret::from_seed(&Zeroizing::new(clock::random()));
        files::replace_private(&files.signing, secret.to_pem().as_bytes())?;
    }
    if !files.token.exists() {
        let key = Zeroizing::new(clock::random::<32>());
        files::replace_private(&files.token, Zeroizing::new(hex::encode(*key)).as_bytes())?;
    }
    Ok(())
}

fn read_key(path: &Path, store: &Path) -> Result<Zeroizing<String>, HomeError> {
    if !path.exists() {
        return Err(HomeError::FileGone { file: path.into(), store: store.into() });
    }
    Ok(files::read_private(path)?)
}

fn token_key(files: &Files) -> Result<Zeroizing<[u8; 32]>, HomeError> {
    let text = read_key(&files.token, &files.store)?;
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *key).map_err(|_| HomeError::TokenKey(files.token.clone()))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The narrowest place of a first start: the CA's key is written and its certificate is not.
    #[tokio::test]
    async fn a_first_start_that_was_cut_off_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::default();
        let files = Files::of(&config, dir.path());
        drop(create_store(&files).await.unwrap());
        files::create_private_dir(&dir.path().join("tls")).unwrap();
        files::write_new_private(&dir.path().join("tls/ca_key"), b"half").unwrap();
        let home = Home::open(&config, dir.path()).await.unwrap();
        let (pin, server) = (home.authority.root().pin, home.server);
        drop(home);
        let again = Home::open(&config, dir.path()).await.unwrap();
        assert_eq!((again.authority.root().pin, again.server), (pin, server));
    }

    #[tokio::test]
    async fn a_key_without_its_store_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        files::create_private_dir(&dir.path().join("tls")).unwrap();
        let key = dir.path().join("tls/ca_key");
        files::write_new_private(&key, b"of a fleet").unwrap();
        let error = Home::open(&Config::default(), dir.path()).await.err().unwrap();
        assert!(matches!(error, HomeError::StoreGone { .. }), "{error}");
        assert_eq!(std::fs::read(key).unwrap(), b"of a fleet");
    }
}
