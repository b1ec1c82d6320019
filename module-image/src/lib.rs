//! What module images hold: kernels with their parameters, and global variables. Images are cubins (ELF), PTX (text), and fat binaries
//! (several of both).
//!
//! Images come from programs, so nothing in them is trusted: what is damaged is refused, and nothing is read past its end.

pub mod cubin_info;
pub mod elf;
pub mod fatbin;
mod image;
mod lz4;
mod ptx;

pub use image::{GlobalImage, Image, ImageError, KernelImage, Target, read};
