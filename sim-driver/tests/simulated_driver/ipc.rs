//! Memory of one process in another.

use std::process::Command;

use crate::driver::{Library, in_child, memory, start, to};

/// Holds a handle, in hexadecimal, for the process that is to open it.
const HANDLE: &str = "CUTAPE_SIM_TEST_IPC_HANDLE";
const LAZY_ENABLE_PEER_ACCESS: u32 = 1;

/// A handle as C passes it: by value.
#[repr(C)]
#[derive(Clone, Copy)]
struct Handle([u8; 64]);

/// `cuIpcOpenMemHandle_v2`: the code, and the address.
fn open(cuda: &Library, handle: Handle, flags: u32) -> (u32, u64) {
    type Open = unsafe extern "C" fn(*mut u64, Handle, u32) -> u32;
    let mut address = 0u64;
    let symbol = cuda
        .symbol("cuIpcOpenMemHandle_v2")
        .expect("it is exported");
    // SAFETY: the function's prototype in cuda.h.
    let function = unsafe { std::mem::transmute::<*mut std::ffi::c_void, Open>(symbol) };
    // SAFETY: the address has a place to be written to.
    let code = unsafe { function(&raw mut address, handle, flags) };
    (code, address)
}

fn handle_of(cuda: &Library, address: u64) -> (u32, Handle) {
    let mut handle = Handle([0; 64]);
    let code = cuda.call("cuIpcGetMemHandle", [to(&mut handle), address]);
    (code, handle)
}

/// Opens a handle in another process, which turns each byte `b` of the memory into `b + 1`.
fn add_one_in_another_process(handle: Handle) {
    let text: String = handle.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
    command.args(["ipc::the_other_process", "--exact", "--nocapture"]);
    let output = command.env(HANDLE, text).output().expect("this test runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let has_run = printed.contains("1 passed");
    assert!(output.status.success() && has_run, "{printed}{errors}");
}

/// Not a test of its own: does nothing unless another test gives it a handle.
#[test]
fn the_other_process() {
    let Ok(text) = std::env::var(HANDLE) else {
        return;
    };
    let mut handle = Handle([0; 64]);
    for (place, byte) in handle.0.iter_mut().enumerate() {
        let digits = &text[2 * place..2 * place + 2];
        *byte = u8::from_str_radix(digits, 16).expect("hexadecimal digits");
    }
    let cuda = Library::load();
    start(&cuda);
    let before = memory(&cuda).1;
    let (code, address) = open(&cuda, handle, LAZY_ENABLE_PEER_ACCESS);
    assert_eq!(code, 0);
    let (mut base, mut bytes) = (0u64, 0u64);
    let words = [to(&mut base), to(&mut bytes), address];
    assert_eq!(cuda.call("cuMemGetAddressRange_v2", words), 0);
    assert_eq!(base, address);
    let mut data = vec![0u8; bytes as usize];
    let place = data.as_mut_ptr() as u64;
    assert_eq!(cuda.call("cuMemcpyDtoH_v2", [place, address, bytes]), 0);
    data.iter_mut().for_each(|byte| *byte += 1);
    assert_eq!(cuda.call("cuMemcpyHtoD_v2", [address, place, bytes]), 0);
    assert_eq!(memory(&cuda).1, before, "it is the other process's memory");
    assert_eq!(cuda.call("cuMemFree_v2", [address]), 1, "closed, not freed");
    assert_eq!(cuda.call("cuIpcCloseMemHandle", [address]), 0);
    assert_eq!(cuda.call("cuIpcCloseMemHandle", [address]), 1);
    assert_eq!(cuda.call("cuMemcpyDtoH_v2", [place, address, bytes]), 1);
}

#[test]
fn two_processes_see_the_same_memory() {
    in_child("ipc::two_processes_see_the_same_memory", "h100", |cuda| {
        start(cuda);
        // A small one shares pages with its neighbours, a large one has its own.
        for bytes in [1000u64, 3 << 20] {
            let (mut address, mut neighbour) = (0u64, 0u64);
            for place in [&mut address, &mut neighbour] {
                assert_eq!(cuda.call("cuMemAlloc_v2", [to(place), bytes]), 0);
                assert_eq!(cuda.call("cuMemsetD8_v2", [*place, 5, bytes]), 0);
            }
            let (code, handle) = handle_of(cuda, address);
            assert_eq!(code, 0);
            add_one_in_another_process(handle);
            add_one_in_another_process(handle);
            for (place, expected) in [(address, 7), (neighbour, 5)] {
                let mut data = vec![0u8; bytes as usize];
                let to = data.as_mut_ptr() as u64;
                assert_eq!(cuda.call("cuMemcpyDtoH_v2", [to, place, bytes]), 0);
                assert!(data.iter().all(|byte| *byte == expected), "{bytes} bytes");
            }
            for place in [address, neighbour] {
                assert_eq!(cuda.call("cuMemFree_v2", [place]), 0);
            }
        }
    });
}

#[test]
fn handles_that_stand_for_nothing_are_refused() {
    in_child(
        "ipc::handles_that_stand_for_nothing_are_refused",
        "h100",
        |cuda| {
            start(cuda);
            let mut address = 0u64;
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut address), 1000]), 0);
            let (_, handle) = handle_of(cuda, address);
            // Not in the process that exported it, without the flag, or from thin air.
            assert_eq!(open(cuda, handle, LAZY_ENABLE_PEER_ACCESS).0, 201);
            assert_eq!(open(cuda, handle, 0).0, 1);
            assert_eq!(open(cuda, Handle([0; 64]), LAZY_ENABLE_PEER_ACCESS).0, 1);
            assert_eq!(open(cuda, Handle([0xff; 64]), LAZY_ENABLE_PEER_ACCESS).0, 1);
            let mut host = 0u64;
            assert_eq!(cuda.call("cuMemAllocHost_v2", [to(&mut host), 1000]), 0);
            assert_eq!(handle_of(cuda, host).0, 1);
            assert_eq!(handle_of(cuda, 0xdead_0000).0, 1);
        },
    );
}
