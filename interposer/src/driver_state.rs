//! Asking the driver about streams and contexts. These calls of ours go past the hooks, so they are not on record.

use std::ffi::{CStr, c_void};

use crate::real_driver;

/// CU_STREAM_LEGACY of cuda.h: the null stream by its other name.
const LEGACY: u64 = 1;
/// CU_STREAM_PER_THREAD: the thread's own default stream.
const PER_THREAD: u64 = 2;

/// `CUresult cuStreamIsCapturing(CUstream hStream, CUstreamCaptureStatus *captureStatus)`.
type IsCapturing = unsafe extern "C" fn(u64, *mut u32) -> u32;
/// `CUresult cuStreamGetCtx(CUstream hStream, CUcontext *pctx)`.
type GetContext = unsafe extern "C" fn(u64, *mut u64) -> u32;
/// `CUresult cuCtxGetCurrent(CUcontext *pctx)`.
type GetCurrent = unsafe extern "C" fn(*mut u64) -> u32;

/// A stream, the same for each way to name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamName {
    /// Its handle; of a default stream the special one.
    pub handle: u64,
    /// Of a default stream, its context.
    context: u64,
    /// Of a thread's own default stream, the thread.
    thread: i32,
}

impl StreamName {
    /// A stream that the program has made.
    pub const fn handle(handle: u64) -> Self {
        Self {
            handle,
            context: 0,
            thread: 0,
        }
    }

    /// The stream that a handle names in a call of this thread.
    pub fn of(handle: u64, is_per_thread: bool) -> Self {
        match (handle, is_per_thread) {
            (PER_THREAD, _) | (0, true) => Self {
                handle: PER_THREAD,
                context: current_context(),
                // SAFETY: has no conditions.
                thread: unsafe { libc::gettid() },
            },
            (0 | LEGACY, _) => Self {
                handle: LEGACY,
                context: current_context(),
                thread: 0,
            },
            _ => Self::handle(handle),
        }
    }
}

/// The handle by which a function that knows no threads' own streams knows the stream.
fn plain_handle(handle: u64, is_per_thread: bool) -> u64 {
    match (handle, is_per_thread) {
        (0, true) => PER_THREAD,
        _ => handle,
    }
}

fn function(name: &CStr) -> Option<*const c_void> {
    real_driver::exported(name)
}

/// Whether what a stream is given goes into a graph. A driver that can't say has no graphs.
pub fn is_capturing(handle: u64, is_per_thread: bool) -> bool {
    let Some(found) = function(c"cuStreamIsCapturing") else {
        return false;
    };
    // SAFETY: the function has this prototype (cuda.h).
    let is_capturing = unsafe { std::mem::transmute::<*const c_void, IsCapturing>(found) };
    let mut status = 0;
    // SAFETY: the driver has just accepted the stream in a call of the program's; the place is ours.
    let code = unsafe { is_capturing(plain_handle(handle, is_per_thread), &raw mut status) };
    code != 0 || status != 0
}

/// The context of a stream; 0 if the driver doesn't say.
pub fn context_of(handle: u64, is_per_thread: bool) -> u64 {
    if [0, LEGACY, PER_THREAD].contains(&plain_handle(handle, is_per_thread)) {
        return current_context();
    }
    let Some(found) = function(c"cuStreamGetCtx") else {
        return 0;
    };
    // SAFETY: the function has this prototype (cuda.h).
    let get_context = unsafe { std::mem::transmute::<*const c_void, GetContext>(found) };
    let mut context = 0;
    // SAFETY: as for `is_capturing`.
    match unsafe { get_context(handle, &raw mut context) } {
        0 => context,
        _ => 0,
    }
}

/// The context that is current to the calling thread; 0 if there is none.
pub fn current_context() -> u64 {
    let Some(found) = function(c"cuCtxGetCurrent") else {
        return 0;
    };
    // SAFETY: the function has this prototype (cuda.h).
    let get_current = unsafe { std::mem::transmute::<*const c_void, GetCurrent>(found) };
    let mut context = 0;
    // SAFETY: the place is ours.
    match unsafe { get_current(&raw mut context) } {
        0 => context,
        _ => 0,
    }
}
