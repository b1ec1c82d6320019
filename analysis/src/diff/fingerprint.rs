//! Fingerprints of what a call asked and answered: 64 bits that are the same for the same input on every machine.

/// Odd constants without pattern: the fractions of the golden ratio and of the square root of 3.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xbb67_ae85_84ca_a73b;

/// A fingerprint under construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    /// An empty one. Those of different `seed` differ.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(FACTOR) ^ STEP)
    }

    /// Takes in a word.
    #[inline]
    pub fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word).wrapping_mul(u128::from(FACTOR));
        self.0 = (product as u64) ^ ((product >> 64) as u64).wrapping_add(STEP);
    }

    /// Takes in bytes and how many there are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words
            .iter()
            .for_each(|&word| self.word(u64::from_le_bytes(word)));
        if !rest.is_empty() {
            let last = rest
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u64::from(byte));
            self.word(last);
        }
    }

    /// The fingerprint.
    pub fn finish(self) -> u64 {
        let mut last = self;
        last.word(STEP);
        last.0
    }

    /// The fingerprint in 32 bits.
    pub fn finish_short(self) -> u32 {
        let whole = self.finish();
        (whole ^ (whole >> 32)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn inputs_that_differ_have_fingerprints_that_differ() {
        let mut seen = HashSet::new();
        for seed in 0..10 {
            for first in 0..100 {
                for second in 0..100 {
                    let mut print = Fingerprint::new(seed);
                    print.word(first);
                    print.word(second);
                    assert!(seen.insert(print.finish()), "{seed} {first} {second}");
                }
            }
        }
        for length in 0..64 {
            let mut print = Fingerprint::new(100);
            print.bytes(&vec![0; length]);
            assert!(seen.insert(print.finish()), "{length} zeros");
        }
    }
}
