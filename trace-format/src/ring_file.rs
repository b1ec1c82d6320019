//! Reading a process's `rings` file from outside, dead or alive: what is in no block yet.
//!
//! The file is read, never mapped: it may be truncated or written while we look. Nothing in it is trusted.

use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::clock::AnchorReading;
use crate::record;
use crate::ring::{
    Anchor, FILE_MAGIC, FileHeader, HEADER_BYTES, MAX_CAPACITY, MAX_RECORD_WORDS, RING_MAGIC,
    RING_VERSION, RingHeader,
};

/// Ring bytes read at a time; well above the longest record.
const PIECE_BYTES: usize = 8 << 20;
/// Tries at reading an anchor between two writes.
const ANCHOR_TRIES: u32 = 100;

const _: () = assert!(PIECE_BYTES > MAX_RECORD_WORDS * 8);

/// What is wrong with a ring file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingFileProblem {
    /// Of another version.
    #[error("ring file version {0}, and this cutape reads version {RING_VERSION}")]
    Version(u32),
    /// A ring header that can't be one, so this ring and those behind it are out of reach.
    #[error("ring {ring} of {rings} has no valid header at offset {offset}")]
    Header {
        /// Number of the ring.
        ring: u32,
        /// Rings that the file says it has.
        rings: u32,
        /// Where its header should be.
        offset: u64,
    },
    /// Positions that can't be.
    #[error(
        "ring {ring} of {capacity} bytes says it was written up to {head} and read up to {tail}"
    )]
    Positions {
        /// Number of the ring.
        ring: u16,
        /// Bytes of data.
        capacity: u64,
        /// Written up to here.
        head: u64,
        /// In blocks up to here.
        tail: u64,
    },
}

/// A ring as its header describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Its number.
    pub index: u16,
    /// Offset of its data in the file.
    data_offset: u64,
    /// Bytes of data.
    pub capacity: u64,
    /// Written up to here.
    pub head: u64,
    /// In blocks up to here.
    pub tail: u64,
    /// Calls dropped because it was full.
    pub dropped: u64,
    /// Nanoseconds that its threads waited for space.
    pub waited_ns: u64,
}

/// An open ring file, with headers as they were when it was opened.
#[derive(Debug)]
pub struct RingFile {
    file: File,
    /// Process by its own account.
    pub pid: u32,
    /// Ticks are the time stamp counter.
    pub ticks_are_tsc: bool,
    /// Clocks before the first call.
    pub first_anchor: AnchorReading,
    /// Clocks at the last flush, if there was one.
    pub second_anchor: Option<AnchorReading>,
    /// Calls that got no ring.
    pub lost_without_ring: u64,
    /// Recording was turned off.
    pub off: bool,
    /// Rings whose headers are sound.
    pub rings: Vec<Ring>,
    /// What is wrong.
    pub problems: Vec<RingFileProblem>,
}

