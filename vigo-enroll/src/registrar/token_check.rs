//! The check of a token: MAC, look-up, at most one bcrypt.

use vigo_core::keyspace;
use vigo_core::record::{Record, TokenRecord};
use vigo_core::store::{Revision, Store};
use vigo_core::{ClientAddr, TokenText, UnixTime};

use super::Registrar;
use super::read::damaged;
use crate::facts::TokenFact;
use crate::hash_pool::HashError;
use crate::refusal::Reason;
use crate::token::{Token, TokenError};

/// What was found out about a token's secret; remembered over the attempts of one registration, so that a conflict in
/// the store never costs a second bcrypt.
pub(super) struct TokenCheck {
    limited: Limited,
    spent: Option<Spent>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Limited {
    PerAddress,
    No,
}

enum Spent {
    Dummy,
    Verified { hash: String, fits: bool },
}

impl TokenCheck {
    pub(super) fn limited() -> Self {
        Self { limited: Limited::PerAddress, spent: None }
    }

    /// For an operator who asks in a host's name.
    pub(super) fn unlimited() -> Self {
        Self { limited: Limited::No, spent: None }
    }
}

impl<S: Store + ?Sized> Registrar<S> {
    /// What is known of a token, and the commit that wrote its record.
    pub(super) async fn token_fact(
        &self,
        text: Option<&TokenText>,
        check: &mut TokenCheck,
        from: ClientAddr,
        now: UnixTime,
    ) -> Result<(TokenFact, Option<Revision>), Reason> {
        let Some(text) = text else { return Ok((TokenFact::None, None)) };
        let token = match Token::parse(text.reveal(), &self.tokens) {
            Ok(token) => token,
            Err(TokenError::Malformed) => return Ok((TokenFact::Malformed, None)),
            Err(TokenError::Forged) => return Ok((TokenFact::Forged, None)),
        };
        if check.limited == Limited::PerAddress && check.spent.is_none() {
            self.token_checks.take(from.limit_key(), now).map_err(|wait_secs| Reason::RateLimited { wait_secs })?;
        }
        let id = token.id();
        let Some(entry) = self.store.get(keyspace::token(&id).as_bytes()).await? else {
            if check.spent.is_none() {
                check.spent = Some(Spent::Dummy);
                self.hashes.dummy(token.into_secret()).await?;
            }
            return Ok((TokenFact::Unknown(id), None));
        };
        let record = TokenRecord::decode(&entry.value).map_err(|error| damaged(&error))?;
        let fits = match &check.spent {
            None => {
                let fits = self.hashes.verify(token.into_secret(), record.secret_hash.clone()).await?;
                check.spent = Some(Spent::Verified { hash: record.secret_hash.clone(), fits });
                fits
            }
            Some(Spent::Verified { hash, fits }) if *hash == record.secret_hash => *fits,
            // The record came or changed while we looked: the one bcrypt is spent, so ask again.
            Some(Spent::Dummy | Spent::Verified { .. }) => return Err(Reason::Busy),
        };
        let fact = if fits { TokenFact::Proved(Box::new(record)) } else { TokenFact::WrongSecret(id) };
        Ok((fact, Some(entry.revision)))
    }
}

impl From<HashError> for Reason {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            HashError::Gone | HashError::Damaged => Self::Unavailable(error.to_string()),
        }
    }
}
