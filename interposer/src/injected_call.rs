//! A call of a function that the recording has rules for: the rules that hit it delay it, send a signal, keep it from the driver, or
//! replace what the driver answered. The record says which did, and what the driver's own answer was.

use std::ffi::c_void;
use std::time::Duration;

use cutape_trace_format::injected::{DriverAnswer, Injection, RuleBits};
use cutape_trace_format::injection_plan::{Replacement, Room};

use crate::call::{Answer, Dispatch, begin_recorded, pass, record_end_here};
use crate::capture::{Reader, errno, set_errno};
use crate::clock;
use crate::frame::Frame;
use crate::hook::Count;
use crate::injection;
use crate::memory;
use crate::proc_address;
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
    if hits == 0 && !proc_address::is_look_up(hook) {
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

/// [`end_slowly`](crate::call::end_slowly) of a call on which rules act, or may.
///
/// # Safety
/// As for `end_slowly`.
pub unsafe fn end(frame: &mut Frame, thread: *mut ThreadState, ticks: u64) {
    frame.epoch &= !INJECTED;
    let (hook, hits) = (frame.hook, frame.rules);
    let called = !withheld(hook.id(), hits);
    let own = frame.result[0];
    let succeeded = called && own as u32 == 0;
    // SAFETY: the caller's promises.
    let mut replaced = unsafe { replace(frame, thread, (called, succeeded)) };
    let mut rules = hits;
    if succeeded && proc_address::is_look_up(hook) {
        // SAFETY: the look-up has succeeded, and the frame is its.
        rules |= unsafe { proc_address::hide(frame, &mut replaced) };
    }
    let (mut after_ns, mut delayed, mut signalled) = (0, false, false);
    for (rule, _) in injection::each(hook.id(), hits) {
        after_ns += rule.effect.delay_after_ns;
        delayed |= rule.effect.delay_before_ns > 0 || rule.effect.delay_after_ns > 0;
        signalled |= rule.effect.signal.is_some();
        if let Some(code) = rule.effect.returns {
            frame.result[0] = code.into();
        }
    }
    wait(after_ns);
    let ticks = if after_ns > 0 { clock::ticks() } else { ticks };
    let gives_own_objects = replaced.is_empty() || proc_address::is_look_up(hook);
    let driver = if called {
        DriverAnswer::Answered {
            returned: own,
            replaced,
        }
    } else {
        DriverAnswer::NotCalled
    };
    let injection = Injection {
        rules,
        delayed,
        signalled,
        driver,
    };
    let mark = (rules != 0).then(|| injection.mark_after());
    let answer = Answer {
        // What the driver answered belongs to the record where the program is told of a failure, and the other way round.
        succeeded: succeeded || frame.result[0] as u32 == 0,
        trusted: succeeded,
        mark,
    };
    // SAFETY: the caller's promises.
    unsafe { record_end_here(frame, thread, ticks, &answer) };
    if let Some(after) = hook.detail.after
        && succeeded
        && gives_own_objects
    {
        let result = std::mem::replace(&mut frame.result[0], own);
        // SAFETY: the call has returned and the frame is the trampoline's.
        unsafe { after(frame) };
        frame.result[0] = result;
    }
}

/// Writes what the rules say behind the call's out parameters. Returns the parameters with what the driver had left there.
///
/// # Safety
/// As for [`end`].
unsafe fn replace(
    frame: &Frame,
    thread: *mut ThreadState,
    (called, succeeded): (bool, bool),
) -> Vec<(u8, Option<Vec<u8>>)> {
    let mut replaced: Vec<(u8, Option<Vec<u8>>)> = Vec::new();
    // SAFETY: the caller's promise.
    let reader = unsafe { Reader::new(frame, thread) };
    for (_, target) in injection::each(frame.hook.id(), frame.rules) {
        for write in &target.writes {
            let own = own_content(&reader, write.param, (called, succeeded));
            if put(&reader, write, succeeded)
                && !replaced.iter().any(|(param, _)| *param == write.param)
            {
                replaced.push((write.param, own));
            }
        }
    }
    replaced
}

/// What the driver left behind a parameter, where it promises to leave something.
fn own_content(
    reader: &Reader<'_>,
    param: u8,
    (called, succeeded): (bool, bool),
) -> Option<Vec<u8>> {
    let mut outs = reader.frame.hook.outs.iter();
    let capture = outs.find(|capture| capture.param == param)?;
    let promised = called && (succeeded || capture.always);
    promised.then(|| reader.content(capture)).flatten()
}

/// False where there is nothing to write to.
fn put(reader: &Reader<'_>, write: &Replacement, trusted: bool) -> bool {
    let at = reader.frame.word(write.word.into());
    if at == 0 {
        return false;
    }
    let at = (at as usize).wrapping_add(write.offset as usize);
    match write.room {
        None => memory::write(at, &write.bytes, trusted),
        Some(room) => match room_bytes(reader, room) {
            0 => false,
            room => {
                let mut text = write.bytes.clone();
                text.truncate(room - 1);
                text.push(0);
                memory::write(at, &text, trusted)
            }
        },
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
