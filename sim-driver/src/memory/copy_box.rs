//! `cuMemcpy2D*` and `cuMemcpy3D*`: copies of rectangles and boxes between linear memory. Arrays (texture memory) are not simulated,
//! so no array handle exists, and naming one is an invalid handle.

use super::copy::{End, Wait, move_bytes};
use crate::abi::{CUDA_MEMCPY2D, CUDA_MEMCPY3D, CUDA_MEMCPY3D_PEER, CUstream};
use crate::boundary::In;
use crate::driver;
use crate::status::{Answer, CuError};
use crate::stream::resolve;
use crate::surface::DefaultStream;

/// `CUmemorytype`.
const HOST: u32 = 1;
const DEVICE: u32 = 2;
const ARRAY: u32 = 3;
const UNIFIED: u32 = 4;

/// One side of a copy: where it begins, and how far apart rows and slices are.
#[derive(Clone, Copy)]
struct Side {
    begin: End,
    row_bytes: usize,
    slice_bytes: usize,
}

/// What is copied: bytes in a row, rows in a slice, slices.
#[derive(Clone, Copy)]
struct Extent {
    width: usize,
    height: usize,
    depth: usize,
}

/// The fields of one side of a copy descriptor.
struct Place {
    memory_type: u32,
    host: u64,
    device: u64,
    /// Offset: bytes in the row, rows, slices.
    offset: [usize; 3],
    pitch: usize,
    rows: usize,
}

impl Place {
    fn side(&self, extent: Extent) -> Result<Side, CuError> {
        let begin = match self.memory_type {
            HOST => End::Host(self.host),
            DEVICE => End::Device(self.device),
            UNIFIED => End::Unified(self.device),
            ARRAY => return Err(CuError::INVALID_HANDLE),
            _ => return Err(CuError::INVALID_VALUE),
        };
        let row_bytes = if self.pitch == 0 {
            extent.width
        } else {
            self.pitch
        };
        let rows = if self.rows == 0 {
            extent.height
        } else {
            self.rows
        };
        let row_is_long_enough = self.offset[0]
            .checked_add(extent.width)
            .is_some_and(|end| end <= row_bytes);
        if !row_is_long_enough && extent.height.max(extent.depth) > 1
            || rows < extent.height && extent.depth > 1
        {
            return Err(CuError::INVALID_VALUE);
        }
        let slice_bytes = row_bytes.checked_mul(rows).ok_or(CuError::INVALID_VALUE)?;
        let skipped = self.offset[2]
            .checked_mul(slice_bytes)
            .zip(self.offset[1].checked_mul(row_bytes));
        let (slices, rows) = skipped.ok_or(CuError::INVALID_VALUE)?;
        let skipped = slices
            .checked_add(rows)
            .and_then(|bytes| bytes.checked_add(self.offset[0]));
        Ok(Side {
            begin: begin.offset(skipped.ok_or(CuError::INVALID_VALUE)? as u64),
            row_bytes,
            slice_bytes,
        })
    }
}

impl Side {
    /// Checks everything from the first to the last byte.
    fn check(&self, extent: Extent) -> Answer {
        let slices = self.slice_bytes.checked_mul(extent.depth - 1);
        let rows = self.row_bytes.checked_mul(extent.height - 1);
        let whole = slices
            .zip(rows)
            .and_then(|(slices, rows)| slices.checked_add(rows)?.checked_add(extent.width));
        self.begin
            .check(whole.ok_or(CuError::INVALID_VALUE)? as u64)
    }

    fn row(&self, slice: usize, row: usize) -> u64 {
        self.begin.address() + (slice * self.slice_bytes + row * self.row_bytes) as u64
    }
}

fn copy(
    queue: (DefaultStream, CUstream),
    wait: Wait,
    extent: Extent,
    places: [Place; 2],
) -> Answer {
    let (context, stream) = resolve(queue.0, queue.1)?;
    let [to, from] = [places[0].side(extent)?, places[1].side(extent)?];
    if extent.width == 0 || extent.height == 0 || extent.depth == 0 {
        return Ok(());
    }
    to.check(extent)?;
    from.check(extent)?;
    let ticket = stream.submit(&context, move || {
        for slice in 0..extent.depth {
            for row in 0..extent.height {
                move_bytes(to.row(slice, row), from.row(slice, row), extent.width);
            }
        }
    });
    // Memory that the device cannot reach may be gone when the call has returned.
    if wait == Wait::Yes || to.begin.is_pageable() || from.begin.is_pageable() {
        ticket.wait();
    }
    Ok(())
}

