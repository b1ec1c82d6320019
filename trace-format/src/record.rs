//! The records of a ring, read with every length checked. [`crate::ring`] says how they lie in memory.

use crate::ring::{CAPTURE_CUT, CAPTURE_OUT, CallId, END_WIDE, MAX_ARGUMENTS, Word0, kind};

/// No function has a number from here on: the encoder keeps a table by number.
pub const MAX_FUNCTIONS: u32 = 1 << 16;
/// Bytes of a thread's name in a THREAD record; the kernel keeps 15 and a NUL.
pub const THREAD_NAME_BYTES: usize = 16;

const WORD: usize = 8;

/// What makes a record unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordProblem {
    /// The slice ends inside the record, or the record says that it has no words.
    #[error("a record says it has {words} words, and {left} bytes are left")]
    Length {
        /// Words by the record's own account.
        words: usize,
        /// Bytes between the start of the record and the end of the slice.
        left: usize,
    },
    /// Not one of [`kind`].
    #[error("record kind {0} is not known")]
    Kind(u8),
    /// Shorter than its kind and flags require.
    #[error("a record of kind {kind} has {words} words, fewer than it needs")]
    Short {
        /// The record's kind.
        kind: u8,
        /// Its length.
        words: usize,
    },
    /// A capture runs over the record's end, or is longer than [`MAX_ARGUMENTS`].
    #[error(
        "a capture of {bytes} bytes does not fit its record or exceeds the limit of {MAX_ARGUMENTS}"
    )]
    Capture {
        /// Length by the capture's own account.
        bytes: u32,
    },
    /// A function number of [`MAX_FUNCTIONS`] or more.
    #[error("function number {0} is above the limit of {MAX_FUNCTIONS}")]
    Function(u32),
    /// A call in a ring where no THREAD record came before it.
    #[error("a call comes before the ring says which thread it belongs to")]
    NoThread,
}

/// One record. Slices borrow from the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A call enters.
    Begin(Begin<'a>),
    /// A call returned.
    End(End<'a>),
    /// The ring's records are of this thread from here on.
    Thread {
        /// Kernel thread id.
        tid: u32,
        /// When, in ticks.
        ticks: u64,
        /// The thread's number in its process, from 0.
        ordinal: u32,
        /// Its name, padded with NULs.
        name: &'a [u8],
    },
    /// A function outside the table got a number.
    Function {
        /// Its number.
        id: u32,
        /// Its symbol name.
        name: &'a [u8],
    },
}

/// A call enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin<'a> {
    /// Function number.
    pub function: u32,
    /// When, in ticks.
    pub ticks: u64,
    /// Return address.
    pub caller: u64,
    /// Argument words, 8 bytes each.
    pub args: &'a [u8],
    /// Captures, checked.
    pub captures: Captures<'a>,
}

/// A call returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End<'a> {
    /// When, in ticks.
    pub ticks: u64,
    /// The call that returned.
    pub call: CallId,
    /// What it returned, zero-extended to 64 bits.
    pub returned: u64,
    /// Captures, checked.
    pub captures: Captures<'a>,
}

/// What was copied from behind a pointer parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured<'a> {
    /// The parameter's place in the list.
    pub param: u8,
    /// Taken after the call.
    pub out: bool,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where `bytes` was cut short: how many bytes there were.
    pub full: Option<u64>,
}

/// Iterates over the captures of one record, all of them known to lie inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captures<'a>(&'a [u8]);

impl<'a> Captures<'a> {
    /// Checks that `bytes` is a whole number of captures.
    #[inline]
    fn checked(bytes: &'a [u8]) -> Result<Self, RecordProblem> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = split_capture(rest)?.1;
        }
        Ok(Self(bytes))
    }

    /// For bytes that were checked before. Bytes that were not end the iteration early.
    #[inline]
    pub(crate) fn known_good(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Captures<'a> {
    type Item = Captured<'a>;

    #[inline]
    fn next(&mut self) -> Option<Captured<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let (capture, rest) = split_capture(self.0).ok()?;
        self.0 = rest;
        Some(capture)
    }
}

#[inline]
fn split_capture(bytes: &[u8]) -> Result<(Captured<'_>, &[u8]), RecordProblem> {
    if bytes.len() < WORD {
        return Err(RecordProblem::Capture { bytes: 0 });
    }
    let header = word(bytes, 0);
    let length = header as u32;
    let cut = header & CAPTURE_CUT != 0;
    let start = if cut { 2 * WORD } else { WORD };
    let padded = (length as usize).next_multiple_of(WORD);
    if length as usize > MAX_ARGUMENTS || start + padded > bytes.len() {
        return Err(RecordProblem::Capture { bytes: length });
    }
    let capture = Captured {
        param: (header >> 32) as u8,
        out: header & CAPTURE_OUT != 0,
        bytes: &bytes[start..start + length as usize],
        full: cut.then(|| word(bytes, WORD)),
    };
    Ok((capture, &bytes[start + padded..]))
}

