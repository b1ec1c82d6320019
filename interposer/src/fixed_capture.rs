//! Copying what most pointers lead to: a number, a handle, a structure, on the program's stack or just written by the driver.
//!
//! The sizes are known and the pointers are in registers, so nothing has to be found first and kept for later, as in
//! [`crate::capture`].

use std::arch::asm;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::Ordering;

use cutape_trace_format::ring::{CAPTURE_OUT, Word0, kind};

use crate::call::{Dispatch, begin_slowly, end_slowly};
use crate::capture::is_on_stack;
use crate::clock;
use crate::frame::Frame;
use crate::hook::{Capture, Extent, HEADER_WORDS};
use crate::record::Record;
use crate::thread::ThreadState;

/// Bytes of the largest number that an out-parameter is.
const SMALL: usize = 8;
/// Words that such a capture takes in a record.
const SMALL_WORDS: usize = 2;

/// [`begin`](crate::call::begin) for calls that pass structures.
///
/// # Safety
/// As for `begin`; `thread` is the calling thread's state.
#[inline(never)]
pub unsafe extern "sysv64" fn begin_with_fixed_ins(
    frame: &mut Frame,
    thread: *mut ThreadState,
) -> Dispatch {
    let hook = frame.hook;
    let real: *const c_void = hook.real.load(Ordering::Relaxed);
    // SAFETY: a thread's state is its own; as many words are written as are reserved.
    unsafe {
        let captured = fixed_words(frame, thread).filter(|_| !real.is_null());
        let Some(captured) = captured else {
            return begin_slowly(frame, thread);
        };
        let words = hook.begin.words() + captured;
        let Some(mut record) = Record::reserve_fast(thread, words) else {
            return begin_slowly(frame, thread);
        };
        record.prefetch(8 * words);
        record.put(hook.begin.longer_by(captured).0);
        let stamp = record.skip();
        record.put(frame.caller());
        for word in frame.registers.iter().take(hook.arg_words().into()) {
            record.put(read_one(word));
        }
        put_fixed(&mut record, frame);
        record.name_call(frame);
        stamp.write(clock::tsc());
        record.commit();
    }
    Dispatch {
        real,
        mode: hook.mode.into(),
    }
}

/// Words that the captures take in the record of this call. `None` when one lies where reading it could fault.
///
/// # Safety
/// `thread` is the calling thread's state.
#[inline(always)]
pub unsafe fn fixed_words(frame: &Frame, thread: *const ThreadState) -> Option<usize> {
    let mut words = 0;
    for capture in frame.hook.ins {
        let (pointer, bytes) = fixed(frame, capture)?;
        if pointer == 0 {
            continue;
        }
        if !is_on_stack(frame, thread, pointer, bytes) {
            return None;
        }
        words += 1 + bytes.div_ceil(8);
    }
    Some(words)
}

/// Writes those captures.
///
/// # Safety
/// [`fixed_words`] found them readable, and the record has room for them.
#[inline(always)]
pub unsafe fn put_fixed(record: &mut Record, frame: &Frame) {
    for capture in frame.hook.ins {
        if let Some((pointer, bytes)) = fixed(frame, capture)
            && pointer != 0
        {
            // SAFETY: the caller's promises.
            unsafe {
                record.put(bytes as u64 | u64::from(capture.param) << 32);
                put_words(record, ptr::with_exposed_provenance(pointer), bytes);
            }
        }
    }
}

/// Where a capture lies, and its size.
#[inline(always)]
fn fixed(frame: &Frame, capture: &Capture) -> Option<(usize, usize)> {
    let pointer = *frame.registers.get(usize::from(capture.word))?;
    match capture.extent {
        Extent::Bytes(bytes) => Some((pointer as usize, bytes as usize)),
        _ => None,
    }
}

/// Copies word by word: the program has stored the structure's fields a moment ago, and a wider load would have to wait until those
/// stores have left the store buffer.
#[inline(always)]
unsafe fn put_words(record: &mut Record, from: *const u8, bytes: usize) {
    // SAFETY: the caller's promises.
    unsafe {
        let (mut from, mut words) = (from.cast::<u64>(), bytes / 8);
        while words >= 4 {
            record.put(read_one(from));
            record.put(read_one(from.add(1)));
            record.put(read_one(from.add(2)));
            record.put(read_one(from.add(3)));
            from = from.add(4);
            words -= 4;
        }
        for _ in 0..words {
            record.put(read_one(from));
            from = from.add(1);
        }
        if !bytes.is_multiple_of(8) {
            record.put_bytes(from.cast(), bytes % 8);
        }
    }
}

/// Reads a word by an instruction of its own, which the compiler doesn't merge with others.
///
/// # Safety
/// The memory is readable.
#[inline(always)]
pub unsafe fn read_one(from: *const u64) -> u64 {
    let word;
    // SAFETY: the caller's promise that the memory is readable; x86-64 reads words at any address.
    unsafe {
        asm!("mov {word}, qword ptr [{from}]", word = out(reg) word, from = in(reg) from, options(pure, readonly, nostack, preserves_flags));
    }
    word
}

/// [`end`](crate::call::end) for calls whose out-parameters are numbers and handles in memory that is surely there.
///
/// # Safety
/// As for [`end_at`](crate::call::end_at); the call's begin is in the thread's ring, and it returned 0 if it `SUCCEEDED`.
#[inline(always)]
pub unsafe fn end_with_small_outs<const SUCCEEDED: bool>(
    frame: &mut Frame,
    thread: *mut ThreadState,
    ticks: u64,
) {
    let hook = frame.hook;
    let succeeded = SUCCEEDED;
    // SAFETY: as for `end_at`. After success the driver has written behind the pointers that aren't NULL; otherwise only memory on
    // the stack is read here.
    unsafe {
        let mut words = HEADER_WORDS;
        for capture in hook.outs {
            let Some((pointer, _)) = fixed(frame, capture) else {
                return end_slowly(frame, thread, ticks);
            };
            if pointer == 0 || !(succeeded || capture.always) {
                continue;
            }
            if !succeeded && !is_on_stack(frame, thread, pointer, SMALL) {
                return end_slowly(frame, thread, ticks);
            }
            words += SMALL_WORDS;
        }
        let Some(mut record) = Record::reserve_fast(thread, words) else {
            return end_slowly(frame, thread, ticks);
        };
        record.put(Word0::new(words, kind::END, 0, frame.result[0] as u32).0);
        record.put(ticks);
        record.put(frame.call.0);
        for capture in hook.outs {
            if let Some((pointer, bytes)) = fixed(frame, capture)
                && pointer != 0
                && (succeeded || capture.always)
            {
                record.put(bytes as u64 | u64::from(capture.param) << 32 | CAPTURE_OUT);
                record.put(small(ptr::with_exposed_provenance(pointer), bytes));
            }
        }
        record.commit();
    }
}

/// The number of 1, 2, 4 or 8 bytes at an address.
///
/// # Safety
/// The memory is readable.
#[inline(always)]
unsafe fn small(from: *const u8, bytes: usize) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        match bytes {
            8 => from.cast::<u64>().read_unaligned(),
            4 => from.cast::<u32>().read_unaligned().into(),
            2 => from.cast::<u16>().read_unaligned().into(),
            _ => from.read().into(),
        }
    }
}
