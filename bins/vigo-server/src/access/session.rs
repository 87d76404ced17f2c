//! Sessions of the web pages: tower-sessions' cookies, kept in our store under the SHA-256 of what the browser holds.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tower_sessions::cookie::SameSite;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result, SessionStore};
use tower_sessions::{Expiry, Session, SessionManagerLayer};
use vigo_core::store::{self, Outcome, Store, StoreError, Transaction};

use super::keep::SESSIONS;
use crate::access::Account;
use crate::clock;

/// How long a login lasts.
const LASTS: time::Duration = time::Duration::hours(12);
/// Where in a session it is said who logged in.
const LOGGED_IN: &str = "logged_in";

/// Sessions, in the store.
#[derive(Clone)]
pub(crate) struct Sessions(Arc<dyn Store>);

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    /// JSON.
    #[prost(string, tag = "1")]
    data: String,
    #[prost(int64, tag = "2")]
    expires_at: i64,
}

/// Where a session lies: the SHA-256 of its id, so that a stolen store opens no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionKey([u8; 32]);

impl SessionKey {
    pub(super) fn of(id: Id) -> Self {
        Self(Sha256::digest(id.0.to_be_bytes()).into())
    }

    fn path(self) -> String {
        format!("{SESSIONS}{}", hex::encode(self.0))
    }
}

/// Who logged in, and under which password.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoggedIn {
    pub(super) account: String,
    pub(super) generation: String,
    pub(super) expires_at: u64,
}

/// The layer that reads and writes the cookie.
pub(crate) fn layer(store: &Arc<dyn Store>) -> SessionManagerLayer<Sessions> {
    SessionManagerLayer::new(Sessions(Arc::clone(store)))
        .with_name("__Host-vigo_session")
        .with_path("/")
        .with_secure(true)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(LASTS))
}

impl LoggedIn {
    /// Begins a session of an account under an id that nobody could know before.
    pub(crate) async fn begin(
        session: &Session,
        account: &Account,
    ) -> std::result::Result<(), tower_sessions::session::Error> {
        session.cycle_id().await?;
        let lasts = LASTS.unsigned_abs();
        let logged_in = Self {
            account: account.name.to_string(),
            generation: hex::encode(account.generation),
            expires_at: clock::now().after(lasts).as_secs(),
        };
        session.insert(LOGGED_IN, logged_in).await
    }

    /// Who is logged in, if somebody is.
    pub(crate) async fn of(session: &Session) -> std::result::Result<Option<Self>, tower_sessions::session::Error> {
        session.get(LOGGED_IN).await
    }

    /// Who is logged in by a session that is kept.
    pub(super) async fn kept(store: &dyn Store, key: SessionKey) -> std::result::Result<Option<Self>, StoreError> {
        let Some(entry) = store.get(key.path().as_bytes()).await? else { return Ok(None) };
        let bad = || super::keep::damaged("session");
        let wire = Wire::decode(&*entry.value).map_err(|_| bad())?;
        let mut data: serde_json::Value = serde_json::from_str(&wire.data).map_err(|_| bad())?;
        match data.get_mut(LOGGED_IN) {
            Some(logged_in) => serde_json::from_value(logged_in.take()).map(Some).map_err(|_| bad()),
            None => Ok(None),
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

fn key(id: Id) -> String {
    SessionKey::of(id).path()
}

fn backend(error: impl fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

impl Sessions {
    async fn commit(&self, transaction: Transaction) -> Result<()> {
        match self.0.commit(transaction).await.map_err(backend)? {
            // Written twice it is the same, so what is not known is tried again by whoever asks.
            Outcome::Committed(_) => Ok(()),
            outcome => Err(backend(format!("a session was not written: {outcome:?}"))),
        }
    }

    /// Removes sessions that are over.
    async fn sweep(&self) -> Result<()> {
        let page = store::scan_all(self.0.as_ref(), SESSIONS.as_bytes()).await.map_err(backend)?;
        let now = i64::try_from(clock::now().as_secs()).unwrap_or(i64::MAX);
        let over =
            page.entries.iter().filter(|entry| Wire::decode(&*entry.value).is_ok_and(|wire| wire.expires_at <= now));
        let transaction = over.take(64).fold(Transaction::new(), |t, entry| t.delete(entry.key.clone()));
        match transaction.writes.is_empty() {
            true => Ok(()),
            false => self.commit(transaction).await,
        }
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.sweep().await?;
        self.save(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        let wire = Wire { data, expires_at: record.expiry_date.unix_timestamp() };
        self.commit(Transaction::new().put(key(record.id), wire.encode_to_vec())).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(entry) = self.0.get(key(*id).as_bytes()).await.map_err(backend)? else { return Ok(None) };
        let wire = Wire::decode(&*entry.value).map_err(|error| Error::Decode(error.to_string()))?;
        let now = i64::try_from(clock::now().as_secs()).unwrap_or(i64::MAX);
        if wire.expires_at <= now {
            return Ok(None);
        }
        let data = serde_json::from_str(&wire.data).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date = time::OffsetDateTime::from_unix_timestamp(wire.expires_at)
            .map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.commit(Transaction::new().delete(key(*id))).await
    }
}
