//! Open connections: how many there may be, and which envoy each belongs to, so that a revoked one's can be closed.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use vigo_core::{ClientAddr, EnvoyId};

/// The most open connections of one listener.
pub(crate) const MAX_CONNECTIONS: usize = 120_000;
/// The most open connections of one address that showed no client certificate.
pub(crate) const MAX_ANONYMOUS_PER_ADDRESS: usize = 256;

/// The most open connections of one envoy: an agent holds one. One more closes the oldest.
pub(crate) const MAX_PER_ENVOY: usize = 8;

/// The open connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    table: Mutex<Table>,
}

impl Default for Connections {
    fn default() -> Self {
        Self::at_most(MAX_CONNECTIONS)
    }
}

#[derive(Debug, Default)]
struct Table {
    open: usize,
    anonymous: HashMap<Origin, usize>,
    envoys: HashMap<EnvoyId, BTreeMap<u64, CancellationToken>>,
    next: u64,
}

/// What anonymous connections are counted by: a flood of one listener leaves the other alone.
type Origin = (&'static str, IpAddr);

/// A connection's place among the open ones; given up when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Arc<Connections>,
    anonymous: Option<Origin>,
    envoy: Option<(EnvoyId, u64)>,
}

impl Connections {
    /// At most so many, and never more than a server is made for.
    pub(crate) fn at_most(most: usize) -> Self {
        Self { most: most.min(MAX_CONNECTIONS), table: Mutex::default() }
    }

    /// A place for a connection to `listener` from `from`; `None` when there are too many.
    pub(crate) fn admit(self: &Arc<Self>, listener: &'static str, from: ClientAddr) -> Option<Place> {
        let mut table = self.lock();
        let key = (listener, from.limit_key());
        let count = table.anonymous.get(&key).copied().unwrap_or(0);
        if table.open >= self.most || count >= MAX_ANONYMOUS_PER_ADDRESS {
            return None;
        }
        table.open += 1;
        table.anonymous.insert(key, count + 1);
        Some(Place { connections: Arc::clone(self), anonymous: Some(key), envoy: None })
    }

    /// Closes every connection of an envoy.
    pub(crate) fn close(&self, envoy: &EnvoyId) {
        for token in self.lock().envoys.remove(envoy).into_iter().flatten() {
            token.1.cancel();
        }
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.lock().open
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget_anonymous(&mut self, key: Origin) {
        if let Some(count) = self.anonymous.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.anonymous.remove(&key);
            }
        }
    }
}

impl Place {
    /// Says that the connection belongs to an envoy: it no longer counts against its address, and `token` is cancelled
    /// when the envoy is revoked.
    pub(crate) fn identify(&mut self, envoy: EnvoyId, token: CancellationToken) {
        let mut table = self.connections.lock();
        if let Some(key) = self.anonymous.take() {
            table.forget_anonymous(key);
        }
        table.next += 1;
        let number = table.next;
        let own = table.envoys.entry(envoy).or_default();
        own.insert(number, token);
        if own.len() > MAX_PER_ENVOY
            && let Some((_, oldest)) = own.pop_first()
        {
            oldest.cancel();
        }
        self.envoy = Some((envoy, number));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.lock();
        table.open -= 1;
        if let Some(key) = self.anonymous {
            table.forget_anonymous(key);
        }
        if let Some((envoy, number)) = self.envoy
            && let Some(tokens) = table.envoys.get_mut(&envoy)
        {
            tokens.remove(&number);
            if tokens.is_empty() {
                table.envoys.remove(&envoy);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_an_envoy_needs_none() {
        let connections = Arc::new(Connections::default());
        let from = ClientAddr::new([10, 0, 0, 1].into());
        let mut places: Vec<Place> =
            (0..MAX_ANONYMOUS_PER_ADDRESS).filter_map(|_| connections.admit("grpc", from)).collect();
        assert_eq!(places.len(), MAX_ANONYMOUS_PER_ADDRESS);
        assert!(connections.admit("grpc", from).is_none());
        assert!(connections.admit("grpc", ClientAddr::new([10, 0, 0, 2].into())).is_some());
        places[0].identify(EnvoyId::from_random([1; 16]), CancellationToken::new());
        assert!(connections.admit("grpc", from).is_some());
        drop(places);
        assert_eq!(connections.open(), 0);
        assert!(connections.lock().anonymous.is_empty() && connections.lock().envoys.is_empty());
    }

    #[test]
    fn a_full_listener_leaves_the_other_alone_and_the_whole_has_an_end() {
        let connections = Arc::new(Connections::at_most(MAX_ANONYMOUS_PER_ADDRESS + 1));
        let from = ClientAddr::new([10, 0, 0, 1].into());
        let places: Vec<Place> = (0..300).filter_map(|_| connections.admit("api", from)).collect();
        assert_eq!(places.len(), MAX_ANONYMOUS_PER_ADDRESS);
        let other = connections.admit("grpc", from);
        assert!(other.is_some());
        assert!(connections.admit("grpc", ClientAddr::new([10, 0, 0, 2].into())).is_none(), "all places are taken");
    }

    #[test]
    fn an_envoy_with_too_many_loses_its_oldest() {
        let connections = Arc::new(Connections::default());
        let envoy = EnvoyId::from_random([1; 16]);
        let tokens: Vec<CancellationToken> = (0..=MAX_PER_ENVOY).map(|_| CancellationToken::new()).collect();
        let mut places = Vec::new();
        for token in &tokens {
            let mut place = connections.admit("grpc", ClientAddr::new([10, 0, 0, 1].into())).unwrap();
            place.identify(envoy, token.clone());
            places.push(place);
        }
        assert!(tokens[0].is_cancelled());
        assert!(tokens[1..].iter().all(|token| !token.is_cancelled()));
        drop(places);
        assert_eq!(connections.open(), 0);
    }

    #[test]
    fn rule_13_closing_an_envoy_cancels_all_it_has() {
        let connections = Arc::new(Connections::default());
        let envoy = EnvoyId::from_random([1; 16]);
        let tokens = [CancellationToken::new(), CancellationToken::new()];
        let mut places = Vec::new();
        for token in &tokens {
            let mut place = connections.admit("grpc", ClientAddr::new([10, 0, 0, 1].into())).unwrap();
            place.identify(envoy, token.clone());
            places.push(place);
        }
        connections.close(&envoy);
        assert!(tokens.iter().all(CancellationToken::is_cancelled));
        drop(places);
        assert_eq!(connections.open(), 0);
    }
}
