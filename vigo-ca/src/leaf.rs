use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use vigo_core::{Pin, Serial, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

use crate::key::P256Key;
use crate::pem::{self, PemError};
use crate::plan::BACKDATED;
use crate::root::validity;
use crate::{CertificateAuthority, Plan, PlanError, PrivateKeyError, Role, SignError, SubjectName};

/// The longest that a server's certificate is good, as browsers want it.
const LEAF_VALIDITY: Duration = Duration::from_secs(397 * 24 * 3600);

/// A server's certificate with its key, and the chain that it sends: the certificate, then the root.
///
/// The root is sent so that a first contact can compare it with a pin and keep it.
///
/// ```
/// use vigo_ca::{CertificateAuthority, ServerLeaf, SubjectName};
/// use vigo_core::{Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// let names: [SubjectName; 1] = ["vigo.example.com".parse()?];
/// let leaf = authority.issue_leaf(&names, None, Serial::from_random([3; 16]), now)?;
/// assert!(!leaf.needs_renewal(&names, now));
/// assert!(leaf.needs_renewal(&["vigo.example.net".parse()?], now));
///
/// let loaded = ServerLeaf::load(&leaf.cert_pem(), &leaf.key_pem())?;
/// assert_eq!((loaded.pin(), loaded.names()), (leaf.pin(), &names[..]));
/// assert!(loaded.is_issued_by(&authority));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServerLeaf {
    chain: Vec<CertificateDer<'static>>,
    key: P256Key,
    names: Vec<SubjectName>,
    not_before: UnixTime,
    not_after: UnixTime,
}

/// Why there is no certificate for the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// No name and no address to certify.
    #[error("a server's certificate needs a name or an address")]
    NoNames,
    /// The certificate file is not PEM.
    #[error("the server's certificate cannot be read: {0}")]
    Pem(#[from] PemError),
    /// The certificate cannot be parsed.
    #[error("the server's certificate is not an X.509 certificate")]
    Malformed,
    /// The key cannot be used.
    #[error("the server's key cannot be used: {0}")]
    Key(#[from] PrivateKeyError),
    /// The key is another certificate's.
    #[error("the server's key does not belong to its certificate: restore the two files that were made together")]
    Mismatch,
    /// The authority did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl CertificateAuthority {
    /// Issues the server's certificate for these names and addresses, good for at most 397 days.
    ///
    /// With `key`, the PEM of the key that the server had before, its pin stays what it was: people have it in the
    /// line that they type. Without, a key is made.
    ///
    /// # Errors
    /// When there is no name, the key is no P-256 key, or the authority cannot sign.
    pub fn issue_leaf(
        &self,
        names: &[SubjectName],
        key: Option<&str>,
        serial: Serial,
        now: UnixTime,
    ) -> Result<ServerLeaf, LeafError> {
        if !self.can_sign() {
            return Err(SignError::NoKey.into());
        }
        let key = match key {
            Some(text) => P256Key::from_pem(text)?,
            None => P256Key::generate()?,
        };
        let mut unique: Vec<SubjectName> = Vec::new();
        for name in names {
            if !unique.contains(name) {
                unique.push(name.clone());
            }
        }
        if unique.is_empty() {
            return Err(LeafError::NoNames);
        }
        let plan = Plan {
            serial,
            common_name: "Vigo server".to_owned(),
            role: Role::Server { names: unique.clone() },
            key_pin: key.pin(),
            not_before: now.before(BACKDATED),
            // The five minutes before `now` count.
            not_after: now.before(BACKDATED).after(LEAF_VALIDITY).min(self.root().not_after),
        };
        let leaf = self.sign_plan(&plan, &key, now)?;
        let chain = vec![leaf, CertificateDer::from(self.root().der.clone())];
        Ok(ServerLeaf { chain, key, names: unique, not_before: plan.not_before, not_after: plan.not_after })
    }
}

impl ServerLeaf {
    /// Reads a chain, the server's own certificate first, and its key.
    ///
    /// # Errors
    /// When one of them cannot be read, or they do not belong together.
    pub fn load(chain_pem: &str, key_pem: &str) -> Result<Self, LeafError> {
        let chain = pem::certificates(chain_pem)?;
        let key = P256Key::from_pem(key_pem)?;
        let leaf = chain.first().ok_or(LeafError::Malformed)?;
        let (rest, certificate) = X509Certificate::from_der(leaf).map_err(|_| LeafError::Malformed)?;
        if !rest.is_empty() {
            return Err(LeafError::Malformed);
        }
        if Pin::of_spki(certificate.public_key().raw) != key.pin() {
            return Err(LeafError::Mismatch);
        }
        let (not_before, not_after) = validity(&certificate).ok_or(LeafError::Malformed)?;
        let names = match certificate.subject_alternative_name().map_err(|_| LeafError::Malformed)? {
            Some(names) => names.value.general_names.iter().filter_map(subject_name).collect(),
            None => Vec::new(),
        };
        Ok(Self { chain, key, names, not_before, not_after })
    }

    /// The chain that the server sends, its own certificate first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The chain as PEM.
    #[must_use]
    pub fn cert_pem(&self) -> String {
        self.chain.iter().map(|certificate| pem::encode_certificate(certificate)).collect()
    }

    /// The key, for a TLS library. Whoever takes it has to wipe it.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.to_der()
    }

    /// The key as PEM, for a file that only its owner may read.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        self.key.to_pem()
    }

    /// The pin of the key: what `curl --pinnedpubkey` is given.
    #[must_use]
    pub fn pin(&self) -> Pin {
        self.key.pin()
    }

    /// The names and addresses that it is for.
    #[must_use]
    pub fn names(&self) -> &[SubjectName] {
        &self.names
    }

    /// The end of its validity.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// Whether it is time for another: a name is missing, it is not good at `now`, or less than a third of its life
    /// is left.
    #[must_use]
    pub fn needs_renewal(&self, names: &[SubjectName], now: UnixTime) -> bool {
        let life = self.not_after.since(self.not_before);
        now < self.not_before
            || self.not_after.since(now) < life / 3
            || names.iter().any(|name| !self.names.contains(name))
    }

    /// Whether it was issued by this authority's key.
    #[must_use]
    pub fn is_issued_by(&self, authority: &CertificateAuthority) -> bool {
        self.chain.first().is_some_and(|leaf| authority.root().signed(leaf))
    }
}

impl std::fmt::Debug for ServerLeaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { chain: _, key: _, names, not_before, not_after } = self;
        f.debug_struct("ServerLeaf")
            .field("names", names)
            .field("pin", &self.pin())
            .field("not_before", not_before)
            .field("not_after", not_after)
            .finish_non_exhaustive()
    }
}

fn subject_name(name: &GeneralName<'_>) -> Option<SubjectName> {
    match name {
        GeneralName::DNSName(name) => name.parse().ok().map(SubjectName::Dns),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|b| SubjectName::Ip(IpAddr::V4(Ipv4Addr::from(b)))),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|b| SubjectName::Ip(IpAddr::V6(Ipv6Addr::from(b)))),
        },
        _ => None,
    }
}

impl From<PlanError> for LeafError {
    fn from(error: PlanError) -> Self {
        Self::Sign(error.into())
    }
}
