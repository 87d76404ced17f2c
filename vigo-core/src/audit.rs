//! Who did what: records written beside the act they tell of, and a chain that later shows if one was changed or lost.
//!
//! A record lies under a key of its own and depends on no shared one, so acts never queue behind the log. A sequencer
//! appends links: each covers the records that were committed after the link before it and up to a revision.

use prost::Message as _;
use sha2::{Digest, Sha256};

use crate::record::{Record, RecordError};
use crate::store::{Entry, Revision};
use crate::{UnixTime, wire};

/// One act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: UnixTime,
    /// Who: `operator:NAME`, `envoy:ID`, `address:IP`, `server`.
    pub actor: String,
    /// What: `envoy.enrol`, `envoy.revoke`, `token.create`, …
    pub action: String,
    /// To what: an id or a hostname.
    pub subject: String,
    /// `ok`, or the code of the refusal.
    pub outcome: String,
    /// More, for people: which rule won, the reason given. Never a secret.
    pub detail: String,
}

/// A link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLink {
    /// 1 for the first.
    pub number: u64,
    /// The hash of the link before; zeroes for the first.
    pub previous: [u8; 32],
    /// Covers the records committed after the link before it, up to this revision.
    pub through: Revision,
    /// How many records that are.
    pub records: u64,
    /// SHA-256 over the label, number, previous hash, revision, count, and each record's revision, key and value.
    pub hash: [u8; 32],
}

/// Why a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A link is missing, doubled or out of order.
    #[error("link {expected} of the audit chain is missing")]
    Gap {
        /// The number that should come next.
        expected: u64,
    },
    /// A link's content or the records that it covers were changed.
    #[error("link {number} of the audit chain does not fit its records: a record was changed, removed or added")]
    Broken {
        /// The first link that does not hold.
        number: u64,
    },
}

/// What a chain covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Links checked.
    pub links: u64,
    /// Records that they cover, each exactly once.
    pub covered: u64,
    /// Records newer than the last link.
    pub uncovered: u64,
    /// The hash of the last link; zeroes where there is none.
    pub head: [u8; 32],
}

impl ChainLink {
    /// The link that covers `entries`: the records committed after `previous` and up to `through`.
    ///
    /// # Panics
    /// Never: the order of entries is made here, and a count fits 64 bits.
    #[must_use]
    pub fn after(previous: Option<&ChainLink>, through: Revision, entries: &[Entry]) -> Self {
        let number = previous.map_or(1, |link| link.number + 1);
        let previous = previous.map_or([0; 32], |link| link.hash);
        let records = entries.len() as u64;
        let mut link = Self { number, previous, through, records, hash: [0; 32] };
        link.hash = link.hash_over(entries);
        link
    }

