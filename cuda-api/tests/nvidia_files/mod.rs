//! Where NVIDIA's headers and libraries are, for tests that compare the table with them: `cutape/clients` in the user's cache folder,
//! filled by `cargo xtask fetch-clients`. A test that finds nothing there says so and passes: the default test command needs no network.

// Each test file uses its own part of this.
#![allow(dead_code)]

use std::env;
use std::path::PathBuf;

pub const CUDA_12_HEADERS: &str = "nvidia-cuda-runtime-cu12-12.9.79/nvidia/cuda_runtime/include";
pub const CUDA_13_HEADERS: &str = "nvidia-cuda-runtime-13.5.37/nvidia/cu13/include";
pub const NVML_HEADERS: &str = "nvidia-nvml-dev-cu12-12.9.79/nvidia/nvml_dev/include";
pub const LIBCUDA: &str =
    "libcuda1-535.261.03-1/usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so.1";
pub const LIBNVIDIA_ML: &str =
    "libnvidia-ml1-535.261.03-1/usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.1";

pub const LIBCUDART_12: &str =
    "nvidia-cuda-runtime-cu12-12.9.79/nvidia/cuda_runtime/lib/libcudart.so.12";
pub const LIBCUDART_13: &str = "nvidia-cuda-runtime-13.5.37/nvidia/cu13/lib/libcudart.so.13";

/// The file or folder, or `None` after a message that the test is skipped.
pub fn find(inside_clients: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache =
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    let path = cache.join("cutape/clients").join(inside_clients);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: {} is not there; `cargo xtask fetch-clients` gets it",
        path.display()
    );
    None
}
