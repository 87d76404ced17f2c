//! Passwords: argon2id (RFC 9106), a few at a time.

use std::num::NonZeroUsize;
use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::access::AccessError;
use crate::clock;

/// A password as somebody typed it.
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    /// Characters that a new one has at least.
    const SHORTEST: usize = 12;
    /// Characters that a new one has at most.
    const LONGEST: usize = 256;
    /// Bytes of what is typed that are looked at.
    const MOST: usize = Self::LONGEST * 4;

    /// Whatever was typed, to be compared.
    pub(crate) fn typed(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// One that an account may have.
    pub(crate) fn chosen(text: String) -> Result<Self, AccessError> {
        let password = Self::typed(text);
        if !(Self::SHORTEST..=Self::LONGEST).contains(&password.0.chars().count()) {
            return Err(AccessError::Invalid(format!(
                "a password has at least {} characters and at most {}",
                Self::SHORTEST,
                Self::LONGEST
            )));
        }
        Ok(password)
    }

    /// A new one of 120 random bits, and its text to be shown once.
    pub(crate) fn drawn() -> (Self, Zeroizing<String>) {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*Zeroizing::new(clock::random::<15>())));
        (Self(text.clone()), text)
    }
}

/// Hashes and compares passwords: as many at once as half of the cores, and the same time for an account that there is
/// not.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    waiting: Semaphore,
    /// Of a password that nobody knows.
    nobodys: String,
}

/// What may wait for a core; behind the throttle, so this bounds memory alone.
const QUEUE: usize = 64;

impl Passwords {
    pub(crate) fn new() -> Result<Self, argon2::password_hash::Error> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            permits: Arc::new(Semaphore::new((cores / 2).max(1))),
            waiting: Semaphore::new(QUEUE),
            nobodys: hash(&Password(Zeroizing::new(hex::encode(clock::random::<32>()))))?,
        })
    }

    /// The hash of a password, in PHC's string format.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, AccessError> {
        self.run(move || hash(&password)).await?.map_err(|error| AccessError::Invalid(error.to_string()))
    }

    /// Whether a password is the one that was hashed; `None`: there is no account, which takes as long.
    pub(crate) async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, AccessError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys.clone());
        let fits = self.run(move || {
            if password.0.len() > Password::MOST {
                return Ok(false);
            }
            let hash = PasswordHash::new(&hash)?;
            Ok::<_, argon2::password_hash::phc::Error>(
                Argon2::default().verify_password(password.0.as_bytes(), &hash).is_ok(),
            )
        });
        Ok(fits.await?.map_err(|_| super::keep::damaged("password hash"))? && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccessError> {
        let _place = self.waiting.try_acquire().map_err(|_| AccessError::Busy)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| AccessError::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(|_| AccessError::Busy)
    }
}

fn hash(password: &Password) -> Result<String, argon2::password_hash::Error> {
    let salt: [u8; 16] = clock::random();
    Ok(Argon2::default().hash_password_with_salt(password.0.as_bytes(), &salt)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_the_one_that_was_hashed_or_not() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash(Password::chosen("correct horse".into()).unwrap()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        for (typed, known, fits) in
            [("correct horse", true, true), ("correct horsf", true, false), ("", true, false), ("any", false, false)]
        {
            let kept = known.then(|| hash.clone());
            assert_eq!(passwords.verify(Password::typed(typed.into()), kept).await.unwrap(), fits, "{typed}");
        }
        let long = Password::typed("x".repeat(Password::MOST + 1));
        assert!(!passwords.verify(long, Some(hash)).await.unwrap());
        assert!(passwords.verify(Password::typed("any".into()), Some("no hash".into())).await.is_err());
    }

    #[test]
    fn what_is_chosen_has_a_least_length() {
        for (text, good) in [("elevenchars", false), ("twelve chars", true), ("zwölf Zeiche", true)] {
            assert_eq!(Password::chosen(text.into()).is_ok(), good, "{text}");
        }
        assert!(Password::chosen("x".repeat(Password::LONGEST + 1)).is_err());
        assert_ne!(*Password::drawn().1, *Password::drawn().1);
    }
}
