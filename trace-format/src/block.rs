//! Blocks: what every file of a trace is made of, after a file header of 16 bytes.
//!
//! A block is a header of [`HEADER_BYTES`] bytes and one complete zstd frame of msgpack. All numbers are little-endian.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | [`MAGIC`], which a reader looks for after damage |
//! | 8 | kind, [`Kind`] |
//! | 9 | flags, 0 |
//! | 10..12 | 0 |
//! | 12..16 | rows: calls of a Calls block, ends of a LateEnds block, otherwise 0 |
//! | 16..24 | Calls: begin of the earliest row, nanoseconds of CLOCK_MONOTONIC; otherwise 0 |
//! | 24..28 | length of the zstd frame |
//! | 28..32 | length of the msgpack in it |
//! | 32..36 | CRC-32 (IEEE) of bytes 0..32 and the zstd frame |

use serde::Serialize;

/// The first 8 bytes of every file of a trace but `rings`.
pub const FILE_MAGIC: [u8; 8] = *b"cutTRACE";
/// Version of the format, the next 4 bytes; 4 bytes of 0 follow.
pub const FORMAT_VERSION: u32 = 1;
/// Length of the file header.
pub const FILE_HEADER_BYTES: usize = 16;

/// The first 8 bytes of every block.
pub const MAGIC: [u8; 8] = *b"\xC7cutBLK\n";
/// Length of a block's header.
pub const HEADER_BYTES: usize = 36;
/// No block holds more msgpack than this; a reader refuses to unpack more.
pub const MAX_RAW_BYTES: usize = 16 << 20;
/// No zstd frame is longer: zstd's own bound for [`MAX_RAW_BYTES`], rounded up.
pub const MAX_FRAME_BYTES: usize = MAX_RAW_BYTES + (MAX_RAW_BYTES >> 7);
/// No Calls block has more rows.
pub const MAX_ROWS: u32 = 1 << 16;

/// No Calls block has more columns in all; a writer starts a new block before its 1,025th function.
pub const MAX_COLUMNS: usize = 1 << 19;
/// Functions that a writer puts into one Calls block at most.
pub const MAX_GROUPS: usize = 1 << 10;

const CRC_AT: usize = 32;

/// What a block holds. Numbers that are not here are skipped by readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// What was recorded, where, by whom.
    Recording = 1,
    /// Functions and types.
    Schema = 2,
    /// One process: first block of its file.
    Process = 3,
    /// Files mapped into a process.
    Libraries = 4,
    /// Threads that were seen for the first time, or took over a ring.
    Threads = 5,
    /// Names of functions that the schema does not know.
    Functions = 6,
    /// Calls, in columns.
    Calls = 7,
    /// Ends of calls whose begin is in an earlier block.
    LateEnds = 8,
    /// Something that the recorder has to say.
    Note = 9,
    /// How the recorded program ended.
    Exit = 10,
    /// Directory of a sealed file.
    Index = 11,
    /// A piece of a module image or of copied data.
    Payload = 12,
    /// Names of code addresses, and call stacks.
    Code = 13,
}

impl Kind {
    /// The kind with that number, if this version knows it.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Recording,
            2 => Self::Schema,
            3 => Self::Process,
            4 => Self::Libraries,
            5 => Self::Threads,
            6 => Self::Functions,
            7 => Self::Calls,
            8 => Self::LateEnds,
            9 => Self::Note,
            10 => Self::Exit,
            11 => Self::Index,
            12 => Self::Payload,
            13 => Self::Code,
            _ => return None,
        })
    }
}

/// A block could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// More than [`MAX_RAW_BYTES`] of msgpack.
    #[error("a block would hold {0} bytes, more than the {MAX_RAW_BYTES} that readers accept")]
    TooLarge(usize),
    /// zstd failed; in practice it had no memory.
    #[error("zstd could not compress a block: {0}")]
    Compress(std::io::Error),
    /// A value could not be written as msgpack.
    #[error("a block's content could not be written as msgpack: {0}")]
    Serialize(#[from] rmp_serde::encode::Error),
}

/// The header of every file.
pub fn file_header() -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(&FILE_MAGIC);
    header[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header
}