impl RingFile {
    /// Opens a ring file. `None`: it has no magic, so nothing was recorded in it.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let page = read_page(&file, 0)?;
        let Some(page) = page.filter(|page| page.starts_with(&FILE_MAGIC)) else {
            return Ok(None);
        };
        let mut ring_file = Self {
            pid: u32_at(&page, offset_of!(FileHeader, pid)),
            ticks_are_tsc: u32_at(&page, offset_of!(FileHeader, ticks_are_tsc)) != 0,
            first_anchor: anchor_at(&page, offset_of!(FileHeader, first_anchor)).1,
            second_anchor: read_second_anchor(&file)?,
            lost_without_ring: u64_at(&page, offset_of!(FileHeader, lost_without_ring)),
            off: u32_at(&page, offset_of!(FileHeader, off)) != 0,
            rings: Vec::new(),
            problems: Vec::new(),
            file,
        };
        let version = u32_at(&page, offset_of!(FileHeader, version));
        if version == RING_VERSION {
            ring_file.read_rings(u32_at(&page, offset_of!(FileHeader, rings)))?;
        } else {
            ring_file.problems.push(RingFileProblem::Version(version));
        }
        Ok(Some(ring_file))
    }

    fn read_rings(&mut self, rings: u32) -> io::Result<()> {
        let mut offset = HEADER_BYTES as u64;
        for number in 0..rings {
            let Some((ring, next)) = self.read_ring(number, offset)? else {
                self.problems.push(RingFileProblem::Header {
                    ring: number,
                    rings,
                    offset,
                });
                break;
            };
            let Ring {
                index,
                capacity,
                head,
                tail,
                ..
            } = ring;
            if tail > head
                || head - tail > capacity
                || !head.is_multiple_of(8)
                || !tail.is_multiple_of(8)
            {
                self.problems.push(RingFileProblem::Positions {
                    ring: index,
                    capacity,
                    head,
                    tail,
                });
            } else {
                self.rings.push(ring);
            }
            offset = next;
        }
        Ok(())
    }

    /// The ring whose header is at `offset`, and where the next one's is. A live ring's positions may move apart while they are read, the
    /// tail past an older head, so they are read again.
    fn read_ring(&self, number: u32, offset: u64) -> io::Result<Option<(Ring, u64)>> {
        let mut found = None;
        for _ in 0..ANCHOR_TRIES {
            found = read_page(&self.file, offset)?.and_then(|page| ring_of(&page, number, offset));
            if !matches!(&found, Some((ring, _)) if ring.tail > ring.head) {
                break;
            }
        }
        Ok(found)
    }

    /// Where a ring's consumer is by now. What lies behind it may have been overwritten since the header was read.
    pub fn tail_now(&self, ring: &Ring) -> io::Result<u64> {
        let mut bytes = [0; 8];
        let offset = ring.data_offset - HEADER_BYTES as u64 + offset_of!(RingHeader, tail) as u64;
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Copies data from position `from` on, to `to` or less: whole records, at most a piece at a time. What comes back is shorter than
    /// asked, or empty, where the file ends. An unreadable record and what is behind it come along, so that the encoder can name it.
    pub fn read_piece(&self, ring: &Ring, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let wanted = to.saturating_sub(from).min(PIECE_BYTES as u64) as usize;
        let mut bytes = vec![0; wanted];
        let start = from & (ring.capacity - 1);
        let before_wrap = wanted.min((ring.capacity - start) as usize);
        let mut read = self.read_up_to(&mut bytes[..before_wrap], ring.data_offset + start)?;
        if read == before_wrap {
            read += self.read_up_to(&mut bytes[before_wrap..], ring.data_offset)?;
        }
        bytes.truncate(read);
        if from + (read as u64) < to {
            bytes.truncate(whole_records(&bytes));
        }
        Ok(bytes)
    }

    fn read_up_to(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

/// Length of the whole records that `bytes` starts with; all of it where a record says that it has no words.
fn whole_records(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at + 8 <= bytes.len() {
        let words = (record::word(bytes, at) & 0xffff) as usize;
        if words == 0 {
            return bytes.len();
        }
        if at + words * 8 > bytes.len() {
            break;
        }
        at += words * 8;
    }
    at
}

/// The ring whose header is `page`, and where the next one's is.
fn ring_of(page: &[u8], number: u32, offset: u64) -> Option<(Ring, u64)> {
    let capacity = u64_at(page, offset_of!(RingHeader, capacity));
    let sound = page.starts_with(&RING_MAGIC)
        && capacity.is_power_of_two()
        && (HEADER_BYTES as u64..=MAX_CAPACITY).contains(&capacity)
        && u32_at(page, offset_of!(RingHeader, index)) == number;
    let index = u16::try_from(number).ok().filter(|_| sound)?;
    let data_offset = offset.checked_add(HEADER_BYTES as u64)?;
    let ring = Ring {
        index,
        data_offset,
        capacity,
        head: u64_at(page, offset_of!(RingHeader, head)),
        tail: u64_at(page, offset_of!(RingHeader, tail)),
        dropped: u64_at(page, offset_of!(RingHeader, dropped)),
        waited_ns: u64_at(page, offset_of!(RingHeader, waited_ns)),
    };
    Some((ring, data_offset.checked_add(capacity)?))
}

/// A page of the file, or `None` where the file ends first.
fn read_page(file: &File, offset: u64) -> io::Result<Option<Vec<u8>>> {
    let mut page = vec![0; HEADER_BYTES];
    match file.read_exact_at(&mut page, offset) {
        Ok(()) => Ok(Some(page)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The second anchor, read between two writes of its owner; `None` if it was never written or is never at rest.
fn read_second_anchor(file: &File) -> io::Result<Option<AnchorReading>> {
    const AT: usize = offset_of!(FileHeader, second_anchor);
    for _ in 0..ANCHOR_TRIES {
        let (Some(first), Some(second)) = (read_page(file, 0)?, read_page(file, 0)?) else {
            return Ok(None);
        };
        let (before, anchor) = anchor_at(&first, AT);
        if before.is_multiple_of(2) && before == anchor_at(&second, AT).0 {
            return Ok(Some(anchor).filter(|anchor| anchor.ticks != 0));
        }
    }
    Ok(None)
}

/// Sequence and content of an anchor.
fn anchor_at(page: &[u8], at: usize) -> (u64, AnchorReading) {
    let field = |offset: usize| u64_at(page, at + offset);
    let reading = AnchorReading {
        ticks: field(offset_of!(Anchor, ticks)),
        monotonic_ns: field(offset_of!(Anchor, monotonic_ns)),
        realtime_ns: field(offset_of!(Anchor, realtime_ns)),
    };
    (field(offset_of!(Anchor, sequence)), reading)
}

fn u64_at(page: &[u8], at: usize) -> u64 {
    record::word(page, at)
}

fn u32_at(page: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]])
}
