//! Hashing of words: handles, numbers of processes and threads. The standard hash costs more than all the rest of a look-up.

use std::hash::{BuildHasher, Hasher, RandomState};

/// An odd constant without pattern: the fraction of the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash table whose keys are a few words.
pub(crate) type WordMap<K, V> = std::collections::HashMap<K, V, WordHash>;

/// Makes hashers that nobody who writes a trace can foresee: each table has a secret of its own.
#[derive(Clone, Debug)]
pub(crate) struct WordHash {
    secret: u64,
}

impl Default for WordHash {
    fn default() -> Self {
        Self {
            secret: RandomState::new().hash_one(0u64),
        }
    }
}

impl BuildHasher for WordHash {
    type Hasher = WordHasher;

    fn build_hasher(&self) -> WordHasher {
        WordHasher(self.secret)
    }
}

/// A hash under construction.
#[derive(Clone, Debug)]
pub(crate) struct WordHasher(u64);

impl WordHasher {
    #[inline]
    fn take(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for WordHasher {
    #[inline]
    fn finish(&self) -> u64 {
        // Tables take the place from the low bits and a tag from the high ones.
        self.0.rotate_left(26) ^ self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.take(bytes.len() as u64);
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.take(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u8(&mut self, word: u8) {
        self.take(word.into());
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.take(word.into());
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.take(word);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.take(word as u64);
    }

    #[inline]
    fn write_isize(&mut self, word: isize) {
        self.take(word as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_that_lie_apart_regularly_spread_over_a_table() {
        let hash = WordHash::default();
        for step in [1u64, 8, 0x80, 0x1000, 1 << 20, 1 << 33] {
            let low = |word: u64| hash.hash_one((7u8, word * step)) & 0xfff;
            let places: HashSet<u64> = (0..4096).map(low).collect();
            // Thrown at random, 63 % of the places would be hit.
            assert!(places.len() > 2300, "{step}: {}", places.len());
        }
    }
}
