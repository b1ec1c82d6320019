//! The slow path of a call: everything that happens once a process, once a thread, or when a ring fills.
//!
//! It runs with all signals blocked and `ThreadState::busy` set, keeps errno, and lets no panic out.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use crate::capture::{errno, set_errno};
use crate::complaint;
use crate::failure::Failure;
use crate::fork_page::{OFF, fork_page};
use crate::hook::{Hook, Library};
use crate::own_stack;
use crate::process::{Process, Purpose};
use crate::real_driver::{self, Missing, Real};
use crate::thread::ThreadState;
use crate::withheld;

/// Gives the calling thread a ring of the process's recording, which starts with the first call. False: the call passes unrecorded.
///
/// # Safety
/// `thread` is the calling thread's state.
#[cold]
pub unsafe fn enter(thread: *mut ThreadState) -> bool {
    if fork_page().epoch.load(Ordering::Relaxed) == OFF {
        return false;
    }
    // SAFETY: the caller's promise.
    unsafe { slowly(thread, |thread| own_stack::call(|| attach(thread))?) }
}

/// Runs on a stack of its own, so it catches its own panics.
fn attach(thread: &mut ThreadState) -> Result<bool, Failure> {
    let work = || Process::get_or_start()?.attach(thread);
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Failure::Bug(panic_text(panic.as_ref()))))
}

/// Makes room for `bytes` in the thread's ring: takes what the flusher freed, moves to a larger ring, or waits. False: the call is
/// dropped, and counted.
///
/// # Safety
/// As for [`enter`]; the thread has a ring.
#[cold]
pub unsafe fn make_room(thread: *mut ThreadState, bytes: u64, purpose: Purpose) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        slowly(thread, |thread| match Process::get() {
            Some(process) => process.make_room(thread, bytes, purpose),
            None => Ok(false),
        })
    }
}

/// Runs `work` in the slow path's conditions. A failure turns recording off.
unsafe fn slowly(
    thread: *mut ThreadState,
    work: impl FnOnce(&mut ThreadState) -> Result<bool, Failure>,
) -> bool {
    // SAFETY: the state is the calling thread's, and `busy` keeps calls that we cause ourselves from coming here.
    unsafe {
        if (*thread).busy != 0 {
            count_lost();
            return false;
        }
        let kept = errno();
        let signals = BlockedSignals::new();
        (*thread).busy = 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&mut *thread)));
        (*thread).busy = 0;
        drop(signals);
        set_errno(kept);
        match outcome {
            Ok(Ok(done)) => done,
            Ok(Err(failure)) => turn_off(&failure),
            Err(panic) => turn_off(&Failure::Bug(panic_text(panic.as_ref()))),
        }
    }
}

/// Runs `work`, which may take its time and be deep, on a stack of its own in the slow path's conditions. `None` when it could not run, or
/// panicked, which turns recording off.
///
/// # Safety
/// As for [`enter`].
#[cold]
pub unsafe fn aside<R>(thread: *mut ThreadState, work: impl FnOnce() -> R) -> Option<R> {
    let mut result = None;
    let work = || {
        let caught = catch_unwind(AssertUnwindSafe(work));
        caught.map_err(|panic| Failure::Bug(panic_text(panic.as_ref())))
    };
    // SAFETY: the caller's promise.
    unsafe {
        slowly(thread, |_| {
            result = Some(own_stack::call(work)??);
            Ok(true)
        })
    };
    result
}

fn count_lost() {
    if let Some(process) = Process::get() {
        process.count_lost_call();
    }
}

/// Ends recording in this process for good and says so. Always false: what a failed slow path answers.
pub fn turn_off(failure: &Failure) -> bool {
    let kept = errno();
    let page = fork_page();
    if page.epoch.swap(OFF, Ordering::AcqRel) != OFF {
        complaint::say(failure);
        if let Some(process) = Process::get() {
            process.turned_off();
        }
    }
    set_errno(kept);
    false
}

/// What a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

/// The function that a hook stands for. Loads its library at the first use; answers a function of ours where there is none.
#[cold]
pub fn real_function(hook: &Hook) -> *const c_void {
    let known = hook.real.load(Ordering::Acquire);
    if !known.is_null() {
        return known;
    }
    if let Some(real) = withheld::real(hook) {
        return real;
    }
    let library = hook.detail.library;
    let kept = errno();
    let function = match load_real(library) {
        None => real_driver::library_not_ready(library),
        Some(Ok(_)) => match hook.real.load(Ordering::Acquire) {
            function if function.is_null() => match withheld::real(hook) {
                Some(real) => real.cast_mut(),
                None => real_driver::absent_function(library),
            },
            function => function,
        },
        Some(Err(missing)) => {
            complaint::say_missing(missing);
            real_driver::absent_library(library)
        }
    };
    set_errno(kept);
    function
}

/// The real library, loaded at the first use; `None` on a thread that is just loading it: the library's constructors made a call.
pub fn load_real(library: Library) -> Option<&'static Result<Real, Missing>> {
    let thread = ThreadState::current();
    // SAFETY: the state is the calling thread's.
    unsafe {
        if (*thread).busy & LOADING != 0 {
            return None;
        }
        (*thread).busy |= LOADING;
        let loaded = real_driver::real(library);
        (*thread).busy &= !LOADING;
        Some(loaded)
    }
}

/// Bit of `ThreadState::busy`: a real library is being loaded.
const LOADING: u64 = 2;

/// All signals are blocked while this lives.
pub struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    /// Blocks them on the calling thread.
    pub fn new() -> Self {
        // SAFETY: both sets are ours; sigfillset initialises the one, pthread_sigmask the other.
        unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self(before)
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set was filled by `new`.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut())
        };
    }
}
