//! Device memory: lazy, as large as the profile says, and back when it is freed.

use crate::driver::{in_child, memory, start, to};

const GIB: u64 = 1 << 30;

#[test]
fn memory_is_lazy_ends_at_the_profile_s_size_and_comes_back() {
    in_child(
        "memory::memory_is_lazy_ends_at_the_profile_s_size_and_comes_back",
        "h100",
        |cuda| {
            let context = start(cuda);
            let (mut big, mut more) = (0u64, 0u64);
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut big), 70 * GIB]), 0);
            assert_eq!(memory(cuda).1, 8 * GIB);
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut more), 9 * GIB]), 2);
            assert_eq!(more, 0);
            assert!(
                resident_bytes() < GIB,
                "70 GiB that were not touched take {} bytes",
                resident_bytes()
            );
            let (word, mut back) = (0x1234_5678u32, 0u32);
            assert_eq!(
                cuda.call(
                    "cuMemcpyHtoD_v2",
                    [big + 69 * GIB, std::ptr::from_ref(&word) as u64, 4]
                ),
                0
            );
            assert_eq!(
                cuda.call("cuMemcpyDtoH_v2", [to(&mut back), big + 69 * GIB, 4]),
                0
            );
            assert_eq!(back, word);
            assert_eq!(cuda.call("cuMemFree_v2", [big]), 0);
            assert_eq!(memory(cuda).1, 78 * GIB);
            // What a context leaves behind goes with it.
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut big), GIB]), 0);
            assert_eq!(cuda.call("cuDevicePrimaryCtxRelease_v2", [0]), 0);
            assert_eq!(memory(cuda).0, 709);
            assert_eq!(start(cuda), context, "a primary context keeps its handle");
            assert_eq!(memory(cuda).1, 78 * GIB);
        },
    );
}

fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    4096 * pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
        .expect("a number of pages")
}

#[test]
fn many_small_allocations_do_not_run_out_of_mappings() {
    in_child(
        "memory::many_small_allocations_do_not_run_out_of_mappings",
        "h100",
        |cuda| {
            start(cuda);
            let mut pointers = vec![0u64; 100_000];
            for pointer in &mut pointers {
                assert_eq!(cuda.call("cuMemAlloc_v2", [to(pointer), 256]), 0);
            }
            for pointer in pointers.iter().rev() {
                assert_eq!(cuda.call("cuMemFree_v2", [*pointer]), 0);
            }
            assert_eq!(memory(cuda).1, 78 * GIB);
        },
    );
}

#[test]
fn pools_are_found_by_location_as_by_device() {
    in_child(
        "memory::pools_are_found_by_location_as_by_device",
        "two-gpu",
        |cuda| {
            const PINNED: u64 = 1;
            start(cuda);
            let (mut by_device, mut by_location) = (0u64, 0u64);
            let words = [to(&mut by_device), 1];
            assert_eq!(cuda.call("cuDeviceGetDefaultMemPool", words), 0);
            // CUmemLocation: what kind of place, and which.
            let mut second = [1i32, 1];
            for name in ["cuMemGetDefaultMemPool", "cuMemGetMemPool"] {
                let words = [to(&mut by_location), to(&mut second), PINNED];
                assert_eq!(cuda.call(name, words), 0);
                assert_eq!(by_location, by_device);
            }
            let set = |location: &mut [i32; 2], kind: u64, pool: u64| {
                cuda.call("cuMemSetMemPool", [to(location), kind, pool])
            };
            assert_eq!(set(&mut second, PINNED, by_device), 0);
            assert_eq!(set(&mut [1, 0], PINNED, by_device), 1);
            assert_eq!(set(&mut [1, 2], PINNED, by_device), 101);
            assert_eq!(set(&mut [2, 0], PINNED, by_device), 801);
            assert_eq!(set(&mut second, 2, by_device), 801);
            assert_eq!(set(&mut second, 7, by_device), 1);
        },
    );
}