fn copy_2d(queue: (DefaultStream, CUstream), wait: Wait, descriptor: In<CUDA_MEMCPY2D>) -> Answer {
    driver::started()?;
    let copied = descriptor.required()?;
    let to = Place {
        memory_type: copied.dstMemoryType,
        host: copied.dstHost as u64,
        device: copied.dstDevice.0,
        offset: [copied.dstXInBytes, copied.dstY, 0],
        pitch: copied.dstPitch,
        rows: 0,
    };
    let from = Place {
        memory_type: copied.srcMemoryType,
        host: copied.srcHost as u64,
        device: copied.srcDevice.0,
        offset: [copied.srcXInBytes, copied.srcY, 0],
        pitch: copied.srcPitch,
        rows: 0,
    };
    copy(
        queue,
        wait,
        Extent {
            width: copied.WidthInBytes,
            height: copied.Height,
            depth: 1,
        },
        [to, from],
    )
}

fn copy_3d(queue: (DefaultStream, CUstream), wait: Wait, copied: &CUDA_MEMCPY3D) -> Answer {
    if copied.srcLOD != 0 || copied.dstLOD != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    let to = Place {
        memory_type: copied.dstMemoryType,
        host: copied.dstHost as u64,
        device: copied.dstDevice.0,
        offset: [copied.dstXInBytes, copied.dstY, copied.dstZ],
        pitch: copied.dstPitch,
        rows: copied.dstHeight,
    };
    let from = Place {
        memory_type: copied.srcMemoryType,
        host: copied.srcHost as u64,
        device: copied.srcDevice.0,
        offset: [copied.srcXInBytes, copied.srcY, copied.srcZ],
        pitch: copied.srcPitch,
        rows: copied.srcHeight,
    };
    copy(
        queue,
        wait,
        Extent {
            width: copied.WidthInBytes,
            height: copied.Height,
            depth: copied.Depth,
        },
        [to, from],
    )
}

fn without_contexts(copied: &CUDA_MEMCPY3D_PEER) -> CUDA_MEMCPY3D {
    CUDA_MEMCPY3D {
        srcXInBytes: copied.srcXInBytes,
        srcY: copied.srcY,
        srcZ: copied.srcZ,
        srcLOD: copied.srcLOD,
        srcMemoryType: copied.srcMemoryType,
        srcHost: copied.srcHost,
        srcDevice: copied.srcDevice,
        srcArray: copied.srcArray,
        reserved0: std::ptr::null_mut(),
        srcPitch: copied.srcPitch,
        srcHeight: copied.srcHeight,
        dstXInBytes: copied.dstXInBytes,
        dstY: copied.dstY,
        dstZ: copied.dstZ,
        dstLOD: copied.dstLOD,
        dstMemoryType: copied.dstMemoryType,
        dstHost: copied.dstHost,
        dstDevice: copied.dstDevice,
        dstArray: copied.dstArray,
        reserved1: std::ptr::null_mut(),
        dstPitch: copied.dstPitch,
        dstHeight: copied.dstHeight,
        WidthInBytes: copied.WidthInBytes,
        Height: copied.Height,
        Depth: copied.Depth,
    }
}

const NULL_STREAM: CUstream = CUstream(0);

pub fn cuMemcpy2D_v2(default_stream: DefaultStream, pCopy: In<CUDA_MEMCPY2D>) -> Answer {
    copy_2d((default_stream, NULL_STREAM), Wait::Yes, pCopy)
}

pub fn cuMemcpy2DUnaligned_v2(default_stream: DefaultStream, pCopy: In<CUDA_MEMCPY2D>) -> Answer {
    copy_2d((default_stream, NULL_STREAM), Wait::Yes, pCopy)
}

pub fn cuMemcpy2DAsync_v2(
    default_stream: DefaultStream,
    pCopy: In<CUDA_MEMCPY2D>,
    hStream: CUstream,
) -> Answer {
    copy_2d((default_stream, hStream), Wait::No, pCopy)
}

pub fn cuMemcpy3D_v2(default_stream: DefaultStream, pCopy: In<CUDA_MEMCPY3D>) -> Answer {
    driver::started()?;
    copy_3d((default_stream, NULL_STREAM), Wait::Yes, &pCopy.required()?)
}

pub fn cuMemcpy3DAsync_v2(
    default_stream: DefaultStream,
    pCopy: In<CUDA_MEMCPY3D>,
    hStream: CUstream,
) -> Answer {
    driver::started()?;
    copy_3d((default_stream, hStream), Wait::No, &pCopy.required()?)
}

pub fn cuMemcpy3DPeer(default_stream: DefaultStream, pCopy: In<CUDA_MEMCPY3D_PEER>) -> Answer {
    driver::started()?;
    copy_3d(
        (default_stream, NULL_STREAM),
        Wait::Yes,
        &without_contexts(&pCopy.required()?),
    )
}

pub fn cuMemcpy3DPeerAsync(
    default_stream: DefaultStream,
    pCopy: In<CUDA_MEMCPY3D_PEER>,
    hStream: CUstream,
) -> Answer {
    driver::started()?;
    copy_3d(
        (default_stream, hStream),
        Wait::No,
        &without_contexts(&pCopy.required()?),
    )
}
