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

use crate::msgpack::{self, Cursor, Unexpected};

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
        Self {
            slots: Box::new([0; SLOTS]),
            words: Vec::new(),
            slot_of_word: Vec::new(),
            indices: Vec::new(),
        }
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
    let first_delta = words
        .get(1)
        .map_or(0, |second| zigzag(second.wrapping_sub(first)));
    let mut spread = Spread {
        words: 0,
        deltas: 0,
        first_delta,
    };
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
        if planes >= 2
            && words.len() >= MIN_DICTIONARY_ROWS
            && self.index(words, (planes - 1) * words.len() / 9)
        {
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
    (0..8)
        .filter(move |plane| mask >> plane & 1 != 0)
        .map(|plane| plane * 8)
}

fn write_deltas(words: &[u64], first_delta: u64, mask: u8, out: &mut Vec<u8>) {
    msgpack::write_array_len(out, 5);
    msgpack::write_uint(out, DELTA);
    msgpack::write_uint(out, words[0]);
    msgpack::write_uint(out, without_planes(first_delta, mask));
    msgpack::write_uint(out, mask.into());
    msgpack::write_bin_len(out, mask.count_ones() as usize * (words.len() - 1));
    for plane in planes_of(mask) {
        out.extend(
            words
                .windows(2)
                .map(|pair| (zigzag(pair[1].wrapping_sub(pair[0])) >> plane) as u8),
        );
    }
}

/// A column as read. Its words are made when they are asked for, from planes in the block's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// Every word is this one.
    Constant(u64),
    /// Words as they are; `planes` is where the bytes lie in the block.
    Plain {
        /// Bytes that all words share.
        base: u64,
        /// Planes that are there.
        mask: u8,
        /// Offset of the first plane.
        planes: usize,
        /// Length of a plane.
        rows: usize,
    },
    /// Each word differs from the one before by the same amount.
    Arithmetic {
        /// First word.
        first: u64,
        /// Difference, modulo 2^64.
        step: u64,
    },
    /// Words made from differences.
    Words(Vec<u64>),
    /// A dictionary, and where the indices lie in the block.
    Dictionary {
        /// The words.
        words: Vec<u64>,
        /// Offset of the first index.
        indices: usize,
    },
}

impl Column {
    /// Reads a column of `rows` words from a cursor over the whole block.
    pub fn read(cursor: &mut Cursor<'_>, rows: usize) -> Result<Self, Unexpected> {
        if !matches!(cursor.peek(), Some(0x90..=0x9f | 0xdc | 0xdd)) {
            return cursor.uint().map(Self::Constant);
        }
        let length = cursor.array_of(3)?;
        let (column, read) = match cursor.uint()? {
            PLAIN => {
                let (base, mask, planes, _) = read_planes(cursor, rows)?;
                (
                    Self::Plain {
                        base,
                        mask,
                        planes,
                        rows,
                    },
                    4,
                )
            }
            DELTA => (Self::read_deltas(cursor, rows)?, 5),
            DICTIONARY => (Self::read_dictionary(cursor, rows)?, 3),
            other => return Err(cursor.unexpected("a column of a known encoding", other)),
        };
        if length < read {
            return Err(cursor.unexpected(
                "a column with all its parts",
                format_args!("{length} of them"),
            ));
        }
        cursor.skip_rest(length, read)?;
        Ok(column)
    }

    fn read_deltas(cursor: &mut Cursor<'_>, rows: usize) -> Result<Self, Unexpected> {
        let first = cursor.uint()?;
        let deltas = rows.saturating_sub(1);
        let (base, mask, _, bytes) = read_planes(cursor, deltas)?;
        if mask == 0 {
            return Ok(Self::Arithmetic {
                first,
                step: unzigzag(base),
            });
        }
        // The planes have a byte a row at least, so this is at most 8 times as long as the bytes that are there.
        let mut words = vec![base; rows];
        for (plane, shift) in bytes.chunks_exact(deltas.max(1)).zip(planes_of(mask)) {
            for (word, &byte) in words[1..].iter_mut().zip(plane) {
                *word |= u64::from(byte) << shift;
            }
        }
        let mut last = first;
        if let Some((head, tail)) = words.split_first_mut() {
            *head = first;
            for word in tail {
                last = last.wrapping_add(unzigzag(*word));
                *word = last;
            }
        }
        Ok(Self::Words(words))
    }

    fn read_dictionary(cursor: &mut Cursor<'_>, rows: usize) -> Result<Self, Unexpected> {
        let length = cursor.array_len()?;
        if length > MAX_DICTIONARY {
            return Err(cursor.unexpected("a dictionary of at most 256 words", length));
        }
        let words = (0..length)
            .map(|_| cursor.uint())
            .collect::<Result<Vec<_>, _>>()?;
        let indices = cursor.bin()?;
        if indices.len() != rows || indices.iter().any(|&index| usize::from(index) >= length) {
            return Err(cursor.unexpected(
                "one index of the dictionary a row",
                format_args!("{} indices", indices.len()),
            ));
        }
        Ok(Self::Dictionary {
            words,
            indices: cursor.position() - rows,
        })
    }

