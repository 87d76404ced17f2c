//! API tokens: `vgot_` and 256 random bits, of which the store keeps SHA-256 alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use vigo_core::UnixTime;
use vigo_core::store::{self, Store, StoreError, Transaction};
use zeroize::Zeroizing;

use super::keep::{ATTEMPTS, AccessError, TOKENS, commit, damaged, done, read};
use crate::access::{Account, AccountName, Role};
use crate::clock;

const PREFIX: &str = "vgot_";

/// Names a token in public: half of its SHA-256, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiTokenId([u8; 16]);

impl std::str::FromStr for ApiTokenId {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| AccessError::Invalid("an API token's id has 32 hexadecimal digits".into()))?;
        Ok(Self(bytes))
    }
}

impl std::fmt::Display for ApiTokenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What the store keeps of a token.
#[derive(Clone)]
pub(crate) struct ApiToken {
    digest: [u8; 32],
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Whose it is, and under which password it was handed out: it dies with either. `None`: made on the server's host.
    pub(crate) owner: Option<(AccountName, [u8; 16])>,
    pub(crate) created_at: UnixTime,
    pub(crate) created_by: String,
    pub(crate) expires_at: UnixTime,
    pub(crate) revoked_at: Option<UnixTime>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(bytes = "vec", tag = "1")]
    digest: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    role: String,
    #[prost(string, tag = "4")]
    owner: String,
    #[prost(bytes = "vec", tag = "5")]
    generation: Vec<u8>,
    #[prost(uint64, tag = "6")]
    created_at: u64,
    #[prost(string, tag = "7")]
    created_by: String,
    #[prost(uint64, tag = "8")]
    expires_at: u64,
    #[prost(uint64, tag = "9")]
    revoked_at: u64,
}

/// What a token is made of.
pub(crate) struct NewApiToken<'a> {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) ttl: std::time::Duration,
    /// Whose it is.
    pub(crate) owner: Option<&'a Account>,
    pub(crate) by: &'a str,
}

fn key(id: ApiTokenId) -> String {
    format!("{TOKENS}{id}")
}

/// The digest of a text that may be a token.
fn digest(text: &str) -> Option<[u8; 32]> {
    let secret = text.strip_prefix(PREFIX)?;
    let fits = secret.len() == 43 && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    fits.then(|| Sha256::digest(text).into())
}

impl ApiToken {
    /// The longest that one may last.
    const LONGEST: std::time::Duration = std::time::Duration::from_hours(366 * 24);

    /// Its public name.
    pub(crate) fn id(&self) -> ApiTokenId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.digest[..16]);
        ApiTokenId(id)
    }

    /// `active`, `expired` or `revoked`.
    pub(crate) fn status(&self, now: UnixTime) -> &'static str {
        match (self.revoked_at.is_some(), self.expires_at <= now) {
            (true, _) => "revoked",
            (false, true) => "expired",
            (false, false) => "active",
        }
    }

    fn encode(&self) -> Vec<u8> {
        let (owner, generation) = self
            .owner
            .as_ref()
            .map_or_else(Default::default, |(name, generation)| (name.to_string(), generation.to_vec()));
        Wire {
            digest: self.digest.to_vec(),
            name: self.name.clone(),
            role: self.role.to_string(),
            owner,
            generation,
            created_at: self.created_at.as_secs(),
            created_by: self.created_by.clone(),
            expires_at: self.expires_at.as_secs(),
            revoked_at: super::keep::seconds(self.revoked_at),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let bad = || damaged("API token");
        let wire = Wire::decode(bytes).map_err(|_| bad())?;
        let owner = match wire.owner.is_empty() {
            true => None,
            false => Some((wire.owner.parse().map_err(|_| bad())?, wire.generation.try_into().map_err(|_| bad())?)),
        };
        Ok(Self {
            digest: wire.digest.try_into().map_err(|_| bad())?,
            name: wire.name,
            role: wire.role.parse().map_err(|_| bad())?,
            owner,
            created_at: UnixTime::from_secs(wire.created_at),
            created_by: wire.created_by,
            expires_at: UnixTime::from_secs(wire.expires_at),
            revoked_at: super::keep::time(wire.revoked_at),
        })
    }

    /// Makes a token: its text, which is shown once, and what is kept of it.
    pub(crate) async fn create(
        store: &dyn Store,
        new: NewApiToken<'_>,
    ) -> Result<(Zeroizing<String>, Self), AccessError> {
        if new.name.chars().count() > 64 || new.name.chars().any(char::is_control) || new.name.trim().is_empty() {
            return Err(AccessError::Invalid(
                "a token's name has 1 to 64 characters, none of them a control character".into(),
            ));
        }
        if new.ttl.is_zero() || new.ttl > Self::LONGEST {
            return Err(AccessError::Invalid("an API token lasts at least a second and at most 366 days".into()));
        }
        let secret = Zeroizing::new(clock::random::<32>());
        let text = Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*secret)));
        let now = clock::now();
        let token = Self {
            digest: Sha256::digest(text.as_bytes()).into(),
            name: new.name,
            role: new.role,
            owner: new.owner.map(|account| (account.name.clone(), account.generation)),
            created_at: now,
            created_by: new.by.to_owned(),
            expires_at: now.after(new.ttl),
            revoked_at: None,
        };
        let key = key(token.id());
        let made =
            done(new.by, "api_token.create", &token.id().to_string(), format!("{} as {}", token.name, token.role));
        match commit(store, Transaction::new().absent(key.clone()).put(key, token.encode()), &made).await? {
            true => Ok((text, token)),
            false => Err(AccessError::Conflict),
        }
    }

    /// All tokens, the oldest first.
    pub(crate) async fn all(store: &dyn Store) -> Result<Vec<Self>, StoreError> {
        let page = store::scan_all(store, TOKENS.as_bytes()).await?;
        let mut tokens = page.entries.iter().map(|entry| Self::decode(&entry.value)).collect::<Result<Vec<_>, _>>()?;
        tokens.sort_by_key(|token| (token.created_at, token.digest));
        Ok(tokens)
    }

    /// The token of an id.
    pub(crate) async fn get(store: &dyn Store, id: ApiTokenId) -> Result<Self, AccessError> {
        let found = read(store, &key(id), Self::decode).await?;
        found.map(|(token, _)| token).ok_or_else(|| AccessError::NotFound("API token", id.to_string()))
    }

    /// The token that a text is, in force or not.
    pub(crate) async fn of_text(store: &dyn Store, text: &str) -> Result<Option<Self>, StoreError> {
        let Some(digest) = digest(text) else { return Ok(None) };
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        let found = read(store, &key(ApiTokenId(id)), Self::decode).await?;
        Ok(found.map(|(token, _)| token).filter(|token| bool::from(token.digest.ct_eq(&digest))))
    }

    /// Takes a token out of force, for ever.
    pub(crate) async fn revoke(store: &dyn Store, id: ApiTokenId, by: &str) -> Result<Self, AccessError> {
        for _ in 0..ATTEMPTS {
            let found = read(store, &key(id), Self::decode).await?;
            let (mut token, revision) = found.ok_or_else(|| AccessError::NotFound("API token", id.to_string()))?;
            if token.revoked_at.is_some() {
                return Ok(token);
            }
            token.revoked_at = Some(clock::now());
            let done = done(by, "api_token.revoke", &id.to_string(), token.name.clone());
            let transaction = Transaction::new().unchanged(key(id), revision).put(key(id), token.encode());
            if commit(store, transaction, &done).await? {
                return Ok(token);
            }
        }
        Err(AccessError::Conflict)
    }
}
