//! Copying what pointers lead to, without ever being the one who crashes.
//!
//! A program may pass a pointer that the driver never follows, because it fails before that. So memory is read directly only where
//! it must be there: on the calling thread's stack above the stack pointer, and where the driver has just written successfully.
//! Everything else is read through `process_vm_readv`, which answers EFAULT where we would fault.

use std::mem::MaybeUninit;
use std::ptr;

use cutape_trace_format::capture_number::INJECTION;
use cutape_trace_format::ring::{CAPTURE_CUT, CAPTURE_OUT, MAX_CAPTURE, capture_word};

use crate::frame::Frame;
use crate::hook::{Capture, Count, Extent};
use crate::memory;
use crate::record::Record;
use crate::thread::ThreadState;

/// No function captures more than this many parameters; a build-time check compares the table with it.
pub const MAX_CAPTURES: usize = 12;

/// The calling thread's stack between our own frame and its end, where everything is mapped.
#[derive(Clone, Copy)]
pub struct Stack {
    frame: usize,
    bytes: usize,
}

impl Stack {
    /// Empty where the frame is on another stack: a fiber or a signal stack is not the thread's stack, and what lies between it and the end
    /// of that one is unknown.
    ///
    /// # Safety
    /// `thread` is the calling thread's state.
    #[inline(always)]
    pub unsafe fn above(frame: &Frame, thread: *const ThreadState) -> Self {
        // SAFETY: the caller's promise.
        let (start, end) = unsafe { ((*thread).stack_start, (*thread).stack_end) };
        let frame = ptr::from_ref(frame) as usize;
        let bytes = if frame >= start {
            end.saturating_sub(frame)
        } else {
            0
        };
        Self { frame, bytes }
    }

    /// Whether so many bytes of memory are there.
    #[inline(always)]
    pub fn holds(self, at: usize, bytes: usize) -> bool {
        bytes <= self.bytes && at.wrapping_sub(self.frame) <= self.bytes - bytes
    }
}

/// Whether memory lies between our own frame and the end of the stack that it is on, where everything is mapped.
#[inline(always)]
pub fn is_on_stack(frame: &Frame, thread: *const ThreadState, at: usize, bytes: usize) -> bool {
    // SAFETY: the state is the calling thread's.
    unsafe { Stack::above(frame, thread) }.holds(at, bytes)
}

/// On which side of the call memory is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before it.
    In,
    /// After it.
    Out {
        /// The call returned 0, so it wrote what it promises.
        succeeded: bool,
    },
}

#[derive(Clone, Copy)]
struct Piece {
    head: u64,
    from: *const u8,
    bytes: usize,
    /// Bytes that there were, where the piece is cut short.
    whole: usize,
}

/// Pieces of memory that belong to one record: found first, because the record's length must be known, then copied.
pub struct Gathered {
    pieces: [MaybeUninit<Piece>; MAX_PIECES],
    count: usize,
    words: usize,
    checked: Checked,
    /// What belongs to the call besides.
    more: Vec<Added>,
}

/// Pieces of one record: the captures, and the mark of rules.
const MAX_PIECES: usize = MAX_CAPTURES + 1;

/// A capture that was read already.
struct Added {
    number: u8,
    out: bool,
    bytes: Vec<u8>,
    whole: u64,
}

/// Words of a record that what belongs to a call besides its captures may take: the smallest ring has room for it all.
const MAX_ADDED_WORDS: usize = 16 << 10;

/// Memory that could not be read directly, copied by the kernel.
struct Checked {
    bytes: Vec<Box<[u8]>>,
}

impl Gathered {
    pub fn new() -> Self {
        Self {
            pieces: [const { MaybeUninit::uninit() }; MAX_PIECES],
            count: 0,
            words: 0,
            checked: Checked { bytes: Vec::new() },
            more: Vec::new(),
        }
    }

    /// Words that the pieces take in a record.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Finds the memory of one capture; adds nothing where the pointer is NULL or leads nowhere.
    #[inline(always)]
    pub fn gather(
        &mut self,
        frame: &Frame,
        thread: *mut ThreadState,
        capture: &Capture,
        phase: Phase,
    ) {
        let pointer = frame.word(capture.word.into()) as *const u8;
        if pointer.is_null() || self.count == MAX_PIECES {
            return;
        }
        let reader = Reader {
            frame,
            thread,
            trusted: phase == Phase::Out { succeeded: true },
        };
        let Some((from, whole)) = reader.find(capture, pointer, &mut self.checked) else {
            return;
        };
        self.push(capture.param, phase, from, whole);
    }