    /// The word of a row. `block` is the msgpack that the column was read from, and `row` is below its number of rows.
    #[inline]
    pub fn get(&self, block: &[u8], row: usize) -> u64 {
        match self {
            Self::Constant(word) => *word,
            Self::Plain {
                base,
                mask,
                planes,
                rows,
            } => {
                let (mut word, mut at, mut left) = (*base, planes + row, *mask);
                // Most columns have one or two planes, so the bits are looked for.
                while left != 0 {
                    word |= u64::from(block[at]) << (left.trailing_zeros() * 8);
                    at += rows;
                    left &= left - 1;
                }
                word
            }
            Self::Arithmetic { first, step } => first.wrapping_add(step.wrapping_mul(row as u64)),
            Self::Words(words) => words[row],
            Self::Dictionary { words, indices } => words[usize::from(block[indices + row])],
        }
    }

    /// All words at once. `block` is the msgpack that the column was read from, and `rows` its number of rows.
    pub fn into_words(self, block: &[u8], rows: usize) -> Vec<u64> {
        match self {
            Self::Constant(word) => vec![word; rows],
            Self::Plain {
                base, mask, planes, ..
            } => {
                let mut words = vec![base; rows];
                let bytes = block[planes..].chunks_exact(rows.max(1));
                for (plane, shift) in bytes.zip(planes_of(mask)) {
                    for (word, &byte) in words.iter_mut().zip(plane) {
                        *word |= u64::from(byte) << shift;
                    }
                }
                words
            }
            Self::Arithmetic { first, step } => (0..rows as u64)
                .map(|row| first.wrapping_add(step.wrapping_mul(row)))
                .collect(),
            Self::Words(words) => words,
            Self::Dictionary { words, indices } => block[indices..indices + rows]
                .iter()
                .map(|&index| words[usize::from(index)])
                .collect(),
        }
    }

    /// Bytes of memory besides the block's own.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Words(words) | Self::Dictionary { words, .. } => words.len() * 8,
            _ => 0,
        }
    }
}

/// Reads `base, mask, planes` of columns with `rows` entries: base, mask, offset of the planes, the planes.
fn read_planes<'a>(
    cursor: &mut Cursor<'a>,
    rows: usize,
) -> Result<(u64, u8, usize, &'a [u8]), Unexpected> {
    let base = cursor.uint()?;
    let mask = cursor.uint()?;
    let mask = u8::try_from(mask).map_err(|_| cursor.unexpected("a mask of eight planes", mask))?;
    let planes = cursor.bin()?;
    if planes.len() != mask.count_ones() as usize * rows {
        let found =
            format_args!("{} bytes for {rows} rows and mask {mask:#x}", planes.len()).to_string();
        return Err(cursor.unexpected("one byte a row and plane", found));
    }
    Ok((
        without_planes(base, mask),
        mask,
        cursor.position() - planes.len(),
        planes,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Chance;

    fn round_trip(words: &[u64]) -> usize {
        let mut bytes = Vec::new();
        ColumnWriter::default().write(words, &mut bytes);
        let mut cursor = Cursor::new(&bytes);
        let column = Column::read(&mut cursor, words.len()).expect("reads");
        assert_eq!(cursor.position(), bytes.len());
        let read: Vec<u64> = (0..words.len())
            .map(|row| column.get(&bytes, row))
            .collect();
        assert_eq!(read, words);
        assert_eq!(column.into_words(&bytes, words.len()), words);
        bytes.len()
    }

    #[test]
    fn words_come_back_whatever_they_are() {
        let mut chance = Chance::new(7);
        for length in [0, 1, 2, 3, 15, 16, 17, 255, 256, 257, 1000] {
            for bits in 0..=64u32 {
                let words: Vec<u64> = (0..length)
                    .map(|_| chance.word().checked_shr(64 - bits).unwrap_or(0))
                    .collect();
                round_trip(&words);
                let mut sorted = words;
                sorted.sort_unstable();
                round_trip(&sorted);
                sorted.reverse();
                round_trip(&sorted);
            }
        }
        round_trip(&[u64::MAX, 0, u64::MAX, 1 << 63, 0]);
    }

    #[test]
    fn what_repeats_is_short() {
        assert!(round_trip(&[0x7f00_1234_5678; 8192]) < 10, "a constant");
        let rising: Vec<u64> = (0..8192).map(|row| 0x7f00_0000_0000 + row * 512).collect();
        assert!(
            round_trip(&rising) < 32,
            "pointers that rise by the same step"
        );
        let mut chance = Chance::new(3);
        let handles: Vec<u64> = (0..8192)
            .map(|_| 0x5555_0000_0000 + chance.below(40) * 0x1_2340)
            .collect();
        assert!(round_trip(&handles) < 8192 + 400, "forty handles");
    }

    #[test]
    fn damaged_columns_are_errors() {
        let mut chance = Chance::new(9);
        for width in [3, 9, 20, 50] {
            let words: Vec<u64> = (0..40).map(|_| chance.word() >> (64 - width)).collect();
            let mut bytes = Vec::new();
            ColumnWriter::default().write(&words, &mut bytes);
            for length in 0..bytes.len() {
                assert!(
                    Column::read(&mut Cursor::new(&bytes[..length]), 40).is_err(),
                    "cut at {length}"
                );
            }
            for _ in 0..2000 {
                let mut damaged = bytes.clone();
                let at = chance.below(damaged.len() as u64) as usize;
                damaged[at] = chance.word() as u8;
                for rows in [0, 1, 39, 40, 65536] {
                    if let Ok(column) = Column::read(&mut Cursor::new(&damaged), rows) {
                        let words: Vec<u64> =
                            (0..rows).map(|row| column.get(&damaged, row)).collect();
                        assert_eq!(column.into_words(&damaged, rows), words);
                    }
                }
            }
        }
    }
}
