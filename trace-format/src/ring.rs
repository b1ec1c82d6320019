//! The ring file: where a call is on record before it reaches the driver.
//!
//! Each traced process has one file `rings` in its folder of the recording. It starts with a [`FileHeader`] page; after it come the
//! rings one after the other, each a [`RingHeader`] page and `capacity` bytes of data. A thread owns a ring and is its only producer;
//! the process's flusher is the only consumer. Both run on positions: bytes written or consumed since the ring was made, which only
//! grow; a position's place in the data is `position & (capacity - 1)`. Records are whole 64-bit little-endian words and may wrap
//! around the end of the data (the producer maps the data twice in a row, so it never sees the wrap).
//!
//! A record is [`Word0`], the words that its kind says, then captures. All that lies in `tail..head` is complete. Because blocks carry
//! the positions that they cover, a reader of a killed process takes from the ring exactly what no block has.

use std::sync::atomic::{AtomicU32, AtomicU64};

/// `FileHeader::magic`.
pub const FILE_MAGIC: [u8; 8] = *b"cutRINGS";
/// `RingHeader::magic`.
pub const RING_MAGIC: [u8; 8] = *b"cutRING\n";
/// Version of everything in this module.
pub const RING_VERSION: u32 = 1;
/// Size of the page that [`FileHeader`] and each [`RingHeader`] has to itself.
pub const HEADER_BYTES: usize = 4096;
/// No ring is larger.
pub const MAX_CAPACITY: u64 = 1 << 30;
/// Captured bytes behind one parameter are cut here; the capture then says how many there were.
pub const MAX_CAPTURE: usize = 16 << 10;
/// Arguments of a kernel are cut here: it takes at most 32764 bytes (CUDA 12.1 and newer), and PyTorch's foreach kernels take nearly as many. No
/// capture is longer.
pub const MAX_ARGUMENTS: usize = 32 << 10;
/// Upper bound of a record's length in words (the length field has 16 bits).
pub const MAX_RECORD_WORDS: usize = u16::MAX as usize;

/// First page of the ring file.
#[repr(C)]
pub struct FileHeader {
    /// [`FILE_MAGIC`], written last: a file without it holds nothing.
    pub magic: [u8; 8],
    /// [`RING_VERSION`].
    pub version: u32,
    /// 1: ticks are the time stamp counter; 0: ticks are CLOCK_MONOTONIC nanoseconds.
    pub ticks_are_tsc: u32,
    /// Process that owns the file.
    pub pid: u32,
    /// Rings made so far. Written after the ring's header, with release order.
    pub rings: AtomicU32,
    /// Taken before the first call.
    pub first_anchor: Anchor,
    /// Renewed by the flusher; `second_anchor.sequence` is odd while it changes.
    pub second_anchor: Anchor,
    /// Calls that could not be recorded because their thread got no ring.
    pub lost_without_ring: AtomicU64,
    /// 0 while recording; 1 once recording was turned off by a failure of ours.
    pub off: AtomicU32,
}

/// The three clocks read at one moment: what converts ticks to time.
#[repr(C)]
pub struct Anchor {
    /// Even when the other fields are consistent.
    pub sequence: AtomicU64,
    /// The counter that records use.
    pub ticks: AtomicU64,
    /// CLOCK_MONOTONIC, nanoseconds.
    pub monotonic_ns: AtomicU64,
    /// CLOCK_REALTIME, nanoseconds since 1970.
    pub realtime_ns: AtomicU64,
}

