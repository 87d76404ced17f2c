//! Which signed build is offered for each system, as replies name it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use vigo_core::{AgentTarget, AgentVersion, Platform};

/// What replies say may be fetched.
#[derive(Debug, Default)]
pub struct Offers {
    signed: ArcSwap<Vec<(AgentTarget, AgentVersion)>>,
    refused: Mutex<BTreeMap<AgentTarget, String>>,
}

impl Offers {
    /// The version for an envoy's system, as it names that itself.
    #[must_use]
    pub fn version(&self, platform: &Platform) -> Option<AgentVersion> {
        let signed = self.signed.load();
        let found = signed.iter().find(|(target, _)| target.os() == platform.os && target.arch() == platform.arch);
        found.map(|(_, version)| version.clone())
    }

    /// Takes what was found, and logs what changed.
    pub(crate) fn replace(&self, found: Vec<(AgentTarget, Result<AgentVersion, String>)>) {
        let mut signed = Vec::new();
        let mut refused = BTreeMap::new();
        for (target, build) in found {
            match build {
                Ok(version) => signed.push((target, version)),
                Err(why) => drop(refused.insert(target, why)),
            }
        }
        let before = self.signed.load();
        for (target, version) in signed.iter().filter(|build| !before.contains(build)) {
            tracing::info!(%target, %version, "offering an agent");
        }
        for (target, _) in before.iter().filter(|(target, _)| signed.iter().all(|(now, _)| now != target)) {
            tracing::info!(%target, "no longer offering an agent");
        }
        let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for (target, why) in refused.iter().filter(|(target, why)| known.get(target) != Some(why)) {
            tracing::warn!(%target, "{why}");
        }
        *known = refused;
        if **before != signed {
            self.signed.store(Arc::new(signed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envoy_is_offered_what_is_signed_for_its_system() {
        let offers = Offers::default();
        let platform = |os: &str, arch: &str| Platform { os: os.into(), arch: arch.into(), ..Platform::default() };
        assert_eq!(offers.version(&platform("linux", "x86_64")), None);
        let version: AgentVersion = "0.2.0".parse().unwrap();
        let linux: AgentTarget = "linux-x86_64".parse().unwrap();
        let refused = ("linux-aarch64".parse().unwrap(), Err("expired".to_owned()));
        offers.replace(vec![(linux.clone(), Ok(version.clone())), refused]);
        assert_eq!(offers.version(&platform("linux", "x86_64")), Some(version));
        assert_eq!(offers.version(&platform("linux", "aarch64")), None);
        assert_eq!(offers.version(&platform("linux-x86_64", "")), None);
        offers.replace(vec![(linux, Err("expired".to_owned()))]);
        assert_eq!(offers.version(&platform("linux", "x86_64")), None);
    }
}
