use std::time::Duration;

use vigo_core::{Admission, Serial, ServerId, UnixTime};

use crate::plan::BACKDATED;
use crate::{Plan, Role, VerifiedCsr, peer};

/// What the certificates of a fleet's envoys have in common.
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
