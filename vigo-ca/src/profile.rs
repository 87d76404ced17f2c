use std::time::Duration;

use vigo_core::{Admission, Serial, ServerId, UnixTime};

use crate::plan::BACKDATED;
use crate::{Plan, Role, VerifiedCsr, peer};

/// What the certificates of a fleet's envoys have in common.
///
/// ```
/// use std::time::Duration;
/// use vigo_ca::{CertificateAuthority, ClientRequest, VerifiedCsr};
/// # use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret, Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let identity = IdentitySecret::from_seed(&zeroize::Zeroizing::new([3; 32])).public();
/// # let from = ClientAddr::new("192.0.2.7".parse()?);
/// # let grant = Admission::assertion(EnvoyId::from_random([2; 16]), "web3.example.com".parse()?, identity, from);
/// # let csr = VerifiedCsr::from_der(ClientRequest::generate()?.csr())?;
/// let (day, year) = (Duration::from_secs(24 * 3600), Duration::from_secs(365 * 24 * 3600));
/// let authority = CertificateAuthority::create(&server, Serial::from_random([4; 16]), now)?.with_validity(30 * day);
/// let ends = |at| authority.profile().plan(&csr, &grant, Serial::from_random([5; 16]), at).not_after;
/// assert_eq!(ends(now), now.after(30 * day));
///
/// // Never longer than the authority, which was made for ten years.
/// assert_eq!(ends(now.after(10 * year - day)), authority.root().not_after);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub(crate) server: ServerId,
    pub(crate) validity: Duration,
    pub(crate) ceiling: UnixTime,
}

impl Profile {
    /// How long a certificate is good when nothing else is said: 8760 hours.
    pub const DEFAULT_VALIDITY: Duration = Duration::from_secs(8760 * 3600);

    /// How long certificates are good.
    #[must_use]
    pub const fn validity(&self) -> Duration {
        self.validity
    }

    /// Exactly what will be signed. The request gives its public key and nothing else.
    #[must_use]
    pub fn plan(&self, csr: &VerifiedCsr, grant: &Admission, serial: Serial, now: UnixTime) -> Plan {
        Plan {
            serial,
            common_name: grant.envoy().to_string(),
            role: Role::Envoy { uri: peer::uri(&self.server, grant.envoy(), grant.identity()) },
            key_pin: csr.key_pin(),
            not_before: now.before(BACKDATED),
            not_after: now.after(self.validity).min(self.ceiling),
        }
    }
}
