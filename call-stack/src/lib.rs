//! Who called: names of functions, from program files, and the way through a stack.
//!
//! [`ProgramFiles`] is asked when a recording is sealed, on the machine that made it, while the files are still there. A trace is untrusted:
//! it may name any file and hold any stack. So only regular files are opened, what is read of one is bounded, and the walk through a
//! stack ends after [`MAX_FRAMES`] steps, or at the first one that is not sure.

mod demangle;
mod program_file;
mod program_files;
mod symbols;
mod unwinding;

pub use program_files::ProgramFiles;
pub use unwinding::MAX_FRAMES;
