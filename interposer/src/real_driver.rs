//! Finding and loading the real libraries.

use std::env;
use std::ffi::{CStr, OsString, c_void};
use std::path::PathBuf;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use cutape_driver_search::{FileId, Search, loaded_file};

use crate::held_file::c_path;
use crate::hook::{Hook, Library};
use crate::hooks::HOOKS;
use crate::withheld;

/// A real library, loaded for good.
pub struct Real {
    /// Address of each exported function with its hook, sorted by address: which function a pointer from the driver is.
    by_address: Vec<(usize, &'static Hook)>,
}

/// Why there is no real library.
#[derive(Debug)]
pub enum Missing {
    /// No other file of that name in the loader's order.
    NotFound,
    /// Found, and the loader refused it.
    Refused {
        /// Where.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("no real libcuda.so.1 was found in the loader's order (--driver names one, --driver sim simulates one)"),
            Self::Refused { path, reason } => write!(f, "the real driver {} can't be loaded: {reason}", path.display()),
        }
    }
}

/// The real library, loaded at its first use. Its functions are in the hooks from then on.
///
/// A thread that comes here again from the library's own constructors gets `None`: see [`crate::recording::real_function`].
pub fn real(library: Library) -> &'static Result<Real, Missing> {
    static CUDA: OnceLock<Result<Real, Missing>> = OnceLock::new();
    static NVML: OnceLock<Result<Real, Missing>> = OnceLock::new();
    let (once, soname, variable) = match library {
        Library::Cuda => (&CUDA, "libcuda.so.1", "CUTAPE_DRIVER"),
        Library::Nvml => (&NVML, "libnvidia-ml.so.1", "CUTAPE_NVML"),
    };
    once.get_or_init(|| load(library, soname, named_in_environment(variable)))
}

/// Where the real driver is, without loading it; `None` if there is none.
pub fn expected_path() -> Option<PathBuf> {
    named_in_environment("CUTAPE_DRIVER")
        .or_else(|| find("libcuda.so.1", env::var_os("LD_LIBRARY_PATH")))
}

fn named_in_environment(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn load(library: Library, soname: &str, named: Option<PathBuf>) -> Result<Real, Missing> {
    let path = match named {
        Some(path) => path,
        None => find(soname, env::var_os("LD_LIBRARY_PATH")).ok_or(Missing::NotFound)?,
    };
    // RTLD_LOCAL: the program's look-ups must go on finding us. No RTLD_DEEPBIND: it would split the program's allocator.
    // SAFETY: loading runs the library's constructors, which would have run without us, too.
    let handle = unsafe { libc::dlopen(c_path(&path).as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err(Missing::Refused {
            path,
            reason: loader_error(),
        });
    }
    let mut by_address = Vec::new();
    for hook in HOOKS.iter().filter(|hook| hook.detail.library == library) {
        // SAFETY: the handle is valid and the name a C string.
        let address = unsafe { libc::dlsym(handle, hook.detail.name.as_ptr()) };
        if address.is_null() {
            hook.real.store(absent_function(library), Ordering::Release);
        } else {
            by_address.push((address as usize, hook));
            if !withheld::take(hook, address) {
                hook.real.store(address, Ordering::Release);
            }
        }
    }
    by_address.sort_by_key(|&(address, _)| address);
    Ok(Real { by_address })
}

/// The next library of that name that is not this one.
fn find(soname: &str, library_path: Option<OsString>) -> Option<PathBuf> {
    let mut search = Search::new(library_path);
    if let Some(own) = own_file() {
        search = search.leaving_out(own);
    }
    search.find(soname)
}

fn own_file() -> Option<FileId> {
    static OWN: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    FileId::of(&loaded_file(&raw const OWN as usize)?).ok()
}

fn loader_error() -> String {
    // SAFETY: dlerror returns null or a C string that is valid until the next call on this thread.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "unknown error".to_owned();
    }
    // SAFETY: as above.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

impl Real {
    /// The hooks of the functions at `address`: several names may share one.
    pub fn hooks_at(&self, address: *const c_void) -> impl Iterator<Item = &'static Hook> {
        let address = address as usize;
        let start = self.by_address.partition_point(|&(at, _)| at < address);
        self.by_address[start..]
            .iter()
            .take_while(move |&&(at, _)| at == address)
            .map(|&(_, hook)| hook)
    }
}

/// The real CUDA driver's function of that name, if it has it: for calls of ours, which are not on record.
pub fn exported(name: &CStr) -> Option<*const c_void> {
    let hook = HOOKS.iter().find(|hook| hook.detail.name == name)?;
    let function = match withheld::real(hook) {
        Some(function) => function.cast_mut(),
        None => hook.real.load(Ordering::Acquire),
    };
    let absent = [ptr::null_mut(), absent_function(Library::Cuda)];
    (!absent.contains(&function)).then_some(function.cast_const())
}

/// What stands in for a function that the real library doesn't have, should it be called all the same.
pub fn absent_function(library: Library) -> *mut c_void {
    match library {
        Library::Cuda => cuda_not_found as *mut c_void,
        Library::Nvml => nvml_function_not_found as *mut c_void,
    }
}

/// What stands in for every function when there is no real library.
pub fn absent_library(library: Library) -> *mut c_void {
    match library {
        Library::Cuda => cuda_stub_library as *mut c_void,
        Library::Nvml => nvml_library_not_found as *mut c_void,
    }
}

/// What stands in for a function that is called while its library is still being loaded.
pub fn library_not_ready(library: Library) -> *mut c_void {
    match library {
        Library::Cuda => cuda_not_initialized as *mut c_void,
        Library::Nvml => nvml_uninitialized as *mut c_void,
    }
}

/// CUDA_ERROR_NOT_FOUND.
extern "C" fn cuda_not_found() -> u32 {
    500
}

/// CUDA_ERROR_STUB_LIBRARY.
extern "C" fn cuda_stub_library() -> u32 {
    34
}

/// CUDA_ERROR_NOT_INITIALIZED.
extern "C" fn cuda_not_initialized() -> u32 {
    3
}

/// NVML_ERROR_FUNCTION_NOT_FOUND.
extern "C" fn nvml_function_not_found() -> u32 {
    13
}

/// NVML_ERROR_LIBRARY_NOT_FOUND.
extern "C" fn nvml_library_not_found() -> u32 {
    12
}

/// NVML_ERROR_UNINITIALIZED.
extern "C" fn nvml_uninitialized() -> u32 {
    1
}