/// The fields of a block's header that its content decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// What the block holds.
    pub kind: Kind,
    /// Calls or late ends in it.
    pub rows: u32,
    /// Begin of the earliest call, nanoseconds.
    pub first_begin_ns: u64,
}

impl Label {
    /// For blocks without rows.
    pub const fn plain(kind: Kind) -> Self {
        Self {
            kind,
            rows: 0,
            first_begin_ns: 0,
        }
    }
}

/// Compresses blocks, keeping zstd's memory from one to the next.
pub struct BlockBuilder {
    compressor: zstd::bulk::Compressor<'static>,
    frame: Vec<u8>,
}

impl BlockBuilder {
    /// `level` is zstd's: 1 while recording, 3 or more when sealing.
    pub fn new(level: i32) -> Result<Self, BuildError> {
        let compressor = zstd::bulk::Compressor::new(level).map_err(BuildError::Compress)?;
        Ok(Self {
            compressor,
            frame: Vec::new(),
        })
    }

    /// Appends one block with `raw` as its msgpack. On an error `out` is as it was.
    pub fn append(
        &mut self,
        label: Label,
        raw: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), BuildError> {
        if raw.len() > MAX_RAW_BYTES {
            return Err(BuildError::TooLarge(raw.len()));
        }
        self.frame.clear();
        self.frame
            .reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.compressor
            .compress_to_buffer(raw, &mut self.frame)
            .map_err(BuildError::Compress)?;
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(&MAGIC);
        header[8] = label.kind as u8;
        header[12..16].copy_from_slice(&label.rows.to_le_bytes());
        header[16..24].copy_from_slice(&label.first_begin_ns.to_le_bytes());
        // Both lengths are below 2^32: `raw` was checked above and zstd's bound is a little more than its input.
        header[24..28].copy_from_slice(&(self.frame.len() as u32).to_le_bytes());
        header[28..32].copy_from_slice(&(raw.len() as u32).to_le_bytes());
        let crc = checksum(&header, &self.frame);
        header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.frame);
        Ok(())
    }

    /// Appends one block with a value written as msgpack, structures as maps by field name.
    pub fn append_value(
        &mut self,
        kind: Kind,
        value: &impl Serialize,
        out: &mut Vec<u8>,
    ) -> Result<(), BuildError> {
        self.append(Label::plain(kind), &rmp_serde::to_vec_named(value)?, out)
    }
}

/// One block of its own, for files that get few of them.
pub fn single(kind: Kind, value: &impl Serialize) -> Result<Vec<u8>, BuildError> {
    let mut out = Vec::new();
    BlockBuilder::new(3)?.append_value(kind, value, &mut out)?;
    Ok(out)
}

fn checksum(header: &[u8; HEADER_BYTES], frame: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..CRC_AT]);
    crc.update(frame);
    crc.finalize()
}

/// A block's header as read, before its CRC was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of the kind.
    pub kind: u8,
    /// Calls or late ends.
    pub rows: u32,
    /// Begin of the earliest call, nanoseconds.
    pub first_begin_ns: u64,
    /// Length of the zstd frame.
    pub frame_bytes: u32,
    /// Length of the msgpack.
    pub raw_bytes: u32,
    bytes: [u8; HEADER_BYTES],
}

/// Why a block can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockProblem {
    /// No block starts here.
    #[error("no block starts here")]
    Magic,
    /// A length or a row count above the format's limits.
    #[error(
        "the header claims {frame} compressed bytes, {raw} bytes and {rows} rows, beyond the limits"
    )]
    Limits {
        /// Claimed length of the zstd frame.
        frame: u32,
        /// Claimed length of the msgpack.
        raw: u32,
        /// Claimed rows.
        rows: u32,
    },
    /// The file ends first.
    #[error("the file ends inside the block: {expected} bytes expected, {found} there")]
    Truncated {
        /// Length of the block.
        expected: u64,
        /// Bytes until the end of the file.
        found: u64,
    },
    /// Flipped bits.
    #[error("the checksum is {found:08x} and should be {expected:08x}")]
    Checksum {
        /// In the header.
        expected: u32,
        /// Of the bytes.
        found: u32,
    },
    /// Not a zstd frame of the given length.
    #[error("the block does not unpack to the {expected} bytes that its header promises: {why}")]
    Unpack {
        /// Promised length.
        expected: u32,
        /// What zstd says.
        why: String,
    },
    /// Unpacked, and not what the format says.
    #[error("the block's content is not what its kind requires: {0}")]
    Content(String),
}

