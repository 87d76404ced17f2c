use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::Exit;
use crate::client::Secret;
use crate::failure::Failure;
use crate::time::Moment;

const FILE: &str = "logins.json";
/// More than anybody's logins take.
const MOST: u64 = 4 << 20;

/// A server that this user is logged in to. No `Debug` of the token, by its type.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Login {
    pub(crate) url: String,
    /// The CA that its certificate is checked by, PEM; none where the system's roots do.
    pub(crate) ca: Option<String>,
    /// The pin of that CA.
    pub(crate) pin: Option<String>,
    pub(crate) token: Secret,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) expires_at: Moment,
}

/// The file of logins, readable by this user alone.
pub(crate) struct Store {
    folder: PathBuf,
}

#[derive(Default, Deserialize)]
struct Logins {
    /// The newest last.
    logins: Vec<Login>,
}

impl Store {
    /// In this folder; where the process has none, there is nowhere to keep a login.
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self, Failure> {
        let folder = folder.ok_or_else(|| {
            Failure::new(Exit::Failed, "no_home", "there is no folder for logins: HOME and XDG_CONFIG_HOME are not set")
                .help("Set HOME, or use VIGO_API_TOKEN with --server and --ca-pin.")
        })?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// All logins, the newest last.
    pub(crate) fn read(&self) -> Result<Vec<Login>, Failure> {
        let path = self.path();
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Failed, "logins_unreadable", format!("cannot read {}: {error}", path.display()))
                .help("Remove that file and log in again.")
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&error)),
        };
        let mode = file.metadata().map_err(|error| failed(&error))?.mode();
        if mode & 0o077 != 0 {
            return Err(Failure::new(
                Exit::Auth,
                "logins_exposed",
                format!("others may open {}, and it holds tokens", path.display()),
            )
            .help(format!(
                "Revoke them (`vigocli logout`) if others use this machine, and: chmod 600 {}",
                path.display()
            )));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MOST).read_to_string(&mut text).map_err(|error| failed(&error))?;
        // The parser's own words could quote a secret.
        let logins: Logins = serde_json::from_str(&text).map_err(|_| failed(&"it is not what vigocli writes"))?;
        Ok(logins.logins)
    }

    /// Keeps this login, in place of an older one to the same server.
    pub(crate) fn keep(&self, login: Login) -> Result<(), Failure> {
        let _lock = self.lock()?;
        let mut logins = self.read()?;
        logins.retain(|other| other.url != login.url);
        logins.push(login);
        self.write(&logins)
    }

    pub(crate) fn remove(&self, url: &str) -> Result<(), Failure> {
        let _lock = self.lock()?;
        let mut logins = self.read()?;
        logins.retain(|other| other.url != url);
        self.write(&logins)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// One vigocli at a time changes the logins: until this is dropped, others wait.
    fn lock(&self) -> Result<File, Failure> {
        let locked = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            fs::set_permissions(&self.folder, Permissions::from_mode(0o700))?;
            let file = File::options().create(true).append(true).mode(0o600).open(self.folder.join("lock"))?;
            file.lock()?;
            Ok(file)
        };
        locked().map_err(|error| self.unwritable(&error))
    }

    fn unwritable(&self, error: &std::io::Error) -> Failure {
        Failure::new(Exit::Failed, "logins_unwritable", format!("cannot write {}: {error}", self.path().display()))
            .help("Make that folder writable, or name another one by XDG_CONFIG_HOME.")
    }

    /// A new file beside the old one, then in its place: whoever reads meanwhile has one or the other.
    fn write(&self, logins: &[Login]) -> Result<(), Failure> {
        let rows: Vec<_> = logins.iter().map(Login::json).collect();
        let text = Zeroizing::new(format!("{:#}\n", json!({ "logins": rows })));
        let written = || -> std::io::Result<()> {
            // Created exclusively, 0600.
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(self.path()).map_err(|error| error.error)?;
            Ok(())
        };
        written().map_err(|error| self.unwritable(&error))
    }
}

impl Login {
    fn json(&self) -> serde_json::Value {
        let Self { url, ca, pin, token, name, role, expires_at } = self;
        json!({"url": url, "ca": ca, "pin": pin, "token": token.expose(), "name": name, "role": role,
            "expires_at": expires_at.to_string()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(url: &str, token: &str) -> Login {
        Login {
            url: url.to_owned(),
            ca: None,
            pin: None,
            token: Secret::new(token.to_owned()),
            name: "ann".to_owned(),
            role: "admin".to_owned(),
            expires_at: Moment::At("2026-05-13T11:03:00Z".parse().unwrap()),
        }
    }

    #[test]
    fn one_login_for_each_server_and_nobody_else_reads_them() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/vigo");
        let store = Store::new(Some(&folder)).unwrap();
        assert!(store.read().unwrap().is_empty());
        for (url, token) in [("https://a:8443", "one"), ("https://b:8443", "two"), ("https://a:8443", "three")] {
            store.keep(login(url, token)).unwrap();
        }
        let kept = store.read().unwrap();
        let kept: Vec<_> = kept.iter().map(|login| (login.url.as_str(), login.token.expose())).collect();
        assert_eq!(kept, [("https://b:8443", "two"), ("https://a:8443", "three")]);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
        store.remove("https://a:8443").unwrap();
        assert_eq!(store.read().unwrap().len(), 1);
        let together = std::array::from_fn::<_, 8, _>(|n| {
            let store = Store::new(Some(&folder)).unwrap();
            std::thread::spawn(move || store.keep(login(&format!("https://host{n}:8443"), "token")).unwrap())
        });
        for thread in together {
            thread.join().unwrap();
        }
        assert_eq!(store.read().unwrap().len(), 9, "none of those that logged in at one time is lost");
        assert!(!format!("{:?}", login("https://a", "vgot_secret")).contains("vgot_secret"));

        fs::set_permissions(folder.join(FILE), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(store.read().unwrap_err().code(), "logins_exposed");
        fs::set_permissions(folder.join(FILE), Permissions::from_mode(0o600)).unwrap();
        fs::write(folder.join(FILE), r#"{"logins":[{"token":"vgot_secret","url":1}]}"#).unwrap();
        let failure = store.read().unwrap_err();
        assert_eq!(failure.code(), "logins_unreadable");
        assert!(!failure.to_string().contains("vgot_secret"));
    }
}
