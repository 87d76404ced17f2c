//! Accounts of people: a name, a role, the hash of a password.

use std::fmt;
use std::str::FromStr;

use prost::Message as _;
use vigo_core::UnixTime;
use vigo_core::store::{self, Revision, Store, StoreError, Transaction};

use super::keep::{ACCOUNTS, ATTEMPTS, AccessError, commit, damaged, done, read, seconds, time};
use crate::access::{Password, Passwords, Role};
use crate::clock;

/// An account's name: 1 to 64 of `a-z`, `0-9`, `.`, `_`, `-`, `@`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountName(String);

impl AccountName {
    /// What all that can be nobody's name is counted as.
    pub(super) const fn nobodys() -> Self {
        Self(String::new())
    }
}

impl FromStr for AccountName {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let good = (1..=64).contains(&text.len())
            && text.starts_with(is_plain)
            && text.chars().all(|c| is_plain(c) || matches!(c, '.' | '_' | '-' | '@'));
        if good {
            return Ok(Self(text.to_owned()));
        }
        Err(AccessError::Invalid(
            "a name has 1 to 64 of the characters a-z, 0-9, `.`, `_`, `-` and `@`, and begins with a letter or digit"
                .into(),
        ))
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody who may log in.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) name: AccountName,
    pub(crate) role: Role,
    pub(super) password_hash: String,
    pub(crate) created_at: UnixTime,
    pub(crate) created_by: String,
    pub(crate) last_login_at: Option<UnixTime>,
    /// Drawn anew with every password: what was handed out under another one is void.
    pub(super) generation: [u8; 16],
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    role: String,
    #[prost(string, tag = "3")]
    password_hash: String,
    #[prost(uint64, tag = "4")]
    created_at: u64,
    #[prost(string, tag = "5")]
    created_by: String,
    #[prost(uint64, tag = "6")]
    last_login_at: u64,
    #[prost(bytes = "vec", tag = "7")]
    generation: Vec<u8>,
}

/// What an account is made of.
pub(crate) struct NewAccount {
    pub(crate) name: AccountName,
    pub(crate) role: Role,
    pub(crate) password: Password,
}

fn key(name: &AccountName) -> String {
    format!("{ACCOUNTS}{name}")
}

impl Account {
    pub(super) fn encode(&self) -> Vec<u8> {
        Wire {
            name: self.name.to_string(),
            role: self.role.to_string(),
            password_hash: self.password_hash.clone(),
            created_at: self.created_at.as_secs(),
            created_by: self.created_by.clone(),
            last_login_at: seconds(self.last_login_at),
            generation: self.generation.to_vec(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let bad = || damaged("account");
        let wire = Wire::decode(bytes).map_err(|_| bad())?;
        Ok(Self {
            name: wire.name.parse().map_err(|_| bad())?,
            role: wire.role.parse().map_err(|_| bad())?,
            password_hash: wire.password_hash,
            created_at: UnixTime::from_secs(wire.created_at),
            created_by: wire.created_by,
            last_login_at: time(wire.last_login_at),
            generation: wire.generation.try_into().map_err(|_| bad())?,
        })
    }

    /// The account of a name.
    pub(crate) async fn get(store: &dyn Store, name: &AccountName) -> Result<Option<Self>, StoreError> {
        Ok(Self::read(store, name).await?.map(|(account, _)| account))
    }

    pub(super) async fn read(store: &dyn Store, name: &AccountName) -> Result<Option<(Self, Revision)>, StoreError> {
        read(store, &key(name), Self::decode).await
    }

    /// All accounts, by name.
    pub(crate) async fn all(store: &dyn Store) -> Result<Vec<Self>, StoreError> {
        let page = store::scan_all(store, ACCOUNTS.as_bytes()).await?;
        page.entries.iter().map(|entry| Self::decode(&entry.value)).collect()
    }

    /// Makes an account.
    pub(crate) async fn create(
        store: &dyn Store,
        passwords: &Passwords,
        new: NewAccount,
        by: &str,
    ) -> Result<Self, AccessError> {
        let account = Self {
            role: new.role,
            password_hash: passwords.hash(new.password).await?,
            created_at: clock::now(),
            created_by: by.to_owned(),
            last_login_at: None,
            generation: clock::random(),
            name: new.name,
        };
        let key = key(&account.name);
        let made = done(by, "account.create", &account.name.0, account.role.to_string());
        let transaction = Transaction::new().absent(key.clone()).put(key, account.encode());
        match commit(store, transaction, &made).await? {
            true => Ok(account),
            false => Err(AccessError::Exists(account.name.to_string())),
        }
    }

    /// Gives it another password, which ends its sessions and logins.
    pub(crate) async fn set_password(
        store: &dyn Store,
        passwords: &Passwords,
        name: &AccountName,
        password: Password,
        by: &str,
    ) -> Result<Self, AccessError> {
        let hash = passwords.hash(password).await?;
        let done = done(by, "account.password", &name.0, String::new());
        change(store, name, &done, |account| {
            account.password_hash.clone_from(&hash);
            account.generation = clock::random();
        })
        .await
    }

    /// Gives it another role.
    pub(crate) async fn set_role(
        store: &dyn Store,
        name: &AccountName,
        role: Role,
        by: &str,
    ) -> Result<Self, AccessError> {
        let done = done(by, "account.role", &name.0, role.to_string());
        change(store, name, &done, |account| account.role = role).await
    }

    /// Removes it, and with it its sessions and what it logged in.
    pub(crate) async fn delete(store: &dyn Store, name: &AccountName, by: &str) -> Result<Self, AccessError> {
        for _ in 0..ATTEMPTS {
            let (account, revision) = found(store, name).await?;
            let transaction = keep_an_admin(store, &account, None).await?;
            let done = done(by, "account.delete", &name.0, String::new());
            let transaction = transaction.unchanged(key(name), revision).delete(key(name));
            if commit(store, transaction, &done).await? {
                return Ok(account);
            }
        }
        Err(AccessError::Conflict)
    }
}

async fn found(store: &dyn Store, name: &AccountName) -> Result<(Account, Revision), AccessError> {
    Account::read(store, name).await?.ok_or_else(|| AccessError::NotFound("account", name.to_string()))
}

/// That an account may lose what it is: another admin stays, and is still one when this is committed.
async fn keep_an_admin(store: &dyn Store, account: &Account, role: Option<Role>) -> Result<Transaction, AccessError> {
    let transaction = Transaction::new();
    if account.role != Role::Admin || role == Some(Role::Admin) {
        return Ok(transaction);
    }
    let page = store::scan_all(store, ACCOUNTS.as_bytes()).await?;
    for entry in &page.entries {
        let other = Account::decode(&entry.value)?;
        if other.role == Role::Admin && other.name != account.name {
            return Ok(transaction.unchanged(entry.key.clone(), entry.revision));
        }
    }
    Err(AccessError::LastAdmin(account.name.to_string()))
}

async fn change(
    store: &dyn Store,
    name: &AccountName,
    done: &vigo_core::audit::AuditRecord,
    change: impl Fn(&mut Account),
) -> Result<Account, AccessError> {
    for _ in 0..ATTEMPTS {
        let (before, revision) = found(store, name).await?;
        let mut account = before.clone();
        change(&mut account);
        let transaction = keep_an_admin(store, &before, Some(account.role)).await?;
        let transaction = transaction.unchanged(key(name), revision).put(key(name), account.encode());
        if commit(store, transaction, done).await? {
            return Ok(account);
        }
    }
    Err(AccessError::Conflict)
}
