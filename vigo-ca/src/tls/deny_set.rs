use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use vigo_core::{EnvoyId, IdentityKey, Serial};

use crate::PeerIdentity;

/// Who is refused though their certificates are good: looked at in every handshake, and by servers in every request,
/// because a connection outlives the handshake. Nothing ever leaves it.
///
/// ```
/// use vigo_ca::{PeerIdentity, tls::DenySet};
/// # use vigo_ca::{CertificateAuthority, ClientRequest, VerifiedCsr, pem};
/// # use vigo_core::{Admission, ClientAddr, EnvoyId, IdentitySecret, Serial, ServerId, UnixTime};
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(1_780_272_000));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// # let identity = IdentitySecret::from_seed(&zeroize::Zeroizing::new([4; 32])).public();
/// # let from = ClientAddr::new("192.0.2.7".parse()?);
/// # let grant = Admission::assertion(EnvoyId::from_random([5; 16]), "web3.example.com".parse()?, identity, from);
/// # let request = ClientRequest::generate()?;
/// # let csr = VerifiedCsr::from_der(request.csr())?;
/// # let issued = authority.sign(&csr, grant, Serial::from_random([6; 16]), now)?;
/// # let (cert_pem, key_pem) = (pem::encode_certificate(&issued.der), request.key_pem());
/// let peer = PeerIdentity::from_certificate(&issued.der)?;
/// let deny = DenySet::new();
/// assert!(!deny.denies(&peer));
/// // Whatever certificate the envoy gets from somewhere.
/// deny.deny_envoy(peer.envoy);
/// assert!(deny.denies(&peer));
/// assert!(deny.denies(&PeerIdentity { serial: Serial::from_random([9; 16]), ..peer }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct DenySet(RwLock<Denied>);

#[derive(Debug, Default)]
struct Denied {
    envoys: HashSet<EnvoyId>,
    serials: HashSet<Serial>,
    identities: HashSet<[u8; 32]>,
}

impl DenySet {
    /// Nobody is refused yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses an envoy, whatever its certificate.
    pub fn deny_envoy(&self, envoy: EnvoyId) {
        self.change(|denied| denied.envoys.insert(envoy));
    }

    /// Refuses one certificate.
    pub fn deny_serial(&self, serial: Serial) {
        self.change(|denied| denied.serials.insert(serial));
    }

    /// Refuses every certificate that is tied to this identity key.
    pub fn deny_identity(&self, identity: &IdentityKey) {
        self.change(|denied| denied.identities.insert(PeerIdentity::digest_of(identity)));
    }

    /// Whether this peer is refused.
    #[must_use]
    pub fn denies(&self, peer: &PeerIdentity) -> bool {
        // A panic elsewhere cannot leave a set half changed, and a set that cannot be read must not mean "allowed".
        let denied = self.0.read().unwrap_or_else(PoisonError::into_inner);
        denied.envoys.contains(&peer.envoy)
            || denied.serials.contains(&peer.serial)
            || denied.identities.contains(&peer.identity_digest)
    }

    fn change(&self, change: impl FnOnce(&mut Denied) -> bool) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}
