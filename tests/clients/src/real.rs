//! Where things lie inside the real clients' folders.

use std::path::PathBuf;

use crate::find_or_skip;

/// The folder with NVIDIA's `libcuda.so.1`, to be put on `LD_LIBRARY_PATH`; `None` after saying why not.
pub fn driver_folder() -> Option<PathBuf> {
    find_or_skip("libcuda1").map(|client| client.join("usr/lib/x86_64-linux-gnu/nvidia/current"))
}

/// The folder with NVIDIA's `libnvidia-ml.so.1`; `None` after saying why not.
pub fn nvml_folder() -> Option<PathBuf> {
    find_or_skip("libnvidia-ml1")
        .map(|client| client.join("usr/lib/x86_64-linux-gnu/nvidia/current"))
}

/// The CUDA runtime library `libcudart.so.12`; `None` after saying why not.
pub fn cudart_12() -> Option<PathBuf> {
    find_or_skip("nvidia-cuda-runtime-cu12")
        .map(|client| client.join("nvidia/cuda_runtime/lib/libcudart.so.12"))
}

/// The CUDA runtime library `libcudart.so.13`; `None` after saying why not.
pub fn cudart_13() -> Option<PathBuf> {
    find_or_skip("nvidia-cuda-runtime@13.5")
        .map(|client| client.join("nvidia/cu13/lib/libcudart.so.13"))
}
