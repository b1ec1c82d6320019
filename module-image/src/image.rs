//! What an image of code holds, whatever its form: cubin (ELF), PTX (text) or fat binary (several of both).

use crate::{elf, fatbin, ptx};

/// What a cubin or PTX text defines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Kernels, in the order of the image.
    pub kernels: Vec<KernelImage>,
    /// Global variables.
    pub globals: Vec<GlobalImage>,
}

/// A kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelImage {
    /// Its name, as the image has it.
    pub name: String,
    /// Offset and bytes of each parameter in the parameter block.
    pub params: Vec<(u32, u32)>,
    /// Bytes of all parameters, where the image says so apart from the list.
    pub param_bytes: Option<u32>,
    /// Static shared memory of a block.
    pub shared_bytes: u32,
    /// Constants of its own.
    pub constant_bytes: u32,
    /// Stack and spilled registers of a thread.
    pub local_bytes: u32,
    /// Registers of a thread.
    pub registers: u32,
    /// Bound on the threads of a block that the kernel was compiled with; 0 for none.
    pub max_threads: u32,
    /// 10 x major + minor of the PTX target, or of the cubin's architecture.
    pub ptx_version: u32,
    /// 10 x major + minor of the architecture of the machine code.
    pub binary_version: u32,
}

impl KernelImage {
    /// Offset and bytes of each parameter, in their order; `None` where the list can't be whole: cubins of another version may say it
    /// otherwise.
    pub fn known_params(&self) -> Option<&[(u32, u32)]> {
        /// A parameter block may be rounded up.
        const LARGEST_GAP: u32 = 16;
        let mut end = 0u32;
        for &(offset, bytes) in &self.params {
            if offset < end {
                return None;
            }
            end = offset.checked_add(bytes)?;
        }
        let is_whole = |all: u32| end <= all && all - end < LARGEST_GAP && (end > 0 || all == 0);
        self.param_bytes
            .is_none_or(is_whole)
            .then_some(&self.params[..])
    }
}

/// A global variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalImage {
    /// Its name, as the image has it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// First value; empty for zeros.
    pub initial: Vec<u8>,
}

/// What makes an image useless here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It is no image.
    #[error("not a cubin, a fat binary or PTX")]
    Unrecognized,
    /// Nothing in it runs on such a GPU.
    #[error("made for other architectures")]
    WrongArchitecture,
    /// It is PTX, and broken.
    #[error("PTX that cannot be understood")]
    InvalidPtx,
    /// It is PTX of a version that the driver doesn't know.
    #[error("PTX of a version that came after this driver")]
    PtxTooNew,
}

/// What the GPU and the driver can run.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// 10 x major + minor of the compute capability.
    pub capability: u32,
    /// 10 x major + minor of the newest PTX language.
    pub newest_ptx: u32,
}

impl Target {
    /// Machine code runs on its own major architecture, from its minor on.
    pub fn runs_binary(self, architecture: u32) -> bool {
        architecture / 10 == self.capability / 10 && architecture % 10 <= self.capability % 10
    }

    /// PTX can be compiled for its target and everything after it.
    pub fn compiles_ptx(self, architecture: u32) -> bool {
        architecture <= self.capability
    }
}

/// Reads an image.
///
/// # Errors
/// It is none, or none for such a GPU.
pub fn read(bytes: &[u8], target: Target) -> Result<Image, ImageError> {
    if bytes.starts_with(&elf::MAGIC) {
        return elf::read(bytes, target);
    }
    if bytes.starts_with(&fatbin::MAGIC.to_le_bytes()) {
        return fatbin::read(bytes, target);
    }
    ptx::read(bytes, target)
}
