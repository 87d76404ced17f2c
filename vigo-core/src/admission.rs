use crate::{ClientAddr, EnvoyId, Hostname, IdentityKey, Pin, Serial, UnixTime};

/// Proof that an enrolment was approved for this key. Search for `assertion` to see who can mint one.
///
/// `vigo-enroll` grants it, `vigo-ca` takes it by value before it signs: one approval, one certificate.
#[derive(Debug, PartialEq, Eq)]
pub struct Admission {
    envoy: EnvoyId,
    hostname: Hostname,
    identity: IdentityKey,
    from: ClientAddr,
}

impl Admission {
    /// States that the rules admit `hostname`, as the envoy `envoy`, for the holder of `identity`.
    #[must_use]
    pub fn assertion(envoy: EnvoyId, hostname: Hostname, identity: IdentityKey, from: ClientAddr) -> Self {
        Self { envoy, hostname, identity, from }
    }

    /// The envoy that the certificate will name.
    #[must_use]
    pub fn envoy(&self) -> EnvoyId {
        self.envoy
    }

    /// The admitted name.
    #[must_use]
    pub fn hostname(&self) -> &Hostname {
        &self.hostname
    }

    /// The identity that the certificate will be tied to.
    #[must_use]
    pub fn identity(&self) -> &IdentityKey {
        &self.identity
    }

    /// Where the request came from.
    #[must_use]
    pub fn from(&self) -> ClientAddr {
        self.from
    }
}

/// A certificate that was issued for an envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// DER.
    pub der: Vec<u8>,
    /// Its serial number.
    pub serial: Serial,
    /// The pin of its public key.
    pub key_pin: Pin,
    /// The end of its validity.
    pub not_after: UnixTime,
}

/// Why a certificate was not issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The request is bad: the sender's fault, and the text may be shown to them.
    #[error("the certificate request is refused: {0}")]
    Request(String),
    /// There is no key to sign with.
    #[error("this server has no CA key, so it enrols nobody: set server.tls.ca_key_file")]
    NoKey,
    /// The authority failed: not the sender's fault.
    #[error("the certificate authority failed")]
    Authority(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Who signs certificates for admitted envoys: `vigo-ca`'s authority, or an embedder's own.
pub trait Issuer: Send + Sync {
    /// Checks the request without signing: size, key type, proof of possession.
    ///
    /// # Errors
    /// `Request` with what is wrong.
    fn check(&self, csr: &[u8]) -> Result<(), IssueError>;

    /// Issues the one certificate that `grant` allows, over the public key of `csr` and nothing else of it.
    /// `serial` is 16 random bytes.
    ///
    /// # Errors
    /// `Request` when the request is bad, `NoKey` and `Authority` when the issuer cannot sign.
    fn issue(
        &self,
        csr: &[u8],
        grant: Admission,
        serial: Serial,
        now: UnixTime,
    ) -> Result<IssuedCertificate, IssueError>;
}
