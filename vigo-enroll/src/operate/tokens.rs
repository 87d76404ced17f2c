use std::num::NonZeroU32;
use std::time::Duration;

use vigo_core::record::{Record as _, RevocationCause, TokenRecord};
use vigo_core::store::{Store, Transaction};
use vigo_core::{Cidr, HostPattern, Pin, TokenId, TokenText, keyspace};
use zeroize::Zeroizing;

use super::{ATTEMPTS, Act, AnyHost, OperateError, Settled, read, words};
use crate::HashPool;
use crate::token::{Token, TokenKey};

/// The token that an operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The hostnames that it admits.
    pub pattern: HostPattern,
    /// Whether a pattern that takes any host is meant.
    pub any_host: AnyHost,
    /// The networks that it admits from; empty: any.
    pub cidrs: Vec<Cidr>,
    /// How long it is good.
    pub ttl: Duration,
    /// For how many enrolments.
    pub uses: NonZeroU32,
    /// The operator's words.
    pub note: String,
    /// Whether it may replace an active envoy under a name that the pattern does not spell out.
    pub allow_replace: bool,
}

impl TokenRequest {
    /// The most uses of one token: each is kept in its record for ever.
    pub const MAX_USES: u32 = 5_000;
    /// The most networks of one token.
    pub const MAX_CIDRS: usize = 64;
    /// The longest time that a token may be good: ten years.
    pub const MAX_TTL: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

    /// A token for hosts of this pattern, as they are made where nothing else is said: one use, one hour, from anywhere,
    /// replacing only an envoy of a name that the pattern spells out.
    #[must_use]
    pub fn new(pattern: HostPattern) -> Self {
        Self {
            pattern,
            any_host: AnyHost::Unconfirmed,
            cidrs: Vec::new(),
            ttl: Duration::from_secs(3600),
            uses: NonZeroU32::MIN,
            note: String::new(),
            allow_replace: false,
        }
    }

    fn check(&self) -> Result<(), OperateError> {
        self.any_host.check(&self.pattern)?;
        let invalid = |text: String| Err(OperateError::Invalid(text));
        if self.uses.get() > Self::MAX_USES {
            return invalid(format!("a token has at most {} uses", Self::MAX_USES));
        }
        if self.cidrs.len() > Self::MAX_CIDRS {
            return invalid(format!("a token has at most {} networks", Self::MAX_CIDRS));
        }
        if self.ttl < Duration::from_secs(1) || self.ttl > Self::MAX_TTL {
            return invalid("a token is good for at least a second and at most ten years".to_owned());
        }
        Ok(())
    }
}

/// The randomness of one token. The secret is wiped when dropped.
pub struct TokenDice {
    /// Becomes its id.
    pub id: [u8; 16],
    /// Becomes its secret.
    pub secret: Zeroizing<[u8; 32]>,
    /// Salts the hash of its secret.
    pub salt: [u8; 16],
}

