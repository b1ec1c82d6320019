//! Running the slow path on a stack of its own: a thread of the program may have as little as 16 KiB, and the driver was there first.

use std::arch::asm;
use std::ffi::c_void;
use std::ptr;

use crate::failure::Failure;

const BYTES: usize = 256 << 10;
const GUARD_BYTES: usize = 4096;

/// Calls `work` on a fresh stack and returns what it returns.
///
/// # Errors
/// Memory for the stack can't be had.
pub fn call<R, F: FnOnce() -> R>(work: F) -> Result<R, Failure> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice disturbs nothing.
    let base = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        libc::mmap(
            ptr::null_mut(),
            BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(Failure::resource("memory for a stack"));
    }
    let mut task = Task {
        work: Some(work),
        result: None,
    };
    // SAFETY: the stack is ours, its lowest page guards it, and `task` outlives the call. `run::<R, F>` fits the task's type and lets
    // no panic out: the caller's closures catch theirs.
    unsafe {
        libc::mprotect(base, GUARD_BYTES, libc::PROT_NONE);
        switch(
            base.wrapping_byte_add(BYTES),
            run::<R, F>,
            (&raw mut task).cast(),
        );
        libc::munmap(base, BYTES);
    }
    task.result
        .ok_or_else(|| Failure::Bug("the slow path returned nothing".to_owned()))
}

struct Task<R, F> {
    work: Option<F>,
    result: Option<R>,
}

extern "sysv64" fn run<R, F: FnOnce() -> R>(task: *mut c_void) {
    // SAFETY: `call` passes a pointer to such a task that nobody else uses meanwhile.
    let task = unsafe { &mut *task.cast::<Task<R, F>>() };
    task.result = task.work.take().map(|work| work());
}

/// Calls `function(data)` with the stack pointer at `top`, which is a multiple of 16.
unsafe fn switch(top: *mut c_void, function: extern "sysv64" fn(*mut c_void), data: *mut c_void) {
    // SAFETY: r12 is preserved by the callee, so the old stack pointer comes back from it. The compiler keeps nothing below its own
    // stack pointer here, because the block may push.
    unsafe {
        asm!(
            "xchg rsp, r12",
            "call {function}",
            "mov rsp, r12",
            function = in(reg) function,
            inout("r12") top => _,
            in("rdi") data,
            clobber_abi("sysv64"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_runs_on_another_stack_and_gives_its_result_back() {
        let here = 0u8;
        let (result, distance) = call(|| {
            let there = 0u8;
            (
                vec![1, 2, 3].len(),
                (&raw const there as usize).abs_diff(&raw const here as usize),
            )
        })
        .unwrap();
        assert_eq!(result, 3);
        assert!(distance > BYTES / 2, "{distance}");
    }
}
