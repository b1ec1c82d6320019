//! `cuGetProcAddress`: the program asks the driver for a function and must get ours.
//!
//! The real driver answers first, and what it answers decides: our tables may be older than it is. Its pointer is mapped back to the
//! exported function that it is; a pointer that is none gets a hook of its own, which decodes arguments if the table tells what
//! function name, version and flags mean, and else records six words.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use cutape_trace_format::injected::{MarkWriter, RuleBits};

use crate::frame::Frame;
use crate::function_record;
use crate::hook::{Hook, Library};
use crate::hooks::{DYNAMIC_HOOKS, DYNAMIC_STUBS, HOOKS, NAMES, STUBS};
use crate::injection;
use crate::real_driver::{self, Real};
use crate::withheld;

/// CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM of cuda.h.
const PER_THREAD_DEFAULT_STREAM: u64 = 2;

/// Replaces the real function that `cuGetProcAddress(symbol, pfn, cudaVersion, flags, ...)` found by ours.
///
/// # Safety
/// Runs after such a call returned, with its frame.
pub unsafe fn hand_out_ours(frame: &mut Frame) {
    let place = frame.word(1) as *mut *const c_void;
    if frame.result[0] as u32 != 0 || place.is_null() {
        return;
    }
    // SAFETY: the driver has just written there.
    let real = unsafe { place.read_unaligned() };
    if real.is_null() {
        return;
    }
    // SAFETY: the caller's promise.
    let asked = unsafe { Asked::of(frame) };
    if let Some(ours) = ours_for(real, &asked) {
        // SAFETY: as above.
        unsafe { place.write_unaligned(ours) };
    }
}

/// Whether a function is one that finds others by their names.
pub fn is_look_up(hook: &Hook) -> bool {
    hook.detail
        .after
        .is_some_and(|after| ptr::fn_addr_eq(after, hand_out_ours as unsafe fn(&mut Frame)))
}

/// CUDA_ERROR_NOT_FOUND.
const NOT_FOUND: u64 = 500;
/// CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND.
const SYMBOL_NOT_FOUND: u32 = 1;
/// Parameters of `cuGetProcAddress_v2`: where the function and the status go.
const FUNCTION_PARAM: u8 = 1;
const STATUS_PARAM: u8 = 4;

/// Takes back what a look-up has found where a rule says that the function is missing: an older version takes its place, or nothing.
/// Adds what the driver had answered to the mark, and returns the rules.
///
/// # Safety
/// Runs after such a call has succeeded, with its frame.
pub unsafe fn hide(frame: &mut Frame, mark: &mut MarkWriter) -> RuleBits {
    let place = frame.word(FUNCTION_PARAM.into()) as *mut *const c_void;
    if place.is_null() {
        return 0;
    }
    // SAFETY: the driver has just written there.
    let found = unsafe { place.read_unaligned() };
    // SAFETY: the caller's promise.
    let asked = unsafe { Asked::of(frame) };
    let hidden = found_hook(found, &asked).filter(|hook| injection::hides(hook.id()));
    let Some(hidden) = hidden else {
        return 0;
    };
    note(mark, FUNCTION_PARAM, &(found as usize).to_le_bytes());
    let instead = injection::visible_before(hidden.id()).and_then(|hook| real_of(&HOOKS[hook]));
    // SAFETY: as above.
    unsafe { place.write_unaligned(instead.unwrap_or(ptr::null())) };
    if instead.is_none() {
        // SAFETY: the caller's promise.
        unsafe { say_not_found(frame, mark) };
    }
    injection::hiding(hidden.id())
}

/// The older form of the call returns an error, the newer one a status.
unsafe fn say_not_found(frame: &mut Frame, mark: &mut MarkWriter) {
    if frame.hook.arg_words() <= STATUS_PARAM {
        frame.result[0] = NOT_FOUND;
        return;
    }
    let place = frame.word(STATUS_PARAM.into()) as *mut u32;
    if !place.is_null() {
        // SAFETY: the driver has just written there.
        unsafe {
            let own = place.read_unaligned();
            note(mark, STATUS_PARAM, &own.to_le_bytes());
            place.write_unaligned(SYMBOL_NOT_FOUND);
        }
    }
}

/// Puts what the driver had left behind a parameter into the mark, unless a rule has written there before.
fn note(mark: &mut MarkWriter, param: u8, own: &[u8]) {
    if !mark.has(param) {
        mark.add(param, |room| {
            room.get_mut(..own.len())?.copy_from_slice(own);
            Some(own.len())
        });
    }
}

