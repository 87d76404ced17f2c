//! Patterns by their two ends: the literals before the first and after the last wildcard.

use std::collections::HashSet;

/// The ends of a pattern with a wildcard, as hashes. Two patterns of one hash are told apart when they are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Anchored {
    prefix: u64,
    suffix: u64,
}

/// The ends that some pattern has, by hash; and how long they are, so that no others are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    prefixes: Table,
    suffixes: Table,
}

#[derive(Clone, Debug, Default)]
struct Table {
    lengths: [u64; 4],
    hashes: HashSet<u64>,
}

/// FNV-1a with a finer last step: one multiplication a byte, and every prefix of a text on the way.
const START: u64 = 0xcbf2_9ce4_8422_2325;

const fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

/// The hash of a text, first byte first.
pub(super) fn forward(text: &str) -> u64 {
    text.bytes().fold(START, step)
}

fn backward(text: &str) -> u64 {
    text.bytes().rev().fold(START, step)
}

fn ends(pattern: &str) -> Option<(&str, &str)> {
    let wild = |c: char| c == '*' || c == '?';
    let (first, last) = (pattern.find(wild)?, pattern.rfind(wild)?);
    Some((&pattern[..first], &pattern[last + 1..]))
}

impl Anchored {
    /// The ends of a pattern; `None` where it has no wildcard.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        let (prefix, suffix) = ends(pattern)?;
        Some(Self { prefix: forward(prefix), suffix: backward(suffix) })
    }
}

impl Table {
    fn add(&mut self, length: usize, hash: u64) {
        self.lengths[length / 64] |= 1 << (length % 64);
        self.hashes.insert(hash);
    }

    fn has(&self, length: usize, hash: u64) -> bool {
        self.lengths[length / 64] >> (length % 64) & 1 == 1 && self.hashes.contains(&hash)
    }

    /// The lengths and hashes of those of the table that `bytes` begins with.
    fn beginnings(&self, bytes: impl Iterator<Item = u8>, found: &mut Vec<(usize, u64)>) {
        let mut hash = START;
        if self.has(0, hash) {
            found.push((0, hash));
        }
        for (at, byte) in bytes.enumerate() {
            hash = step(hash, byte);
            if self.has(at + 1, hash) {
                found.push((at + 1, hash));
            }
        }
    }
}

impl Ends {
    /// Adds the ends of a pattern with a wildcard.
    pub(super) fn add(&mut self, pattern: &str) {
        if let Some((prefix, suffix)) = ends(pattern) {
            self.prefixes.add(prefix.len(), forward(prefix));
            self.suffixes.add(suffix.len(), backward(suffix));
        }
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.prefixes.hashes.shrink_to_fit();
        self.suffixes.hashes.shrink_to_fit();
    }

    /// Every pair of known ends that `name` has, with at least one character between them.
    pub(super) fn pairs(&self, name: &str, mut each: impl FnMut(Anchored)) {
        let (mut prefixes, mut suffixes) = (Vec::new(), Vec::new());
        self.prefixes.beginnings(name.bytes(), &mut prefixes);
        if prefixes.is_empty() {
            return;
        }
        self.suffixes.beginnings(name.bytes().rev(), &mut suffixes);
        for &(before, prefix) in &prefixes {
            for &(after, suffix) in &suffixes {
                if before + after < name.len() {
                    each(Anchored { prefix, suffix });
                }
            }
        }
    }
}
