//! `cuMemcpy*` in one dimension. Bytes really move.

use std::ffi::c_void;

use super::BoxCopy;
use crate::abi::{CUcontext, CUdeviceptr, CUstream};
use crate::context::{Context, find as find_context};
use crate::driver;
use crate::graph::Operation;
use crate::status::{Answer, CuError};
use crate::stream::{resolve, unsafe_call};
use crate::surface::DefaultStream;

/// One end of a copy.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// Must lie in memory that the driver knows of.
    Device(u64),
    /// Any memory of the program.
    Host(u64),
    /// Either: unified addressing tells which.
    Unified(u64),
    /// Inside an array, which knows its own bounds.
    Array(u64),
}

impl End {
    /// Where it is.
    pub fn address(self) -> u64 {
        match self {
            Self::Device(address)
            | Self::Host(address)
            | Self::Unified(address)
            | Self::Array(address) => address,
        }
    }

    /// The same end, some bytes further.
    pub fn offset(self, bytes: u64) -> Self {
        let moved = |address: u64| address.wrapping_add(bytes);
        match self {
            Self::Device(address) => Self::Device(moved(address)),
            Self::Host(address) => Self::Host(moved(address)),
            Self::Unified(address) => Self::Unified(moved(address)),
            Self::Array(address) => Self::Array(moved(address)),
        }
    }

    /// Checks that all these bytes may be touched, as far as the driver can know.
    pub fn check(self, bytes: u64) -> Answer {
        let memory = &driver::started()?.memory;
        let known = match self {
            Self::Device(address) => memory.is_reachable(address, bytes),
            Self::Host(address) => address != 0,
            Self::Array(_) => true,
            Self::Unified(address) => {
                address != 0
                    && (memory.range_around(address).is_none()
                        || memory.is_reachable(address, bytes))
            }
        };
        if known {
            Ok(())
        } else {
            Err(CuError::INVALID_VALUE)
        }
    }

    /// Refuses an end that unified addressing would have to tell, on a device that has none; cuda.h allows it nowhere else.
    pub fn check_addressing(self, context: &Context) -> Answer {
        match self {
            Self::Unified(_) if !context.device.has_unified_addressing() => {
                Err(CuError::INVALID_VALUE)
            }
            _ => Ok(()),
        }
    }

    /// Unified addressing resolved: which of the two it is.
    fn resolved(self) -> Self {
        match self {
            Self::Unified(address) if self.is_pageable() => Self::Host(address),
            Self::Unified(address) => Self::Device(address),
            known => known,
        }
    }

    /// Whether the driver knows nothing of this memory: then the device cannot reach it, and the real driver stages the bytes.
    pub fn is_pageable(self) -> bool {
        !matches!(self, Self::Device(_) | Self::Array(_))
            && driver::started()
                .is_ok_and(|driver| driver.memory.range_around(self.address()).is_none())
    }
}

/// Whether the caller waits until the copy is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    Yes,
    No,
}

/// Larger copies from memory that the device cannot reach wait for their turn in the call.
const MOST_STAGED_BYTES: usize = 64 << 20;

fn copy(queue: (DefaultStream, CUstream), wait: Wait, to: End, from: End, bytes: usize) -> Answer {
    driver::started()?;
    let (context, stream) = resolve(queue.0, queue.1)?;
    if wait == Wait::Yes {
        stream.refuse_capture(&context)?;
        unsafe_call()?;
    }
    to.check_addressing(&context)?;
    from.check_addressing(&context)?;
    if bytes == 0 {
        return Ok(());
    }
    to.check(bytes as u64)?;
    from.check(bytes as u64)?;
    let operation = || Operation::Copy(BoxCopy::linear(to.resolved(), from.resolved(), bytes));
    if stream.is_captured(&context, operation)? {
        return Ok(());
    }
    let is_staged = wait == Wait::No && from.is_pageable() && context.group.has_waiting();
    let must_stage = is_staged && bytes <= MOST_STAGED_BYTES;
    let ticket = if must_stage {
        let staged = read(from.address(), bytes);
        stream.submit(&context, move || {
            move_bytes(to.address(), staged.as_ptr() as u64, bytes)
        })
    } else {
        stream.submit(&context, move || {
            move_bytes(to.address(), from.address(), bytes)
        })
    };
    if wait == Wait::Yes || to.is_pageable() || is_staged && !must_stage {
        ticket.wait();
    }
    Ok(())
}

