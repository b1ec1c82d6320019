//! A call of a function that the recording has rules for, or keeps the stacks of: the rules that hit it delay it, send a signal, keep it from the driver, or
//! replace what the driver answered. The record says which did, and what the driver's own answer was.

use std::ffi::c_void;
use std::time::Duration;

use cutape_trace_format::injected::{Doings, MarkWriter, RuleBits};
use cutape_trace_format::injection_plan::{Replacement, Room};

use crate::call::{Answer, Dispatch, begin_recorded, pass, record_end_here};
use crate::call_stack::{self, Stack};
use crate::capture::{Reader, errno, set_errno};
use crate::clock;
use crate::fork_page::NOT_STARTED;
use crate::frame::Frame;
use crate::hook::Count;
use crate::injection;
use crate::memory;
use crate::proc_address;
use crate::process::Process;
use crate::thread::ThreadState;
use crate::unrecorded;

/// Bit of [`Frame::epoch`]: rules act on the call, or may. No recording's number gets there, so the fast ways of a call's end leave it to
/// the slow one.
pub const INJECTED: u64 = 1 << 63;

/// [`begin_slowly`](crate::call::begin_slowly) of a function with rules.
///
/// # Safety
/// As for `begin_slowly`.
pub unsafe fn begin(frame: &mut Frame, thread: *mut ThreadState) -> Dispatch {
    let hook = frame.hook;
    // SAFETY: the state is the calling thread's.
    if unsafe { (*thread).busy } != 0 {
        // A call that our own work causes.
        return pass(frame);
    }
    let hits = injection::hits(frame);
    // SAFETY: the caller's promises.
    let mut dispatch = unsafe {
        if unrecorded::is_left_out(hook.id()) {
            pass(frame)
        } else {
            begin_recorded(frame, thread, hits)
        }
    };
    let stacked = call_stack::is_chosen(hook.id());
    if hits == 0 && !proc_address::is_look_up(hook) && !stacked {
        return dispatch;
    }
    frame.epoch |= INJECTED;
    frame.rules = hits;
    dispatch.mode = hook.mode.into();
    act_before(hook.id(), hits);
    if withheld(hook.id(), hits) {
        dispatch.real = not_called as *const c_void;
    }
    dispatch
}

/// What runs in the driver's place. What the call returns is decided at its end.
extern "C" fn not_called() -> u64 {
    0
}

fn withheld(id: u32, hits: RuleBits) -> bool {
    injection::each(id, hits).any(|(rule, _)| rule.effect.withholds)
}

fn act_before(id: u32, hits: RuleBits) {
    for (rule, _) in injection::each(id, hits) {
        wait(rule.effect.delay_before_ns);
        if let Some(signal) = rule.effect.signal {
            send(signal);
        }
    }
}

fn wait(ns: u64) {
    if ns == 0 {
        return;
    }
    let kept = errno();
    // Goes on after signals.
    std::thread::sleep(Duration::from_nanos(ns));
    set_errno(kept);
}

/// To this very thread, as if the driver had caused it.
fn send(signal: i32) {
    let kept = errno();
    // SAFETY: tgkill takes only numbers; what the signal does is what was asked for.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal) };
    set_errno(kept);
}

/// [`end_slowly`](crate::call::end_slowly) of a call on which rules act, or may. As a signal handler may have made it, nothing is allocated.
///
/// # Safety
/// As for `end_slowly`.
pub unsafe fn end(frame: &mut Frame, thread: *mut ThreadState, ticks: u64) {
    frame.epoch &= !INJECTED;
    let (hook, hits) = (frame.hook, frame.rules);
    let own = frame.result[0];
    let fate = Fate {
        called: !withheld(hook.id(), hits),
        succeeded: !withheld(hook.id(), hits) && own as u32 == 0,
    };
    let mut mark = MarkWriter::default();
    // SAFETY: the caller's promises.
    unsafe { replace(frame, thread, fate, &mut mark) };
    let mut doings = Doings {
        rules: hits,
        ..Doings::default()
    };
    if fate.succeeded && proc_address::is_look_up(hook) {
        // SAFETY: the look-up has succeeded, and the frame is its.
        doings.rules |= unsafe { proc_address::hide(frame, &mut mark) };
    }
    let after_ns = answer(frame, &mut doings);
    wait(after_ns);
    let ticks = if after_ns > 0 { clock::ticks() } else { ticks };
    let gives_own_objects = mark.is_empty() || proc_address::is_look_up(hook);
    // SAFETY: the caller's promises; a thread with the frame's epoch has a ring.
    let stack = unsafe {
        let is_here = frame.epoch != NOT_STARTED && frame.epoch == (*thread).epoch;
        is_here.then(|| Stack::wanted(frame, thread)).flatten()
    };
    let answer = Answer {
        // What the driver answered belongs to the record where the program is told of a failure, and the other way round.
        succeeded: fate.succeeded || frame.result[0] as u32 == 0,
        trusted: fate.succeeded,
        mark: (doings.rules != 0).then(|| mark.finish(&doings, fate.called.then_some(own))),
        stack: stack.as_ref(),
    };
    // SAFETY: the caller's promises.
    unsafe { record_end_here(frame, thread, ticks, &answer) };
    if stack.is_some()
        && let Some(process) = Process::get()
    {
        process.wake_flusher();
    }
    if let Some(after) = hook.detail.after
        && fate.succeeded
        && gives_own_objects
    {
        let result = std::mem::replace(&mut frame.result[0], own);
        // SAFETY: the call has returned and the frame is the trampoline's.
        unsafe { after(frame) };
        frame.result[0] = result;
    }
}

