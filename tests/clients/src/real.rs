//! Where things lie inside the real clients' folders.

use std::path::PathBuf;
use std::process::Command;

use crate::find_or_skip;
use crate::programs::c_program;

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

/// llama.cpp's libraries with GGML's backends, and what else the CUDA one is linked to.
pub struct LlamaCpp {
    /// The folder of all of them.
    pub folder: PathBuf,
    /// The value of `LD_LIBRARY_PATH` with which the CUDA backend finds cuBLAS and the runtime.
    pub library_path: String,
}

impl LlamaCpp {
    /// `None` after saying what is missing.
    pub fn find() -> Option<Self> {
        let folder = find_or_skip("@node-llama-cpp/linux-x64-cuda")?.join("bins/linux-x64-cuda");
        let (runtime, blas) = (cudart_13()?, cublas_13()?);
        let folder_of = |library: PathBuf| library.parent().map(PathBuf::from);
        let library_path = [folder_of(runtime)?, folder_of(blas)?]
            .map(|folder| folder.display().to_string())
            .join(":");
        Some(Self {
            folder,
            library_path,
        })
    }

    /// What the client `ggml_backend` takes: GGML, its CUDA backend, and the plainest CPU backend to fall back to.
    ///
    /// # Panics
    /// As for [`Self::library`].
    pub fn backend_libraries(&self) -> [PathBuf; 3] {
        ["libggml.cuda", "libggml-cuda.so", "libggml-cpu-x64.so"].map(|name| self.library(name))
    }

    /// Adds the program that starts GGML's CUDA backend to a command.
    ///
    /// # Panics
    /// As for [`Self::library`], and when the program can't be built.
    pub fn add_backend(&self, command: &mut Command) {
        let program = c_program("ggml_backend").unwrap_or_else(|error| panic!("{error}"));
        command
            .arg(program)
            .args(self.backend_libraries())
            .env("LD_LIBRARY_PATH", &self.library_path)
            // Otherwise GGML starts a debugger on itself before it aborts.
            .env("GGML_NO_BACKTRACE", "1");
    }

    /// The library whose name begins so: names of versions change.
    ///
    /// # Panics
    /// When there is none, or more than one: the package is not the one that clients.toml pins.
    pub fn library(&self, begin: &str) -> PathBuf {
        let entries = std::fs::read_dir(&self.folder)
            .unwrap_or_else(|error| panic!("{}: {error}", self.folder.display()));
        let mut found: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(begin))
            })
            .collect();
        match (found.pop(), found.is_empty()) {
            (Some(library), true) => library,
            _ => panic!("expected one library {begin}* in {}", self.folder.display()),
        }
    }
}

/// The library `libcublas.so.13`; `None` after saying why not.
pub fn cublas_13() -> Option<PathBuf> {
    find_or_skip("nvidia-cublas").map(|client| client.join("nvidia/cu13/lib/libcublas.so.13"))
}