/// Which function a look-up found: the one at that address, or the one that was asked for.
fn found_hook(found: *const c_void, asked: &Asked<'_>) -> Option<&'static Hook> {
    if found.is_null() {
        return None;
    }
    let driver = real_driver::real(Library::Cuda).as_ref().ok()?;
    let meant = meant(asked);
    exported_at(driver, found, meant).or(meant)
}

/// The driver's function of a hook, if the driver has it.
fn real_of(hook: &Hook) -> Option<*const c_void> {
    let own: *const c_void = hook.real.load(Ordering::Acquire);
    let absent: *const c_void = real_driver::absent_function(Library::Cuda);
    withheld::real(hook).or_else(|| (!own.is_null() && own != absent).then_some(own))
}

struct Asked<'a> {
    symbol: &'a CStr,
    version: u32,
    per_thread: bool,
}

impl Asked<'_> {
    /// # Safety
    /// The frame is a look-up's that has succeeded.
    unsafe fn of(frame: &Frame) -> Self {
        Self {
            // SAFETY: the driver found the function by this text.
            symbol: unsafe { CStr::from_ptr(frame.word(0) as *const c_char) },
            version: frame.word(2) as u32,
            per_thread: frame.word(3) & PER_THREAD_DEFAULT_STREAM != 0,
        }
    }
}

fn ours_for(real: *const c_void, asked: &Asked<'_>) -> Option<*const c_void> {
    let driver = real_driver::real(Library::Cuda).as_ref().ok()?;
    let meant = meant(asked);
    let is_left_out = |hook: &Hook| {
        hook.detail.after.is_none()
            && withheld::real(hook).is_some()
            && !injection::is_for(hook.id())
    };
    if let Some(hook) = exported_at(driver, real, meant) {
        return (!is_left_out(hook)).then(|| stub_of(hook));
    }
    dynamic_stub(real, asked, meant)
}

/// The exported function at that address; of several names for one function the one that was asked for.
fn exported_at(
    driver: &Real,
    real: *const c_void,
    meant: Option<&'static Hook>,
) -> Option<&'static Hook> {
    let same = |hook: &&Hook| meant.is_some_and(|meant| ptr::eq(*hook, meant));
    driver
        .hooks_at(real)
        .find(same)
        .or_else(|| driver.hooks_at(real).next())
}

fn stub_of(hook: &'static Hook) -> *const c_void {
    STUBS[hook.id() as usize] as *const c_void
}

/// What the table says that name, version and flags mean: the newest version not above the one asked for, for the wanted stream if
/// there are two.
fn meant(asked: &Asked<'_>) -> Option<&'static Hook> {
    let symbol = asked.symbol.to_str().ok()?;
    let start = NAMES.partition_point(|name| name.base < symbol);
    let candidates = || {
        NAMES[start..]
            .iter()
            .take_while(|name| name.base == symbol)
            .filter(|name| name.since <= asked.version)
    };
    let exact = candidates().find(|name| name.per_thread == asked.per_thread);
    exact
        .or_else(|| candidates().find(|name| !name.per_thread))
        .map(|name| &HOOKS[name.hook])
}

/// Real functions that got a dynamic hook. A slot is taken by its address; what it decodes as stays as first asked.
static TAKEN: [AtomicPtr<c_void>; DYNAMIC_HOOKS.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; DYNAMIC_HOOKS.len()];
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn dynamic_stub(
    real: *const c_void,
    asked: &Asked<'_>,
    meant: Option<&'static Hook>,
) -> Option<*const c_void> {
    if is_ours(real) {
        return None;
    }
    // A function that the table knows goes through the known hook if nothing else does, so its arguments are decoded.
    if let Some(hook) = meant {
        if withheld::take(hook, real.cast_mut()) {
            return Some(stub_of(hook));
        }
        let absent = real_driver::absent_function(Library::Cuda);
        let free = hook.real.compare_exchange(
            absent,
            real.cast_mut(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if free.is_ok() || free == Err(real.cast_mut()) {
            return Some(stub_of(hook));
        }
    }
    let known = TAKEN
        .iter()
        .take(COUNT.load(Ordering::Acquire))
        .position(|slot| ptr::eq(slot.load(Ordering::Acquire), real));
    let slot = match known {
        Some(slot) => slot,
        None => take_slot(real, asked)?,
    };
    Some(DYNAMIC_STUBS[slot] as *const c_void)
}

/// A new slot, announced in the trace. `None` when all are taken: the program then gets the real function, unrecorded.
fn take_slot(real: *const c_void, asked: &Asked<'_>) -> Option<usize> {
    let slot = COUNT
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
            (count < TAKEN.len()).then_some(count + 1)
        })
        .ok()?;
    let hook = &DYNAMIC_HOOKS[slot];
    hook.real.store(real.cast_mut(), Ordering::Release);
    TAKEN[slot].store(real.cast_mut(), Ordering::Release);
    function_record::write(hook.id(), asked.symbol.to_bytes());
    Some(slot)
}

/// A driver that looks functions up by name in the program's scope finds ours.
fn is_ours(function: *const c_void) -> bool {
    let address = function as usize;
    STUBS
        .iter()
        .chain(&DYNAMIC_STUBS)
        .any(|&stub| stub as usize == address)
}
