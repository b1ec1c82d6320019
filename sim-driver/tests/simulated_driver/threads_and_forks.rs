//! Threads and forked children: who is initialised, what is current.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::driver::{in_child, memory, start, to};

const GIB: u64 = 1 << 30;

#[test]
fn a_forked_child_is_not_initialised_and_the_parent_goes_on() {
    in_child(
        "threads_and_forks::a_forked_child_is_not_initialised_and_the_parent_goes_on",
        "h100",
        |cuda| {
            start(cuda);
            // SAFETY: the child makes calls of the library and leaves by `_exit`.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let mut count = 0i32;
                let codes = [
                    cuda.call("cuInit", [0]),
                    cuda.call("cuDeviceGetCount", [to(&mut count)]),
                    memory(cuda).0,
                ];
                // SAFETY: ends the child without running the parent's clean-up.
                unsafe { libc::_exit(if codes == [3, 3, 3] { 0 } else { 1 }) }
            }
            let mut status = 0;
            // SAFETY: waits for the child made above.
            unsafe { libc::waitpid(child, &mut status, 0) };
            assert_eq!(status, 0);
            assert_eq!(memory(cuda).0, 0);
        },
    );
}

#[test]
fn a_child_forked_before_cu_init_may_initialise() {
    in_child(
        "threads_and_forks::a_child_forked_before_cu_init_may_initialise",
        "h100",
        |cuda| {
            let mut version = 0i32;
            assert_eq!(cuda.call("cuDriverGetVersion", [to(&mut version)]), 0);
            // SAFETY: as above.
            let child = unsafe { libc::fork() };
            if child == 0 {
                start(cuda);
                let code = memory(cuda).0;
                // SAFETY: as above.
                unsafe { libc::_exit(code as i32) }
            }
            let mut status = 0;
            // SAFETY: as above.
            unsafe { libc::waitpid(child, &mut status, 0) };
            assert_eq!(status, 0);
        },
    );
}

#[test]
fn each_thread_has_its_own_current_context() {
    in_child(
        "threads_and_forks::each_thread_has_its_own_current_context",
        "h100",
        |cuda| {
            let context = start(cuda);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let mut seen = 7u64;
                        assert_eq!(cuda.call("cuCtxGetCurrent", [to(&mut seen)]), 0);
                        assert_eq!(seen, 0);
                        assert_eq!(memory(cuda).0, 201);
                        assert_eq!(cuda.call("cuCtxSetCurrent", [context]), 0);
                        assert_eq!(memory(cuda).0, 0);
                    });
                }
            });
        },
    );
}

#[test]
fn threads_may_create_and_destroy_at_once() {
    static FAILED: AtomicBool = AtomicBool::new(false);
    in_child(
        "threads_and_forks::threads_may_create_and_destroy_at_once",
        "h100",
        |cuda| {
            let context = start(cuda);
            std::thread::scope(|scope| {
                for thread in 0..8u64 {
                    scope.spawn(move || {
                        assert_eq!(cuda.call("cuCtxSetCurrent", [context]), 0);
                        for round in 0..500u64 {
                            let (mut stream, mut event, mut pointer) = (0u64, 0u64, 0u64);
                            let bytes = 1 + (thread * 7919 + round * 104_729) % 3_000_000;
                            let codes = [
                                cuda.call("cuStreamCreate", [to(&mut stream), round & 1]),
                                cuda.call("cuEventCreate", [to(&mut event), 0]),
                                cuda.call("cuMemAlloc_v2", [to(&mut pointer), bytes]),
                                cuda.call(
                                    "cuMemsetD8Async",
                                    [pointer, round & 0xff, bytes.min(4096), stream],
                                ),
                                cuda.call("cuEventRecord", [event, stream]),
                                cuda.call("cuEventSynchronize", [event]),
                                cuda.call("cuMemFree_v2", [pointer]),
                                cuda.call("cuEventDestroy_v2", [event]),
                                cuda.call("cuStreamDestroy_v2", [stream]),
                            ];
                            if codes != [0; 9] {
                                FAILED.store(true, Ordering::SeqCst);
                            }
                        }
                    });
                }
            });
            assert!(!FAILED.load(Ordering::SeqCst));
            assert_eq!(memory(cuda), (0, 78 * GIB, 80 * GIB));
        },
    );
}
