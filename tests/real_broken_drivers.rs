//! The broken drivers under NVIDIA's own CUDA runtimes, from the user's cache of clients: what their symptoms become there.

mod support;

use std::path::Path;

use cutape_test_clients::real;
use support::{End, client, compare_on_profile};

/// What a program that uses the runtime prints first: devices, free memory, an allocation.
const SYMPTOMS: &[(&str, &str)] = &[
    (
        "meminfo-error",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 999, 7 of 7\ncudaMalloc 0\n",
    ),
    (
        "shim-uninitialized",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 3, 0 of 0\ncudaMalloc 0\n",
    ),
    (
        "meminfo-zero",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 0, 0 of 0\ncudaMalloc 0\n",
    ),
    (
        "meminfo-free-zero",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 0, 0 of 85899345920\ncudaMalloc 0\n",
    ),
    (
        "meminfo-implausible",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 0, 85899345920 of 83751862272\ncudaMalloc 0\n",
    ),
    // cudaErrorCallRequiresNewerDriver
    (
        "meminfo-missing",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 36, 7 of 7\ncudaMalloc 0\n",
    ),
    (
        "ctx-retain-failed",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 801, 7 of 7\ncudaMalloc 801\n",
    ),
    // The runtime shows other codes than the driver's 101 and 201.
    (
        "masked-code",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 46, 7 of 7\ncudaMalloc 46\n",
    ),
    (
        "ctx-set-failed",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 46, 7 of 7\ncudaMalloc 46\n",
    ),
    (
        "ctx-get-failed",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 201, 7 of 7\ncudaMalloc 201\n",
    ),
    (
        "ctx-device-failed",
        "cudaGetDeviceCount 0, 1\ncudaMemGetInfo 3, 7 of 7\ncudaMalloc 3\n",
    ),
    ("init-not-initialized", "cudaGetDeviceCount 3, -1\n"),
    ("init-no-device", "cudaGetDeviceCount 100, -1\n"),
    ("init-unknown", "cudaGetDeviceCount 999, -1\n"),
    ("init-system-not-ready", "cudaGetDeviceCount 802, -1\n"),
    ("init-mismatch", "cudaGetDeviceCount 803, -1\n"),
    ("init-other", "cudaGetDeviceCount 304, -1\n"),
    ("no-devices", "cudaGetDeviceCount 0, 0\n"),
    ("driver-too-old", "cudaGetDeviceCount 35, -1\n"),
    ("driver-version-failed", "cudaGetDeviceCount 35, -1\n"),
    // The driver's code is 999.
    ("device-query-failed", "cudaGetDeviceCount 3, -1\n"),
    ("export-table-refused", "cudaGetDeviceCount 1, -1\n"),
    ("integrity-mismatch", "cudaGetDeviceCount 103, -1\n"),
];

/// The same for what shows further on in the same program.
const LATER_SYMPTOMS: &[(&str, &str)] = &[
    // The first allocation was granted.
    ("ctx-lost-permission", "then cudaMalloc 800\n"),
    ("pinned-fallback", "cudaMallocHost 2 "),
    // Nothing else suffers from memory that can't be pinned.
    ("pinned-fallback", "cudaMemcpy 0 0, came back\n"),
];

/// Each alone and recorded.
fn compare(runtime: &Path) {
    let on = |profile: &str| {
        let compared = compare_on_profile(profile, |command| {
            command.arg(client("runtime")).arg(runtime);
        });
        compared.recorded
    };
    for (profile, expected) in SYMPTOMS {
        let printed = on(profile);
        assert_eq!(printed.end, End::Code(0), "{profile}: {}", printed.stderr);
        let begins = printed.stdout.starts_with(expected);
        assert!(begins, "{profile}: {}\nexpected {expected}", printed.stdout);
    }
    for (profile, expected) in LATER_SYMPTOMS {
        let printed = on(profile);
        let shows = printed.stdout.contains(expected);
        assert!(shows, "{profile}: {}\nexpected {expected}", printed.stdout);
    }
    assert_eq!(on("crashed-in-call").end, End::Signal(libc::SIGSEGV));
}

#[test]
fn the_runtime_of_cuda_12_9_turns_each_broken_driver_into_these_codes() {
    if let Some(runtime) = real::cudart_12() {
        compare(&runtime);
    }
}

#[test]
fn the_runtime_of_cuda_13_5_turns_each_broken_driver_into_these_codes() {
    if let Some(runtime) = real::cudart_13() {
        compare(&runtime);
    }
}
