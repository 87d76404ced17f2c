use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use vigo_core::UnixTime;

/// How often something may happen: `burst` times at once, and `per_minute` times a minute in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At once; at least 1.
    pub burst: u32,
    /// In the long run; at least 1.
    pub per_minute: u32,
}

impl Rate {
    /// Milliseconds that one event uses up, and those that may be used ahead of time.
    fn steps(self) -> (u64, u64) {
        let step = 60_000 / u64::from(self.per_minute.clamp(1, 60_000));
        (step, step * u64::from(self.burst.max(1)))
    }
}

/// What addresses may ask for, how often a name changes hands, and how much of what is refused is written down.
///
/// ```
/// use vigo_enroll::{Limits, Rate};
/// # use std::sync::Arc;
/// # use vigo_core::{
/// #     Admission, ClientAddr, IssueError, IssuedCertificate, Issuer, Pin, Serial, SignedRegistration, UnixTime,
/// #     store::MemoryStore,
/// # };
/// # use vigo_enroll::{Dice, HashPool, Registrar, RegistrarParts, token::TokenKey};
/// # use vigo_enroll::rules::{Reenroll, Rules};
/// # struct Paper;
/// # impl Issuer for Paper {
/// #     fn check(&self, _: &[u8]) -> Result<(), IssueError> {
/// #         Ok(())
/// #     }
/// #     fn issue(
/// #         &self,
/// #         csr: &[u8],
/// #         _: Admission,
/// #         serial: Serial,
/// #         now: UnixTime,
/// #     ) -> Result<IssuedCertificate, IssueError> {
/// #         Ok(IssuedCertificate { der: csr.to_vec(), serial, key_pin: Pin::of_spki(csr), not_after: now })
/// #     }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let registrar = Registrar::new(RegistrarParts {
/// #     store: Arc::new(MemoryStore::new()),
/// #     issuer: Arc::new(Paper),
/// #     tokens: TokenKey::derive(&[1; 32]),
/// #     hashes: Arc::new(HashPool::new(1.try_into()?, 8, 4)?),
/// #     rules: Rules::new(vec![], vec![], Reenroll::Token),
/// #     roots: vec![],
/// # });
/// # let (from, now) = (ClientAddr::new("192.0.2.7".parse()?), UnixTime::from_secs(1_780_272_000));
/// # let dice = |byte| Dice { envoy: [byte; 16], serial: [byte; 16], audit: [byte; 16] };
/// # let rubbish = SignedRegistration { body: vec![1], signature: [2; 64].as_slice().try_into()?, proof: None };
/// let limits = Limits { registrations: Rate { burst: 2, per_minute: 60 }, ..Limits::default() };
/// let registrar = registrar.with_limits(&limits);
///
/// // Rubbish counts too, and who sends too much of it is not even read.
/// let send = async |byte| registrar.register(rubbish.clone(), from, now, dice(byte)).await.unwrap_err().code();
/// assert_eq!([send(1).await, send(2).await, send(3).await], ["malformed", "malformed", "rate_limited"]);
/// # Ok(()) })
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Registrations of one address.
    pub registrations: Rate,
    /// Tokens with a fitting MAC of one address: each costs a bcrypt.
    pub tokens: Rate,
    /// Enrolments that replace an envoy, by its name. Each leaves a record for ever, and who holds the key of an envoy could
    /// replace it without end.
    pub replacements: Rate,
    /// Refusals of one address that the audit log gets.
    pub refusals: Rate,
    /// Refusals of all addresses that the audit log gets.
    pub all_refusals: Rate,
}

impl Default for Limits {
    /// Enough for a rack behind one address, too little to keep a server from its work or to fill its disk: at most
    /// some 600 KiB of refusals a day.
    fn default() -> Self {
        Self {
            registrations: Rate { burst: 300, per_minute: 1200 },
            tokens: Rate { burst: 120, per_minute: 300 },
            replacements: Rate { burst: 20, per_minute: 1 },
            refusals: Rate { burst: 60, per_minute: 1 },
            all_refusals: Rate { burst: 240, per_minute: 2 },
        }
    }
}

/// Counts events by address, or by what else there is one of (the generic cell rate algorithm, ITU-T I.371), in memory of
/// bounded size.
///
/// An address is to be counted as its [`limit_key`](vigo_core::ClientAddr::limit_key). It is kept only while it has used
/// something up. When too many have, those that are not kept yet share one allowance, so that a flood from everywhere
/// leaves alone who was here before.
///
/// ```
/// use std::time::Duration;
/// use vigo_core::{ClientAddr, UnixTime};
/// use vigo_enroll::{Limiter, Rate};
/// let limiter = Limiter::new(Rate { burst: 2, per_minute: 6 });
/// let key = ClientAddr::new("192.0.2.7".parse()?).limit_key();
/// let now = UnixTime::from_secs(1_780_272_000);
/// assert_eq!([(); 3].map(|()| limiter.take(key, now)), [Ok(()), Ok(()), Err(10)]);
/// assert_eq!(limiter.take(key, now.after(Duration::from_secs(10))), Ok(()));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Limiter<K = IpAddr> {
    step: u64,
    ahead: u64,
    seen: Mutex<Seen<K>>,
}

