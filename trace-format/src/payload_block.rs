//! Payload blocks: module images and copied data in pieces.
//!
//! A block is a map: `hash` (the BLAKE3 hash of the whole content), `bytes` (its length), `offset` (of this piece), `data` (the piece). The
//! pieces of a content follow each other in its file.

use crate::block::{BlockBuilder, BlockProblem, BuildError, Kind, Label};
use crate::msgpack::{Cursor, write_bin, write_map_len, write_str, write_uint};
use crate::payload::PayloadHash;

/// Bytes of content in a block. Far below the limit of a block, so that a process that stores an image needs little memory for it.
pub const PIECE_BYTES: usize = 1 << 20;

/// One piece of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Whose piece it is.
    pub hash: PayloadHash,
    /// Length of the whole content.
    pub bytes: u64,
    /// Where the piece starts.
    pub offset: u64,
    /// The piece.
    pub data: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Appends it as a block.
    ///
    /// # Errors
    /// It is too long for a block.
    pub fn append(&self, blocks: &mut BlockBuilder, out: &mut Vec<u8>) -> Result<(), BuildError> {
        let mut raw = Vec::with_capacity(self.data.len() + 100);
        write_map_len(&mut raw, 4);
        write_str(&mut raw, "hash");
        write_bin(&mut raw, &self.hash.0);
        write_str(&mut raw, "bytes");
        write_uint(&mut raw, self.bytes);
        write_str(&mut raw, "offset");
        write_uint(&mut raw, self.offset);
        write_str(&mut raw, "data");
        write_bin(&mut raw, self.data);
        blocks.append(Label::plain(Kind::Payload), &raw, out)
    }

    /// Reads a block's msgpack.
    ///
    /// # Errors
    /// It isn't such a map, or the piece lies outside the content.
    pub fn read(raw: &'a [u8]) -> Result<Self, BlockProblem> {
        let content = |text: String| BlockProblem::Content(text);
        let mut cursor = Cursor::new(raw);
        let mut piece = Self {
            hash: PayloadHash::default(),
            bytes: 0,
            offset: 0,
            data: &[],
        };
        let mut read = || {
            for _ in 0..cursor.map_len()? {
                match cursor.str()? {
                    "hash" => piece.hash = read_hash(&mut cursor)?,
                    "bytes" => piece.bytes = cursor.uint()?,
                    "offset" => piece.offset = cursor.uint()?,
                    "data" => piece.data = cursor.bin()?,
                    _ => cursor.skip()?,
                }
            }
            Ok(())
        };
        read().map_err(|problem: crate::msgpack::Unexpected| content(problem.to_string()))?;
        let end = piece.offset.checked_add(piece.data.len() as u64);
        if piece.data.is_empty() || end.is_none_or(|end| end > piece.bytes) {
            return Err(content(format!(
                "a piece of {} bytes at offset {} of a payload of {} bytes",
                piece.data.len(),
                piece.offset,
                piece.bytes
            )));
        }
        Ok(piece)
    }
}

/// Reads a hash.
pub(crate) fn read_hash(
    cursor: &mut Cursor<'_>,
) -> Result<PayloadHash, crate::msgpack::Unexpected> {
    let bytes = cursor.bin()?;
    match bytes.try_into() {
        Ok(hash) => Ok(PayloadHash(hash)),
        Err(_) => Err(cursor.unexpected("a hash of 32 bytes", bytes.len())),
    }
}
