//! Where the headers, the libraries and the committed files are.

use crate::GenError;
use std::env;
use std::path::{Path, PathBuf};

/// The packages that hold the headers, as `cargo xtask fetch-clients` unpacks them.
const CUDA_12: (&str, &str) = (
    "nvidia-cuda-runtime-cu12-12.9.79",
    "nvidia/cuda_runtime/include",
);
const CUDA_13: (&str, &str) = ("nvidia-cuda-runtime-13.5.37", "nvidia/cu13/include");
const NVML: (&str, &str) = ("nvidia-nvml-dev-cu12-12.9.79", "nvidia/nvml_dev/include");

/// Write cuda-api/table/{cuda,nvml}.api from NVIDIA's headers.
#[derive(Debug, clap::Parser)]
#[command(name = "cargo xtask table")]
pub struct Options {
    /// Folder with cuda.h of CUDA 12.9 [default: the unpacked nvidia-cuda-runtime-cu12 12.9.79 in the cache folder]
    #[arg(long, value_name = "DIR")]
    cuda12: Option<PathBuf>,
    /// Folder with cuda.h of CUDA 13.5 [default: the unpacked nvidia-cuda-runtime 13.5.37 in the cache folder]
    #[arg(long, value_name = "DIR")]
    cuda13: Option<PathBuf>,
    /// Folder with nvml.h [default: the unpacked nvidia-nvml-dev-cu12 12.9.79 in the cache folder]
    #[arg(long, value_name = "DIR")]
    nvml: Option<PathBuf>,
    /// Folder of the committed table files
    #[arg(long, value_name = "DIR", default_value = "cuda-api/table")]
    pub table: PathBuf,
    /// Read a library's exported names into exports.api first: LIBRARY is cuda or nvml, RELEASE what to call it
    #[arg(long, value_name = "LIBRARY:RELEASE:FILE")]
    pub exports: Vec<String>,
    /// Compare with the committed files instead of writing them
    #[arg(long)]
    pub check: bool,
}

/// The three header folders.
pub struct HeaderFolders {
    /// CUDA 12.9.
    pub cuda12: PathBuf,
    /// CUDA 13.5.
    pub cuda13: PathBuf,
    /// NVML.
    pub nvml: PathBuf,
}

impl Options {
    /// Finds the headers, in the folders named or else in the user's cache folder.
    ///
    /// # Errors
    /// One of them isn't there.
    pub fn header_folders(&self) -> Result<HeaderFolders, GenError> {
        Ok(HeaderFolders {
            cuda12: header_folder(
                self.cuda12.as_deref(),
                CUDA_12,
                "cuda.h",
                ("the headers of CUDA 12.9", "--cuda12"),
            )?,
            cuda13: header_folder(
                self.cuda13.as_deref(),
                CUDA_13,
                "cuda.h",
                ("the headers of CUDA 13.5", "--cuda13"),
            )?,
            nvml: header_folder(
                self.nvml.as_deref(),
                NVML,
                "nvml.h",
                ("NVML's header", "--nvml"),
            )?,
        })
    }
}

fn header_folder(
    given: Option<&Path>,
    (package, inside): (&str, &str),
    header: &str,
    (what, option): (&'static str, &'static str),
) -> Result<PathBuf, GenError> {
    let folder = match given {
        Some(folder) => folder.to_owned(),
        None => clients_folder()?.join(package).join(inside),
    };
    let path = folder.join(header);
    if path.is_file() {
        Ok(folder)
    } else {
        Err(GenError::Missing { what, path, option })
    }
}

/// `cutape/clients` in the user's cache folder.
fn clients_folder() -> Result<PathBuf, GenError> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .ok_or(GenError::NoCacheFolder)?;
    Ok(cache.join("cutape/clients"))
}
