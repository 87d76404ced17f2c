//! Patterns by a few characters of a literal between two wildcards: for those whose ends many others have too.

use std::collections::HashMap;

use super::Head;

/// The most characters of a gram.
const LONGEST: usize = 8;

/// Up to eight characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gram {
    key: u64,
    length: usize,
}

/// The grams that patterns lie under.
#[derive(Clone, Debug, Default)]
pub(super) struct Grams {
    /// Bit `n - 1`: there are some of `n` characters.
    lengths: u8,
    heads: HashMap<u64, Head>,
}

impl Gram {
    /// The characters as a number. None is NUL, so grams of two lengths never have one number.
    pub(super) const fn key(self) -> u64 {
        self.key
    }

    fn new(bytes: &[u8]) -> Self {
        let key = bytes.iter().fold(0, |key, &byte| key << 8 | u64::from(byte));
        Self { key, length: bytes.len() }
    }
}

/// The most grams of one pattern: enough to find a rare one.
const MOST: usize = 32;

/// The grams of a pattern: of every literal between two of its wildcards, each run of eight characters, or the whole; the
/// first of them where there are many.
pub(super) fn of(pattern: &str) -> impl Iterator<Item = Gram> {
    let pieces = pattern.split(['*', '?']).count();
    let between = pattern
        .split(['*', '?'])
        .enumerate()
        .filter(move |(at, piece)| *at > 0 && *at + 1 < pieces && !piece.is_empty());
    between.flat_map(|(_, piece)| piece.as_bytes().windows(piece.len().min(LONGEST)).map(Gram::new)).take(MOST)
}

impl Grams {
    /// What lies under a gram.
    pub(super) fn head(&mut self, gram: Gram) -> &mut Head {
        self.lengths |= 1 << (gram.length - 1);
        self.heads.entry(gram.key).or_default()
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.heads.shrink_to_fit();
    }

    /// What lies under the grams that `name` has, one for each place.
    pub(super) fn found_in(&self, name: &str, mut each: impl FnMut(&Head)) {
        for length in (1..=LONGEST).filter(|length| self.lengths >> (length - 1) & 1 == 1) {
            for window in name.as_bytes().windows(length) {
                if let Some(head) = self.heads.get(&Gram::new(window).key) {
                    each(head);
                }
            }
        }
    }
}