/// Copies bytes that may overlap.
pub fn move_bytes(to: u64, from: u64, bytes: usize) {
    // SAFETY: device ends were checked to lie in memory that the driver mapped; host ends are the program's, which passed them for
    // this (a wrong one faults here as it does in the real driver).
    unsafe { std::ptr::copy(from as usize as *const u8, to as usize as *mut u8, bytes) }
}

/// Zeroes bytes.
pub fn zero(to: u64, bytes: usize) {
    // SAFETY: the driver mapped this range for the allocation that is being made.
    unsafe { std::ptr::write_bytes(to as usize as *mut u8, 0, bytes) }
}

fn read(from: u64, bytes: usize) -> Vec<u8> {
    let mut staged = vec![0; bytes];
    move_bytes(staged.as_mut_ptr() as u64, from, bytes);
    staged
}

fn device(address: CUdeviceptr) -> End {
    End::Device(address.0)
}

fn unified(address: CUdeviceptr) -> End {
    End::Unified(address.0)
}

fn host<T>(address: *const T) -> End {
    End::Host(address as u64)
}

/// The stream that calls without a stream parameter use.
const NULL_STREAM: CUstream = CUstream(0);

pub fn cuMemcpy(
    default_stream: DefaultStream,
    dst: CUdeviceptr,
    src: CUdeviceptr,
    ByteCount: usize,
) -> Answer {
    copy(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        unified(dst),
        unified(src),
        ByteCount,
    )
}

pub fn cuMemcpyAsync(
    default_stream: DefaultStream,
    dst: CUdeviceptr,
    src: CUdeviceptr,
    ByteCount: usize,
    hStream: CUstream,
) -> Answer {
    copy(
        (default_stream, hStream),
        Wait::No,
        unified(dst),
        unified(src),
        ByteCount,
    )
}

pub fn cuMemcpyHtoD_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    srcHost: *const c_void,
    ByteCount: usize,
) -> Answer {
    copy(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        device(dstDevice),
        host(srcHost),
        ByteCount,
    )
}

pub fn cuMemcpyDtoH_v2(
    default_stream: DefaultStream,
    dstHost: *mut c_void,
    srcDevice: CUdeviceptr,
    ByteCount: usize,
) -> Answer {
    copy(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        host(dstHost),
        device(srcDevice),
        ByteCount,
    )
}

pub fn cuMemcpyDtoD_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    srcDevice: CUdeviceptr,
    ByteCount: usize,
) -> Answer {
    copy(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        device(dstDevice),
        device(srcDevice),
        ByteCount,
    )
}

pub fn cuMemcpyHtoDAsync_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    srcHost: *const c_void,
    ByteCount: usize,
    hStream: CUstream,
) -> Answer {
    copy(
        (default_stream, hStream),
        Wait::No,
        device(dstDevice),
        host(srcHost),
        ByteCount,
    )
}

pub fn cuMemcpyDtoHAsync_v2(
    default_stream: DefaultStream,
    dstHost: *mut c_void,
    srcDevice: CUdeviceptr,
    ByteCount: usize,
    hStream: CUstream,
) -> Answer {
    copy(
        (default_stream, hStream),
        Wait::No,
        host(dstHost),
        device(srcDevice),
        ByteCount,
    )
}

pub fn cuMemcpyDtoDAsync_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    srcDevice: CUdeviceptr,
    ByteCount: usize,
    hStream: CUstream,
) -> Answer {
    copy(
        (default_stream, hStream),
        Wait::No,
        device(dstDevice),
        device(srcDevice),
        ByteCount,
    )
}

fn check_peers(destination: CUcontext, source: CUcontext) -> Answer {
    let driver = driver::started()?;
    find_context(driver, destination)?;
    find_context(driver, source)?;
    Ok(())
}

pub fn cuMemcpyPeer(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    dstContext: CUcontext,
    srcDevice: CUdeviceptr,
    srcContext: CUcontext,
    ByteCount: usize,
) -> Answer {
    check_peers(dstContext, srcContext)?;
    copy(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        device(dstDevice),
        device(srcDevice),
        ByteCount,
    )
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuMemcpyPeerAsync(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    dstContext: CUcontext,
    srcDevice: CUdeviceptr,
    srcContext: CUcontext,
    ByteCount: usize,
    hStream: CUstream,
) -> Answer {
    check_peers(dstContext, srcContext)?;
    copy(
        (default_stream, hStream),
        Wait::No,
        device(dstDevice),
        device(srcDevice),
        ByteCount,
    )
}
