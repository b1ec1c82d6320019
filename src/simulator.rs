//! Questions to the simulated driver's library: it is loaded into this process, and only asked about itself.

use std::collections::HashSet;
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr;

use crate::installed;

/// The loaded library.
pub struct Simulator {
    path: PathBuf,
    handle: *mut c_void,
}

/// A profile that is part of the library.
pub struct ShippedProfile {
    /// What it is asked for by.
    pub name: String,
    /// Whether something is wrong with the driver that it describes.
    pub is_broken: bool,
    /// One line: what it is.
    pub summary: String,
}

impl Simulator {
    /// The library that belongs to this command.
    ///
    /// # Errors
    /// It is not there, or can't be loaded.
    pub fn installed() -> Result<Self, String> {
        Self::load(&installed::find(installed::SIMULATOR)?)
    }

    /// Loads the library of that path.
    ///
    /// # Errors
    /// The loader's reason.
    pub fn load(path: &Path) -> Result<Self, String> {
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| format!("the path {} has a NUL in it", path.display()))?;
        // SAFETY: our own library, whose constructors do nothing; RTLD_LOCAL keeps its names to itself.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: after a failed dlopen, dlerror answers a string that lives until the next call of its family.
            let reason = unsafe { text(libc::dlerror()) };
            return Err(format!("{} can't be loaded: {reason}", path.display()));
        }
        Ok(Self {
            path: path.to_owned(),
            handle,
        })
    }

    /// The functions that do something.
    ///
    /// # Errors
    /// The library is of another version of cutape.
    pub fn implemented(&self) -> Result<HashSet<String>, String> {
        let function = self.symbol(c"cutape_sim_implemented")?;
        // SAFETY: the library declares it without parameters, answering a list of NUL-terminated names that ends with an empty one.
        let mut next = unsafe {
            std::mem::transmute::<*mut c_void, extern "C" fn() -> *const c_char>(function)()
        };
        let mut names = HashSet::new();
        loop {
            // SAFETY: `next` points at a name of the list, and the last one is empty.
            let name = unsafe { CStr::from_ptr(next) };
            if name.is_empty() {
                return Ok(names);
            }
            names.insert(name.to_string_lossy().into_owned());
            // SAFETY: past this name's NUL the next name begins.
            next = unsafe { next.add(name.count_bytes() + 1) };
        }
    }

    /// The profiles that are part of the library.
    ///
    /// # Errors
    /// The library is of another version of cutape.
    pub fn profiles(&self) -> Result<Vec<ShippedProfile>, String> {
        let function = self.symbol(c"cutape_sim_profiles")?;
        // SAFETY: the library declares it without parameters, answering a NUL-terminated text that lives on.
        let lines = unsafe {
            text(std::mem::transmute::<
                *mut c_void,
                extern "C" fn() -> *const c_char,
            >(function)())
        };
        lines.lines().map(|line| self.profile(line)).collect()
    }

    fn profile(&self, line: &str) -> Result<ShippedProfile, String> {
        match line.splitn(3, '\t').collect::<Vec<_>>()[..] {
            [name, kind, summary] => Ok(ShippedProfile {
                name: name.to_owned(),
                is_broken: kind == "broken",
                summary: summary.to_owned(),
            }),
            _ => Err(self.is_of_another_version()),
        }
    }

    /// The functions that a program must not find with this profile; `None` stands for the profile that the environment names.
    ///
    /// # Errors
    /// What is wrong with the profile.
    pub fn check_profile(&self, profile: Option<&str>) -> Result<Vec<String>, String> {
        type Check = unsafe extern "C" fn(*const c_char, *mut *const c_char) -> *const c_char;
        let function = self.symbol(c"cutape_sim_check_profile")?;
        let name = profile.map(CString::new).transpose();
        let name = name.map_err(|_| "the profile's name has a NUL in it".to_owned())?;
        let mut missing = ptr::null();
        // SAFETY: the library declares it so: a NUL-terminated string or NULL, and a place for one pointer.
        let wrong = unsafe {
            std::mem::transmute::<*mut c_void, Check>(function)(
                name.as_ref().map_or(ptr::null(), |name| name.as_ptr()),
                &mut missing,
            )
        };
        if !wrong.is_null() {
            // SAFETY: the library answers a NUL-terminated text that lives on.
            return Err(unsafe { text(wrong) });
        }
        // SAFETY: as above; it is written where the profile can be used.
        let missing = unsafe { text(missing) };
        Ok(missing.lines().map(str::to_owned).collect())
    }

    fn symbol(&self, name: &CStr) -> Result<*mut c_void, String> {
        // SAFETY: the handle is that of a library that stays loaded.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        if address.is_null() {
            Err(self.is_of_another_version())
        } else {
            Ok(address)
        }
    }

    fn is_of_another_version(&self) -> String {
        format!(
            "{} is not of this version of cutape; `cargo build --workspace` makes the one that is",
            self.path.display()
        )
    }
}

/// A C string as text.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}
