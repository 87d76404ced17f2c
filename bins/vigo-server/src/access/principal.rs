//! Who asks: found out anew for each request, so that a change of an account is in force at once.

use tower_sessions::Session;
use vigo_core::UnixTime;
use vigo_core::store::{Store, StoreError};

use super::session::SessionKey;
use crate::access::{AccessError, Account, ApiToken, ApiTokenId, LoggedIn, Role};
use crate::clock;

/// Who asks: an extension of each request that was let in.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// The account's name, the token's, or the user of this host.
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) by: By,
    /// When that is over.
    pub(crate) expires_at: Option<UnixTime>,
}

/// How they said who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// As root or the server's own user, on the server's host.
    Socket,
    /// In a browser, with a password; where the store keeps that.
    Session(SessionKey),
    /// With an API token, of an account or of nobody's.
    Token { id: ApiTokenId, of_account: bool },
}

impl Principal {
    /// What the audit log calls them, behind `operator:`.
    pub(crate) fn actor(&self) -> String {
        match self.by {
            By::Token { of_account: false, .. } => format!("token:{}", self.name),
            By::Socket | By::Session(_) | By::Token { .. } => self.name.clone(),
        }
    }

    /// The account that they speak for.
    pub(crate) async fn account(&self, store: &dyn Store) -> Result<Option<Account>, StoreError> {
        match (self.by, self.name.parse()) {
            (By::Session(_) | By::Token { of_account: true, .. }, Ok(name)) => Account::get(store, &name).await,
            _ => Ok(None),
        }
    }

    /// Whether they may still ask: not logged out, revoked, deleted or over since.
    pub(crate) async fn holds(&self, store: &dyn Store) -> Result<bool, StoreError> {
        match self.by {
            By::Socket => Ok(true),
            By::Session(key) => match LoggedIn::kept(store, key).await? {
                Some(logged_in) => Ok(of_login(store, logged_in, key).await?.is_some()),
                None => Ok(false),
            },
            By::Token { id, .. } => match ApiToken::get(store, id).await {
                Ok(token) => Ok(of_token(store, &token).await?.is_some()),
                Err(AccessError::Store(error)) => Err(error),
                Err(_) => Ok(false),
            },
        }
    }
}

/// Of a browser's session.
pub(crate) async fn of_session(store: &dyn Store, session: &Session) -> Result<Option<Principal>, StoreError> {
    let logged_in = LoggedIn::of(session).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let (Some(logged_in), Some(id)) = (logged_in, session.id()) else { return Ok(None) };
    of_login(store, logged_in, SessionKey::of(id)).await
}

async fn of_login(store: &dyn Store, logged_in: LoggedIn, key: SessionKey) -> Result<Option<Principal>, StoreError> {
    let now = clock::now();
    let expires_at = UnixTime::from_secs(logged_in.expires_at);
    let Ok(name) = logged_in.account.parse() else { return Ok(None) };
    let account = Account::get(store, &name).await?;
    let account = account.filter(|account| hex::encode(account.generation) == logged_in.generation && now < expires_at);
    Ok(account.map(|account| Principal {
        name: account.name.to_string(),
        role: account.role,
        by: By::Session(key),
        expires_at: Some(expires_at),
    }))
}

/// Of what stands behind `Authorization: Bearer`.
pub(crate) async fn of_bearer(store: &dyn Store, text: &str) -> Result<Option<Principal>, StoreError> {
    match ApiToken::of_text(store, text).await? {
        Some(token) => of_token(store, &token).await,
        None => Ok(None),
    }
}

async fn of_token(store: &dyn Store, token: &ApiToken) -> Result<Option<Principal>, StoreError> {
    if token.status(clock::now()) != "active" {
        return Ok(None);
    }
    let (name, role, of_account) = match &token.owner {
        None => (token.name.clone(), token.role, false),
        Some((owner, generation)) => match Account::get(store, owner).await? {
            Some(account) if account.generation == *generation => {
                (owner.to_string(), token.role.min(account.role), true)
            }
            _ => return Ok(None),
        },
    };
    let by = By::Token { id: token.id(), of_account };
    Ok(Some(Principal { name, role, by, expires_at: Some(token.expires_at) }))
}
