//! A record being written into the thread's ring.

use std::arch::asm;
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

use cutape_trace_format::ring::CallId;

use crate::fork_page::fork_page;
use crate::frame::{Frame, REGISTERS};
use crate::process::Purpose;
use crate::recording;
use crate::thread::ThreadState;

/// How far ahead of a record the ring's memory is asked for; see [`Record::prefetch`].
pub const AHEAD: usize = 2048;
/// Room in the ring for one record, being filled.
pub struct Record {
    thread: *mut ThreadState,
    next: *mut u64,
    position: u64,
    /// No other record of this thread is being written.
    outermost: bool,
}

impl Record {
    /// Takes `words` words of the calling thread's ring. `None` when the call can't be recorded, which has then been counted.
    ///
    /// A signal handler may make a call of its own at any instruction here. Reserving is one instruction, so the handler's record lies
    /// before ours or behind it; and a record that doesn't start where the published ones end is inside another, which publishes both.
    ///
    /// # Safety
    /// `thread` is the calling thread's state and has a ring of the current epoch.
    #[inline]
    pub unsafe fn reserve(
        thread: *mut ThreadState,
        words: usize,
        purpose: Purpose,
    ) -> Option<Self> {
        let bytes = words as u64 * 8;
        // SAFETY: the state is the calling thread's.
        unsafe {
            let has_room = (*thread).reserved + bytes <= (*thread).limit
                || recording::make_room(thread, bytes, purpose);
            has_room.then(|| Self::take(thread, bytes))
        }
    }

    /// [`Self::reserve`] where the thread has a ring of the current epoch with room in it; `None` otherwise, and nothing has happened.
    ///
    /// A thread without a ring has no room, so its epoch need not be told from that of a process where no call was made yet.
    ///
    /// # Safety
    /// `thread` is the calling thread's state.
    #[inline(always)]
    pub unsafe fn reserve_fast(thread: *mut ThreadState, words: usize) -> Option<Self> {
        let bytes = words as u64 * 8;
        // SAFETY: the state is the calling thread's.
        unsafe {
            let is_ours = (*thread).epoch == fork_page().epoch.load(Ordering::Relaxed);
            let has_room = (*thread).reserved + bytes <= (*thread).fast_limit;
            (is_ours && has_room).then(|| Self::take(thread, bytes))
        }
    }

    #[inline(always)]
    unsafe fn take(thread: *mut ThreadState, bytes: u64) -> Self {
        // SAFETY: the state is the calling thread's; within `limit`, and the margin behind it, the ring's data is ours to write.
        unsafe {
            let position = add(&raw mut (*thread).reserved, bytes);
            let next = (*thread)
                .data
                .add((position & (*thread).mask) as usize)
                .cast::<u64>();
            Self {
                thread,
                next,
                position,
                outermost: position == (*(*thread).header).head.load(Ordering::Relaxed),
            }
        }
    }

    /// Asks for the memory that the records after the next few will take: the flusher had it last, and waiting for its lines to come
    /// back costs 4 ns a call with 3 arguments (measured; of 512 bytes to 4 KiB ahead, 2 KiB was best over all kinds of calls).
    #[inline(always)]
    pub fn prefetch(&self, bytes: usize) {
        const LINE: usize = 64;
        let mut line = 0;
        while line < bytes {
            let at = self.next.cast::<u8>().wrapping_add(AHEAD + line);
            line += LINE;
            // SAFETY: a prefetch never faults and changes nothing.
            unsafe { asm!("prefetchw [{at}]", at = in(reg) at, options(nostack, preserves_flags)) };
        }
    }

    /// Tells the frame which call the record begins.
    ///
    /// # Safety
    /// The record was reserved on the calling thread.
    #[inline(always)]
    pub unsafe fn name_call(&self, frame: &mut Frame) {
        // SAFETY: the state is the calling thread's.
        unsafe {
            frame.call = CallId((*self.thread).id_base | self.position);
            frame.epoch = (*self.thread).epoch;
        }
    }

    /// Writes the next word.
    ///
    /// # Safety
    /// No more words are written than were reserved.
    #[inline(always)]
    pub unsafe fn put(&mut self, word: u64) {
        // SAFETY: the caller's promise.
        unsafe {
            self.next.write(word);
            self.next = self.next.add(1);
        }
    }

