//! `cuMemcpy*A*` in one dimension: bytes of the first row of an array.

use std::ffi::c_void;

use super::copy::{End, Wait};
use super::copy_box::{RowEnd, copy_row};
use crate::abi::{CUarray, CUdeviceptr, CUstream};
use crate::status::Answer;
use crate::surface::DefaultStream;

/// The stream that calls without a stream parameter use.
const NULL_STREAM: CUstream = CUstream(0);

fn array(array: CUarray, offset: usize) -> RowEnd {
    RowEnd::Array(array, offset)
}

fn device(address: CUdeviceptr) -> RowEnd {
    RowEnd::Memory(End::Device(address.0))
}

fn host<T>(address: *const T) -> RowEnd {
    RowEnd::Memory(End::Host(address as u64))
}

pub fn cuMemcpyAtoA_v2(
    default_stream: DefaultStream,
    dstArray: CUarray,
    dstOffset: usize,
    srcArray: CUarray,
    srcOffset: usize,
    ByteCount: usize,
) -> Answer {
    copy_row(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        (array(dstArray, dstOffset), array(srcArray, srcOffset)),
        ByteCount,
    )
}

pub fn cuMemcpyDtoA_v2(
    default_stream: DefaultStream,
    dstArray: CUarray,
    dstOffset: usize,
    srcDevice: CUdeviceptr,
    ByteCount: usize,
) -> Answer {
    copy_row(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        (array(dstArray, dstOffset), device(srcDevice)),
        ByteCount,
    )
}

pub fn cuMemcpyAtoD_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    srcArray: CUarray,
    srcOffset: usize,
    ByteCount: usize,
) -> Answer {
    copy_row(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        (device(dstDevice), array(srcArray, srcOffset)),
        ByteCount,
    )
}

pub fn cuMemcpyHtoA_v2(
    default_stream: DefaultStream,
    dstArray: CUarray,
    dstOffset: usize,
    srcHost: *const c_void,
    ByteCount: usize,
) -> Answer {
    copy_row(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        (array(dstArray, dstOffset), host(srcHost)),
        ByteCount,
    )
}

pub fn cuMemcpyAtoH_v2(
    default_stream: DefaultStream,
    dstHost: *mut c_void,
    srcArray: CUarray,
    srcOffset: usize,
    ByteCount: usize,
) -> Answer {
    copy_row(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        (host(dstHost), array(srcArray, srcOffset)),
        ByteCount,
    )
}

pub fn cuMemcpyHtoAAsync_v2(
    default_stream: DefaultStream,
    dstArray: CUarray,
    dstOffset: usize,
    srcHost: *const c_void,
    ByteCount: usize,
    hStream: CUstream,
) -> Answer {
    copy_row(
        (default_stream, hStream),
        Wait::No,
        (array(dstArray, dstOffset), host(srcHost)),
        ByteCount,
    )
}

pub fn cuMemcpyAtoHAsync_v2(
    default_stream: DefaultStream,
    dstHost: *mut c_void,
    srcArray: CUarray,
    srcOffset: usize,
    ByteCount: usize,
    hStream: CUstream,
) -> Answer {
    copy_row(
        (default_stream, hStream),
        Wait::No,
        (host(dstHost), array(srcArray, srcOffset)),
        ByteCount,
    )
}
