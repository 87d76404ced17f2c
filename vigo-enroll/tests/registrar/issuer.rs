//! An issuer that signs nothing: its certificates say what they were issued for, and it counts them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vigo_core::{Admission, IssueError, IssuedCertificate, Issuer, Pin, Serial, UnixTime};

/// What every good certificate request begins with.
const GOOD: &[u8] = b"csr ";

/// What an issuer is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    Good,
    /// It has no key to sign with.
    Keyless,
    /// Its key is somewhere that does not answer.
    Failing,
}

/// The issuer.
pub(crate) struct FakeIssuer {
    temper: Temper,
    checked: AtomicU64,
    issued: AtomicU64,
}

impl FakeIssuer {
    pub(crate) fn new(temper: Temper) -> Self {
        Self { temper, checked: AtomicU64::new(0), issued: AtomicU64::new(0) }
    }

    /// How many requests it was shown.
    pub(crate) fn checked(&self) -> u64 {
        self.checked.load(Ordering::SeqCst)
    }

    /// How many certificates it made.
    pub(crate) fn issued(&self) -> u64 {
        self.issued.load(Ordering::SeqCst)
    }
}

impl Issuer for FakeIssuer {
    fn check(&self, csr: &[u8]) -> Result<(), IssueError> {
        self.checked.fetch_add(1, Ordering::SeqCst);
        if csr.starts_with(GOOD) { Ok(()) } else { Err(IssueError::Request("no possession is proved".to_owned())) }
    }

    fn issue(
        &self,
        csr: &[u8],
        grant: Admission,
        serial: Serial,
        now: UnixTime,
    ) -> Result<IssuedCertificate, IssueError> {
        match self.temper {
            Temper::Good => {}
            Temper::Keyless => return Err(IssueError::NoKey),
            Temper::Failing => return Err(IssueError::Authority("the key lies behind a dead socket".into())),
        }
        self.issued.fetch_add(1, Ordering::SeqCst);
        let key_pin = Pin::of_spki(csr);
        let text = format!("{serial}: {} is {} for {key_pin} at {}", grant.envoy(), grant.identity(), grant.hostname());
        let not_after = now.after(Duration::from_secs(30 * 24 * 3600));
        Ok(IssuedCertificate { der: text.into_bytes(), serial, key_pin, not_after })
    }
}
