//! Which envoys are shown, in which order, and which page of them.

use std::collections::BinaryHeap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vigo_core::record::RevocationCause;
use vigo_core::{EnvoyId, HostPattern, UnixTime};

use super::{FleetIndex, Live};
use crate::checkins::Offers;

/// Where an envoy stands: revoked before expired before stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Active,
    Stale,
    Expired,
    Revoked,
}

impl Status {
    pub(crate) const ALL: [Self; 4] = [Self::Active, Self::Stale, Self::Expired, Self::Revoked];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stale => "stale",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Of an envoy that is expected every `interval`.
    pub(crate) fn of(live: &Live, interval: Duration, now: UnixTime) -> Self {
        let last = live.seen.as_ref().map_or(live.record.enrolled_at, |seen| seen.at);
        let expired = live.record.certificate().is_none_or(|certificate| certificate.not_after <= now);
        if live.record.revocation.is_some() {
            Self::Revoked
        } else if expired {
            Self::Expired
        } else if now.since(last) > interval * 5 / 2 {
            Self::Stale
        } else {
            Self::Active
        }
    }
}

/// What a list is narrowed to; several are meant as one or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Status(Status),
    UpdatePending,
}

impl Wanted {
    /// The one of a word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let status = Status::ALL.into_iter().find(|status| status.word() == word).map(Self::Status);
        status.or_else(|| matches!(word, "update_pending" | "update-pending").then_some(Self::UpdatePending))
    }
}

/// By what a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    #[default]
    Enrolled,
    Hostname,
    LastSeen,
    Expires,
    Version,
    Status,
}

impl Sort {
    const WORDS: [(&str, Self); 6] = [
        ("enrolled", Self::Enrolled),
        ("hostname", Self::Hostname),
        ("last_seen", Self::LastSeen),
        ("expires", Self::Expires),
        ("version", Self::Version),
        ("status", Self::Status),
    ];

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let word = word.replace('-', "_");
        Self::WORDS.into_iter().find(|row| row.0 == word).map(|row| row.1)
    }
}

/// What sorts one envoy: numbers before texts, and its id where all else is equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64, String, [u8; 16]);

/// A place in a sorted list, for whoever goes on from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor(Key);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Key(number, text, id) = &self.0;
        let bytes = [&number.to_be_bytes(), id.as_slice(), text.as_bytes()].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl std::str::FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const BAD: &str = "a cursor is what an answer said, as it said it";
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BAD)?;
        let (number, rest) = bytes.split_first_chunk::<8>().ok_or(BAD)?;
        let (id, text) = rest.split_first_chunk::<16>().ok_or(BAD)?;
        let text = String::from_utf8(text.to_vec()).map_err(|_| BAD)?;
        Ok(Self(Key(u64::from_be_bytes(*number), text, *id)))
    }
}

/// Where a page lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Behind the cursor.
    #[default]
    After,
    /// Before it.
    Before,
}

/// Which envoys, in which order, which page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    /// Part of a hostname, the beginning of an id, or an address.
    pub(crate) search: String,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) pattern: Option<HostPattern>,
    pub(crate) seen_before: Option<UnixTime>,
    pub(crate) expires_before: Option<UnixTime>,
    pub(crate) sort: Sort,
    pub(crate) descending: bool,
    pub(crate) cursor: Option<(Direction, Cursor)>,
    pub(crate) limit: usize,
}

/// What a query is asked against.
#[derive(Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) now: UnixTime,
    pub(crate) interval: Duration,
    pub(crate) offers: &'a Offers,
}

/// A page, and what lies around it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) envoys: Vec<EnvoyId>,
    pub(crate) before: Option<Cursor>,
    pub(crate) after: Option<Cursor>,
    /// All that fit.
    pub(crate) total: usize,
    /// Of all that fit but for `wanted`: by status as [`Status::ALL`] lists them, and those with an update pending.
    pub(crate) counts: [usize; 4],
    pub(crate) update_pending: usize,
}

impl Standing<'_> {
    /// Whether an envoy is to become another version: it was told so, or its version is offered a newer one.
    pub(crate) fn update_pending(&self, live: &Live) -> bool {
        let told = live.record.directive.as_ref().is_some_and(|given| given.outcome.is_none());
        live.record.revocation.is_none() && (told || self.is_old(live))
    }

    /// Whether a newer version than it runs is offered.
    pub(crate) fn is_old(&self, live: &Live) -> bool {
        let platform = live.seen.as_ref().map_or(&live.record.platform, |seen| &seen.platform);
        let offered = self.offers.version(platform);
        let runs = platform.agent_version.parse::<vigo_core::AgentVersion>().ok();
        matches!((offered, runs), (Some(offered), Some(runs)) if runs < offered)
    }
}