    /// Copies bytes, padded to whole words.
    ///
    /// # Safety
    /// As for [`Self::put`]; `from` is readable.
    pub unsafe fn put_bytes(&mut self, from: *const u8, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let words = bytes.div_ceil(8);
        // SAFETY: the caller's promises. The last word is cleared first, so that its padding holds nothing old.
        unsafe {
            self.next.add(words - 1).write(0);
            ptr::copy_nonoverlapping(from, self.next.cast::<u8>(), bytes);
            self.next = self.next.add(words);
        }
    }

    /// Leaves the next word for later.
    ///
    /// # Safety
    /// As for [`Self::put`].
    pub unsafe fn skip(&mut self) -> *mut u64 {
        let skipped = self.next;
        // SAFETY: the caller reserved the word.
        self.next = unsafe { self.next.add(1) };
        skipped
    }

    /// Leaves words for the caller to write, all 0.
    ///
    /// # Safety
    /// As for [`Self::put`].
    pub unsafe fn room(&mut self, words: usize) -> *mut u64 {
        let room = self.next;
        // SAFETY: the caller reserved the words.
        unsafe {
            for index in 0..words {
                room.add(index).write(0);
            }
            self.next = room.add(words);
        }
        room
    }

    /// Leaves words for the caller to write, the last one 0.
    ///
    /// # Safety
    /// As for [`Self::put`].
    #[inline(always)]
    pub unsafe fn room_to_fill(&mut self, words: usize) -> *mut u64 {
        let room = self.next;
        // SAFETY: the caller reserved the words.
        unsafe {
            self.next = room.add(words);
            if words > 0 {
                self.next.sub(1).write(0);
            }
        }
        room
    }

    /// Registers first, then the stack; not a word more than was reserved, because a signal handler's record may lie right behind.
    ///
    /// The words are read one by one, which `read_volatile` insists on: they were stored one by one a moment ago, and a wider load
    /// would have to wait until those stores have left the store buffer (measured: 10 ns for a launch's eleven words).
    ///
    /// # Safety
    /// The record has a word for each argument left.
    #[inline(always)]
    pub unsafe fn put_arguments(&mut self, frame: &Frame) {
        let count = usize::from(frame.hook.arg_words());
        // SAFETY: the record has a word for each argument; those beyond six were passed on the stack.
        unsafe {
            for index in 0..count.min(REGISTERS) {
                let word = (&raw const frame.registers).cast::<u64>().add(index);
                self.next.add(index).write(word.read_volatile());
            }
            for index in REGISTERS..count {
                let word = frame.stack().add(index - REGISTERS);
                self.next.add(index).write(word.read_volatile());
            }
            self.next = self.next.add(count);
        }
    }

    /// The same of a function that takes `WORDS` words, registers first.
    ///
    /// # Safety
    /// As for [`Self::put_arguments`].
    #[inline(always)]
    pub unsafe fn put_words<const WORDS: usize>(&mut self, frame: &Frame) {
        // SAFETY: the caller's promises.
        unsafe {
            for index in 0..WORDS {
                let word = match index.checked_sub(REGISTERS) {
                    None => (&raw const frame.registers).cast::<u64>().add(index),
                    Some(on_stack) => frame.stack().add(on_stack),
                };
                self.next.add(index).write(word.read_volatile());
            }
            self.next = self.next.add(WORDS);
        }
    }

    /// Makes the record part of the ring.
    ///
    /// # Safety
    /// All its words are written.
    #[inline(always)]
    pub unsafe fn commit(self) {
        compiler_fence(Ordering::SeqCst);
        if self.outermost {
            // SAFETY: the state is the calling thread's; the header is mapped as long as the thread has its ring.
            unsafe { ThreadState::publish(self.thread) }
        }
    }
}

/// Adds `bytes` to `*reserved` and returns what it was: one instruction, so a signal comes before or after it. There is no lock
/// prefix, because no other thread is concerned.
#[inline(always)]
unsafe fn add(reserved: *mut u64, bytes: u64) -> u64 {
    let mut value = bytes;
    // SAFETY: `reserved` is valid, the caller's promise.
    unsafe {
        asm!("xadd qword ptr [{at}], {value}", at = in(reg) reserved, value = inout(reg) value, options(nostack));
    }
    value
}
