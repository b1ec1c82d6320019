//! Functions of the program that run when a stream gets there. They run on a thread of the driver's, with no lock held.

use std::ffi::c_void;

use super::{Place, resolve};
use crate::abi::{CUDA_HOST_NODE_PARAMS_v1, CUhostFn, CUstream, CUstreamCallback};
use crate::graph::Operation;
use crate::status::{Answer, CuError};
use crate::surface::DefaultStream;

/// The program's own pointer, handed back to it untouched.
#[derive(Clone, Copy)]
struct UserData(*mut c_void);

// SAFETY: the driver never follows it; the program that gave it asked for it to be passed on another thread.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    fn pointer(&self) -> *mut c_void {
        self.0
    }
}

/// A function of the program's with its argument.
#[derive(Clone, Copy)]
pub struct HostCall {
    function: unsafe extern "C" fn(*mut c_void),
    data: UserData,
}

impl HostCall {
    /// The function and what to call it with.
    pub fn new(function: CUhostFn, data: *mut c_void) -> Result<Self, CuError> {
        Ok(Self {
            function: function.ok_or(CuError::INVALID_VALUE)?,
            data: UserData(data),
        })
    }

    /// As a node's parameters.
    pub fn params(&self) -> CUDA_HOST_NODE_PARAMS_v1 {
        CUDA_HOST_NODE_PARAMS_v1 {
            r#fn: Some(self.function),
            userData: self.data.pointer(),
        }
    }

    /// Calls it.
    pub fn perform(&self) {
        // SAFETY: the program gave the function to be called with this very pointer (cuLaunchHostFunc, cuGraphAddHostNode,
        // cuUserObjectCreate).
        unsafe { (self.function)(self.data.pointer()) }
    }
}

pub fn cuLaunchHostFunc(
    default_stream: DefaultStream,
    hStream: CUstream,
    r#fn: CUhostFn,
    userData: *mut c_void,
) -> Answer {
    crate::driver::start_was_tried()?;
    let call = HostCall::new(r#fn, userData)?;
    let (context, stream) = resolve(default_stream, hStream)?;
    if !stream.is_captured(&context, || Operation::Host(call))? {
        stream.submit_after(&context, Vec::new(), Place::Worker, move || call.perform());
    }
    Ok(())
}

pub fn cuLaunchHostFunc_v2(
    default_stream: DefaultStream,
    hStream: CUstream,
    r#fn: CUhostFn,
    userData: *mut c_void,
    syncMode: u32,
) -> Answer {
    /// `CU_HOST_TASK_SPINWAIT`, the other one beside `CU_HOST_TASK_BLOCKING`: how the device waits, which nobody here can tell.
    const SPIN: u32 = 1;
    crate::driver::start_was_tried()?;
    if syncMode > SPIN {
        return Err(CuError::INVALID_VALUE);
    }
    cuLaunchHostFunc(default_stream, hStream, r#fn, userData)
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
    stream.refuse_capture(&context)?;
    let data = UserData(userData);
    // SAFETY: the program gave the function to be called with its stream and this very pointer (cuStreamAddCallback's contract).
    let work = move || unsafe { function(hStream, SUCCESS, data.pointer()) };
    stream.submit_after(&context, Vec::new(), Place::Worker, work);
    Ok(())
}
