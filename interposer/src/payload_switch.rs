//! What the entry routines look at to know whether a launch or a copy needs the general way.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::hook::SPECIAL_DATA;
use crate::hooks::HOOKS;
use crate::settings::PayloadMode;

/// 1: the recording wants arguments of kernels.
pub static KERNEL_ARGUMENTS: AtomicU8 = AtomicU8::new(0);
/// 1: the recording wants copied data.
pub static COPIED_DATA: AtomicU8 = AtomicU8::new(0);

/// Sets both for a recording that starts. A forked child has the settings of its parent.
pub fn set(mode: PayloadMode) {
    KERNEL_ARGUMENTS.store((mode != PayloadMode::None).into(), Ordering::Release);
    COPIED_DATA.store((mode == PayloadMode::Full).into(), Ordering::Release);
    if mode == PayloadMode::Full {
        let copies = HOOKS.iter().filter(|hook| hook.special & SPECIAL_DATA != 0);
        copies.for_each(|hook| hook.fixed_ins.store(false, Ordering::Relaxed));
    }
}