impl Header {
    /// Reads a header; its lengths are within the limits when this succeeds.
    pub fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Self, BlockProblem> {
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if bytes[..8] != MAGIC {
            return Err(BlockProblem::Magic);
        }
        let header = Self {
            kind: bytes[8],
            rows: u32_at(12),
            first_begin_ns: u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32,
            frame_bytes: u32_at(24),
            raw_bytes: u32_at(28),
            bytes: *bytes,
        };
        let calls_too_many = header.kind == Kind::Calls as u8 && header.rows > MAX_ROWS;
        if header.frame_bytes as usize > MAX_FRAME_BYTES
            || header.raw_bytes as usize > MAX_RAW_BYTES
            || calls_too_many
        {
            let Self {
                frame_bytes: frame,
                raw_bytes: raw,
                rows,
                ..
            } = header;
            return Err(BlockProblem::Limits { frame, raw, rows });
        }
        Ok(header)
    }

    /// Length of header and frame.
    pub fn total_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.frame_bytes)
    }

    /// Checks the CRC over this header and `frame`.
    pub fn check(&self, frame: &[u8]) -> Result<(), BlockProblem> {
        let [.., a, b, c, d] = self.bytes;
        let expected = u32::from_le_bytes([a, b, c, d]);
        let found = checksum(&self.bytes, frame);
        if expected == found {
            Ok(())
        } else {
            Err(BlockProblem::Checksum { expected, found })
        }
    }

    /// Checks and unpacks the frame. Never yields more than the header's `raw_bytes`, whatever the frame claims.
    pub fn unpack(&self, frame: &[u8]) -> Result<Vec<u8>, BlockProblem> {
        self.check(frame)?;
        let problem = |why: String| BlockProblem::Unpack {
            expected: self.raw_bytes,
            why,
        };
        let claimed = zstd::zstd_safe::get_frame_content_size(frame)
            .map_err(|error| problem(error.to_string()))?;
        if claimed != Some(u64::from(self.raw_bytes)) {
            return Err(problem("the frame says another length".to_owned()));
        }
        let raw = zstd::bulk::decompress(frame, self.raw_bytes as usize)
            .map_err(|error| problem(error.to_string()))?;
        if raw.len() != self.raw_bytes as usize {
            return Err(problem(format!("{} bytes came out", raw.len())));
        }
        Ok(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(block: &[u8]) -> Result<Vec<u8>, BlockProblem> {
        let header = block[..HEADER_BYTES].try_into().expect("a header's length");
        Header::read(header)?.unpack(&block[HEADER_BYTES..])
    }

    #[test]
    fn a_block_comes_back_as_it_went_in() {
        let block = single(Kind::Note, &("hello", 7)).expect("builds");
        assert_eq!(
            read(&block).expect("reads"),
            rmp_serde::to_vec_named(&("hello", 7)).expect("msgpack")
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let block = single(Kind::Note, &"some text that is long enough").expect("builds");
        for bit in 0..block.len() * 8 {
            let mut damaged = block.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let frame = zstd::bulk::compress(&vec![0; 64 << 20], 1).expect("compresses");
        for raw_bytes in [100u32, MAX_RAW_BYTES as u32] {
            let mut header = [0; HEADER_BYTES];
            header[..8].copy_from_slice(&MAGIC);
            header[24..28].copy_from_slice(&(frame.len() as u32).to_le_bytes());
            header[28..32].copy_from_slice(&raw_bytes.to_le_bytes());
            let crc = checksum(&header, &frame);
            header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
            let header = Header::read(&header).expect("within limits");
            assert!(matches!(
                header.unpack(&frame),
                Err(BlockProblem::Unpack { .. })
            ));
        }
    }
}