    fn hash_over(&self, entries: &[Entry]) -> [u8; 32] {
        let mut sorted: Vec<&Entry> = entries.iter().collect();
        sorted.sort_by(|a, b| (a.revision, &a.key).cmp(&(b.revision, &b.key)));
        let mut hash = Sha256::new();
        hash.update(b"vigo/audit-link/v1\0");
        hash.update(self.number.to_be_bytes());
        hash.update(self.previous);
        hash.update(self.through.get().to_be_bytes());
        hash.update(self.records.to_be_bytes());
        for entry in sorted {
            hash.update(entry.revision.get().to_be_bytes());
            for part in [&entry.key, &entry.value] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hash.finalize().into()
    }
}

/// Checks that `links`, in order, cover `records` exactly once, up to the last link's revision.
///
/// ```
/// use vigo_core::audit::{AuditRecord, ChainError, ChainLink, verify};
/// use vigo_core::{UnixTime, keyspace, record::Record as _, store::{Entry, Revision}};
/// let record = AuditRecord {
///     at: UnixTime::from_secs(1_780_272_000),
///     actor: "operator:ada".to_owned(),
///     action: "envoy.revoke".to_owned(),
///     subject: "web3.example.com".to_owned(),
///     outcome: "ok".to_owned(),
///     detail: "sold".to_owned(),
/// };
/// // As a scan of `keyspace::AUDIT_RECORDS` gives them.
/// let key = keyspace::audit_record([1; 16]).into_bytes();
/// let mut records = vec![Entry { key, value: record.encode(), revision: Revision::new(5) }];
/// let chain = [ChainLink::after(None, Revision::new(5), &records)];
/// assert_eq!(verify(&chain, &records)?.covered, 1);
///
/// // Somebody would rather have had another reason.
/// records[0].value = AuditRecord { detail: "stolen".to_owned(), ..record }.encode();
/// assert_eq!(verify(&chain, &records), Err(ChainError::Broken { number: 1 }));
/// # Ok::<(), ChainError>(())
/// ```
///
/// # Errors
/// With the first link that is missing or does not hold.
pub fn verify(links: &[ChainLink], records: &[Entry]) -> Result<Verified, ChainError> {
    let mut sorted = records.to_vec();
    sorted.sort_by_key(|entry| entry.revision);
    let mut rest = &sorted[..];
    let mut before: Option<&ChainLink> = None;
    for link in links {
        let expected = before.map_or(1, |b| b.number + 1);
        if link.number != expected {
            return Err(ChainError::Gap { expected });
        }
        let count = rest.partition_point(|entry| entry.revision <= link.through);
        let (covered, later) = rest.split_at(count);
        if *link != ChainLink::after(before, link.through, covered) {
            return Err(ChainError::Broken { number: link.number });
        }
        (rest, before) = (later, Some(link));
    }
    Ok(Verified {
        links: links.len() as u64,
        covered: (sorted.len() - rest.len()) as u64,
        uncovered: rest.len() as u64,
        head: before.map_or([0; 32], |link| link.hash),
    })
}

impl Record for AuditRecord {
    fn encode(&self) -> Vec<u8> {
        wire::AuditRecord {
            at: self.at.as_secs(),
            actor: self.actor.clone(),
            action: self.action.clone(),
            subject: self.subject.clone(),
            outcome: self.outcome.clone(),
            detail: self.detail.clone(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let wire =
            wire::AuditRecord::decode(bytes).map_err(|_| RecordError::new("audit record", "not such a message"))?;
        Ok(Self {
            at: UnixTime::from_secs(wire.at),
            actor: wire.actor,
            action: wire.action,
            subject: wire.subject,
            outcome: wire.outcome,
            detail: wire.detail,
        })
    }
}

impl Record for ChainLink {
    fn encode(&self) -> Vec<u8> {
        wire::ChainLink {
            number: self.number,
            previous: self.previous.to_vec(),
            through: self.through.get(),
            records: self.records,
            hash: self.hash.to_vec(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let error = |what| RecordError::new("audit link", what);
        let wire = wire::ChainLink::decode(bytes).map_err(|_| error("not such a message"))?;
        Ok(Self {
            number: wire.number,
            previous: wire.previous.try_into().map_err(|_| error("previous hash"))?,
            through: Revision::new(wire.through),
            records: wire.records,
            hash: wire.hash.try_into().map_err(|_| error("hash"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(revision: u64, key: &str) -> Entry {
        Entry { key: key.into(), value: format!("value of {key}").into(), revision: Revision::new(revision) }
    }

    fn chain() -> (Vec<ChainLink>, Vec<Entry>) {
        let records = vec![entry(2, "b"), entry(5, "a"), entry(5, "c"), entry(9, "d"), entry(12, "e")];
        let first = ChainLink::after(None, Revision::new(5), &records[..3]);
        let second = ChainLink::after(Some(&first), Revision::new(9), &records[3..4]);
        (vec![first, second], records)
    }

    #[test]
    fn a_whole_chain_names_its_tail() {
        let (links, records) = chain();
        let head = links[1].hash;
        assert_eq!(verify(&links, &records), Ok(Verified { links: 2, covered: 4, uncovered: 1, head }));
        assert_eq!(verify(&[], &[]), Ok(Verified { links: 0, covered: 0, uncovered: 0, head: [0; 32] }));
    }

    #[test]
    fn every_change_is_seen() {
        let (links, records) = chain();
        for i in 0..4 {
            let mut changed = records.clone();
            changed[i].value[0] ^= 1;
            assert!(matches!(verify(&links, &changed), Err(ChainError::Broken { .. })), "record {i} changed");
            let mut removed = records.clone();
            removed.remove(i);
            assert!(matches!(verify(&links, &removed), Err(ChainError::Broken { .. })), "record {i} removed");
        }
        let mut added = records.clone();
        added.push(entry(3, "x"));
        assert_eq!(verify(&links, &added), Err(ChainError::Broken { number: 1 }));
        assert_eq!(verify(&links[1..], &records), Err(ChainError::Gap { expected: 1 }));
        let mut reordered = links.clone();
        reordered.swap(0, 1);
        assert_eq!(verify(&reordered, &records), Err(ChainError::Gap { expected: 1 }));
    }
}
