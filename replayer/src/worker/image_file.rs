//! Files with module images: the recorded content, in a file that has no name and is gone after the call. Nothing that the trace names is
//! opened.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};

/// A file with an image.
pub struct ImageFile(File);

impl ImageFile {
    /// With that content.
    ///
    /// # Errors
    /// The system has no more memory or descriptors.
    pub fn new(content: &[u8]) -> io::Result<Self> {
        // SAFETY: the name is a C string; the driver under test may start programs, which are not to inherit it.
        let descriptor = unsafe { libc::memfd_create(c"image".as_ptr(), libc::MFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and nobody else has it.
        let mut file = unsafe { File::from_raw_fd(descriptor) };
        file.write_all(content)?;
        Ok(Self(file))
    }

    /// A name by which it can be opened.
    pub fn name(&self) -> String {
        format!("/proc/self/fd/{}\0", self.0.as_raw_fd())
    }
}

/// The name of a file that nobody has: what stands in for one that could not be read when the call was recorded.
pub const NO_FILE: &str = "/proc/self/fd/none\0";
