use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use vigo_core::{Admission, IssueError, IssuedCertificate, Issuer, Serial, ServerId, UnixTime};
use zeroize::Zeroizing;

use crate::key::P256Key;
use crate::peer::PeerError;
use crate::pem::{self, PemError};
use crate::plan::BACKDATED;
use crate::signer::{CaKey, CaSigner};
use crate::{PeerIdentity, Plan, PlanError, PrivateKeyError, Profile, Role, Root, RootError, VerifiedCsr};

/// How long a new authority is good: ten years.
const AUTHORITY_VALIDITY: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A fleet's certificate authority: one root, and the key that signs, unless it is kept elsewhere.
///
/// ```
/// use vigo_ca::{CaError, CertificateAuthority};
/// use vigo_core::{Serial, ServerId, UnixTime};
/// # let now = UnixTime::from_secs(1_780_272_000);
/// // Random bytes, in earnest.
/// let server = ServerId::from_random([1; 16]);
/// let made = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
///
/// // Kept in two files, it is the same authority after a restart.
/// let (cert, key) = (made.cert_pem(), made.key_pem().expect("the key is here"));
/// assert_eq!(CertificateAuthority::load(&cert, Some(&key), &server, now)?.root(), made.root());
///
/// // Without its key it signs nothing; another fleet does not take it.
/// assert!(!CertificateAuthority::load(&cert, None, &server, now)?.can_sign());
/// let other = ServerId::from_random([9; 16]);
/// let refused = CertificateAuthority::load(&cert, Some(&key), &other, now);
/// assert!(matches!(refused, Err(CaError::OtherFleet { .. })));
/// # Ok::<(), CaError>(())
/// ```
pub struct CertificateAuthority {
    root: Root,
    profile: Profile,
    key: Option<CaKey>,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// The CA file is not PEM.
    #[error("the CA certificate cannot be read: {0}")]
    Pem(#[from] PemError),
    /// The CA file holds several certificates.
    #[error("the CA file holds {0} certificates: leave the one that signs")]
    Many(usize),
    /// The certificate is none of a CA.
    #[error("the CA certificate is refused: {0}")]
    Root(#[from] RootError),
    /// The key file is no P-256 key.
    #[error("the CA key cannot be used: {0}")]
    Key(#[from] PrivateKeyError),
    /// The key is another certificate's.
    #[error("the CA key does not belong to the CA certificate: restore the two files that were made together")]
    Mismatch,
    /// The certificate is past its end, or before its start.
    #[error("the CA certificate is not valid now: check this machine's clock; if it is right, the CA must be replaced")]
    NotValidNow,
    /// The certificate names another fleet.
    #[error("the CA certificate is of the fleet {found}, this server is of the fleet {expected}")]
    OtherFleet {
        /// The fleet that was asked for.
        expected: ServerId,
        /// The fleet in the certificate.
        found: ServerId,
    },
    /// The certificate could not be made.
    #[error("the CA certificate could not be made: {0}")]
    Plan(#[from] PlanError),
    /// The key lies elsewhere, and did not sign.
    #[error("the CA key did not sign: {0}")]
    Signer(#[source] Box<dyn Error + Send + Sync>),
}

/// Why a certificate was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// This server has the CA's certificate, but not its key.
    #[error("this server has no CA key")]
    NoKey,
    /// The authority's own certificate is expired, or not yet good.
    #[error("the CA certificate is not valid now, and cannot vouch for others")]
    NotValidNow,
    /// One key for two jobs.
    #[error("the certificate request is made with the identity key: TLS needs a key of its own")]
    IdentityKey,
    /// The certificate could not be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The key lies elsewhere, and did not sign.
    #[error("the CA key did not sign: {0}")]
    Signer(#[source] Box<dyn Error + Send + Sync>),
    /// What came back is not a signature by the CA's key over the certificate.
    #[error("the signature that came back is not the CA key's")]
    BadSignature,
    /// The certificate that was made is not one that a server of this fleet would accept. A fault, never the sender's.
    #[error("the certificate that was made is not an envoy's: {0}")]
    Unusable(#[from] PeerError),
}

impl CertificateAuthority {
    /// A new authority for a new fleet, in memory: P-256, path length 0, good for ten years.
    ///
    /// # Errors
    /// When no key can be generated, or `now` is near the year 9999.
    pub fn create(server: &ServerId, serial: Serial, now: UnixTime) -> Result<Self, CaError> {
        Self::create_by(CaKey::Held(Box::new(P256Key::generate()?)), server, serial, now)
    }

    /// The same with a key that lies elsewhere. Keep [`cert_pem`](Self::cert_pem): the authority is made once, and loaded
    /// from then on.
    ///
    /// # Errors
    /// `Signer` when it does not sign, `Root` when its signature does not fit its public key, and `Plan` as above.
    pub fn create_with_signer(
        signer: Arc<dyn CaSigner>,
        server: &ServerId,
        serial: Serial,
        now: UnixTime,
    ) -> Result<Self, CaError> {
        Self::create_by(CaKey::elsewhere(signer), server, serial, now)
    }

    fn create_by(key: CaKey, server: &ServerId, serial: Serial, now: UnixTime) -> Result<Self, CaError> {
        let plan = Plan {
            serial,
            common_name: format!("Vigo CA {server}"),
            role: Role::Authority { uri: Root::uri(server) },
            key_pin: key.pin(),
            not_before: now.before(BACKDATED),
            not_after: now.after(AUTHORITY_VALIDITY),
        };
        let lent = key.lend();
        let certificate = plan.self_sign(&lent).map_err(|error| match lent.failure() {
            Some(failure) => CaError::Signer(failure),
            None => error.into(),
        })?;
        Self::assemble(&certificate, Some(key), server, now)
    }

    /// The authority whose certificate, and key if there is one, are these texts. Without a key it can say who signed,
    /// and sign nothing.
    ///
    /// # Errors
    /// When the files are no CA of this fleet, do not belong together, or are not valid at `now`.
    pub fn load(cert_pem: &str, key_pem: Option<&str>, server: &ServerId, now: UnixTime) -> Result<Self, CaError> {
        let certificate = one_certificate(cert_pem)?;
        let key = key_pem.map(P256Key::from_pem).transpose()?;
        Self::assemble(&certificate, key.map(|key| CaKey::Held(Box::new(key))), server, now)
    }

    /// The authority whose certificate is this text, and whose key lies elsewhere. Nothing is signed yet.
    ///
    /// # Errors
    /// As [`load`](Self::load); `Mismatch` when the key that lies elsewhere is not the certificate's.
    pub fn load_with_signer(
        cert_pem: &str,
        signer: Arc<dyn CaSigner>,
        server: &ServerId,
        now: UnixTime,
    ) -> Result<Self, CaError> {
        Self::assemble(&one_certificate(cert_pem)?, Some(CaKey::elsewhere(signer)), server, now)
    }

    fn assemble(
        certificate: &CertificateDer<'_>,
        key: Option<CaKey>,
        server: &ServerId,
        now: UnixTime,
    ) -> Result<Self, CaError> {
        let root = Root::from_der(certificate)?;
        if let Some(found) = root.server.filter(|found| found != server) {
            return Err(CaError::OtherFleet { expected: *server, found });
        }
        if key.as_ref().is_some_and(|key| key.pin() != root.pin) {
            return Err(CaError::Mismatch);
        }
        if !root.is_valid_at(now) {
            return Err(CaError::NotValidNow);
        }
        if let Some(key) = &key {
            // What cannot be read as an issuer is found now, not at the first enrolment.
            rcgen::Issuer::from_ca_cert_der(certificate, key.lend()).map_err(PlanError::make)?;
        }
        let profile = Profile { server: *server, validity: Profile::DEFAULT_VALIDITY, ceiling: root.not_after };
        Ok(Self { root, profile, key })
    }

    /// The same authority, whose certificates for envoys are good for `validity`.
    #[must_use]
    pub fn with_validity(mut self, validity: Duration) -> Self {
        self.profile.validity = validity;
        self
    }

    /// What envoys' certificates have in common.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The root that envoys trust.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The fleet.
    #[must_use]
    pub fn server(&self) -> ServerId {
        self.profile.server
    }

    /// Whether it has its key, here or elsewhere.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.key.is_some()
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn cert_pem(&self) -> String {
        self.root.pem()
    }

    /// The key as PEM, for a file that only its owner may read; none where it lies elsewhere.
    #[must_use]
    pub fn key_pem(&self) -> Option<Zeroizing<String>> {
        match &self.key {
            Some(CaKey::Held(key)) => Some(key.to_pem()),
            Some(CaKey::Elsewhere { .. }) | None => None,
        }
    }

    /// One approval, one certificate: the grant is taken by value, and the certificate is tied to its identity key.
    ///
    /// # Errors
    /// `IdentityKey` is the sender's fault; all others are this side's.
    #[expect(clippy::needless_pass_by_value, reason = "a grant that was used is gone, so none is used twice")]
    pub fn sign(
        &self,
        csr: &VerifiedCsr,
        grant: Admission,
        serial: Serial,
        now: UnixTime,
    ) -> Result<IssuedCertificate, SignError> {
        if csr.is_key_of(grant.identity()) {
            return Err(SignError::IdentityKey);
        }
        let plan = self.profile.plan(csr, &grant, serial, now);
        let der = self.sign_plan(&plan, csr.key(), now)?;
        let made = PeerIdentity::from_certificate(&der)?;
        if made.envoy != grant.envoy() || made.serial != serial || made.key_pin != csr.key_pin() {
            return Err(SignError::Unusable(PeerError::Name));
        }
        Ok(IssuedCertificate { der: der.to_vec(), serial, key_pin: made.key_pin, not_after: made.not_after })
    }

    /// Signs a plan, if there is a key and the root is good at `now`.
    pub(crate) fn sign_plan(
        &self,
        plan: &Plan,
        key: &impl rcgen::PublicKeyData,
        now: UnixTime,
    ) -> Result<CertificateDer<'static>, SignError> {
        let ca_key = self.key.as_ref().ok_or(SignError::NoKey)?;
        if !self.root.is_valid_at(now) {
            return Err(SignError::NotValidNow);
        }
        let root = CertificateDer::from(self.root.der.as_slice());
        let issuer = rcgen::Issuer::from_ca_cert_der(&root, ca_key.lend()).map_err(PlanError::make)?;
        let der = plan.sign(key, &issuer).map_err(|error| match issuer.key().failure() {
            Some(failure) => SignError::Signer(failure),
            None => error.into(),
        })?;
        match ca_key {
            CaKey::Elsewhere { .. } if !self.root.signed(&der) => Err(SignError::BadSignature),
            CaKey::Elsewhere { .. } | CaKey::Held(_) => Ok(der),
        }
    }
}

fn one_certificate(pem: &str) -> Result<CertificateDer<'static>, CaError> {
    match <[_; 1]>::try_from(pem::certificates(pem)?) {
        Ok([certificate]) => Ok(certificate),
        Err(certificates) => Err(CaError::Many(certificates.len())),
    }
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateAuthority")
            .field("root", &self.root.pin)
            .field("profile", &self.profile)
            .field("can_sign", &self.can_sign())
            .finish()
    }
}

impl Issuer for CertificateAuthority {
    fn check(&self, csr: &[u8]) -> Result<(), IssueError> {
        VerifiedCsr::from_der(csr).map(drop).map_err(|error| IssueError::Request(error.to_string()))
    }

    fn issue(
        &self,
        csr: &[u8],
        grant: Admission,
        serial: Serial,
        now: UnixTime,
    ) -> Result<IssuedCertificate, IssueError> {
        let csr = VerifiedCsr::from_der(csr).map_err(|error| IssueError::Request(error.to_string()))?;
        self.sign(&csr, grant, serial, now).map_err(|error| match error {
            SignError::NoKey => IssueError::NoKey,
            SignError::IdentityKey => IssueError::Request(error.to_string()),
            SignError::NotValidNow
            | SignError::Plan(_)
            | SignError::Signer(_)
            | SignError::BadSignature
            | SignError::Unusable(_) => IssueError::Authority(Box::new(error)),
        })
    }
}
