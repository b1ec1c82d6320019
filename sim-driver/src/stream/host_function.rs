//! Functions of the program that run when a stream gets there. They run on a thread of the driver's, with no lock held.

use std::ffi::c_void;

use super::{Place, resolve};
use crate::abi::{CUhostFn, CUstream, CUstreamCallback};
use crate::status::{Answer, CuError};
use crate::surface::DefaultStream;

/// The program's own pointer, handed back to it untouched.
struct UserData(*mut c_void);

// SAFETY: the driver never follows it; the program that gave it asked for it to be passed on another thread.
unsafe impl Send for UserData {}

impl UserData {
    fn pointer(&self) -> *mut c_void {
        self.0
    }
}

pub fn cuLaunchHostFunc(
    default_stream: DefaultStream,
    hStream: CUstream,
    r#fn: CUhostFn,
    userData: *mut c_void,
) -> Answer {
    crate::driver::start_was_tried()?;
    let function = r#fn.ok_or(CuError::INVALID_VALUE)?;
    let (context, stream) = resolve(default_stream, hStream)?;
    let data = UserData(userData);
    // SAFETY: the program gave the function to be called with this very pointer (cuLaunchHostFunc's contract).
    stream.submit_after(&context, Vec::new(), Place::Worker, move || unsafe {
        function(data.pointer())
    });
    Ok(())
}

pub fn cuStreamAddCallback(
    default_stream: DefaultStream,
    hStream: CUstream,
    callback: CUstreamCallback,
    userData: *mut c_void,
    flags: u32,
) -> Answer {
    const SUCCESS: u32 = 0;
    crate::driver::start_was_tried()?;
    let function = callback.ok_or(CuError::INVALID_VALUE)?;
    if flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    let (context, stream) = resolve(default_stream, hStream)?;
    let data = UserData(userData);
    // SAFETY: the program gave the function to be called with its stream and this very pointer (cuStreamAddCallback's contract).
    let work = move || unsafe { function(hStream, SUCCESS, data.pointer()) };
    stream.submit_after(&context, Vec::new(), Place::Worker, work);
    Ok(())
}
