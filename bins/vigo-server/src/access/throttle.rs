//! How often passwords may be tried: counted before each is looked at, so that a burst in parallel gains nothing.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use vigo_core::ClientAddr;

use crate::access::AccountName;

type Limiter<K, C> = RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// At once; and in a minute.
const OF_ACCOUNT: (u32, u32) = (10, 10);
/// At once; and in a minute.
const OF_ADDRESS: (u32, u32) = (10, 20);
/// More names than that are not remembered: those at rest are dropped.
const KEPT: usize = 10_000;

/// How often passwords may be tried, of one account and from one address (one /64 of IPv6).
pub(crate) struct Throttle<C: Clock = DefaultClock> {
    accounts: Limiter<AccountName, C>,
    addresses: Limiter<IpAddr, C>,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self::with_clock(DefaultClock::default())
    }
}

fn quota((burst, per_minute): (u32, u32)) -> Quota {
    let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(at_least_one(per_minute)).allow_burst(at_least_one(burst))
}

impl<C: Clock + Clone> Throttle<C> {
    fn with_clock(clock: C) -> Self {
        Self {
            accounts: RateLimiter::hashmap_with_clock(quota(OF_ACCOUNT), clock.clone()),
            addresses: RateLimiter::hashmap_with_clock(quota(OF_ADDRESS), clock),
        }
    }

    /// Counts one try, if it may be made. The address first: who is over its limit uses up nothing of an account's.
    pub(crate) fn take(&self, account: &AccountName, from: ClientAddr) -> bool {
        if self.addresses.len() > KEPT {
            self.addresses.retain_recent();
        }
        if self.accounts.len() > KEPT {
            self.accounts.retain_recent();
        }
        self.addresses.check_key(&network(from)).is_ok() && self.accounts.check_key(account).is_ok()
    }
}

/// Whoever has one address of a /64 has them all.
fn network(from: ClientAddr) -> IpAddr {
    match from.ip() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn from(text: &str) -> ClientAddr {
        ClientAddr::new(text.parse().unwrap())
    }

    #[test]
    fn a_burst_in_parallel_gets_no_more_tries_than_one_by_one() {
        let throttle = Arc::new(Throttle::with_clock(FakeRelativeClock::default()));
        let taken = Arc::new(AtomicU32::new(0));
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let (throttle, taken) = (Arc::clone(&throttle), Arc::clone(&taken));
                scope.spawn(move || {
                    let account = "ada".parse().unwrap();
                    for n in 0..50 {
                        let from = from(&format!("192.0.{thread}.{n}"));
                        taken.fetch_add(throttle.take(&account, from).into(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(taken.load(Ordering::Relaxed), OF_ACCOUNT.0);
    }

    #[test]
    fn tries_come_back_with_time() {
        let clock = FakeRelativeClock::default();
        let throttle = Throttle::with_clock(clock.clone());
        let tries = |account: &str, address: &str, most: u32| {
            let account = account.parse().unwrap();
            (0..most).filter(|_| throttle.take(&account, from(address))).count()
        };
        assert_eq!(tries("ada", "2001:db8::1", 99), 10);
        assert_eq!(tries("bob", "2001:db8::2", 99), 0, "the same /64");
        assert_eq!(tries("bob", "2001:db8:0:1::2", 99), 10);
        clock.advance(Duration::from_secs(6));
        assert_eq!(tries("ada", "192.0.2.1", 99), 1, "one in six seconds, from wherever");
    }
}
