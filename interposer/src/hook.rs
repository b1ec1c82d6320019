//! What the interposer knows of one exported function: where the real one is, how its arguments lie, what to copy from memory.

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicBool, AtomicPtr};

use cutape_trace_format::ring::{Word0, kind};

use crate::frame::Frame;
use crate::more::More;

/// One exported function. Each fills a cache line, so a call touches one of them.
#[repr(C, align(64))]
pub struct Hook {
    /// The real library's function; null until the library is loaded, a function of ours that answers "not found" where it lacks it.
    pub real: AtomicPtr<c_void>,
    /// First word of the function's BEGIN record where no memory is captured: length, number of argument words, function id.
    pub begin: Word0,
    /// What [`crate::call::Dispatch::mode`] says when the call is recorded: 1 + words to copy from the caller's stack, rounded up to even.
    pub mode: u8,
    /// Memory is read before the call, or arguments lie out of order: not a call that is just words.
    pub elaborate_begin: bool,
    /// Memory is read after the call, its result is wide, or its answer amended.
    pub elaborate_end: bool,
    /// All that is read after the call are numbers of 1, 2, 4 or 8 bytes behind pointers in registers, and nothing else is needed.
    pub small_outs: bool,
    /// All arguments are in registers, and all that is read before the call has a known size. Changes only when a recording starts that
    /// wants copied data.
    pub fixed_ins: AtomicBool,
    /// The whole 64-bit return value counts, not just its lower half.
    pub wide_return: bool,
    /// [`Detail::places`] says where the words lie.
    pub placed: bool,
    /// Bits of [`SPECIAL_BEFORE`], [`SPECIAL_AFTER`], [`SPECIAL_DATA`], [`SPECIAL_UNLOADS`]: what the slow ways look at.
    pub special: u8,
    /// What in-pointers point to, copied before the call.
    pub ins: &'static [Capture],
    /// What out-pointers point to, copied after it.
    pub outs: &'static [Capture],
    /// What is needed rarely.
    pub detail: &'static Detail,
}

const _: () = assert!(size_of::<Hook>() == 64);

/// Before the call, [`Detail::more`] has something to look for.
pub const SPECIAL_BEFORE: u8 = 1;
/// The same after the call.
pub const SPECIAL_AFTER: u8 = 2;
/// Copies data: [`crate::payload_switch`] says whether anybody wants it.
pub const SPECIAL_DATA: u8 = 4;
/// Handles of kernels may mean others afterwards.
pub const SPECIAL_UNLOADS: u8 = 8;

/// Words of a BEGIN record before the arguments, and of an END record before anything optional.
pub const HEADER_WORDS: usize = 3;

impl Hook {
    /// The first word of a BEGIN record that holds only arguments.
    pub const fn begin_word(id: u32, arg_words: u8) -> Word0 {
        Word0::new(
            HEADER_WORDS + arg_words as usize,
            kind::BEGIN,
            arg_words,
            id,
        )
    }

    /// Function id in the trace's schema.
    pub const fn id(&self) -> u32 {
        self.begin.number()
    }

    /// Words of the argument list that are recorded.
    pub const fn arg_words(&self) -> u8 {
        self.begin.flags()
    }
}

/// The part of a [`Hook`] that the fast path does not touch.
pub struct Detail {
    /// The exported symbol.
    pub name: &'static CStr,
    /// The library that the real function is in.
    pub library: Library,
    /// Where each recorded word lies; empty where the words are the integer registers followed by the stack.
    pub places: &'static [Place],
    /// Runs after the call is on record and may change what the program gets.
    pub after: Option<unsafe fn(&mut Frame)>,
    /// What belongs to the call's record besides captures.
    pub more: More,
}

/// Which real library a function belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// `libcuda.so.1`.
    Cuda,
    /// `libnvidia-ml.so.1`.
    Nvml,
}

/// Where an argument word lies under the System V calling convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Integer register, 0 for rdi.
    Register(u8),
    /// Vector register.
    Vector(u8),
    /// Word of the caller's stack, 0 for the first above the return address.
    Stack(u8),
}

/// Memory behind one pointer parameter that belongs to the record.
pub struct Capture {
    /// Place in the parameter list.
    pub param: u8,
    /// Recorded word that holds the pointer.
    pub word: u8,
    /// Taken whatever the call returned; otherwise only after success.
    pub always: bool,
    /// How much.
    pub extent: Extent,
}

/// How much lies behind a pointer.
#[derive(Clone, Copy)]
pub enum Extent {
    /// That many bytes.
    Bytes(u32),
    /// Up to a NUL.
    Text,
    /// Up to a NUL in a buffer of that many bytes.
    TextWithin(Count),
    /// The pointer leads to a pointer to text.
    TextBehind,
    /// Elements of `size` bytes.
    Array {
        /// Bytes of one.
        size: u32,
        /// How many.
        count: Count,
    },
}

/// Where a number of elements or bytes is found.
#[derive(Clone, Copy)]
pub enum Count {
    /// Known beforehand.
    Const(u32),
    /// The value of a recorded word, of so many bytes.
    Word {
        /// Which one.
        word: u8,
        /// Its size.
        bytes: u8,
    },
    /// The integer that a recorded word points to.
    Behind {
        /// Which one.
        word: u8,
        /// Size of the integer.
        bytes: u8,
    },
}