/// The little-endian word at a byte offset. The caller has checked that it is there.
#[inline]
pub(crate) fn word(bytes: &[u8], at: usize) -> u64 {
    let mut raw = [0; WORD];
    raw.copy_from_slice(&bytes[at..at + WORD]);
    u64::from_le_bytes(raw)
}

/// Splits off the record that starts `bytes`: its first word, and all of it.
#[inline(always)]
pub fn split(bytes: &[u8]) -> Result<(Word0, &[u8]), RecordProblem> {
    if bytes.len() < WORD {
        return Err(RecordProblem::Length {
            words: 0,
            left: bytes.len(),
        });
    }
    let first = Word0(word(bytes, 0));
    let words = first.words();
    match bytes.get(..words * WORD) {
        Some(record) if words > 0 => Ok((first, record)),
        _ => Err(RecordProblem::Length {
            words,
            left: bytes.len(),
        }),
    }
}

/// Reads the record that starts `bytes`, and says how many bytes it takes.
pub fn read(bytes: &[u8]) -> Result<(Record<'_>, usize), RecordProblem> {
    let (first, record) = split(bytes)?;
    Ok((Record::read(first, record)?, record.len()))
}

impl<'a> Record<'a> {
    /// Reads a whole record that [`split`] split off.
    pub fn read(first: Word0, record: &'a [u8]) -> Result<Self, RecordProblem> {
        match first.kind() {
            kind::BEGIN => Begin::read(first, record).map(Self::Begin),
            kind::END => End::read(first, record).map(Self::End),
            kind::THREAD => read_thread(first, record),
            kind::FUNCTION => read_function(first, record),
            other => Err(RecordProblem::Kind(other)),
        }
    }
}

impl<'a> Begin<'a> {
    /// Reads a whole BEGIN record whose length has been checked.
    #[inline(always)]
    pub(crate) fn read(first: Word0, record: &'a [u8]) -> Result<Self, RecordProblem> {
        let args_end = (3 + first.flags() as usize) * WORD;
        if record.len() < args_end {
            return Err(RecordProblem::Short {
                kind: kind::BEGIN,
                words: first.words(),
            });
        }
        if first.number() >= MAX_FUNCTIONS {
            return Err(RecordProblem::Function(first.number()));
        }
        Ok(Self {
            function: first.number(),
            ticks: word(record, WORD),
            caller: word(record, 2 * WORD),
            args: &record[3 * WORD..args_end],
            captures: Captures::checked(&record[args_end..])?,
        })
    }
}

impl<'a> End<'a> {
    /// Reads a whole END record whose length has been checked.
    #[inline(always)]
    pub(crate) fn read(first: Word0, record: &'a [u8]) -> Result<Self, RecordProblem> {
        let wide = first.flags() & END_WIDE != 0;
        let fixed = if wide { 4 * WORD } else { 3 * WORD };
        if record.len() < fixed {
            return Err(RecordProblem::Short {
                kind: kind::END,
                words: first.words(),
            });
        }
        Ok(Self {
            ticks: word(record, WORD),
            call: CallId(word(record, 2 * WORD)),
            returned: if wide {
                word(record, 3 * WORD)
            } else {
                first.number().into()
            },
            captures: Captures::checked(&record[fixed..])?,
        })
    }
}

fn read_thread(first: Word0, record: &[u8]) -> Result<Record<'_>, RecordProblem> {
    let name_at = 3 * WORD;
    if record.len() < name_at + THREAD_NAME_BYTES {
        return Err(RecordProblem::Short {
            kind: kind::THREAD,
            words: first.words(),
        });
    }
    Ok(Record::Thread {
        tid: first.number(),
        ticks: word(record, WORD),
        ordinal: word(record, 2 * WORD) as u32,
        name: &record[name_at..name_at + THREAD_NAME_BYTES],
    })
}

fn read_function(first: Word0, record: &[u8]) -> Result<Record<'_>, RecordProblem> {
    let short = RecordProblem::Short {
        kind: kind::FUNCTION,
        words: first.words(),
    };
    if record.len() < 2 * WORD {
        return Err(short);
    }
    let length = word(record, WORD);
    let name = usize::try_from(length)
        .ok()
        .and_then(|length| record[2 * WORD..].get(..length))
        .ok_or(short)?;
    if first.number() >= MAX_FUNCTIONS {
        return Err(RecordProblem::Function(first.number()));
    }
    Ok(Record::Function {
        id: first.number(),
        name,
    })
}
