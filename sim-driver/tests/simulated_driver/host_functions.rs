//! Host functions and the order of streams.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};

use crate::driver::{in_child, start, to};

static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
static ORDER: Mutex<Vec<&str>> = Mutex::new(Vec::new());

extern "C" fn waits_at_the_gate(_: *mut c_void) {
    let mut is_open = GATE.0.lock().unwrap();
    while !*is_open {
        is_open = GATE.1.wait(is_open).unwrap();
    }
    ORDER.lock().unwrap().push("first");
}

extern "C" fn comes_second(_: *mut c_void) {
    ORDER.lock().unwrap().push("second");
}

fn open_the_gate() {
    *GATE.0.lock().unwrap() = true;
    GATE.1.notify_all();
}

#[test]
fn host_functions_run_apart_from_the_caller_and_hold_up_what_follows() {
    in_child(
        "host_functions::host_functions_run_apart_from_the_caller_and_hold_up_what_follows",
        "h100",
        |cuda| {
            start(cuda);
            let (mut one, mut two, mut event, mut memory) = (0u64, 0u64, 0u64, 0u64);
            for stream in [&mut one, &mut two] {
                assert_eq!(cuda.call("cuStreamCreate", [to(stream), 1]), 0);
            }
            assert_eq!(cuda.call("cuEventCreate", [to(&mut event), 0]), 0);
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut memory), 64]), 0);
            assert_eq!(cuda.call("cuMemsetD8_v2", [memory, 1, 64]), 0);
            assert_eq!(
                cuda.call(
                    "cuLaunchHostFunc",
                    [one, waits_at_the_gate as *const () as u64, 0]
                ),
                0
            );
            // The source may change as soon as the call is back, because it is ordinary memory.
            let mut source = [2u8; 64];
            assert_eq!(
                cuda.call("cuMemcpyHtoDAsync_v2", [memory, to(&mut source), 64, one]),
                0
            );
            source.fill(9);
            assert_eq!(cuda.call("cuEventRecord", [event, one]), 0);
            assert_eq!(cuda.call("cuStreamWaitEvent", [two, event, 0]), 0);
            assert_eq!(
                cuda.call(
                    "cuLaunchHostFunc",
                    [two, comes_second as *const () as u64, 0]
                ),
                0
            );
            assert_eq!(cuda.call("cuStreamQuery", [one]), 600);
            assert_eq!(cuda.call("cuEventQuery", [event]), 600);
            open_the_gate();
            assert_eq!(cuda.call("cuStreamSynchronize", [two]), 0);
            assert_eq!(*ORDER.lock().unwrap(), ["first", "second"]);
            assert_eq!(cuda.call("cuStreamQuery", [one]), 0);
            let mut copied = [0u8; 64];
            assert_eq!(
                cuda.call("cuMemcpyDtoH_v2", [to(&mut copied), memory, 64]),
                0
            );
            assert_eq!(copied, [2; 64]);
        },
    );
}

#[test]
fn the_legacy_stream_waits_for_blocking_streams_and_holds_them_up() {
    in_child(
        "host_functions::the_legacy_stream_waits_for_blocking_streams_and_holds_them_up",
        "h100",
        |cuda| {
            start(cuda);
            let (mut blocking, mut free) = (0u64, 0u64);
            assert_eq!(cuda.call("cuStreamCreate", [to(&mut blocking), 0]), 0);
            assert_eq!(cuda.call("cuStreamCreate", [to(&mut free), 1]), 0);
            assert_eq!(
                cuda.call(
                    "cuLaunchHostFunc",
                    [blocking, waits_at_the_gate as *const () as u64, 0]
                ),
                0
            );
            assert_eq!(
                cuda.call("cuLaunchHostFunc", [0, comes_second as *const () as u64, 0]),
                0
            );
            // A non-blocking stream is not held up.
            assert_eq!(cuda.call("cuStreamSynchronize", [free]), 0);
            assert!(ORDER.lock().unwrap().is_empty());
            open_the_gate();
            assert_eq!(cuda.call("cuStreamSynchronize", [0]), 0);
            assert_eq!(*ORDER.lock().unwrap(), ["first", "second"]);
        },
    );
}

static NESTED: AtomicU32 = AtomicU32::new(u32::MAX);
static NESTED_LIBRARY: Mutex<Option<usize>> = Mutex::new(None);

extern "C" fn makes_a_call(_: *mut c_void) {
    let address = NESTED_LIBRARY.lock().unwrap().expect("set by the test");
    // SAFETY: the address of cuDriverGetVersion, set by the test.
    let function: unsafe extern "C" fn(*mut i32) -> u32 = unsafe { std::mem::transmute(address) };
    let mut version = 0;
    // SAFETY: a place for one number.
    NESTED.store(unsafe { function(&mut version) }, Ordering::SeqCst);
}

#[test]
fn a_host_function_may_make_calls() {
    in_child(
        "host_functions::a_host_function_may_make_calls",
        "h100",
        |cuda| {
            start(cuda);
            *NESTED_LIBRARY.lock().unwrap() = cuda
                .symbol("cuDriverGetVersion")
                .map(|address| address as usize);
            assert_eq!(
                cuda.call("cuLaunchHostFunc", [0, makes_a_call as *const () as u64, 0]),
                0
            );
            assert_eq!(cuda.call("cuDevicePrimaryCtxReset_v2", [0]), 0);
            assert_eq!(NESTED.load(Ordering::SeqCst), 0);
        },
    );
}
