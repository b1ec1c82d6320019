//! The broken drivers under llama.cpp's own CUDA backend, from the user's cache of clients: where it gives up, and with which words.

mod support;

use cutape_test_clients::real::LlamaCpp;
use support::{End, alone_and_recorded};

const ABORTS: End = End::Signal(libc::SIGABRT);
const GOES_ON: End = End::Code(0);

/// Profile, how the program ends, and what it prints of it to standard output and standard error.
const SYMPTOMS: &[(&str, End, &str, &str)] = &[
    (
        "meminfo-error",
        GOES_ON,
        "0 MiB free of 0 MiB\nbackend: CPU\n",
        "cudaMemGetInfo failed (unknown error), returning 0/0",
    ),
    (
        "meminfo-missing",
        GOES_ON,
        "0 MiB free of 0 MiB\nbackend: CPU\n",
        "cudaMemGetInfo failed (API call is not supported in the installed CUDA driver), returning 0/0",
    ),
    (
        "meminfo-free-zero",
        GOES_ON,
        "0 MiB free of 81920 MiB\nbackend: CUDA0\n",
        "",
    ),
    (
        "meminfo-implausible",
        GOES_ON,
        "81920 MiB free of 79872 MiB\nbackend: CUDA0\n",
        "",
    ),
    (
        "ctx-retain-failed",
        GOES_ON,
        "0 MiB free of 0 MiB\nbackend: CPU\n",
        "cudaMemGetInfo failed (operation not supported), returning 0/0",
    ),
    // What the application is told is not what the driver answered: that was 101.
    (
        "masked-code",
        GOES_ON,
        "0 MiB free of 0 MiB\nbackend: CPU\n",
        "CUDA-capable device(s) is/are busy or unavailable",
    ),
    (
        "ctx-set-failed",
        GOES_ON,
        "0 MiB free of 0 MiB\nbackend: CPU\n",
        "CUDA-capable device(s) is/are busy or unavailable",
    ),
    (
        "ctx-get-failed",
        GOES_ON,
        "0 MiB free of 0 MiB\nbackend: CPU\n",
        "cudaMemGetInfo failed (invalid device context), returning 0/0",
    ),
    ("ctx-device-failed", ABORTS, "", "cudaGetDevice("),
    (
        "ctx-lost-permission",
        ABORTS,
        "buffer: allocated\n",
        "CUDA error: operation not permitted",
    ),
    (
        "device-query-failed",
        GOES_ON,
        "devices: 0\n",
        "failed to initialize CUDA",
    ),
    (
        "no-devices",
        GOES_ON,
        "devices: 0\n",
        "found 0 CUDA devices",
    ),
    (
        "backend-absent",
        GOES_ON,
        "CUDA backend: not loaded\n",
        "undefined symbol: cuMemGetAllocationGranularity",
    ),
    ("vmm-missing", ABORTS, "", "cuMemGetAllocationGranularity("),
    ("pci-missing", ABORTS, "", "cudaDeviceGetPCIBusId("),
    (
        "arch-unsupported",
        ABORTS,
        "",
        "no kernel image is available for execution on the device",
    ),
    (
        "no-kernel-image",
        ABORTS,
        "",
        "no kernel image is available for execution on the device",
    ),
    (
        "ptx-too-new",
        ABORTS,
        "",
        "the provided PTX was compiled with an unsupported toolchain",
    ),
    (
        "integrated-lie",
        GOES_ON,
        "backend: CUDA0\n",
        "ggml_backend_cuda_get_available_uma_memory",
    ),
];

#[test]
fn ggml_meets_each_broken_driver_as_its_rule_says_alone_and_recorded() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    for (profile, end, stdout, stderr) in SYMPTOMS {
        // How much memory the machine has free, which GGML prints in one case, changes from run to run.
        let (alone, compared) = alone_and_recorded(profile, |command| llama.add_backend(command));
        for printed in [alone, compared.recorded] {
            let place = format!("{profile}: {}{}", printed.stdout, printed.stderr);
            assert_eq!(printed.end, *end, "{place}");
            assert!(printed.stdout.contains(stdout), "{place}");
            assert!(printed.stderr.contains(stderr), "{place}");
        }
    }
}
