//! Columns of 64-bit words: how the calls of a block are stored.
//!
//! A column of `n` words is one of these msgpack values:
//!
//! | value | meaning |
//! | --- | --- |
//! | unsigned integer | every word is this one |
//! | `[1, base, mask, planes]` | words as they are |
//! | `[2, first, base, mask, planes]` | the first word and `n - 1` differences between neighbours |
//! | `[3, [word, ...], indices]` | a dictionary and one byte a row that indexes it |
//!
//! `planes` is a byte string: for each bit set in `mask`, lowest first, one byte a row. Byte `k` of a row's number is that of plane `k`
//! where bit `k` is set and byte `k` of `base` elsewhere. Differences are zigzag numbers, `(d << 1) ^ (d >> 63)`, added modulo 2^64.
//! So a column costs its rows only the bytes that differ, and bytes of one meaning lie side by side for zstd.

use crate::msgpack;

/// Tag of a column of words as they are.
pub(crate) const PLAIN: u64 = 1;
/// Tag of a column of differences.
pub(crate) const DELTA: u64 = 2;
/// Tag of a column with a dictionary.
pub(crate) const DICTIONARY: u64 = 3;

/// A dictionary indexes with one byte.
const MAX_DICTIONARY: usize = 256;
/// Slots of the hash table that finds a word in the dictionary under construction.
const SLOTS: usize = 1024;
/// Fewer rows than this are not worth a dictionary.
const MIN_DICTIONARY_ROWS: usize = 16;

/// Writes columns, keeping its tables from one to the next.
pub struct ColumnWriter {
    slots: Box<[u16; SLOTS]>,
    words: Vec<u64>,
    slot_of_word: Vec<u16>,
    indices: Vec<u8>,
}

impl Default for ColumnWriter {
    fn default() -> Self {
        Self { slots: Box::new([0; SLOTS]), words: Vec::new(), slot_of_word: Vec::new(), indices: Vec::new() }
    }
}

/// Bits that differ between any two of a column's words, and between any two of its differences.
struct Spread {
    words: u64,
    deltas: u64,
    first_delta: u64,
}

#[inline]
fn zigzag(delta: u64) -> u64 {
    (delta << 1) ^ 0u64.wrapping_sub(delta >> 63)
}

/// The difference that a zigzag number stands for.
#[inline]
pub(crate) fn unzigzag(zigzag: u64) -> u64 {
    (zigzag >> 1) ^ 0u64.wrapping_sub(zigzag & 1)
}

fn spread(words: &[u64]) -> Spread {
    let first = words[0];
    let first_delta = words.get(1).map_or(0, |second| zigzag(second.wrapping_sub(first)));
    let mut spread = Spread { words: 0, deltas: 0, first_delta };
    for pair in words.windows(2) {
        spread.words |= pair[1] ^ first;
        spread.deltas |= zigzag(pair[1].wrapping_sub(pair[0])) ^ first_delta;
    }
    spread
}

/// Which bytes of a word have a bit set.
fn byte_mask(bits: u64) -> u8 {
    let mut mask = 0;
    for (at, byte) in bits.to_le_bytes().iter().enumerate() {
        mask |= u8::from(*byte != 0) << at;
    }
    mask
}

/// Zeroes the bytes whose bit is set in `mask`.
fn without_planes(word: u64, mask: u8) -> u64 {
    let mut bytes = word.to_le_bytes();
    for (at, byte) in bytes.iter_mut().enumerate() {
        if mask >> at & 1 != 0 {
            *byte = 0;
        }
    }
    u64::from_le_bytes(bytes)
}

impl ColumnWriter {
    /// Appends `words` as one column in the shortest of the encodings.
    pub fn write(&mut self, words: &[u64], out: &mut Vec<u8>) {
        let Some(&first) = words.first() else {
            msgpack::write_uint(out, 0);
            return;
        };
        let spread = spread(words);
        if spread.words == 0 {
            msgpack::write_uint(out, first);
            return;
        }
        let plain_mask = byte_mask(spread.words);
        let delta_mask = byte_mask(spread.deltas);
        let planes = plain_mask.count_ones().min(delta_mask.count_ones()) as usize;
        if planes >= 2 && words.len() >= MIN_DICTIONARY_ROWS && self.index(words, (planes - 1) * words.len() / 9) {
            self.write_dictionary(out);
        } else if delta_mask.count_ones() < plain_mask.count_ones() {
            write_deltas(words, spread.first_delta, delta_mask, out);
        } else {
            msgpack::write_array_len(out, 4);
            msgpack::write_uint(out, PLAIN);
            msgpack::write_uint(out, without_planes(first, plain_mask));
            msgpack::write_uint(out, plain_mask.into());
            msgpack::write_bin_len(out, plain_mask.count_ones() as usize * words.len());
            for plane in planes_of(plain_mask) {
                out.extend(words.iter().map(|word| (word >> plane) as u8));
            }
        }
    }

    /// Builds dictionary and indices; false when there are more than `limit` different words.
    fn index(&mut self, words: &[u64], limit: usize) -> bool {
        let limit = limit.min(MAX_DICTIONARY);
        self.words.clear();
        self.slot_of_word.clear();
        self.indices.clear();
        let mut fits = true;
        'rows: for &word in words {
            let mut slot = (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize;
            loop {
                // 0 is an empty slot, so a word's place is stored plus one.
                match self.slots[slot] {
                    0 if self.words.len() >= limit => {
                        fits = false;
                        break 'rows;
                    }
                    0 => {
                        self.words.push(word);
                        self.slot_of_word.push(slot as u16);
                        self.slots[slot] = self.words.len() as u16;
                        self.indices.push((self.words.len() - 1) as u8);
                        break;
                    }
                    place if self.words[usize::from(place) - 1] == word => {
                        self.indices.push((place - 1) as u8);
                        break;
                    }
                    _ => slot = (slot + 1) % SLOTS,
                }
            }
        }
        for &slot in &self.slot_of_word {
            self.slots[usize::from(slot)] = 0;
        }
        fits
    }

    fn write_dictionary(&self, out: &mut Vec<u8>) {
        msgpack::write_array_len(out, 3);
        msgpack::write_uint(out, DICTIONARY);
        msgpack::write_array_len(out, self.words.len());
        for &word in &self.words {
            msgpack::write_uint(out, word);
        }
        msgpack::write_bin_len(out, self.indices.len());
        out.extend_from_slice(&self.indices);
    }
}

fn planes_of(mask: u8) -> impl Iterator<Item = u32> {
    (0..8).filter(move |plane| mask >> plane & 1 != 0).map(|plane| plane * 8)
}

fn write_deltas(words: &[u64], first_delta: u64, mask: u8, out: &mut Vec<u8>) {
    msgpack::write_array_len(out, 5);
    msgpack::write_uint(out, DELTA);
    msgpack::write_uint(out, words[0]);
    msgpack::write_uint(out, without_planes(first_delta, mask));
    msgpack::write_uint(out, mask.into());
    msgpack::write_bin_len(out, mask.count_ones() as usize * (words.len() - 1));
    for plane in planes_of(mask) {
        out.extend(words.windows(2).map(|pair| (zigzag(pair[1].wrapping_sub(pair[0])) >> plane) as u8));
    }
}
