//! A call on its way through: on record before it reaches the driver, completed when it returns.

use std::arch::asm;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

use cutape_trace_format::ring::{CallId, END_WIDE, Word0, kind};

use crate::capture::{self, Gathered};
use crate::clock;
use crate::fork_page::{NOT_STARTED, fork_page};
use crate::hook::{Hook, Place};
use crate::recording;
use crate::thread::ThreadState;

/// What the trampoline keeps of a call on the program's stack. The saved frame pointer, the return address and the caller's stack
/// arguments follow it in memory.
#[repr(C, align(16))]
pub struct Frame {
    /// rdi, rsi, rdx, rcx, r8, r9.
    pub registers: [u64; 6],
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
    fn caller(&self) -> u64 {
        // SAFETY: the trampoline placed the frame right below the saved frame pointer, which lies below the return address.
        unsafe { *ptr::from_ref(self).add(1).cast::<u64>().add(1) }
    }

    /// The caller's stack arguments.
    fn stack(&self) -> *const u64 {
        // SAFETY: as for `caller`; the result is only an address.
        unsafe { ptr::from_ref(self).add(1).cast::<u64>().add(2) }
    }

    /// Recorded argument word `index`.
    pub fn word(&self, index: usize) -> u64 {
        match self.hook.detail.places.get(index) {
            Some(&place) => self.word_at(place),
            None if index < 6 => self.registers[index],
            // SAFETY: `arg_words` of the hook comes from the prototype, so the caller passed this word on the stack.
            None => unsafe { *self.stack().add(index - 6) },
        }
    }

    fn word_at(&self, place: Place) -> u64 {
        match place {
            Place::Register(n) => self.registers[usize::from(n)],
            // SAFETY: the wide trampoline, which serves hooks with places, stored xmm0.. downwards below the frame.
            Place::Vector(n) => unsafe { *ptr::from_ref(self).cast::<u64>().sub(2 * (usize::from(n) + 1)) },
            // SAFETY: the place was computed from the prototype.
            Place::Stack(n) => unsafe { *self.stack().add(usize::from(n)) },
        }
    }
}

/// What the trampoline does next.
#[repr(C)]
pub struct Dispatch {
    /// The real function.
    real: *const c_void,
    /// 0: go there and don't come back here. Otherwise 1 + words to copy from the caller's stack.
    mode: u64,
}

/// Words of a BEGIN record before the arguments, and of an END record before anything optional.
const HEADER_WORDS: usize = 3;

/// Puts the call on record.
///
/// # Safety
/// Called by the trampoline only.
pub unsafe extern "sysv64" fn begin(frame: &mut Frame) -> Dispatch {
    let hook = frame.hook;
    let thread = ThreadState::current();
    // SAFETY: a thread's state is its own; `real` is set once the thread has a ring of this epoch.
    unsafe {
        let epoch = fork_page().epoch.load(Ordering::Relaxed);
        if ((*thread).epoch != epoch || epoch == NOT_STARTED) && !recording::enter(thread) {
            return pass(frame);
        }
        if hook.elaborate {
            return begin_elaborate(frame, thread);
        }
        let words = HEADER_WORDS + usize::from(hook.arg_words);
        let Some(mut record) = Record::reserve(thread, words) else { return pass(frame) };
        record.put(Word0::new(words, kind::BEGIN, hook.arg_words, hook.id).0);
        let stamp = record.skip();
        record.put(frame.caller());
        record.put_arguments(frame);
        record.commit_begin(frame, stamp)
    }
}

/// Records the answer.
///
/// # Safety
/// Called by the trampoline only, after the real function returned.
pub unsafe extern "sysv64" fn end(frame: &mut Frame) {
    let ticks = clock::ticks();
    let hook = frame.hook;
    if frame.epoch != fork_page().epoch.load(Ordering::Relaxed) {
        // The process forked inside the call, or recording was turned off.
        return run_after(frame);
    }
    let thread = ThreadState::current();
    // SAFETY: a thread's state is its own.
    unsafe {
        if (*thread).epoch != frame.epoch && !recording::enter(thread) {
            return run_after(frame);
        }
        if !hook.outs.is_empty() || hook.wide_return {
            return end_elaborate(frame, thread, ticks);
        }
        if let Some(mut record) = Record::reserve(thread, HEADER_WORDS) {
            record.put(Word0::new(HEADER_WORDS, kind::END, 0, frame.result[0] as u32).0);
            record.put(ticks);
            record.put(frame.call.0);
            record.commit();
        }
    }
}

#[inline(never)]
unsafe fn begin_elaborate(frame: &mut Frame, thread: *mut ThreadState) -> Dispatch {
    let hook = frame.hook;
    let mut gathered = Gathered::new();
    for capture in hook.ins {
        gathered.gather(frame, thread, capture, capture::Phase::In);
    }
    let words = HEADER_WORDS + usize::from(hook.arg_words) + gathered.words();
    // SAFETY: the caller's promises.
    unsafe {
        let Some(mut record) = Record::reserve(thread, words) else { return pass(frame) };
        record.put(Word0::new(words, kind::BEGIN, hook.arg_words, hook.id).0);
        let stamp = record.skip();
        record.put(frame.caller());
        if hook.detail.places.is_empty() {
            record.put_arguments(frame);
        } else {
            for index in 0..usize::from(hook.arg_words) {
                record.put(frame.word(index));
            }
        }
        gathered.write(&mut record);
        record.commit_begin(frame, stamp)
    }
}

