//! Reads what `counting.c` published in its shared memory file: which calls are completed, and which one may be in flight. The header of
//! counting.c is the definition of the layout.

use std::fs;
use std::io;
use std::path::Path;

/// Bytes of the header and of each thread's part.
const SLOT_BYTES: usize = 128;
const MAGIC: &[u8; 8] = b"COUNTING";
const VERSION: u32 = 1;

/// The file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    /// Process that wrote it.
    pub process_id: u32,
    /// Whether all threads had started to call.
    pub running: bool,
    /// By thread number, from 0.
    pub threads: Vec<Progress>,
}

/// How far a thread came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Number of the last call that was announced, from 1; 0 before the first.
    pub started: u64,
    /// Number of the last call that returned.
    pub completed: u64,
    /// Which function the call in flight is of; without one it may already be the next call's.
    pub function: u64,
    /// The argument of the call in flight; without one it may already be the next call's.
    pub argument: u64,
    /// The kernel's thread id.
    pub thread_id: u32,
    /// Code that the last completed call returned.
    pub result: u32,
}

/// A call that `counting.c` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedCall {
    /// Function as exported.
    pub function: &'static str,
    /// The argument that identifies the call: its place in the parameter list and its value; `None` for a function that has none.
    pub argument: Option<(usize, u64)>,
}

impl Counting {
    /// Reads the file; safe while the program still writes to it.
    ///
    /// # Errors
    /// When it can't be read, or when it is not (or not yet) a counting file: the program writes the magic last.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let word = |offset| u32_at(&bytes, offset);
        if bytes.get(..8) != Some(MAGIC) || word(8) != Some(VERSION) {
            return Err(invalid("expected a file of counting.c, version 1"));
        }
        let threads = word(12).unwrap_or(0) as usize;
        let slots = bytes.chunks_exact(SLOT_BYTES).skip(1).take(threads);
        let threads_read: Vec<_> = slots.filter_map(Progress::parse).collect();
        if threads_read.len() != threads {
            return Err(invalid("expected a part for each thread, found fewer"));
        }
        Ok(Self {
            process_id: word(16).unwrap_or(0),
            running: word(20) == Some(1),
            threads: threads_read,
        })
    }
}

impl Progress {
    fn parse(slot: &[u8]) -> Option<Self> {
        Some(Self {
            started: u64_at(slot, 0)?,
            completed: u64_at(slot, 8)?,
            function: u64_at(slot, 16)?,
            argument: u64_at(slot, 24)?,
            thread_id: u32_at(slot, 32)?,
            result: u32_at(slot, 36)?,
        })
    }

    /// Number of the call that may be in flight: announced, and not known to have returned.
    pub fn in_flight(&self) -> Option<u64> {
        (self.started > self.completed).then_some(self.started)
    }
}

/// Call `number` (from 1) of thread `thread` (from 0) in the loop of `counting.c`.
pub fn counted_call(thread: u64, number: u64) -> CountedCall {
    let (function, argument) = match number % 4 {
        0 => ("cuPointerGetAttribute", Some((2, thread << 40 | number))),
        1 => ("cuDeviceGetAttribute", Some((1, number))),
        2 => ("cuGetErrorName", Some((0, number))),
        _ => ("cuMemGetInfo_v2", None),
    };
    CountedCall { function, argument }
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let word = bytes.get(offset..offset + 4)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let word = bytes.get(offset..offset + 8)?;
    Some(u64::from_le_bytes(word.try_into().ok()?))
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
