//! A call on its way through: on record before it reaches the driver, completed when it returns.

use std::ffi::c_void;
use std::sync::atomic::Ordering;

use cutape_trace_format::injected::{Injection, RuleBits};
use cutape_trace_format::ring::{END_WIDE, Word0, kind};

use crate::belongings;
use crate::call_stack::{self, Stack};
use crate::capture::{self, Gathered, Reader};
use crate::clock;
use crate::fixed_capture::{begin_with_fixed_ins, end_with_small_outs};
use crate::fork_page::{NOT_STARTED, fork_page};
use crate::frame::Frame;
use crate::hook::{HEADER_WORDS, SPECIAL_AFTER, SPECIAL_BEFORE, SPECIAL_UNLOADS};
use crate::image_layouts::Owner;
use crate::injected_call;
use crate::injection;
use crate::process::{Process, Purpose};
use crate::record::Record;
use crate::recording;
use crate::thread::ThreadState;
use crate::withheld;

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
        if real.is_null() {
            return begin_slowly(frame, thread);
        }
        if hook.fixed_ins.load(Ordering::Relaxed) {
            return begin_with_fixed_ins(frame, thread);
        }
        if hook.elaborate_begin {
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
    if frame.result[0] as u32 != 0 {
        // SAFETY: the caller's promises.
        return unsafe { end_with_code(frame, thread, ticks) };
    }
    // SAFETY: the caller's promises.
    unsafe { end_quickly::<true>(frame, thread, ticks) }
}

/// [`end_at`] of a call that returned something else than 0: a failure, whose stack may be wanted, or no code at all.
#[cold]
#[inline(never)]
unsafe fn end_with_code(frame: &mut Frame, thread: *mut ThreadState, ticks: u64) {
    // SAFETY: the caller's promises; a thread with the frame's epoch has a ring.
    unsafe {
        if frame.epoch == (*thread).epoch
            && let Some(stack) = Stack::wanted(frame, thread)
        {
            return end_with_stack(frame, thread, ticks, &stack);
        }
        end_quickly::<false>(frame, thread, ticks);
    }
}

