//! A call on its way through: on record before it reaches the driver, completed when it returns.

use std::arch::asm;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

use cutape_trace_format::ring::{CallId, END_WIDE, Word0, kind};

use crate::capture::{self, Gathered};
use crate::clock;
use crate::fixed_capture::{begin_with_fixed_ins, end_with_small_outs};
use crate::fork_page::{NOT_STARTED, fork_page};
use crate::hook::{HEADER_WORDS, Hook, Place};
use crate::process::Purpose;
use crate::recording;
use crate::thread::ThreadState;

/// How far ahead of a record the ring's memory is asked for; see [`Record::prefetch`].
pub const AHEAD: usize = 2048;
/// Integer registers that carry arguments.
const REGISTERS: usize = 6;

/// What the trampoline keeps of a call on the program's stack. The saved frame pointer, the return address and the caller's stack
/// arguments follow it in memory.
#[repr(C, align(16))]
pub struct Frame {
    /// rdi, rsi, rdx, rcx, r8, r9.
    pub registers: [u64; REGISTERS],
    /// The function called.
    pub hook: &'static Hook,
    /// Names the call in the trace; meaningful while `epoch` is not 0.
    pub call: CallId,
    /// rax and rdx as the real function left them.
    pub result: [u64; 2],
    /// The recording that has the call's begin; 0 for none.
    pub epoch: u64,
    _padding: u64,
}

impl Frame {
    /// Where the program called from.
    pub fn caller(&self) -> u64 {
        // SAFETY: the trampoline placed the frame right below the saved frame pointer, which lies below the return address.
        unsafe { *ptr::from_ref(self).add(1).cast::<u64>().add(1) }
    }

    /// The caller's stack arguments.
    fn stack(&self) -> *const u64 {
        // SAFETY: as for `caller`; the result is only an address.
        unsafe { ptr::from_ref(self).add(1).cast::<u64>().add(2) }
    }

    /// Recorded argument word `index`.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        if self.hook.placed {
            self.word_at(self.hook.detail.places[index])
        } else if index < REGISTERS {
            self.registers[index]
        } else {
            // SAFETY: `arg_words` of the hook comes from the prototype, so the caller passed this word on the stack.
            unsafe { *self.stack().add(index - REGISTERS) }
        }
    }

    fn word_at(&self, place: Place) -> u64 {
        match place {
            Place::Register(n) => self.registers[usize::from(n)],
            // SAFETY: the wide trampoline, which serves hooks with places, stored xmm0.. downwards below the frame.
            Place::Vector(n) => unsafe {
                *ptr::from_ref(self)
                    .cast::<u64>()
                    .sub(2 * (usize::from(n) + 1))
            },
            // SAFETY: the place was computed from the prototype.
            Place::Stack(n) => unsafe { *self.stack().add(usize::from(n)) },
        }
    }
}

/// What the trampoline does next.
#[repr(C)]
pub struct Dispatch {
    /// The real function.
    pub real: *const c_void,
    /// 0: go there and don't come back here. Otherwise 1 + words to copy from the caller's stack.
    pub mode: u64,
}

/// Puts the call on record.
///
/// The common case calls nothing, so it saves no registers; everything else leaves for [`begin_slowly`].
///
/// # Safety
/// Called by the trampoline only.
pub unsafe extern "sysv64" fn begin(frame: &mut Frame) -> Dispatch {
    let hook = frame.hook;
    let thread = ThreadState::current();
    // SAFETY: a thread's state is its own; `reserve_fast` gives as many words as are written.
    unsafe {
        let real = hook.real.load(Ordering::Relaxed);
        if hook.fixed_ins {
            return begin_with_fixed_ins(frame, thread);
        }
        if hook.elaborate_begin || real.is_null() {
            return begin_slowly(frame, thread);
        }
        let words = hook.begin.words();
        let Some(mut record) = Record::reserve_fast(thread, words) else {
            return begin_slowly(frame, thread);
        };
        record.prefetch(8 * words);
        record.put(hook.begin.0);
        let stamp = record.skip();
        record.put(frame.caller());
        record.put_arguments(frame);
        record.name_call(frame);
        stamp.write(clock::tsc());
        record.commit();
        Dispatch {
            real,
            mode: hook.mode.into(),
        }
    }
}

/// Records the answer.
///
/// # Safety
/// Called by the trampoline only, after the real function returned.
pub unsafe extern "sysv64" fn end(frame: &mut Frame) {
    let ticks = clock::tsc();
    // SAFETY: the caller's promises.
    unsafe { end_at(frame, ticks) }
}

/// [`end`] of a call that returned at `ticks` of the time stamp counter.
///
/// # Safety
/// As for [`end`].
#[inline(always)]
pub unsafe extern "sysv64" fn end_at(frame: &mut Frame, ticks: u64) {
    let thread = ThreadState::current();
    // SAFETY: as for `begin`.
    unsafe {
        if frame.hook.small_outs && frame.epoch == (*thread).epoch {
            return end_with_small_outs(frame, thread, ticks);
        }
        if frame.hook.elaborate_end || frame.epoch != (*thread).epoch {
            return end_slowly(frame, thread, ticks);
        }
        let Some(mut record) = Record::reserve_fast(thread, HEADER_WORDS) else {
            return end_slowly(frame, thread, ticks);
        };
        record.put(Word0::new(HEADER_WORDS, kind::END, 0, frame.result[0] as u32).0);
        record.put(ticks);
        record.put(frame.call.0);
        record.commit();
    }
}