/// Makes a token. The text is shown once; the store gets the bcrypt hash of its secret.
///
/// ```
/// # use std::time::Duration;
/// # use vigo_core::{Pin, UnixTime, store::MemoryStore};
/// # use vigo_enroll::HashPool;
/// use vigo_enroll::operate::{Act, TokenDice, TokenRequest, create_token};
/// use vigo_enroll::token::{Token, TokenKey};
/// # use zeroize::Zeroizing;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, hashes) = (MemoryStore::new(), HashPool::new(1.try_into()?, 8, 4)?);
/// # let (key, ca_pin) = (TokenKey::derive(&[1; 32]), Pin::from([2; 32]));
/// # let now = UnixTime::from_secs(1_780_272_000);
/// let request = TokenRequest { uses: 3.try_into()?, ..TokenRequest::new("web*.example.com".parse()?) };
/// // Random bytes, in earnest.
/// let act = Act { by: "ada".to_owned(), now, audit: [3; 16] };
/// let dice = TokenDice { id: [4; 16], secret: Zeroizing::new([5; 32]), salt: [6; 16] };
/// let (text, record) = create_token(&store, &hashes, &key, request, &ca_pin, &act, dice).await?;
///
/// assert_eq!(record.expires_at, now.after(Duration::from_secs(3600)));
/// assert_eq!(Token::parse(text.reveal(), &key)?.id(), record.id);
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
/// `AnyHost` or `Invalid` for what a token cannot be, `Hash` when the hashing threads are busy.
pub async fn create_token<S: Store + ?Sized>(
    store: &S,
    hashes: &HashPool,
    key: &TokenKey,
    request: TokenRequest,
    ca_pin: &Pin,
    act: &Act,
    dice: TokenDice,
) -> Result<(TokenText, TokenRecord), OperateError> {
    request.check()?;
    let note = words("note", &request.note)?;
    let (text, token) = Token::mint(key, dice.id, &dice.secret, ca_pin);
    let id = token.id();
    let record = TokenRecord {
        id,
        secret_hash: hashes.hash(token.into_secret(), dice.salt).await?,
        pattern: request.pattern,
        cidrs: request.cidrs,
        uses_allowed: request.uses.get(),
        uses: Vec::new(),
        created_at: act.now,
        expires_at: act.now.after(request.ttl),
        note,
        allow_replace: request.allow_replace,
        revocation: None,
        created_by: act.by.clone(),
    };
    let replace = if record.allow_replace { ", may replace" } else { "" };
    let detail = format!("{}, {} use(s), {} s{replace}", record.pattern, record.uses_allowed, request.ttl.as_secs());
    let audit = act.audit("token.create", &id, detail);
    let key = keyspace::token(&id);
    for _ in 0..ATTEMPTS {
        let transaction = Transaction::new().absent(key.clone()).put(key.clone(), record.encode());
        match act.commit(store, transaction, &audit).await? {
            Settled::Done => return Ok((text, record)),
            Settled::Again => {}
        }
    }
    Err(OperateError::Conflict)
}

/// Revokes a token. One that is revoked already stays as it is.
///
/// ```
/// # use vigo_core::{Pin, TokenId, UnixTime, store::MemoryStore};
/// # use vigo_enroll::{HashPool, token::TokenKey};
/// use vigo_enroll::operate::{Act, revoke_token};
/// # use vigo_enroll::operate::{TokenDice, TokenRequest, create_token};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let act = |byte| Act { by: "ada".to_owned(), now: UnixTime::from_secs(1_780_272_000), audit: [byte; 16] };
/// # let (store, hashes) = (MemoryStore::new(), HashPool::new(1.try_into()?, 8, 4)?);
/// # let (key, ca_pin) = (TokenKey::derive(&[1; 32]), Pin::from([2; 32]));
/// # let request = TokenRequest::new("web*.example.com".parse()?);
/// # let dice = TokenDice { id: [4; 16], secret: zeroize::Zeroizing::new([5; 32]), salt: [6; 16] };
/// # let (_, token) = create_token(&store, &hashes, &key, request, &ca_pin, &act(1), dice).await?;
/// let revoked = revoke_token(&store, &token.id, "sent to the wrong list", &act(2)).await?;
/// assert_eq!(revoked.revocation.map(|revocation| revocation.by), Some("ada".to_owned()));
///
/// let error = revoke_token(&store, &TokenId::from_random([9; 16]), "", &act(3)).await.unwrap_err();
/// assert_eq!(error.code(), "not_found");
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
/// `NotFound` where there is none, `Invalid` for an unfit reason.
pub async fn revoke_token<S: Store + ?Sized>(
    store: &S,
    id: &TokenId,
    reason: &str,
    act: &Act,
) -> Result<TokenRecord, OperateError> {
    let revocation = act.revocation(RevocationCause::Operator, reason)?;
    let key = keyspace::token(id);
    for _ in 0..ATTEMPTS {
        let Some((mut record, revision)) = read::<_, TokenRecord>(store, &key).await? else {
            return Err(OperateError::not_found("token", id));
        };
        if record.revocation.is_some() {
            return Ok(record);
        }
        record.revocation = Some(revocation.clone());
        let audit = act.audit("token.revoke", id, revocation.reason.clone());
        let transaction = Transaction::new().unchanged(key.clone(), revision).put(key.clone(), record.encode());
        match act.commit(store, transaction, &audit).await? {
            Settled::Done => return Ok(record),
            Settled::Again => {}
        }
    }
    Err(OperateError::Conflict)
}