    /// Adds the mark of rules of the recording, as the first piece. Nothing is allocated.
    ///
    /// # Safety
    /// The mark stays where it is until the record is written.
    pub unsafe fn add_mark(&mut self, phase: Phase, mark: &[u8]) {
        self.push(INJECTION, phase, mark.as_ptr(), mark.len());
    }

    #[inline(always)]
    fn push(&mut self, number: u8, phase: Phase, from: *const u8, whole: usize) {
        let bytes = whole.min(MAX_CAPTURE);
        let out = if phase == Phase::In { 0 } else { CAPTURE_OUT };
        let cut = if whole > bytes { CAPTURE_CUT } else { 0 };
        let head = bytes as u64 | u64::from(number) << 32 | out | cut;
        self.pieces[self.count].write(Piece {
            head,
            from,
            bytes,
            whole,
        });
        self.count += 1;
        self.words += 1 + usize::from(cut != 0) + bytes.div_ceil(8);
    }

    /// Adds a capture that was read already, of which `whole` bytes were there. Those that would make the record too long are left out.
    pub fn add(&mut self, number: u8, phase: Phase, bytes: Vec<u8>, whole: u64) {
        let added = Added {
            number,
            out: phase != Phase::In,
            bytes,
            whole,
        };
        let so_far: usize = self.more.iter().map(Added::words).sum();
        if so_far + added.words() <= MAX_ADDED_WORDS {
            self.words += added.words();
            self.more.push(added);
        }
    }

    /// Copies the pieces into the record.
    ///
    /// # Safety
    /// The record has [`Self::words`] words left.
    pub unsafe fn write(&self, record: &mut Record) {
        for piece in &self.pieces[..self.count] {
            // SAFETY: the first `count` pieces are written; the caller's promise; the memory was found readable.
            unsafe {
                let piece = piece.assume_init_ref();
                record.put(piece.head);
                if piece.head & CAPTURE_CUT != 0 {
                    record.put(piece.whole as u64);
                }
                record.put_bytes(piece.from, piece.bytes);
            }
        }
        for added in &self.more {
            // SAFETY: the caller's promise.
            unsafe { added.write(record) };
        }
    }
}

impl Added {
    fn is_cut(&self) -> bool {
        self.whole > self.bytes.len() as u64
    }

    fn words(&self) -> usize {
        1 + usize::from(self.is_cut()) + self.bytes.len().div_ceil(8)
    }

    /// # Safety
    /// The record has as many words left.
    unsafe fn write(&self, record: &mut Record) {
        let out = if self.out { CAPTURE_OUT } else { 0 };
        let cut = if self.is_cut() { CAPTURE_CUT } else { 0 };
        // SAFETY: the caller's promise.
        unsafe {
            record.put(capture_word(
                self.number,
                out | cut,
                self.bytes.len() as u32,
            ));
            if self.is_cut() {
                record.put(self.whole);
            }
            record.put_bytes(self.bytes.as_ptr(), self.bytes.len());
        }
    }
}

/// Reads what a call's arguments lead to.
pub struct Reader<'a> {
    /// The call.
    pub frame: &'a Frame,
    /// The calling thread's state.
    pub thread: *mut ThreadState,
    /// The driver has just written here.
    trusted: bool,
}

impl<'a> Reader<'a> {
    /// For what belongs to a call besides its captures.
    ///
    /// # Safety
    /// `thread` is the calling thread's state.
    pub unsafe fn new(frame: &'a Frame, thread: *mut ThreadState) -> Self {
        Self {
            frame,
            thread,
            trusted: false,
        }
    }

    /// Whether memory can be read directly.
    pub fn is_surely_there(&self, at: usize, bytes: usize) -> bool {
        is_on_stack(self.frame, self.thread, at, bytes)
    }

    /// Copies what one value or one text is behind a pointer, and says how many bytes that is; `None` where it can't be read, is longer than
    /// the room, or is neither. Nothing is allocated.
    pub fn copy(&self, capture: &Capture, room: &mut [u8]) -> Option<usize> {
        let pointer = self.frame.word(capture.word.into()) as *const u8;
        match capture.extent {
            _ if pointer.is_null() => None,
            Extent::Bytes(bytes) => {
                let bytes = bytes as usize;
                let room = room.get_mut(..bytes)?;
                if self.is_surely_there(pointer as usize, bytes) {
                    // SAFETY: everything is mapped there, and the room is as long as that.
                    unsafe { ptr::copy_nonoverlapping(pointer, room.as_mut_ptr(), bytes) };
                    return Some(bytes);
                }
                // SAFETY: the room is as long as that; the driver was called with the pointer.
                unsafe { memory::read_to(pointer, room.as_mut_ptr(), bytes) }.then_some(bytes)
            }
            Extent::TextWithin(count) => {
                let room_bytes = self.count(count)?.min(room.len());
                Some(memory::text_into(pointer, &mut room[..room_bytes])).filter(|&bytes| bytes > 0)
            }
            _ => None,
        }
    }

