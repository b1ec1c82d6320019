//! What the `cutape` command asks of the library: which functions do something, which profiles there are, and whether one can be used.
//! These are the only exports that are not the API's.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use crate::driver;
use crate::profile::{self, shipped::SHIPPED};
use crate::surface::IMPLEMENTED;

/// The names of all implemented functions, each closed by a NUL, the list closed by an empty name.
#[unsafe(no_mangle)]
pub extern "C" fn cutape_sim_implemented() -> *const c_char {
    IMPLEMENTED.as_ptr().cast()
}

/// The shipped profiles, one a line: the name, `works` or `broken`, and what it is, with tabs between. Lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn cutape_sim_profiles() -> *const c_char {
    let lines = SHIPPED.iter().map(|shipped| {
        let kind = if shipped.is_broken { "broken" } else { "works" };
        format!("{}\t{kind}\t{}", shipped.name, shipped.summary)
    });
    kept(lines.collect::<Vec<_>>().join("\n"))
}

/// Whether a profile can be used. NULL asks for the one that the environment names, or else the usual one.
///
/// Answers NULL if it can; `missing` then points to the exported names, one a line, that a program must not find. Otherwise answers
/// what is wrong with it. Texts live as long as the process.
///
/// # Safety
/// `profile` is NULL or a NUL-terminated string, `missing` a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutape_sim_check_profile(
    profile: *const c_char,
    missing: *mut *const c_char,
) -> *const c_char {
    let name = if profile.is_null() {
        driver::profile_name()
    } else {
        // SAFETY: the caller passes a NUL-terminated string.
        unsafe { CStr::from_ptr(profile) }
            .to_string_lossy()
            .into_owned()
    };
    match profile::load(&name) {
        Ok(profile) => {
            let names: Vec<_> = profile.look_ups.missing.into_iter().collect();
            // SAFETY: the caller passes a place for one pointer.
            unsafe { missing.write(kept(names.join("\n"))) };
            ptr::null()
        }
        Err(error) => kept(error.to_string()),
    }
}

/// A text for a C caller that nobody frees: the command asks once or twice, and ends.
fn kept(text: String) -> *const c_char {
    let text = text.replace('\0', " ");
    CString::new(text).expect("NULs are replaced").into_raw()
}
