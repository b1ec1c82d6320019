//! Where the dynamic loader would find a driver library, and which symbols that library exports.
//!
//! The interposer has the driver's name, so asking the loader for `libcuda.so.1` finds the interposer again. This crate walks the
//! loader's search order by itself (ld.so(8): `LD_LIBRARY_PATH`, then `/etc/ld.so.cache`, then the default folders) and passes over
//! every file that it is told to leave out, by device and inode, whatever name it bears.

mod file_id;
mod ld_cache;
mod search;

#[cfg(feature = "elf")]
pub mod elf;

pub use file_id::FileId;
pub use search::{Search, loaded_file};