#[derive(Debug)]
struct Seen<K> {
    /// When, in milliseconds, an address will have used up nothing.
    full_at: HashMap<K, u64>,
    shared: u64,
    swept_at: u64,
}

impl<K: Eq + Hash> Limiter<K> {
    /// The most addresses that are kept.
    pub const MAX_ADDRESSES: usize = 65_536;

    /// A limiter where nobody has used up anything.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let (step, ahead) = rate.steps();
        let seen = Seen { full_at: HashMap::new(), shared: 0, swept_at: 0 };
        Self { step, ahead, seen: Mutex::new(seen) }
    }

    /// Counts one event.
    ///
    /// # Errors
    /// When it is one too many: the seconds until the next is allowed, at least 1. It is not counted then.
    pub fn take(&self, key: K, now: UnixTime) -> Result<(), u64> {
        let now = now.as_secs().saturating_mul(1000);
        // Nobody is further ahead than this, unless the clock was put back: who is then has used up nothing, rather than
        // being shut out until it is there again.
        let latest = now.saturating_add(self.ahead);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.full_at.len() >= Self::MAX_ADDRESSES && !seen.full_at.contains_key(&key) && seen.swept_at != now {
            seen.swept_at = now;
            seen.full_at.retain(|_, full_at| *full_at > now && *full_at <= latest);
        }
        let room = seen.full_at.len() < Self::MAX_ADDRESSES;
        let kept = seen.full_at.get(&key).copied();
        let full_at = match kept {
            Some(full_at) => full_at,
            None if room => 0,
            None => seen.shared,
        };
        let full_at = if full_at > latest { 0 } else { full_at };
        let next = full_at.max(now).saturating_add(self.step);
        if next - now > self.ahead {
            return Err((next - now - self.ahead).div_ceil(1000).max(1));
        }
        if kept.is_some() || room {
            seen.full_at.insert(key, next);
        } else {
            seen.shared = next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vigo_core::ClientAddr;

    fn addr(text: &str) -> IpAddr {
        ClientAddr::new(text.parse().unwrap()).limit_key()
    }

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_000_000 + secs)
    }

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let limiter = Limiter::new(Rate { burst: 3, per_minute: 6 });
        let a = addr("10.1.0.2");
        assert_eq!([(); 4].map(|()| limiter.take(a, at(0))), [Ok(()), Ok(()), Ok(()), Err(10)]);
        assert_eq!(limiter.take(a, at(9)), Err(1));
        assert_eq!(limiter.take(a, at(10)), Ok(()));
        assert_eq!(limiter.take(a, at(10)), Err(10));
        assert_eq!(limiter.take(addr("10.1.0.3"), at(10)), Ok(()), "another address");
        assert_eq!([(); 4].map(|()| limiter.take(a, at(900))), [Ok(()), Ok(()), Ok(()), Err(10)]);
    }

    #[test]
    fn a_v6_host_is_its_network() {
        let limiter = Limiter::new(Rate { burst: 1, per_minute: 1 });
        assert_eq!(limiter.take(addr("fd00:a::1"), at(0)), Ok(()));
        assert_eq!(limiter.take(addr("fd00:a::2"), at(0)), Err(60));
        assert_eq!(limiter.take(addr("fd00:b::2"), at(0)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_a_flood_shares() {
        let limiter = Limiter::new(Rate { burst: 2, per_minute: 1 });
        let nth = |n: u32| IpAddr::from(std::net::Ipv4Addr::from(n));
        let max = u32::try_from(Limiter::<IpAddr>::MAX_ADDRESSES).unwrap();
        for n in 0..max {
            assert_eq!(limiter.take(nth(n), at(0)), Ok(()));
        }
        assert_eq!(limiter.take(nth(max), at(0)), Ok(()));
        assert_eq!(limiter.take(nth(max + 1), at(0)), Ok(()));
        assert_eq!(limiter.take(nth(max + 2), at(0)), Err(60), "the shared allowance is spent");
        assert_eq!(limiter.take(nth(7), at(0)), Ok(()), "who was here before has its own");
        assert_eq!(limiter.seen.lock().unwrap().full_at.len(), Limiter::<IpAddr>::MAX_ADDRESSES);
        assert_eq!(limiter.take(nth(max + 2), at(600)), Ok(()));
        assert_eq!(limiter.seen.lock().unwrap().full_at.len(), 1, "swept");
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate(gaps in prop::collection::vec(0u64..20, 1..200)) {
            let rate = Rate { burst: 5, per_minute: 12 };
            let limiter = Limiter::new(rate);
            let (mut now, mut taken) = (0, 0);
            for gap in gaps {
                now += gap;
                taken += u64::from(limiter.take(addr("10.1.0.2"), at(now)).is_ok());
                prop_assert!(taken <= 5 + now * 12 / 60);
            }
        }
    }
}
