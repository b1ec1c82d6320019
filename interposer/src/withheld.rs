//! Functions whose hooks never get their real function: those that the recording's filter leaves out, those that a rule of it is for, and
//! those whose calls have their stacks kept.
//!
//! The fast paths leave a hook without a real function to the slow one, without a check of their own, and that one finds the driver's
//! function here. So none of that costs other functions anything.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::call_stack;
use crate::hook::Hook;
use crate::hooks::HOOKS;
use crate::injection;
use crate::unrecorded;

/// The driver's functions that are withheld, by function id.
static REAL: [AtomicPtr<c_void>; HOOKS.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; HOOKS.len()];

/// Takes in where a function is, if it is one that is withheld. False: it belongs into its hook.
pub fn take(hook: &Hook, real: *mut c_void) -> bool {
    let id = hook.id();
    if !unrecorded::is_left_out(id) && !injection::is_for(id) && !call_stack::is_chosen(id) {
        return false;
    }
    match REAL.get(hook.id() as usize) {
        Some(place) => place.store(real, Ordering::Release),
        None => return false,
    }
    true
}

/// The driver's function, if it is one that is withheld.
#[inline]
pub fn real(hook: &Hook) -> Option<*const c_void> {
    let real = REAL.get(hook.id() as usize)?.load(Ordering::Acquire);
    (!real.is_null()).then_some(real.cast_const())
}