/// First page of each ring. Producer and consumer write to cache lines of their own.
#[repr(C)]
pub struct RingHeader {
    /// [`RING_MAGIC`].
    pub magic: [u8; 8],
    /// Bytes of data after this page: a power of two, at least 4096.
    pub capacity: u64,
    /// Number of the ring in its file, from 0.
    pub index: u32,
    /// Padding to the producer's cache line.
    pub _reserved: [u32; 11],
    /// Position up to which records are complete. Written by the producer, release order.
    pub head: AtomicU64,
    /// Times the producer waited because the ring was full.
    pub waits: AtomicU64,
    /// How long it waited in all, nanoseconds.
    pub waited_ns: AtomicU64,
    /// Calls dropped because the ring was full (`--on-full drop`).
    pub dropped: AtomicU64,
    /// Padding to the consumer's cache lines.
    pub _reserved2: [u64; 12],
    /// Position up to which records are in blocks. Written by the consumer after the block is in the file.
    pub tail: AtomicU64,
}

/// The first word of a record: length in words (bits 0..16, this word included), kind (16..24), flags (24..32), a number (32..64).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word0(pub u64);

/// What a record is.
pub mod kind {
    /// A call enters. Number: function id. Flags: number of argument words.
    /// Words: ticks, return address, argument words; then captures of what in-pointers point to.
    pub const BEGIN: u8 = 1;
    /// A call returned. Number: low 32 bits of the return value. Flags: [`super::END_WIDE`].
    /// Words: ticks, call id, with END_WIDE the whole return value; then captures of what out-pointers hold.
    pub const END: u8 = 2;
    /// From here on the ring's records are of this thread. Number: tid. Words: ticks, thread ordinal, 16 bytes of name.
    pub const THREAD: u8 = 3;
    /// A function that the table doesn't know got an id. Number: function id. Words: length of the name in bytes, name.
    pub const FUNCTION: u8 = 4;
}

/// Flag of [`kind::END`]: a word with all 64 bits of the return value follows the call id.
pub const END_WIDE: u8 = 1;

// A capture is a header word, with CAPTURE_CUT one word with the number of bytes that there were, and the bytes, padded with zeros to
// whole words. The header word: number of bytes that follow (bits 0..32), parameter (32..40), flags (40..48).

/// Flag of a capture: taken after the call (an out parameter); otherwise before it.
pub const CAPTURE_OUT: u64 = 1 << 40;
/// Flag of a capture: cut short; the next word says how many bytes there were.
pub const CAPTURE_CUT: u64 = 1 << 41;

impl Word0 {
    /// Puts the parts together.
    pub const fn new(words: usize, kind: u8, flags: u8, number: u32) -> Self {
        Self(words as u64 | (kind as u64) << 16 | (flags as u64) << 24 | (number as u64) << 32)
    }

    /// The same for a record with that many words more. The sum must be below [`MAX_RECORD_WORDS`].
    pub const fn longer_by(self, words: usize) -> Self {
        Self(self.0 + words as u64)
    }

    /// Length of the record in words, this one included.
    pub const fn words(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    /// One of [`kind`].
    pub const fn kind(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// Flags, by kind.
    pub const fn flags(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// Number, by kind.
    pub const fn number(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// The header word of a capture: `bytes` bytes behind parameter number `param`; flags are [`CAPTURE_OUT`] and [`CAPTURE_CUT`].
pub const fn capture_word(param: u8, flags: u64, bytes: u32) -> u64 {
    bytes as u64 | (param as u64) << 32 | flags
}

/// Names one call of a process: ring number in the upper 16 bits, position of its BEGIN record in the lower 48.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct CallId(pub u64);

impl CallId {
    /// From a ring's number and the position of a BEGIN record in it.
    pub const fn new(ring: u16, position: u64) -> Self {
        Self((ring as u64) << 48 | (position & ((1 << 48) - 1)))
    }

    /// The ring's number.
    pub const fn ring(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// The position of the BEGIN record.
    pub const fn position(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }
}

const _: () = {
    assert!(size_of::<FileHeader>() <= HEADER_BYTES);
    assert!(size_of::<RingHeader>() <= HEADER_BYTES);
    assert!(std::mem::offset_of!(RingHeader, head) == 64);
    assert!(std::mem::offset_of!(RingHeader, tail) == 192);
};
