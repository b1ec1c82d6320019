//! Names and texts of error codes.

use std::ffi::c_char;

use crate::boundary::Out;
use crate::status::{Answer, CuError};
use crate::surface::{ErrorInfo, Library, errors};

pub fn cuGetErrorName(error: u32, pStr: Out<*const c_char>) -> Answer {
    answer(error, pStr, |info| info.name_nul)
}

pub fn cuGetErrorString(error: u32, pStr: Out<*const c_char>) -> Answer {
    answer(error, pStr, |info| info.text)
}

/// An unknown code leaves NULL behind, as NVIDIA's library does.
fn answer(
    error: u32,
    place: Out<*const c_char>,
    which: impl Fn(&ErrorInfo) -> &'static str,
) -> Answer {
    let place = place.required()?;
    match errors(Library::Cuda).iter().find(|info| info.code == error) {
        Some(info) => {
            place.set(which(info).as_ptr().cast());
            Ok(())
        }
        None => {
            place.set(std::ptr::null());
            Err(CuError::INVALID_VALUE)
        }
    }
}
