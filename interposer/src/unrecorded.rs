//! Functions that the recording's filter leaves out: their calls go straight to the driver.
//!
//! The hook of such a function never gets a real function, so the fast paths leave it to the slow one without a check of their own, and
//! that one finds the driver's function here. A call costs a few nanoseconds, no time stamp and no room in a ring.

use std::env;
use std::ffi::c_void;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::hook::Hook;
use crate::hooks::HOOKS;

/// The driver's functions that are left out, by function id.
static REAL: [AtomicPtr<c_void>; HOOKS.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; HOOKS.len()];

/// Takes in where a function is, if it is one that the recording leaves out. False: it is to be recorded.
pub fn take(hook: &Hook, real: *mut c_void) -> bool {
    if !is_left_out(hook.id()) {
        return false;
    }
    match REAL.get(hook.id() as usize) {
        Some(place) => place.store(real, Ordering::Release),
        None => return false,
    }
    true
}

/// The driver's function, if it is one that the recording leaves out.
#[inline]
pub fn real(hook: &Hook) -> Option<*const c_void> {
    let real = REAL.get(hook.id() as usize)?.load(Ordering::Acquire);
    (!real.is_null()).then_some(real.cast_const())
}

/// `CUTAPE_UNRECORDED`: number of functions of the table, a colon, and a hexadecimal digit for each four of them, lowest bit first.
fn is_left_out(id: u32) -> bool {
    static LEFT_OUT: OnceLock<Vec<u8>> = OnceLock::new();
    let digits = LEFT_OUT.get_or_init(|| {
        let value = env::var("CUTAPE_UNRECORDED").unwrap_or_default();
        digits(&value).unwrap_or_default()
    });
    let digit = digits.get(id as usize / 4).copied().unwrap_or(0);
    digit >> (id % 4) & 1 != 0
}

/// `None` where the value was made for another table: then everything is recorded, and sealing applies the filter.
fn digits(value: &str) -> Option<Vec<u8>> {
    let (functions, digits) = value.split_once(':')?;
    if functions.parse() != Ok(HOOKS.len()) {
        return None;
    }
    let digit = |letter: char| letter.to_digit(16).map(|digit| digit as u8);
    digits.chars().map(digit).collect()
}