/// [`end_at`] where nothing but the usual is to be recorded. The call returned 0 if it `SUCCEEDED`.
#[inline(always)]
unsafe fn end_quickly<const SUCCEEDED: bool>(
    frame: &mut Frame,
    thread: *mut ThreadState,
    ticks: u64,
) {
    // SAFETY: as for `begin`.
    unsafe {
        if frame.hook.small_outs && frame.epoch == (*thread).epoch {
            return end_with_small_outs::<SUCCEEDED>(frame, thread, ticks);
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
    if withheld::real(hook).is_none() {
        // SAFETY: the caller's promises.
        return unsafe { begin_recorded(frame, thread, 0) };
    }
    if injection::is_for(hook.id()) || call_stack::is_chosen(hook.id()) {
        // SAFETY: the caller's promises.
        unsafe { injected_call::begin(frame, thread) }
    } else {
        pass(frame)
    }
}

/// [`begin_slowly`] of a function that is recorded; `rules` hit the call.
///
/// # Safety
/// As for `begin_slowly`.
pub unsafe fn begin_recorded(
    frame: &mut Frame,
    thread: *mut ThreadState,
    rules: RuleBits,
) -> Dispatch {
    let hook = frame.hook;
    // SAFETY: the caller's promises.
    unsafe {
        if !is_attached(thread) && !recording::enter(thread) {
            return pass(frame);
        }
        let mark = Injection::mark_before(rules);
        let mut gathered = Gathered::new();
        if rules != 0 {
            gathered.add_mark(capture::Phase::In, &mark);
        }
        for capture in hook.ins {
            gathered.gather(frame, thread, capture, capture::Phase::In);
        }
        if hook.special != 0 {
            begin_special(frame, thread, &mut gathered);
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

/// What belongs to a call besides what its pointers lead to directly.
///
/// # Safety
/// As for [`begin_slowly`].
#[inline(never)]
unsafe fn begin_special(frame: &Frame, thread: *mut ThreadState, gathered: &mut Gathered) {
    let hook = frame.hook;
    if hook.special & SPECIAL_UNLOADS != 0
        && let Some(process) = Process::get()
    {
        process.kernels().unload();
        match hook.detail.name.to_bytes() {
            b"cuModuleUnload" => process.image_layouts().forget(Owner::Module(frame.word(0))),
            b"cuLibraryUnload" => process
                .image_layouts()
                .forget(Owner::Library(frame.word(0))),
            _ => process.image_layouts().forget_modules(),
        }
    }
    if hook.special & SPECIAL_BEFORE != 0 {
        // SAFETY: the caller's promise.
        let reader = unsafe { Reader::new(frame, thread) };
        belongings::gather(
            gathered,
            &reader,
            hook.detail.more.before,
            capture::Phase::In,
        );
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
    if frame.epoch & injected_call::INJECTED != 0 {
        // SAFETY: the caller's promises.
        return unsafe { injected_call::end(frame, thread, ticks) };
    }
    let succeeded = frame.result[0] as u32 == 0;
    let answer = Answer {
        succeeded,
        trusted: succeeded,
        mark: None,
        stack: None,
    };
    // SAFETY: the caller's promises.
    unsafe { record_end_here(frame, thread, ticks, &answer) };
    run_after(frame);
}

/// [`end_slowly`] of a call whose stack is kept.
unsafe fn end_with_stack(frame: &mut Frame, thread: *mut ThreadState, tsc: u64, stack: &Stack) {
    let ticks = if clock::uses_tsc() {
        tsc
    } else {
        clock::ticks()
    };
    let answer = Answer {
        succeeded: false,
        trusted: false,
        mark: None,
        stack: Some(stack),
    };
    // SAFETY: the caller's promises.
    unsafe { record_end_here(frame, thread, ticks, &answer) };
    if let Some(process) = Process::get() {
        // What was loaded last may be on the stack, and the program may end now.
        process.wake_flusher();
    }
    run_after(frame);
}

fn run_after(frame: &mut Frame) {
    if let Some(after) = frame.hook.detail.after {
        // SAFETY: the call has returned and the frame is the trampoline's.
        unsafe { after(frame) }
    }
}

/// What the record of a call's end has to say besides the code.
pub struct Answer<'m> {
    /// What out pointers lead to counts.
    pub succeeded: bool,
    /// The driver has just written behind them.
    pub trusted: bool,
    /// What rules of the recording did.
    pub mark: Option<&'m [u8]>,
    /// The stack that the call was made on.
    pub stack: Option<&'m Stack>,
}

/// Records the end, unless the process forked inside the call or recording was turned off: then the begin is not in our ring.
///
/// # Safety
/// As for [`end_slowly`].
#[inline(always)]
pub unsafe fn record_end_here(
    frame: &mut Frame,
    thread: *mut ThreadState,
    ticks: u64,
    answer: &Answer<'_>,
) {
    if frame.epoch != NOT_STARTED && frame.epoch == fork_page().epoch.load(Ordering::Relaxed) {
        // SAFETY: the caller's promises.
        unsafe { record_end(frame, thread, ticks, answer) };
    }
}

#[inline(always)]
unsafe fn record_end(frame: &mut Frame, thread: *mut ThreadState, ticks: u64, answer: &Answer<'_>) {
    let hook = frame.hook;
    // SAFETY: the caller's promises.
    unsafe {
        if !is_attached(thread) && !recording::enter(thread) {
            return;
        }
        let phase = capture::Phase::Out {
            succeeded: answer.trusted,
        };
        let mut gathered = Gathered::new();
        if let Some(mark) = answer.mark {
            gathered.add_mark(phase, mark);
        }
        for capture in hook.outs {
            if answer.succeeded || capture.always {
                gathered.gather(frame, thread, capture, phase);
            }
        }
        if hook.special & SPECIAL_AFTER != 0 && answer.trusted {
            let reader = Reader::new(frame, thread);
            belongings::gather(&mut gathered, &reader, hook.detail.more.after, phase);
        }
        let fixed = HEADER_WORDS + usize::from(hook.wide_return);
        let words = fixed + gathered.words() + answer.stack.map_or(0, Stack::words);
        let Some(mut record) = Record::reserve(thread, words, Purpose::End) else {
            return;
        };
        let flags = if hook.wide_return { END_WIDE } else { 0 };
        record.put(Word0::new(words, kind::END, flags, frame.result[0] as u32).0);
        record.put(ticks);
        record.put(frame.call.0);
        if hook.wide_return {
            record.put(frame.result[0]);
        }
        gathered.write(&mut record);
        if let Some(stack) = answer.stack {
            stack.write(&mut record);
        }
        record.commit();
    }
}

/// Lets the call through unrecorded. Functions whose answer we amend come back to [`end`] all the same.
#[cold]
pub fn pass(frame: &mut Frame) -> Dispatch {
    frame.epoch = NOT_STARTED;
    let hook = frame.hook;
    let comes_back = hook.detail.after.is_some();
    Dispatch {
        real: recording::real_function(hook),
        mode: if comes_back { hook.mode.into() } else { 0 },
    }
}