    /// Where the capture's bytes can be read, and how many there are.
    #[inline(always)]
    fn find(
        &self,
        capture: &Capture,
        pointer: *const u8,
        checked: &mut Checked,
    ) -> Option<(*const u8, usize)> {
        match capture.extent {
            Extent::Bytes(bytes) => self.block(pointer, bytes as usize, checked),
            _ => self.find_counted(capture, pointer, checked),
        }
    }

    #[inline(never)]
    fn find_counted(
        &self,
        capture: &Capture,
        pointer: *const u8,
        checked: &mut Checked,
    ) -> Option<(*const u8, usize)> {
        match capture.extent {
            Extent::Bytes(bytes) => self.block(pointer, bytes as usize, checked),
            Extent::Array { size, count } => {
                let bytes = self.count(count)?.checked_mul(size as usize)?;
                if bytes == 0 {
                    None
                } else {
                    self.block(pointer, bytes, checked)
                }
            }
            Extent::Text => checked.text(pointer, MAX_CAPTURE),
            Extent::TextWithin(count) => checked.text(pointer, self.count(count)?),
            Extent::TextBehind => {
                let (at, _) = self.block(pointer, 8, checked)?;
                // SAFETY: `block` found eight readable bytes.
                let text = unsafe { at.cast::<*const u8>().read_unaligned() };
                if text.is_null() {
                    None
                } else {
                    checked.text(text, MAX_CAPTURE)
                }
            }
        }
    }

    /// `whole` bytes at `pointer`, of which at most [`MAX_CAPTURE`] are made readable.
    #[inline]
    fn block(
        &self,
        pointer: *const u8,
        whole: usize,
        checked: &mut Checked,
    ) -> Option<(*const u8, usize)> {
        let bytes = whole.min(MAX_CAPTURE);
        if (self.trusted && bytes <= 8)
            || is_on_stack(self.frame, self.thread, pointer as usize, bytes)
        {
            return Some((pointer, whole));
        }
        checked.copy(pointer, bytes).map(|from| (from, whole))
    }

    /// A number that the arguments give.
    pub fn count(&self, count: Count) -> Option<usize> {
        match count {
            Count::Const(number) => Some(number as usize),
            Count::Word { word, bytes } => {
                usize::try_from(narrow(self.frame.word(word.into()), bytes)).ok()
            }
            Count::Behind { word, bytes } => {
                let at = self.frame.word(word.into()) as *const u8;
                let mut value = 0u64;
                let read = !at.is_null() && {
                    let bytes = usize::from(bytes).min(8);
                    // SAFETY: `value` has eight bytes.
                    unsafe { memory::read_to(at, (&raw mut value).cast(), bytes) }
                };
                if read {
                    usize::try_from(narrow(value, bytes)).ok()
                } else {
                    None
                }
            }
        }
    }
}

/// The lower `bytes` bytes of a word.
pub fn narrow(word: u64, bytes: u8) -> u64 {
    if bytes >= 8 {
        word
    } else {
        word & ((1 << (8 * u32::from(bytes))) - 1)
    }
}

impl Checked {
    /// A copy of `bytes` bytes, or `None` if not all of them can be read.
    #[inline(never)]
    fn copy(&mut self, from: *const u8, bytes: usize) -> Option<*const u8> {
        let mut copy = vec![0u8; bytes].into_boxed_slice();
        // SAFETY: `copy` is as long as that.
        unsafe { memory::read_to(from, copy.as_mut_ptr(), bytes) }.then(|| self.keep(copy))
    }

    /// A copy of the text at `from` with its NUL, at most `limit` bytes; what can be read of it if it runs into unmapped memory.
    fn text(&mut self, from: *const u8, limit: usize) -> Option<(*const u8, usize)> {
        let text = memory::text(from, limit.min(MAX_CAPTURE));
        let bytes = text.len();
        (bytes > 0).then(|| (self.keep(text.into_boxed_slice()), bytes))
    }

    fn keep(&mut self, bytes: Box<[u8]>) -> *const u8 {
        let at = bytes.as_ptr();
        self.bytes.push(bytes);
        at
    }
}

/// The calling thread's errno.
pub fn errno() -> i32 {
    // SAFETY: __errno_location is always valid.
    unsafe { *libc::__errno_location() }
}

/// Puts the calling thread's errno back.
pub fn set_errno(value: i32) {
    // SAFETY: __errno_location is always valid.
    unsafe { *libc::__errno_location() = value }
}
