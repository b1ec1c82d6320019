//! Asking the driver whether an address is one of host memory. These calls of ours go past the hooks, so they are not on record.

use std::ffi::c_void;
use std::sync::atomic::Ordering;

use crate::hook::Library;
use crate::hooks::HOOKS;
use crate::real_driver;

/// CU_POINTER_ATTRIBUTE_MEMORY_TYPE of cuda.h.
const MEMORY_TYPE: u32 = 2;
/// CU_MEMORYTYPE_HOST.
const HOST: u32 = 1;

/// `cuPointerGetAttribute`: where the value goes, which attribute, of which address.
type GetAttribute = unsafe extern "C" fn(*mut c_void, u32, u64) -> u32;

/// Whether the copy's side at this address is the host's: memory that the driver has page-locked, or does not know.
pub fn is_host(address: u64) -> bool {
    let Some(hook) = HOOKS
        .iter()
        .find(|hook| hook.detail.name == c"cuPointerGetAttribute")
    else {
        return false;
    };
    let real = hook.real.load(Ordering::Acquire);
    if real.is_null() || real == real_driver::absent_function(Library::Cuda) {
        return false;
    }
    // SAFETY: the function has this prototype (cuda.h).
    let get = unsafe { std::mem::transmute::<*mut c_void, GetAttribute>(real) };
    let mut memory_type = 0u32;
    // SAFETY: `memory_type` is ours, and the driver follows no address that it doesn't know.
    let code = unsafe { get((&raw mut memory_type).cast(), MEMORY_TYPE, address) };
    code != 0 || memory_type == HOST
}