/// What became of a call.
#[derive(Clone, Copy)]
struct Fate {
    /// The driver was called.
    called: bool,
    /// And it answered success.
    succeeded: bool,
}

/// Puts the rules' code in place of the driver's. Returns how long the program is to wait for it, in nanoseconds.
fn answer(frame: &mut Frame, doings: &mut Doings) -> u64 {
    let mut after_ns = 0;
    for (rule, _) in injection::each(frame.hook.id(), frame.rules) {
        let effect = &rule.effect;
        after_ns += effect.delay_after_ns;
        doings.delayed |= effect.delay_before_ns > 0 || effect.delay_after_ns > 0;
        doings.signalled |= effect.signal.is_some();
        if let Some(code) = effect.returns {
            frame.result[0] = code.into();
        }
    }
    after_ns
}

/// Writes what the rules say behind the call's out parameters, and into the mark what the driver had left there.
///
/// # Safety
/// As for [`end`].
unsafe fn replace(frame: &Frame, thread: *mut ThreadState, fate: Fate, mark: &mut MarkWriter) {
    // SAFETY: the caller's promise.
    let reader = unsafe { Reader::new(frame, thread) };
    for (_, target) in injection::each(frame.hook.id(), frame.rules) {
        for write in &target.writes {
            let Some(at) = place(&reader, write) else {
                continue;
            };
            if !mark.has(write.param) {
                mark.add(write.param, |room| {
                    own_content(&reader, write.param, fate, room)
                });
            }
            put(&reader, write, at, fate.succeeded);
        }
    }
}

/// Copies what the driver left behind a parameter, where it promises to leave something.
fn own_content(reader: &Reader<'_>, param: u8, fate: Fate, room: &mut [u8]) -> Option<usize> {
    let mut outs = reader.frame.hook.outs.iter();
    let capture = outs.find(|capture| capture.param == param)?;
    let promised = fate.called && (fate.succeeded || capture.always);
    promised.then(|| reader.copy(capture, room)).flatten()
}

/// Where a value goes; `None` where the program wants none.
fn place(reader: &Reader<'_>, write: &Replacement) -> Option<usize> {
    let pointer = reader.frame.word(write.word.into()) as usize;
    (pointer != 0).then(|| pointer.wrapping_add(write.offset as usize))
}

/// Writes a value. What can't be written to stays as it is, and so does a text without room for its end.
fn put(reader: &Reader<'_>, write: &Replacement, at: usize, trusted: bool) {
    let Some(room) = write.room else {
        return store(reader, at, &write.bytes, trusted);
    };
    if let Some(most) = room_bytes(reader, room).checked_sub(1) {
        let text = &write.bytes[..write.bytes.len().min(most)];
        store(reader, at, text, trusted);
        store(reader, at.wrapping_add(text.len()), &[0], trusted);
    }
}

/// Most values lie on the thread's stack; asking the kernel takes two microseconds for each.
fn store(reader: &Reader<'_>, at: usize, bytes: &[u8], trusted: bool) {
    if reader.is_surely_there(at, bytes.len()) {
        // SAFETY: everything is mapped there, and the program gave the address to be written to.
        unsafe { memory::write_directly(at, bytes) };
    } else {
        memory::write(at, bytes, trusted);
    }
}

fn room_bytes(reader: &Reader<'_>, room: Room) -> usize {
    let count = match room {
        Room::Bytes(bytes) => Count::Const(bytes),
        Room::Word { word, bytes } => Count::Word { word, bytes },
        Room::Behind { word, bytes } => Count::Behind { word, bytes },
    };
    reader.count(count).unwrap_or(0)
}
