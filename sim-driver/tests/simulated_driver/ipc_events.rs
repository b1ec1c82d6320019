//! Events of one process in another.

use std::ffi::c_void;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::driver::{Library, in_child, start, to};

/// Holds a handle, in hexadecimal, and what the process that is to open it does with the event.
const HANDLE: &str = "CUTAPE_SIM_TEST_IPC_EVENT";
const ROLE: &str = "CUTAPE_SIM_TEST_IPC_ROLE";
/// `CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS`.
const FOR_OTHERS: u64 = 6;
const NOT_READY: u32 = 600;

/// A handle as C passes it: by value.
#[repr(C)]
#[derive(Clone, Copy)]
struct Handle([u8; 64]);

/// `cuIpcOpenEventHandle`: the code, and the event.
fn open(cuda: &Library, handle: Handle) -> (u32, u64) {
    type Open = unsafe extern "C" fn(*mut u64, Handle) -> u32;
    let mut event = 0u64;
    let symbol = cuda.symbol("cuIpcOpenEventHandle").expect("it is exported");
    // SAFETY: the function's prototype in cuda.h.
    let function = unsafe { std::mem::transmute::<*mut c_void, Open>(symbol) };
    // SAFETY: the event has a place to be written to.
    let code = unsafe { function(&raw mut event, handle) };
    (code, event)
}

fn event(cuda: &Library, flags: u64) -> u64 {
    let mut event = 0u64;
    assert_eq!(cuda.call("cuEventCreate", [to(&mut event), flags]), 0);
    event
}

fn handle_of(cuda: &Library, event: u64) -> (u32, Handle) {
    let mut handle = Handle([0; 64]);
    let code = cuda.call("cuIpcGetEventHandle", [to(&mut handle), event]);
    (code, handle)
}

fn stream(cuda: &Library) -> u64 {
    let mut stream = 0u64;
    assert_eq!(cuda.call("cuStreamCreate", [to(&mut stream), 1]), 0);
    stream
}

/// Set by the test when the host function below may come back.
static RELEASED: AtomicBool = AtomicBool::new(false);

extern "C" fn wait_for_release(_: *mut c_void) {
    while !RELEASED.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
}

/// Starts the other process, which opens the handle and does as it is told.
fn other_process(handle: Handle, role: &str) -> Child {
    let text: String = handle.0.iter().map(|byte| format!("{byte:02x}")).collect();
    Command::new(std::env::current_exe().expect("the path of this test"))
        .args(["ipc_events::the_other_process", "--exact", "--nocapture"])
        .envs([(HANDLE, text.as_str()), (ROLE, role)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test runs")
}

fn ends_well(child: Child) {
    let output = child.wait_with_output().expect("its output");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let has_run = printed.contains("1 passed");
    assert!(output.status.success() && has_run, "{printed}{errors}");
}

/// Not a test of its own: does nothing unless another test gives it a handle.
#[test]
fn the_other_process() {
    let (Ok(text), Ok(role)) = (std::env::var(HANDLE), std::env::var(ROLE)) else {
        return;
    };
    let digits = |place: usize| u8::from_str_radix(&text[2 * place..2 * place + 2], 16);
    let handle = Handle(std::array::from_fn(|place| {
        digits(place).expect("hexadecimal digits")
    }));
    let cuda = Library::load();
    start(&cuda);
    let (code, event) = open(&cuda, handle);
    assert_eq!(code, 0);
    let stream = stream(&cuda);
    match role.as_str() {
        "ask" => assert_eq!(cuda.call("cuEventQuery", [event]), NOT_READY),
        "wait" => assert_eq!(cuda.call("cuEventSynchronize", [event]), 0),
        "wait on a stream" => {
            assert_eq!(cuda.call("cuStreamWaitEvent", [stream, event, 0]), 0);
            assert_eq!(cuda.call("cuStreamSynchronize", [stream]), 0);
            assert_eq!(cuda.call("cuEventQuery", [event]), 0);
        }
        "record" => {
            assert_eq!(cuda.call("cuEventQuery", [event]), 0);
            assert_eq!(cuda.call("cuEventRecord", [event, stream]), 0);
            assert_eq!(cuda.call("cuEventSynchronize", [event]), 0);
        }
        "die before it is reached" => {
            let words = [stream, wait_for_release as *const () as u64, 0];
            assert_eq!(cuda.call("cuLaunchHostFunc", words), 0);
            assert_eq!(cuda.call("cuEventRecord", [event, stream]), 0);
            assert_eq!(cuda.call("cuEventQuery", [event]), NOT_READY);
        }
        other => panic!("{other}"),
    }
    // An event that was opened has no time, and is closed like any other.
    let mut milliseconds = 0f32;
    let words = [to(&mut milliseconds), event, event];
    assert_eq!(cuda.call("cuEventElapsedTime", words), 400);
    assert_eq!(cuda.call("cuEventDestroy_v2", [event]), 0);
}

#[test]
fn two_processes_record_and_wait_for_the_same_event() {
    in_child(
        "ipc_events::two_processes_record_and_wait_for_the_same_event",
        "h100",
        |cuda| {
            start(cuda);
            let (event, stream) = (event(cuda, FOR_OTHERS), stream(cuda));
            let (code, handle) = handle_of(cuda, event);
            assert_eq!(code, 0);
            // Never recorded, it holds nobody up.
            ends_well(other_process(handle, "wait on a stream"));
            let words = [stream, wait_for_release as *const () as u64, 0];
            assert_eq!(cuda.call("cuLaunchHostFunc", words), 0);
            assert_eq!(cuda.call("cuEventRecord", [event, stream]), 0);
            assert_eq!(cuda.call("cuEventQuery", [event]), NOT_READY);
            ends_well(other_process(handle, "ask"));
            let waiting = ["wait", "wait on a stream"].map(|role| other_process(handle, role));
            RELEASED.store(true, Ordering::Release);
            waiting.into_iter().for_each(ends_well);
            assert_eq!(cuda.call("cuEventSynchronize", [event]), 0);
            ends_well(other_process(handle, "record"));
            assert_eq!(cuda.call("cuEventQuery", [event]), 0);
            ends_well(other_process(handle, "die before it is reached"));
            assert_eq!(cuda.call("cuEventSynchronize", [event]), 0);
        },
    );
}

#[test]
fn handles_that_stand_for_nothing_are_refused() {
    in_child(
        "ipc_events::handles_that_stand_for_nothing_are_refused",
        "h100",
        |cuda| {
            start(cuda);
            let shared = event(cuda, FOR_OTHERS);
            let (_, handle) = handle_of(cuda, shared);
            // In the process that exported it, from thin air, of an event that was not made for others.
            assert_eq!(open(cuda, handle).0, 201);
            assert_eq!(open(cuda, Handle([0; 64])).0, 1);
            assert_eq!(open(cuda, Handle([0xff; 64])).0, 1);
            assert_eq!(handle_of(cuda, event(cuda, 0)).0, 400);
            assert_eq!(handle_of(cuda, 0).0, 1);
            assert_eq!(handle_of(cuda, 0xdead_0000).0, 400);
            // With timing it can't be for others.
            let mut place = 0u64;
            assert_eq!(cuda.call("cuEventCreate", [to(&mut place), 4]), 1);
        },
    );
}
