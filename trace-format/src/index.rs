//! The Index block at the end of a sealed file, and the footer that points to it. Both may be missing: blocks are found by scanning.
//!
//! The footer is the file's last [`FOOTER_BYTES`] bytes: [`FOOTER_MAGIC`], offset of the Index block (8 bytes), CRC-32 of these 16 bytes,
//! 4 bytes of 0.

use crate::block::{BlockBuilder, BuildError, Kind, Label};
use crate::column::{Column, ColumnWriter};
use crate::msgpack::{
    Cursor, Unexpected, write_array_len, write_bin, write_map_len, write_str, write_uint,
};
use crate::payload::PayloadHash;
use crate::payload_block::read_hash;

/// Length of the footer.
pub const FOOTER_BYTES: usize = 24;
/// The footer's first bytes.
pub const FOOTER_MAGIC: [u8; 8] = *b"cutINDEX";

/// Calls blocks that an index may list: enough for 10^12 calls.
const MAX_BLOCKS: u64 = 1 << 25;

/// Where the blocks of a sealed file are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Offsets of Calls blocks, in order.
    pub offsets: Vec<u64>,
    /// Their rows.
    pub rows: Vec<u64>,
    /// Begin of their first rows, nanoseconds.
    pub first_begins_ns: Vec<u64>,
    /// Offset and kind of all other blocks but Payload blocks.
    pub others: Vec<(u64, u8)>,
    /// Payloads, each with its length and the offsets of its blocks.
    pub payloads: Vec<(PayloadHash, u64, Vec<u64>)>,
}

impl Index {
    /// Appends the Index block and the footer. `offset` is where the block will be in the file.
    pub fn append(
        &self,
        offset: u64,
        blocks: &mut BlockBuilder,
        out: &mut Vec<u8>,
    ) -> Result<(), BuildError> {
        let mut raw = Vec::new();
        let mut columns = ColumnWriter::default();
        write_map_len(&mut raw, 5 + usize::from(!self.payloads.is_empty()));
        write_str(&mut raw, "n");
        write_uint(&mut raw, self.offsets.len() as u64);
        for (key, column) in [
            ("offset", &self.offsets),
            ("rows", &self.rows),
            ("first_begin_ns", &self.first_begins_ns),
        ] {
            write_str(&mut raw, key);
            columns.write(column, &mut raw);
        }
        write_str(&mut raw, "others");
        write_array_len(&mut raw, self.others.len());
        for &(offset, kind) in &self.others {
            write_array_len(&mut raw, 2);
            write_uint(&mut raw, offset);
            write_uint(&mut raw, kind.into());
        }
        if !self.payloads.is_empty() {
            write_payloads(&self.payloads, &mut raw);
        }
        blocks.append(Label::plain(Kind::Index), &raw, out)?;
        out.extend_from_slice(&footer(offset));
        Ok(())
    }

    /// Reads the msgpack of an Index block.
    pub fn read(raw: &[u8]) -> Result<Self, Unexpected> {
        let mut cursor = Cursor::new(raw);
        let mut index = Self::default();
        let mut blocks = 0;
        for _ in 0..cursor.map_len()? {
            match cursor.str()? {
                "n" => blocks = read_count(&mut cursor)?,
                "offset" => index.offsets = read_column(&mut cursor, blocks)?,
                "rows" => index.rows = read_column(&mut cursor, blocks)?,
                "first_begin_ns" => index.first_begins_ns = read_column(&mut cursor, blocks)?,
                "payloads" => index.payloads = read_payloads(&mut cursor)?,
                "others" => {
                    for _ in 0..cursor.array_len()? {
                        let length = cursor.array_of(2)?;
                        let offset = cursor.uint()?;
                        index.others.push((offset, cursor.uint()?.min(255) as u8));
                        cursor.skip_rest(length, 2)?;
                    }
                }
                _ => cursor.skip()?,
            }
        }
        if [&index.offsets, &index.rows, &index.first_begins_ns]
            .iter()
            .any(|column| column.len() != blocks)
        {
            return Err(cursor.unexpected("an index with all its columns", "fewer"));
        }
        Ok(index)
    }
}

fn write_payloads(payloads: &[(PayloadHash, u64, Vec<u64>)], raw: &mut Vec<u8>) {
    write_str(raw, "payloads");
    write_array_len(raw, payloads.len());
    for (hash, bytes, blocks) in payloads {
        write_array_len(raw, 3);
        write_bin(raw, &hash.0);
        write_uint(raw, *bytes);
        write_array_len(raw, blocks.len());
        blocks.iter().for_each(|&offset| write_uint(raw, offset));
    }
}

fn read_payloads(cursor: &mut Cursor<'_>) -> Result<Vec<(PayloadHash, u64, Vec<u64>)>, Unexpected> {
    let mut payloads = Vec::new();
    for _ in 0..cursor.array_len()? {
        let length = cursor.array_of(3)?;
        let (hash, bytes) = (read_hash(cursor)?, cursor.uint()?);
        let blocks = (0..cursor.array_len()?)
            .map(|_| cursor.uint())
            .collect::<Result<_, _>>()?;
        cursor.skip_rest(length, 3)?;
        payloads.push((hash, bytes, blocks));
    }
    Ok(payloads)
}

fn read_count(cursor: &mut Cursor<'_>) -> Result<usize, Unexpected> {
    let blocks = cursor.uint()?;
    // A constant column has no bytes to show for its rows, so the number is checked against the limit instead.
    if blocks > MAX_BLOCKS {
        return Err(cursor.unexpected("at most 2^25 blocks", blocks));
    }
    Ok(blocks as usize)
}

fn read_column(cursor: &mut Cursor<'_>, rows: usize) -> Result<Vec<u64>, Unexpected> {
    let column = Column::read(cursor, rows)?;
    Ok((0..rows)
        .map(|row| column.get(cursor.block(), row))
        .collect())
}

fn footer(offset: u64) -> [u8; FOOTER_BYTES] {
    let mut footer = [0; FOOTER_BYTES];
    footer[..8].copy_from_slice(&FOOTER_MAGIC);
    footer[8..16].copy_from_slice(&offset.to_le_bytes());
    let crc = crc32fast::hash(&footer[..16]);
    footer[16..20].copy_from_slice(&crc.to_le_bytes());
    footer
}

/// The offset of the Index block by a footer, if it is one.
pub fn read_footer(bytes: &[u8; FOOTER_BYTES]) -> Option<u64> {
    let mut offset = [0; 8];
    offset.copy_from_slice(&bytes[8..16]);
    let offset = u64::from_le_bytes(offset);
    (footer(offset) == *bytes).then_some(offset)
}
