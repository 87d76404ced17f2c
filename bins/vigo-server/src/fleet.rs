//! Every envoy, in memory: what a check-in needs without asking the store.

mod query;
mod recent;
mod search;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use vigo_core::record::{EnvoyRecord, Seen};
use vigo_core::{EnvoyId, Hostname, Session, UnixTime};

pub(crate) use query::{Cursor, Direction, Query, Sort, Standing, Status, Wanted};
pub use recent::Recent;
use search::Grams;

/// All envoys of the fleet, kept like the store by whoever changes it.
#[derive(Debug, Default)]
pub struct FleetIndex {
    envoys: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<EnvoyId, Arc<Envoy>>,
    by_name: HashMap<Hostname, EnvoyId>,
    /// Every envoy, in the order in which this process came to know it.
    slots: Vec<Arc<Envoy>>,
    /// Which of them have three letters in a row in their names.
    grams: Grams,
}

/// One envoy's facts and its live state.
#[derive(Debug)]
pub struct Envoy {
    live: Mutex<Live>,
}

/// What changes between check-ins.
#[derive(Debug)]
pub struct Live {
    /// What the store says of it.
    pub record: Arc<EnvoyRecord>,
    /// Its conversation with this process.
    pub session: Session,
    /// Its last check-in.
    pub seen: Option<Seen>,
    /// Whether that is still to be written.
    pub unwritten: bool,
    /// When two machines were last found to speak for it.
    pub clone_at: Option<UnixTime>,
    /// Configcrates and resources that it said it holds.
    pub holds: Option<(u32, u32)>,
    /// Its last check-ins with this process.
    pub check_ins: Recent,
}

impl Envoy {
    /// Its live state, locked for the length of one check-in.
    pub fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FleetIndex {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a record as the newest of its envoy.
    pub fn apply(&self, record: EnvoyRecord) -> Arc<Envoy> {
        let mut table = self.envoys.write().unwrap_or_else(PoisonError::into_inner);
        let (id, name, revoked) = (record.id, record.hostname.clone(), record.revocation.is_some());
        let record = Arc::new(record);
        let envoy = match table.by_id.get(&id) {
            Some(envoy) => {
                let mut live = envoy.live();
                // A revocation is for ever: what was read before it comes too late.
                if live.record.revocation.is_none() || revoked {
                    live.record = record;
                }
                drop(live);
                Arc::clone(envoy)
            }
            None => {
                let live = Live {
                    record,
                    session: Session::default(),
                    seen: None,
                    unwritten: false,
                    clone_at: None,
                    holds: None,
                    check_ins: Recent::default(),
                };
                let envoy = Arc::new(Envoy { live: Mutex::new(live) });
                table.by_id.insert(id, Arc::clone(&envoy));
                table.slots.push(Arc::clone(&envoy));
                table.grams.add(name.as_str());
                envoy
            }
        };
        // The name leads to the envoy in service; to a revoked one where no other had it.
        if !revoked || !table.by_name.contains_key(&name) {
            table.by_name.insert(name, id);
        }
        envoy
    }

    /// The envoy of an id.
    #[must_use]
    pub fn get(&self, id: &EnvoyId) -> Option<Arc<Envoy>> {
        self.envoys.read().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
    }

    /// The envoy that has a name, or had it last.
    #[must_use]
    pub fn named(&self, name: &Hostname) -> Option<EnvoyId> {
        self.envoys.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name).copied()
    }

    /// All envoys, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Envoy>> {
        self.envoys.read().unwrap_or_else(PoisonError::into_inner).slots.clone()
    }

    /// Those whose names may contain a text: all that do, and where the text is short or has odd letters, all there are.
    fn may_contain(&self, text: &str) -> Vec<Arc<Envoy>> {
        let table = self.envoys.read().unwrap_or_else(PoisonError::into_inner);
        match table.grams.may_contain(text) {
            Some(slots) => slots.iter().filter_map(|slot| table.slots.get(*slot as usize).cloned()).collect(),
            None => table.slots.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigo_core::record::{Revocation, RevocationCause};
    use vigo_core::{ClientAddr, IdentitySecret, Platform};

    fn record(n: u8, revoked: bool) -> EnvoyRecord {
        let secret = IdentitySecret::from_seed(&zeroize::Zeroizing::new([n; 32]));
        EnvoyRecord {
            id: EnvoyId::from_random([n; 16]),
            hostname: "web.example.com".parse().unwrap(),
            identity: secret.public(),
            address: ClientAddr::new([127, 0, 0, 1].into()),
            reported_ip: None,
            enrolled_at: UnixTime::from_secs(1),
            certificates: Vec::new(),
            admitted_by: "token".into(),
            platform: Platform::default(),
            revocation: revoked.then(|| Revocation {
                cause: RevocationCause::Operator,
                at: UnixTime::from_secs(2),
                by: "t".into(),
                reason: String::new(),
            }),
            directive: None,
        }
    }

    #[test]
    fn a_name_leads_to_the_envoy_in_service() {
        let (first, second) = (EnvoyId::from_random([1; 16]), EnvoyId::from_random([2; 16]));
        let name: Hostname = "web.example.com".parse().unwrap();
        let index = FleetIndex::new();
        index.apply(record(1, false));
        assert_eq!(index.named(&name), Some(first));
        index.apply(record(1, true));
        assert_eq!(index.named(&name), Some(first), "revoked, but nobody else has the name");
        index.apply(record(2, false));
        index.apply(record(1, true));
        assert_eq!(index.named(&name), Some(second));
        assert_eq!(index.all().len(), 2);
        index.apply(record(1, false));
        assert!(index.get(&first).unwrap().live().record.revocation.is_some(), "revoked is for ever");
    }
}
