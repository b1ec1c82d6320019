//! The broken drivers under NVIDIA's own CUDA runtimes, from the user's cache of clients: what their symptoms become there.

mod support;

use std::path::Path;

use cutape_test_clients::real;
use support::{End, client, cutape, finish};

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

fn compare(runtime: &Path) {
    for (profile, expected) in SYMPTOMS {
        let mut command = cutape(["sim", "--profile", profile, "--"]);
        let printed = finish(command.arg(client("runtime")).arg(runtime));
        assert_eq!(printed.end, End::Code(0), "{profile}: {}", printed.stderr);
        let begins = printed.stdout.starts_with(expected);
        assert!(begins, "{profile}: {}\nexpected {expected}", printed.stdout);
    }
    let mut crashes = cutape(["sim", "--profile", "crashed-in-call", "--"]);
    let printed = finish(crashes.arg(client("runtime")).arg(runtime));
    assert_eq!(printed.end, End::Signal(libc::SIGSEGV));
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

#[test]
fn pinned_memory_fails_and_everything_else_goes_on() {
    for runtime in [real::cudart_12(), real::cudart_13()].iter().flatten() {
        let mut command = cutape(["sim", "--profile", "pinned-fallback", "--"]);
        let printed = finish(command.arg(client("runtime")).arg(runtime)).stdout;
        assert!(printed.contains("cudaMallocHost 2 "), "{printed}");
        assert!(printed.contains("cudaMemcpy 0 0, came back\n"), "{printed}");
    }
}
