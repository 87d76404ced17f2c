//! Which signed build is offered for each system, as replies name it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use vigo_core::{AgentTarget, AgentVersion, Pin, Platform};

/// A signed build: its version, and the pin of the key that signed it.
pub(crate) type Offer = (AgentVersion, Pin);

/// What replies say may be fetched.
#[derive(Debug, Default)]
pub struct Offers {
    signed: ArcSwap<Vec<(AgentTarget, Offer)>>,
    refused: Mutex<BTreeMap<AgentTarget, String>>,
}

impl Offers {
    /// The version for an envoy's system, as it names that itself.
    #[must_use]
    pub fn version(&self, platform: &Platform) -> Option<AgentVersion> {
        let signed = self.signed.load();
        let found = signed.iter().find(|(target, _)| target.os() == platform.os && target.arch() == platform.arch);
        found.map(|(_, (version, _))| version.clone())
    }

    /// The pin of the key that signed the builds for a system: what a new machine may be told to demand. `None` where
    /// there is no such build, or more than one key signed them.
    #[must_use]
    pub fn signing_pin(&self, os: &str) -> Option<Pin> {
        let signed = self.signed.load();
        let mut pins = signed.iter().filter(|(target, _)| target.os() == os).map(|(_, (_, pin))| *pin);
        let first = pins.next()?;
        pins.all(|pin| pin == first).then_some(first)
    }

    /// Takes what was found, and logs what changed.
    pub(crate) fn replace(&self, found: Vec<(AgentTarget, Result<Offer, String>)>) {
        let mut signed = Vec::new();
        let mut refused = BTreeMap::new();
        for (target, build) in found {
            match build {
                Ok(offer) => signed.push((target, offer)),
                Err(why) => drop(refused.insert(target, why)),
            }
        }
        let before = self.signed.load();
        for (target, (version, _)) in signed.iter().filter(|build| !before.contains(build)) {
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
        let (pin, other) = (Pin::from([1; 32]), Pin::from([2; 32]));
        offers.replace(vec![(linux.clone(), Ok((version.clone(), pin))), refused]);
        assert_eq!((offers.signing_pin("linux"), offers.signing_pin("macos")), (Some(pin), None));
        let arm = ("linux-aarch64".parse().unwrap(), Ok((version.clone(), other)));
        offers.replace(vec![(linux.clone(), Ok((version.clone(), pin))), arm]);
        assert_eq!(offers.signing_pin("linux"), None, "by two keys");
        offers.replace(vec![(linux.clone(), Ok((version.clone(), pin)))]);
        assert_eq!(offers.version(&platform("linux", "x86_64")), Some(version));
        assert_eq!(offers.version(&platform("linux", "aarch64")), None);
        assert_eq!(offers.version(&platform("linux-x86_64", "")), None);
        offers.replace(vec![(linux, Err("expired".to_owned()))]);
        assert_eq!(offers.version(&platform("linux", "x86_64")), None);
    }
}
