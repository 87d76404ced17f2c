use crate::{ClientAddr, EnvoyId, Hostname, IdentityKey, Pin, Serial, UnixTime};

/// Proof that an enrolment was approved for this key. Search for `assertion` to see who can mint one.
///
/// `vigo-enroll` grants it, `vigo-ca` takes it by value before it signs: one approval, one certificate.
///
/// ```
/// use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret};
/// # let identity = IdentitySecret::from_seed(&zeroize::Zeroizing::new([1; 32])).public();
/// let from = ClientAddr::new("192.0.2.7".parse()?);
/// let grant = Admission::assertion(EnvoyId::from_random([2; 16]), "web3.example.com".parse()?, identity, from);
/// assert_eq!(grant.hostname().as_str(), "web3.example.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It cannot be copied, so it is used once:
///
/// ```compile_fail,E0382
/// # fn issue(_: vigo_core::Admission) {}
/// # fn twice(grant: vigo_core::Admission) {
/// issue(grant);
/// issue(grant);
/// # }
/// ```
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
///
/// ```
/// use vigo_core::{Admission, IssueError, IssuedCertificate, Issuer, Serial, UnixTime};
/// /// Another issuer, for hosts of one domain alone.
/// struct Within<I>(I, &'static str);
///
/// impl<I: Issuer> Issuer for Within<I> {
///     fn check(&self, csr: &[u8]) -> Result<(), IssueError> {
///         self.0.check(csr)
///     }
///     fn issue(
///         &self,
///         csr: &[u8],
///         grant: Admission,
///         serial: Serial,
///         now: UnixTime,
///     ) -> Result<IssuedCertificate, IssueError> {
///         if !grant.hostname().as_str().ends_with(self.1) {
///             return Err(IssueError::Request(format!("{} is not of our domain", grant.hostname())));
///         }
///         self.0.issue(csr, grant, serial, now)
///     }
/// }
/// # struct Keyless;
/// # impl Issuer for Keyless {
/// #     fn check(&self, _: &[u8]) -> Result<(), IssueError> { Ok(()) }
/// #     fn issue(&self, _: &[u8], _: Admission, _: Serial, _: UnixTime) -> Result<IssuedCertificate, IssueError> {
/// #         Err(IssueError::NoKey)
/// #     }
/// # }
/// # let ask = |name: &str| {
/// #     let identity = vigo_core::IdentitySecret::from_seed(&zeroize::Zeroizing::new([1; 32])).public();
/// #     let from = vigo_core::ClientAddr::new([192, 0, 2, 7].into());
/// #     let envoy = vigo_core::EnvoyId::from_random([2; 16]);
/// #     let grant = Admission::assertion(envoy, name.parse().unwrap(), identity, from);
/// #     let (issuer, serial) = (Within(Keyless, ".example.com"), Serial::from_random([3; 16]));
/// #     issuer.check(&[]).and_then(|()| issuer.issue(&[], grant, serial, UnixTime::from_secs(0)))
/// # };
/// assert!(matches!(ask("web3.example.net"), Err(IssueError::Request(_))));
/// # assert!(matches!(ask("web3.example.com"), Err(IssueError::NoKey)));
/// ```
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
