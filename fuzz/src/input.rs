//! Reading decisions out of the fuzzer's bytes: nothing else that a target does is left to chance.

use sha2::{Digest as _, Sha256};

/// Bytes that are used up from the front. Where there are none left, zeroes come.
#[derive(Debug)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of `data`.
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// Whether all was used.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// The next `N` bytes, zeroes behind the end.
    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.bytes(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// The next `count` bytes, or all that are left.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// An index into something with `count` places, which is not 0.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        usize::from(u16::from_be_bytes(self.array())) % count
    }
}

/// Copies `bytes`, which are not empty, with one bit changed: which one depends on `data` alone.
pub(crate) fn flip_a_bit(bytes: &[u8], data: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    let bit = draw(data) % (bytes.len() * 8);
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// A number that depends on `data` alone, for a choice that the data was not made for.
pub(crate) fn draw(data: &[u8]) -> usize {
    let digest = Sha256::digest(data);
    usize::from(digest[0]) | usize::from(digest[1]) << 8 | usize::from(digest[2]) << 16
}