/// Whether the thread has a ring of the recording that goes on in this process.
#[inline]
unsafe fn is_attached(thread: *mut ThreadState) -> bool {
    let epoch = fork_page().epoch.load(Ordering::Relaxed);
    // SAFETY: the caller's promise that the state is its own.
    unsafe { (*thread).epoch == epoch && epoch != NOT_STARTED }
}

/// [`begin`] for calls that need more: a ring, room in it, memory to be read, arguments out of order.
///
/// # Safety
/// As for [`begin`]; `thread` is the calling thread's state.
#[inline(never)]
pub unsafe extern "sysv64" fn begin_slowly(
    frame: &mut Frame,
    thread: *mut ThreadState,
) -> Dispatch {
    let hook = frame.hook;
    // SAFETY: the caller's promises.
    unsafe {
        if !is_attached(thread) && !recording::enter(thread) {
            return pass(frame);
        }
        let mut gathered = Gathered::new();
        for capture in hook.ins {
            gathered.gather(frame, thread, capture, capture::Phase::In);
        }
        let words = hook.begin.words() + gathered.words();
        let Some(mut record) = Record::reserve(thread, words, Purpose::Begin) else {
            return pass(frame);
        };
        record.put(Word0::new(words, kind::BEGIN, hook.arg_words(), hook.id()).0);
        let stamp = record.skip();
        record.put(frame.caller());
        if hook.placed {
            for index in 0..usize::from(hook.arg_words()) {
                record.put(frame.word(index));
            }
        } else {
            record.put_arguments(frame);
        }
        gathered.write(&mut record);
        record.name_call(frame);
        stamp.write(clock::ticks());
        record.commit();
        let mut real: *const c_void = hook.real.load(Ordering::Relaxed);
        if real.is_null() {
            real = recording::real_function(hook);
        }
        Dispatch {
            real,
            mode: hook.mode.into(),
        }
    }
}

/// [`end`] for calls that need more: memory to be read, a wide result, room in the ring, an answer that we amend.
///
/// # Safety
/// As for [`end_at`].
#[inline(never)]
pub unsafe extern "sysv64" fn end_slowly(frame: &mut Frame, thread: *mut ThreadState, tsc: u64) {
    let ticks = if clock::uses_tsc() {
        tsc
    } else {
        clock::ticks()
    };
    // The process may have forked inside the call, or recording was turned off: then the begin is not in our ring.
    if frame.epoch != NOT_STARTED && frame.epoch == fork_page().epoch.load(Ordering::Relaxed) {
        // SAFETY: the caller's promises.
        unsafe { record_end(frame, thread, ticks) };
    }
    if let Some(after) = frame.hook.detail.after {
        // SAFETY: the call has returned and the frame is the trampoline's.
        unsafe { after(frame) }
    }
}

#[inline(always)]
unsafe fn record_end(frame: &mut Frame, thread: *mut ThreadState, ticks: u64) {
    let hook = frame.hook;
    // SAFETY: the caller's promises.
    unsafe {
        if !is_attached(thread) && !recording::enter(thread) {
            return;
        }
        let succeeded = frame.result[0] as u32 == 0;
        let mut gathered = Gathered::new();
        for capture in hook.outs {
            if succeeded || capture.always {
                gathered.gather(frame, thread, capture, capture::Phase::Out { succeeded });
            }
        }
        let fixed = HEADER_WORDS + usize::from(hook.wide_return);
        let Some(mut record) = Record::reserve(thread, fixed + gathered.words(), Purpose::End)
        else {
            return;
        };
        let flags = if hook.wide_return { END_WIDE } else { 0 };
        record.put(
            Word0::new(
                fixed + gathered.words(),
                kind::END,
                flags,
                frame.result[0] as u32,
            )
            .0,
        );
        record.put(ticks);
        record.put(frame.call.0);
        if hook.wide_return {
            record.put(frame.result[0]);
        }
        gathered.write(&mut record);
        record.commit();
    }
}

/// Lets the call through unrecorded. Functions whose answer we amend come back to [`end`] all the same.
#[cold]
fn pass(frame: &mut Frame) -> Dispatch {
    frame.epoch = NOT_STARTED;
    let hook = frame.hook;
    let comes_back = hook.detail.after.is_some();
    Dispatch {
        real: recording::real_function(hook),
        mode: if comes_back { hook.mode.into() } else { 0 },
    }
}

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

    /// Registers first, then the stack; not a word more than was reserved, because a signal handler's record may lie right behind.
    ///
    /// The words are read one by one, which `read_volatile` insists on: they were stored one by one a moment ago, and a wider load
    /// would have to wait until those stores have left the store buffer (measured: 10 ns for a launch's eleven words).
    #[inline(always)]
    unsafe fn put_arguments(&mut self, frame: &Frame) {
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

    /// Makes the record part of the ring.
    ///
    /// # Safety
    /// All its words are written.
    #[inline(always)]
    pub unsafe fn commit(self) {
        compiler_fence(Ordering::SeqCst);
        if self.outermost {
            // SAFETY: the state is the calling thread's; the header is mapped as long as the thread has its ring.
            unsafe { publish(self.thread) }
        }
    }
}

/// Publishes all that is reserved. A handler that comes between looking and storing leaves its record to us, so look again.
///
/// # Safety
/// `thread` is the calling thread's state with a ring, and every reserved record is written.
#[inline(always)]
pub unsafe fn publish(thread: *mut ThreadState) {
    // SAFETY: the caller's promises.
    unsafe {
        loop {
            let reserved = (&raw const (*thread).reserved).read_volatile();
            (*(*thread).header).head.store(reserved, Ordering::Release);
            if (&raw const (*thread).reserved).read_volatile() == reserved {
                return;
            }
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