#[inline(never)]
unsafe fn end_elaborate(frame: &mut Frame, thread: *mut ThreadState, ticks: u64) {
    let hook = frame.hook;
    let succeeded = frame.result[0] as u32 == 0;
    let mut gathered = Gathered::new();
    for capture in hook.outs {
        if succeeded || capture.always {
            gathered.gather(frame, thread, capture, capture::Phase::Out { succeeded });
        }
    }
    let fixed = HEADER_WORDS + usize::from(hook.wide_return);
    // SAFETY: the caller's promises.
    unsafe {
        if let Some(mut record) = Record::reserve(thread, fixed + gathered.words()) {
            let flags = if hook.wide_return { END_WIDE } else { 0 };
            record.put(Word0::new(fixed + gathered.words(), kind::END, flags, frame.result[0] as u32).0);
            record.put(ticks);
            record.put(frame.call.0);
            if hook.wide_return {
                record.put(frame.result[0]);
            }
            gathered.write(&mut record);
            record.commit();
        }
    }
    run_after(frame);
}

fn run_after(frame: &mut Frame) {
    if let Some(after) = frame.hook.detail.after {
        // SAFETY: the call has returned and the frame is the trampoline's.
        unsafe { after(frame) }
    }
}

/// Lets the call through unrecorded. Functions whose answer we must amend come back to [`end`] all the same.
#[cold]
fn pass(frame: &mut Frame) -> Dispatch {
    frame.epoch = 0;
    let hook = frame.hook;
    let comes_back = hook.detail.after.is_some();
    Dispatch { real: recording::real_function(hook), mode: if comes_back { hook.mode.into() } else { 0 } }
}

/// Room in the ring for one record, being filled.
pub struct Record {
    thread: *mut ThreadState,
    next: *mut u64,
    position: u64,
}

impl Record {
    /// Takes `words` words of the calling thread's ring. `None` when the call can't be recorded, which has then been counted.
    ///
    /// A signal handler may make a call of its own at any instruction here. It finds `depth` raised, reserves behind us, because the
    /// reservation is one instruction, and leaves publishing to the outermost record.
    ///
    /// # Safety
    /// `thread` is the calling thread's state and has a ring of the current epoch.
    #[inline(always)]
    pub unsafe fn reserve(thread: *mut ThreadState, words: usize) -> Option<Self> {
        let bytes = words as u64 * 8;
        // SAFETY: the state is the calling thread's; within `limit` the ring's data is ours to write.
        unsafe {
            (&raw mut (*thread).depth).write_volatile((*thread).depth + 1);
            compiler_fence(Ordering::SeqCst);
            if (*thread).reserved + bytes > (*thread).limit && !recording::make_room(thread, bytes) {
                Self::leave(thread);
                return None;
            }
            let position = take(&raw mut (*thread).reserved, bytes);
            let next = (*thread).data.add((position & (*thread).mask) as usize).cast::<u64>();
            Some(Self { thread, next, position })
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

    unsafe fn skip(&mut self) -> *mut u64 {
        let skipped = self.next;
        // SAFETY: the caller reserved the word.
        self.next = unsafe { self.next.add(1) };
        skipped
    }

    /// Registers first, then the stack. All six registers are stored whether they are arguments or not: what lies behind the record
    /// belongs to nobody yet (the ring's limit leaves a margin), and six stores without a branch are cheaper than a loop.
    #[inline(always)]
    unsafe fn put_arguments(&mut self, frame: &Frame) {
        let count = usize::from(frame.hook.arg_words);
        // SAFETY: see above; words beyond six were passed on the stack.
        unsafe {
            ptr::copy_nonoverlapping(frame.registers.as_ptr(), self.next, 6);
            for index in 6..count {
                self.next.add(index).write(*frame.stack().add(index - 6));
            }
            self.next = self.next.add(count);
        }
    }

    #[inline(always)]
    unsafe fn commit_begin(self, frame: &mut Frame, stamp: *mut u64) -> Dispatch {
        // SAFETY: the thread's state is valid, `stamp` is the word that `skip` left out.
        unsafe {
            frame.call = CallId((*self.thread).id_base | self.position);
            frame.epoch = (*self.thread).epoch;
            stamp.write(clock::ticks());
            self.commit();
        }
        let mut real: *const c_void = frame.hook.real.load(Ordering::Relaxed);
        if real.is_null() {
            real = recording::real_function(frame.hook);
        }
        Dispatch { real, mode: frame.hook.mode.into() }
    }

    /// Makes the record part of the ring.
    ///
    /// # Safety
    /// All its words are written.
    #[inline(always)]
    pub unsafe fn commit(self) {
        // SAFETY: the state is the calling thread's.
        unsafe { Self::leave(self.thread) }
    }

    /// Ends a record, and publishes everything reserved when it is the outermost one. `depth` goes down first: a handler that comes
    /// in between publishes what it adds by itself, and if ours is the older position the next record makes up for it.
    #[inline(always)]
    unsafe fn leave(thread: *mut ThreadState) {
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the state is the calling thread's; the header is mapped as long as the thread has its ring.
        unsafe {
            let depth = (*thread).depth - 1;
            (&raw mut (*thread).depth).write_volatile(depth);
            compiler_fence(Ordering::SeqCst);
            if depth == 0 && !(*thread).header.is_null() {
                (*(*thread).header).head.store((*thread).reserved, Ordering::Release);
            }
        }
    }
}

/// Adds `bytes` to `*reserved` and returns what it was: one instruction, so a signal comes before or after it. There is no lock
/// prefix, because no other thread is concerned.
#[inline(always)]
unsafe fn take(reserved: *mut u64, bytes: u64) -> u64 {
    let mut value = bytes;
    // SAFETY: `reserved` is valid, the caller's promise.
    unsafe {
        asm!("xadd qword ptr [{at}], {value}", at = in(reg) reserved, value = inout(reg) value, options(nostack));
    }
    value
}
