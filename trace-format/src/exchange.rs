//! Swapping two paths in one step, which the standard library does not offer.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Swaps what is at two paths: at no moment is one of them absent.
///
/// # Errors
/// Some file systems can't; they say `InvalidInput` or `Unsupported`.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let (one, other) = (
        CString::new(one.as_os_str().as_bytes())?,
        CString::new(other.as_os_str().as_bytes())?,
    );
    // SAFETY: both strings end in NUL and outlive the call, which keeps neither.
    let result = unsafe {
        libc::renameat2(
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