impl Query {
    fn takes(&self, live: &Live) -> bool {
        let seen = live.seen.as_ref().map(|seen| seen.at);
        let expires = live.record.certificate().map(|certificate| certificate.not_after);
        let deleted = live.record.revocation.as_ref().is_some_and(|it| it.cause == RevocationCause::Deleted);
        !deleted
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&live.record.hostname))
            && self.seen_before.is_none_or(|before| seen.is_none_or(|at| at < before))
            && self.expires_before.is_none_or(|before| expires.is_none_or(|at| at < before))
    }

    fn is_searched(&self, live: &Live, text: &str) -> bool {
        text.is_empty()
            || live.record.hostname.as_str().contains(text)
            || (is_id(text) && live.record.id.to_string().starts_with(text))
            || text.parse::<std::net::IpAddr>().is_ok_and(|ip| {
                live.seen.as_ref().map_or(live.record.address, |seen| seen.address).ip() == ip.to_canonical()
            })
    }

    fn key(&self, live: &Live, status: Status) -> Key {
        let time = |at: Option<UnixTime>| at.map_or(0, UnixTime::as_secs);
        let platform = live.seen.as_ref().map_or(&live.record.platform, |seen| &seen.platform);
        let (number, text) = match self.sort {
            Sort::Enrolled => (live.record.enrolled_at.as_secs(), live.record.hostname.to_string()),
            Sort::Hostname => (0, live.record.hostname.to_string()),
            Sort::LastSeen => (time(live.seen.as_ref().map(|seen| seen.at)), String::new()),
            Sort::Expires => (time(live.record.certificate().map(|it| it.not_after)), String::new()),
            Sort::Version => by_version(&platform.agent_version),
            Sort::Status => (status as u64, live.record.hostname.to_string()),
        };
        Key(number, text, *live.record.id.as_bytes())
    }
}

fn is_id(text: &str) -> bool {
    text.len() >= 4 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// Versions in their order, what is none before them.
fn by_version(text: &str) -> (u64, String) {
    let parts: Option<Vec<u64>> = text.splitn(3, '.').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some([major, minor, patch]) => ((major << 40) | (minor << 20) | patch, text.to_owned()),
        _ => (0, text.to_owned()),
    }
}

impl FleetIndex {
    /// The page that a query asks for. Each envoy is looked at once, and no more of them are kept than the page has.
    pub(crate) fn find(&self, query: &Query, standing: &Standing<'_>) -> Found {
        let text = query.search.trim().to_ascii_lowercase();
        let needs_all = text.is_empty() || is_id(&text) || text.parse::<std::net::IpAddr>().is_ok();
        let envoys = if needs_all { self.all() } else { self.may_contain(&text) };
        let mut found = Found::default();
        let backwards = matches!(query.cursor, Some((Direction::Before, _)));
        // In the order of the page's making: away from the cursor.
        let ascending = query.descending == backwards;
        let cursor = query.cursor.as_ref().map(|(_, cursor)| &cursor.0);
        let (mut passed, limit) = (false, query.limit.max(1));
        let mut page = Nearest { ascending, limit: limit + 1, heap: BinaryHeap::new() };
        for envoy in envoys {
            let live = envoy.live();
            if !query.takes(&live) || !query.is_searched(&live, &text) {
                continue;
            }
            let status = Status::of(&live, standing.interval, standing.now);
            let pending = standing.update_pending(&live);
            found.counts[status as usize] += 1;
            found.update_pending += usize::from(pending);
            let wanted = |wanted: &Wanted| match wanted {
                Wanted::Status(wanted) => *wanted == status,
                Wanted::UpdatePending => pending,
            };
            if !query.wanted.is_empty() && !query.wanted.iter().any(wanted) {
                continue;
            }
            found.total += 1;
            let key = query.key(&live, status);
            drop(live);
            match cursor {
                Some(cursor) if ascending && key <= *cursor => passed = true,
                Some(cursor) if !ascending && key >= *cursor => passed = true,
                _ => page.offer(key),
            }
        }
        let mut keys = page.keys();
        let more = keys.len() > limit;
        keys.truncate(limit);
        if backwards {
            keys.reverse();
        }
        let (first, last) = (keys.first().cloned().map(Cursor), keys.last().cloned().map(Cursor));
        let (earlier, later) = if backwards { (more, passed) } else { (passed, more) };
        found.before = first.filter(|_| earlier);
        found.after = last.filter(|_| later);
        found.envoys = keys.iter().filter_map(|key| EnvoyId::try_from(key.2.as_slice()).ok()).collect();
        found
    }
}

/// The first few of many keys.
struct Nearest {
    ascending: bool,
    limit: usize,
    /// The one to go first is at the top.
    heap: BinaryHeap<Ordered>,
}

#[derive(PartialEq, Eq)]
enum Ordered {
    Up(Key),
    Down(std::cmp::Reverse<Key>),
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Up(a), Self::Up(b)) => a.cmp(b),
            (Self::Down(a), Self::Down(b)) => a.cmp(b),
            (Self::Up(_), Self::Down(_)) => std::cmp::Ordering::Less,
            (Self::Down(_), Self::Up(_)) => std::cmp::Ordering::Greater,
        }
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Nearest {
    fn offer(&mut self, key: Key) {
        let key = if self.ascending { Ordered::Up(key) } else { Ordered::Down(std::cmp::Reverse(key)) };
        if self.heap.len() < self.limit {
            self.heap.push(key);
        } else if self.heap.peek().is_some_and(|last| key < *last) {
            self.heap.pop();
            self.heap.push(key);
        }
    }

    fn keys(self) -> Vec<Key> {
        let keys = self.heap.into_sorted_vec().into_iter();
        keys.map(|key| match key {
            Ordered::Up(key) | Ordered::Down(std::cmp::Reverse(key)) => key,
        })
        .collect()
    }
}
