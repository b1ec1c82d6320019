//! `cuMemcpy2D*` and `cuMemcpy3D*`: copies of rectangles and boxes between linear memory and arrays.

use super::copy::{End, Wait, move_bytes};
use crate::abi::{
    CUDA_MEMCPY2D, CUDA_MEMCPY3D, CUDA_MEMCPY3D_PEER, CUarray, CUdeviceptr, CUstream,
};
use crate::array;
use crate::boundary::In;
use crate::driver;
use crate::graph::Operation;
use crate::status::{Answer, CuError};
use crate::stream::{resolve, unsafe_call};
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
#[derive(Clone, Copy, Debug)]
struct Extent {
    width: usize,
    height: usize,
    depth: usize,
}

/// The fields of one side of a copy descriptor.
#[derive(Clone, Copy, Debug)]
struct Place {
    memory_type: u32,
    host: u64,
    device: u64,
    array: CUarray,
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
            ARRAY => return self.side_of_array(extent),
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

impl Place {
    /// An array has its own distances between rows and slices, and its own bounds.
    fn side_of_array(&self, extent: Extent) -> Result<Side, CuError> {
        let array = array::find(driver::started()?, self.array)?;
        let shape = array.shape;
        let wanted = [extent.width, extent.height, extent.depth];
        if !shape.holds(self.offset, wanted) {
            return Err(CuError::INVALID_VALUE);
        }
        let slice_bytes = shape.row_bytes * shape.rows;
        let skipped =
            self.offset[0] + self.offset[1] * shape.row_bytes + self.offset[2] * slice_bytes;
        Ok(Side {
            begin: End::Array(array.base()).offset(skipped as u64),
            row_bytes: shape.row_bytes,
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

/// One end of a copy of a row: memory, or an array and the bytes before the first one.
#[derive(Clone, Copy)]
pub enum RowEnd {
    Memory(End),
    Array(CUarray, usize),
}

/// A copy of a box.
#[derive(Clone, Copy, Debug)]
pub struct BoxCopy {
    extent: Extent,
    to: Place,
    from: Place,
}

impl BoxCopy {
    /// Bytes one after the other.
    pub fn linear(to: End, from: End, bytes: usize) -> Self {
        let place = |end: End| Place {
            memory_type: match end {
                End::Host(_) => HOST,
                End::Device(_) => DEVICE,
                End::Unified(_) => UNIFIED,
                End::Array(_) => ARRAY,
            },
            host: end.address(),
            device: end.address(),
            array: CUarray::default(),
            offset: [0; 3],
            pitch: 0,
            rows: 0,
        };
        Self {
            extent: Extent {
                width: bytes,
                height: 1,
                depth: 1,
            },
            to: place(to),
            from: place(from),
        }
    }

    /// Bytes of one row of an array, from or to memory or another array.
    fn of_row(to: RowEnd, from: RowEnd, bytes: usize) -> Self {
        let place = |end: RowEnd| match end {
            RowEnd::Memory(end) => Self::linear(end, end, bytes).to,
            RowEnd::Array(array, offset) => Place {
                memory_type: ARRAY,
                host: 0,
                device: 0,
                array,
                offset: [offset, 0, 0],
                pitch: 0,
                rows: 0,
            },
        };
        let (to, from) = (place(to), place(from));
        Self {
            to,
            from,
            ..Self::linear(End::Host(0), End::Host(0), bytes)
        }
    }

    /// What a descriptor says.
    pub fn of(copied: &CUDA_MEMCPY3D) -> Result<Self, CuError> {
        if copied.srcLOD != 0 || copied.dstLOD != 0 {
            return Err(CuError::INVALID_VALUE);
        }
        Ok(Self {
            extent: Extent {
                width: copied.WidthInBytes,
                height: copied.Height,
                depth: copied.Depth,
            },
            to: Place {
                memory_type: copied.dstMemoryType,
                host: copied.dstHost as u64,
                device: copied.dstDevice.0,
                array: copied.dstArray,
                offset: [copied.dstXInBytes, copied.dstY, copied.dstZ],
                pitch: copied.dstPitch,
                rows: copied.dstHeight,
            },
            from: Place {
                memory_type: copied.srcMemoryType,
                host: copied.srcHost as u64,
                device: copied.srcDevice.0,
                array: copied.srcArray,
                offset: [copied.srcXInBytes, copied.srcY, copied.srcZ],
                pitch: copied.srcPitch,
                rows: copied.srcHeight,
            },
        })
    }

    /// The descriptor that says the same.
    pub fn descriptor(&self) -> CUDA_MEMCPY3D {
        let of_type = |place: &Place, memory_type, address| {
            if place.memory_type == memory_type {
                address
            } else {
                0
            }
        };
        let device = |place: &Place| match place.memory_type {
            HOST | ARRAY => 0,
            _ => place.device,
        };
        let array = |place: &Place| CUarray(of_type(place, ARRAY, place.array.0));
        CUDA_MEMCPY3D {
            srcXInBytes: self.from.offset[0],
            srcY: self.from.offset[1],
            srcZ: self.from.offset[2],
            srcLOD: 0,
            srcMemoryType: self.from.memory_type,
            srcHost: of_type(&self.from, HOST, self.from.host) as usize as *const _,
            srcDevice: CUdeviceptr(device(&self.from)),
            srcArray: array(&self.from),
            reserved0: std::ptr::null_mut(),
            srcPitch: self.from.pitch,
            srcHeight: self.from.rows,
            dstXInBytes: self.to.offset[0],
            dstY: self.to.offset[1],
            dstZ: self.to.offset[2],
            dstLOD: 0,
            dstMemoryType: self.to.memory_type,
            dstHost: of_type(&self.to, HOST, self.to.host) as usize as *mut _,
            dstDevice: CUdeviceptr(device(&self.to)),
            dstArray: array(&self.to),
            reserved1: std::ptr::null_mut(),
            dstPitch: self.to.pitch,
            dstHeight: self.to.rows,
            WidthInBytes: self.extent.width,
            Height: self.extent.height,
            Depth: self.extent.depth,
        }
    }

    /// Whether there is anything to copy, and all of it may be touched.
    pub fn check(&self) -> Result<bool, CuError> {
        let (to, from) = (self.to.side(self.extent)?, self.from.side(self.extent)?);
        if self.extent.width == 0 || self.extent.height == 0 || self.extent.depth == 0 {
            return Ok(false);
        }
        to.check(self.extent)?;
        from.check(self.extent)?;
        Ok(true)
    }

    /// Whether one side lies in memory that the device cannot reach.
    fn is_pageable(&self) -> bool {
        [&self.to, &self.from].into_iter().any(|place| {
            place
                .side(self.extent)
                .is_ok_and(|side| side.begin.is_pageable())
        })
    }

    /// Copies the bytes, if [`BoxCopy::check`] found them in order.
    pub fn perform(&self) {
        let sides = (self.to.side(self.extent), self.from.side(self.extent));
        let (Ok(to), Ok(from)) = sides else { return };
        for slice in 0..self.extent.depth {
            for row in 0..self.extent.height {
                move_bytes(to.row(slice, row), from.row(slice, row), self.extent.width);
            }
        }
    }
}

fn copy(queue: (DefaultStream, CUstream), wait: Wait, copied: BoxCopy) -> Answer {
    let (context, stream) = resolve(queue.0, queue.1)?;
    if wait == Wait::Yes {
        stream.refuse_capture(&context)?;
        unsafe_call()?;
    }
    for place in [&copied.to, &copied.from] {
        place
            .side(copied.extent)?
            .begin
            .check_addressing(&context)?;
    }
    if !copied.check()? {
        return Ok(());
    }
    if stream.is_captured(&context, || Operation::Copy(copied))? {
        return Ok(());
    }
    let ticket = stream.submit(&context, move || copied.perform());
    // Memory that the device cannot reach may be gone when the call has returned.
    if wait == Wait::Yes || copied.is_pageable() {
        ticket.wait();
    }
    Ok(())
}

/// Copies bytes of one row from or to an array.
pub fn copy_row(
    queue: (DefaultStream, CUstream),
    wait: Wait,
    (to, from): (RowEnd, RowEnd),
    bytes: usize,
) -> Answer {
    driver::started()?;
    copy(queue, wait, BoxCopy::of_row(to, from, bytes))
}

fn copy_2d(queue: (DefaultStream, CUstream), wait: Wait, descriptor: In<CUDA_MEMCPY2D>) -> Answer {
    driver::started()?;
    let copied = descriptor.required()?;
    let to = Place {
        memory_type: copied.dstMemoryType,
        host: copied.dstHost as u64,
        device: copied.dstDevice.0,
        array: copied.dstArray,
        offset: [copied.dstXInBytes, copied.dstY, 0],
        pitch: copied.dstPitch,
        rows: 0,
    };
    let from = Place {
        memory_type: copied.srcMemoryType,
        host: copied.srcHost as u64,
        device: copied.srcDevice.0,
        array: copied.srcArray,
        offset: [copied.srcXInBytes, copied.srcY, 0],
        pitch: copied.srcPitch,
        rows: 0,
    };
    let extent = Extent {
        width: copied.WidthInBytes,
        height: copied.Height,
        depth: 1,
    };
    copy(queue, wait, BoxCopy { extent, to, from })
}

fn copy_3d(queue: (DefaultStream, CUstream), wait: Wait, copied: &CUDA_MEMCPY3D) -> Answer {
    copy(queue, wait, BoxCopy::of(copied)?)
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
