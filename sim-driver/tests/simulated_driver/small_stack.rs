//! The smallest stack that a thread may have.

use std::ffi::c_void;

use crate::driver::{Library, in_child, to};

const SMALLEST_BYTES: usize = 16 << 10;

static IMAGE: &std::ffi::CStr = c".version 7.0\n.target sm_50\n.address_size 64\n.visible .entry one(.param .u64 a)\n{\nret;\n}\n";

/// Starts the driver and uses some of everything; the code that was not 0, if there was one.
extern "C" fn use_it_all(cuda: *mut c_void) -> *mut c_void {
    // SAFETY: the test passes the library, which outlives the thread.
    let cuda = unsafe { &*cuda.cast::<Library>() };
    let (mut context, mut memory, mut stream, mut module, mut function) =
        (0u64, 0u64, 0u64, 0u64, 0u64);
    let (mut free, mut total) = (0u64, 0u64);
    let mut parameter = 0u64;
    let mut parameters = [to(&mut parameter)];
    let codes = [
        cuda.call("cuInit", [0]),
        cuda.call("cuDevicePrimaryCtxRetain", [to(&mut context), 0]),
        cuda.call("cuCtxSetCurrent", [context]),
        cuda.call("cuMemGetInfo_v2", [to(&mut free), to(&mut total)]),
        cuda.call("cuMemAlloc_v2", [to(&mut memory), 4096]),
        cuda.call("cuMemcpyHtoD_v2", [memory, to(&mut total), 8]),
        cuda.call("cuStreamCreate", [to(&mut stream), 1]),
        cuda.call("cuModuleLoadData", [to(&mut module), IMAGE.as_ptr() as u64]),
        cuda.call(
            "cuModuleGetFunction",
            [to(&mut function), module, c"one".as_ptr() as u64],
        ),
        cuda.call(
            "cuLaunchKernel",
            [
                function,
                1,
                1,
                1,
                32,
                1,
                1,
                0,
                stream,
                to(&mut parameters),
                0,
            ],
        ),
        cuda.call("cuStreamSynchronize", [stream]),
    ];
    codes.into_iter().find(|code| *code != 0).unwrap_or(0) as usize as *mut c_void
}

#[test]
fn a_thread_with_the_smallest_stack_may_make_the_first_call_and_all_others() {
    in_child(
        "small_stack::a_thread_with_the_smallest_stack_may_make_the_first_call_and_all_others",
        "h100",
        |cuda| {
            let mut answer = std::ptr::null_mut();
            // Rust's own threads have more stack than they are asked for.
            // SAFETY: the attributes and the thread's number are local and filled before they are used; the library lives until the thread
            // was waited for.
            unsafe {
                let mut attributes = std::mem::zeroed();
                let mut thread = 0;
                assert_eq!(libc::pthread_attr_init(&raw mut attributes), 0);
                assert_eq!(
                    libc::pthread_attr_setstacksize(&raw mut attributes, SMALLEST_BYTES),
                    0
                );
                let argument = std::ptr::from_ref(cuda).cast_mut().cast();
                let start: extern "C" fn(*mut c_void) -> *mut c_void = use_it_all;
                assert_eq!(
                    libc::pthread_create(&raw mut thread, &raw const attributes, start, argument),
                    0
                );
                assert_eq!(libc::pthread_join(thread, &raw mut answer), 0);
            }
            assert_eq!(answer as usize, 0);
        },
    );
}
