//! What the API table says, as the build script wrote it down, and the exported entry points that it made.

/// Which library exports a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    Cuda,
    Nvml,
}

/// Which stream a NULL stream means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultStream {
    Legacy,
    PerThread,
}

/// An exported function.
pub struct FunctionInfo {
    /// The exported name.
    pub name: &'static str,
    /// The name that `cuGetProcAddress` takes.
    pub base: &'static str,
    pub library: Library,
    /// The CUDA version that brought this form of the function; 0 where no header says.
    pub since: u32,
    pub default_stream: DefaultStream,
    pub params: &'static [ParamInfo],
    /// Whether it answers an error code, so that it can be told to answer another one.
    pub answers_code: bool,
    /// Where it lies.
    pub address: Address,
}

/// The address of an exported function.
#[derive(Clone, Copy)]
pub struct Address(pub *const std::ffi::c_void);

// SAFETY: the address of code that is part of this library; nothing is ever written through it.
unsafe impl Sync for Address {}

/// A parameter of a function.
pub struct ParamInfo {
    pub name: &'static str,
    /// Bytes of the number behind an out pointer; 0 for everything else.
    pub out_bytes: u8,
}

/// An error code with its name and text.
pub struct ErrorInfo {
    pub code: u32,
    pub name: &'static str,
    /// The text, with the closing NUL that C callers need.
    pub text: &'static str,
    /// The name, with the closing NUL.
    pub name_nul: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/surface.rs"));

/// The error codes of a library, in ascending order.
pub fn errors(library: Library) -> &'static [ErrorInfo] {
    match library {
        Library::Cuda => CUDA_ERRORS,
        Library::Nvml => NVML_ERRORS,
    }
}
