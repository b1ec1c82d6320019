//! A driver's library, loaded to be asked: calls by name, with numbers and places as arguments.

use std::ffi::{CStr, CString, c_void};
use std::path::{Path, PathBuf};

use cutape_cuda_api::{Api, Library};

/// The loaded library.
pub struct DriverLibrary {
    path: PathBuf,
    handle: *mut c_void,
}

impl DriverLibrary {
    /// Loads a library, by path or by the name that the loader looks for.
    ///
    /// # Errors
    /// The loader's reason, and what to do.
    pub fn load(path: &Path) -> Result<Self, String> {
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| format!("{} has a NUL in it", path.display()))?;
        // SAFETY: loading a driver runs its constructors, which is what the user asks for.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: after a failed dlopen, dlerror answers a NUL-terminated string.
            let reason = unsafe { CStr::from_ptr(libc::dlerror()) };
            return Err(format!(
                "expected a driver library, found that {} can't be loaded ({}); --driver PATH names one, --driver sim simulates one",
                path.display(),
                reason.to_string_lossy()
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            handle,
        })
    }

    /// Calls a function with words as arguments: numbers, handles and addresses, as its prototype says.
    ///
    /// # Errors
    /// The library does not have it, or it answers another code than success.
    pub fn call<const N: usize>(&self, name: &str, words: [u64; N]) -> Result<(), String> {
        let symbol = CString::new(name).map_err(|_| "a name with a NUL in it".to_owned())?;
        // SAFETY: the handle is that of a library that stays loaded.
        let address = unsafe { libc::dlsym(self.handle, symbol.as_ptr()) };
        if address.is_null() {
            return Err(format!("{} has no {name}", self.path.display()));
        }
        let mut all = [0; 6];
        all[..N].copy_from_slice(&words);
        let [a, b, c, d, e, f] = all;
        type Function = unsafe extern "C" fn(u64, u64, u64, u64, u64, u64) -> u32;
        // SAFETY: the x86-64 calling convention lets a function be called with more words than it takes; the callers in this
        // chore pass what cuda.h and nvml.h say, with places that are large enough.
        let code =
            unsafe { std::mem::transmute::<*mut c_void, Function>(address)(a, b, c, d, e, f) };
        if code == 0 {
            return Ok(());
        }
        let library = if name.starts_with("nvml") {
            Library::Nvml
        } else {
            Library::Cuda
        };
        let known = Api::get().error_name(library, code.cast_signed());
        Err(format!(
            "expected {name} of {} to succeed, found {} ({code})",
            self.path.display(),
            known.unwrap_or("an unknown code")
        ))
    }

    /// Calls a function that writes text into a place of that many bytes; `before` and `after` are the arguments around place and
    /// size.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn text(
        &self,
        name: &str,
        before: Option<u64>,
        after: Option<u64>,
    ) -> Result<String, String> {
        let mut bytes = [0u8; 256];
        let place = [bytes.as_mut_ptr() as u64, bytes.len() as u64];
        match (before, after) {
            (Some(before), _) => self.call(name, [before, place[0], place[1]])?,
            (None, Some(after)) => self.call(name, [place[0], place[1], after])?,
            (None, None) => self.call(name, place)?,
        }
        let length = bytes.iter().position(|byte| *byte == 0);
        let text = &bytes[..length.unwrap_or(bytes.len())];
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

/// The address of a variable, as an argument.
pub fn to<T>(place: &mut T) -> u64 {
    std::ptr::from_mut(place) as u64
}
