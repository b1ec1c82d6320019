//! Physical memory that goes to others by a file descriptor.

use std::io::Write;
use std::os::fd::AsRawFd;

use crate::driver::{Library, in_child, memory, start, to};

const BYTES: u64 = 4 << 20;
const FILE_DESCRIPTOR: u32 = 1;

/// `CUmemAllocationProp` of pinned memory on device 0, with these handle types.
fn properties(handle_types: u32) -> [u32; 8] {
    [1, handle_types, 1, 0, 0, 0, 0, 0]
}

fn create(cuda: &Library, handle_types: u32) -> u64 {
    let (mut handle, mut wanted) = (0u64, properties(handle_types));
    let words = [to(&mut handle), BYTES, to(&mut wanted), 0];
    assert_eq!(cuda.call("cuMemCreate", words), 0);
    handle
}

/// Maps memory for reading and writing.
fn map(cuda: &Library, handle: u64) -> u64 {
    let mut address = 0u64;
    let words = [to(&mut address), BYTES, 0, 0, 0];
    assert_eq!(cuda.call("cuMemAddressReserve", words), 0);
    assert_eq!(cuda.call("cuMemMap", [address, BYTES, 0, handle, 0]), 0);
    let mut access = [1u32, 0, 3];
    let words = [address, BYTES, to(&mut access), 1];
    assert_eq!(cuda.call("cuMemSetAccess", words), 0);
    address
}

fn export(cuda: &Library, handle: u64, kind: u64) -> (u32, i32) {
    let mut descriptor = -1i32;
    let words = [to(&mut descriptor), handle, kind, 0];
    let code = cuda.call("cuMemExportToShareableHandle", words);
    (code, descriptor)
}

fn import(cuda: &Library, descriptor: i32, kind: u64) -> (u32, u64) {
    let mut handle = 0u64;
    let words = [to(&mut handle), descriptor as u64, kind];
    let code = cuda.call("cuMemImportFromShareableHandle", words);
    (code, handle)
}

#[test]
fn what_was_imported_is_the_same_memory_and_counts_once() {
    in_child(
        "shareable::what_was_imported_is_the_same_memory_and_counts_once",
        "h100",
        |cuda| {
            start(cuda);
            let before = memory(cuda).1;
            let made = create(cuda, FILE_DESCRIPTOR);
            let here = map(cuda, made);
            assert_eq!(cuda.call("cuMemsetD8_v2", [here, 0x5a, BYTES]), 0);
            let (code, descriptor) = export(cuda, made, 1);
            assert_eq!(code, 0);
            let (code, imported) = import(cuda, descriptor, 1);
            assert_eq!(code, 0);
            let there = map(cuda, imported);
            assert_eq!(before - memory(cuda).1, BYTES);
            let mut byte = [0u8; 1];
            let last = BYTES - 1;
            assert_eq!(
                cuda.call("cuMemcpyDtoH_v2", [to(&mut byte), there + last, 1]),
                0
            );
            assert_eq!(byte, [0x5a]);
            assert_eq!(cuda.call("cuMemsetD8_v2", [there, 7, 1]), 0);
            assert_eq!(cuda.call("cuMemcpyDtoH_v2", [to(&mut byte), here, 1]), 0);
            assert_eq!(byte, [7]);
            // It outlives the handle, the mapping and the descriptor that it came by.
            assert_eq!(cuda.call("cuMemUnmap", [here, BYTES]), 0);
            assert_eq!(cuda.call("cuMemRelease", [made]), 0);
            // SAFETY: the test owns the descriptor.
            assert_eq!(unsafe { libc::close(descriptor) }, 0);
            assert_eq!(cuda.call("cuMemcpyDtoH_v2", [to(&mut byte), there, 1]), 0);
            assert_eq!(byte, [7]);
            assert_eq!(memory(cuda).1, before);
        },
    );
}

#[test]
fn what_is_not_shareable_is_refused() {
    in_child(
        "shareable::what_is_not_shareable_is_refused",
        "h100",
        |cuda| {
            start(cuda);
            let private = create(cuda, 0);
            let shareable = create(cuda, FILE_DESCRIPTOR);
            assert_eq!(export(cuda, private, 1).0, 1);
            assert_eq!(export(cuda, 0xdead, 1).0, 1);
            assert_eq!(export(cuda, shareable, 8).0, 801, "no fabric");
            assert_eq!(import(cuda, -1, 1).0, 1);
            let mut file = tempfile();
            file.write_all(&[0; 8192]).expect("a temporary file");
            assert_eq!(import(cuda, file.as_raw_fd(), 1).0, 1);
        },
    );
}

/// A file that is no memory of the driver's.
fn tempfile() -> std::fs::File {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-memory");
    let mut options = std::fs::File::options();
    let options = options.create(true).truncate(true).read(true).write(true);
    options.open(path).expect("a temporary file")
}
