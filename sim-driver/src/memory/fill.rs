//! `cuMemset*`: values of 1, 2 and 4 bytes, in runs and in rectangles.

use super::copy::End;
use crate::abi::{CUdeviceptr, CUstream};
use crate::driver;
use crate::status::{Answer, CuError};
use crate::stream::resolve;
use crate::surface::DefaultStream;

/// A rectangle of values: values in a row, rows, bytes from row to row.
#[derive(Clone, Copy)]
struct Area {
    width: usize,
    height: usize,
    pitch: usize,
}

impl Area {
    fn run(count: usize) -> Self {
        Self {
            width: count,
            height: 1,
            pitch: 0,
        }
    }
}

/// Sets values; the caller waits unless it named a stream.
fn fill<T: Copy + Send + 'static>(
    queue: (DefaultStream, Option<CUstream>),
    to: CUdeviceptr,
    value: T,
    area: Area,
) -> Answer {
    driver::started()?;
    let (context, stream) = resolve(queue.0, queue.1.unwrap_or_default())?;
    let row_bytes = area
        .width
        .checked_mul(size_of::<T>())
        .ok_or(CuError::INVALID_VALUE)?;
    if row_bytes == 0 || area.height == 0 {
        return Ok(());
    }
    let is_aligned =
        to.0.is_multiple_of(size_of::<T>() as u64) && area.pitch.is_multiple_of(size_of::<T>());
    let rows_are_apart = area.height == 1 || area.pitch >= row_bytes;
    let whole = area
        .pitch
        .checked_mul(area.height - 1)
        .and_then(|rows| rows.checked_add(row_bytes));
    let whole = whole
        .filter(|_| is_aligned && rows_are_apart)
        .ok_or(CuError::INVALID_VALUE)?;
    End::Device(to.0).check(whole as u64)?;
    let ticket = stream.submit(&context, move || {
        for row in 0..area.height {
            set(to.0 + (row * area.pitch) as u64, value, area.width);
        }
    });
    if queue.1.is_none() {
        ticket.wait();
    }
    Ok(())
}

fn set<T: Copy>(to: u64, value: T, count: usize) {
    // SAFETY: the range was checked to lie in memory that the driver mapped, and to be aligned for T.
    let values = unsafe {
        std::slice::from_raw_parts_mut(to as usize as *mut std::mem::MaybeUninit<T>, count)
    };
    values.fill(std::mem::MaybeUninit::new(value));
}

pub fn cuMemsetD8_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    uc: u8,
    N: usize,
) -> Answer {
    fill((default_stream, None), dstDevice, uc, Area::run(N))
}

pub fn cuMemsetD8Async(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    uc: u8,
    N: usize,
    hStream: CUstream,
) -> Answer {
    fill((default_stream, Some(hStream)), dstDevice, uc, Area::run(N))
}

pub fn cuMemsetD2D8_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    dstPitch: usize,
    uc: u8,
    Width: usize,
    Height: usize,
) -> Answer {
    fill(
        (default_stream, None),
        dstDevice,
        uc,
        Area {
            width: Width,
            height: Height,
            pitch: dstPitch,
        },
    )
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuMemsetD2D8Async(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    dstPitch: usize,
    uc: u8,
    Width: usize,
    Height: usize,
    hStream: CUstream,
) -> Answer {
    fill(
        (default_stream, Some(hStream)),
        dstDevice,
        uc,
        Area {
            width: Width,
            height: Height,
            pitch: dstPitch,
        },
    )
}

pub fn cuMemsetD16_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    us: u16,
    N: usize,
) -> Answer {
    fill((default_stream, None), dstDevice, us, Area::run(N))
}

pub fn cuMemsetD16Async(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    us: u16,
    N: usize,
    hStream: CUstream,
) -> Answer {
    fill((default_stream, Some(hStream)), dstDevice, us, Area::run(N))
}

pub fn cuMemsetD2D16_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    dstPitch: usize,
    us: u16,
    Width: usize,
    Height: usize,
) -> Answer {
    fill(
        (default_stream, None),
        dstDevice,
        us,
        Area {
            width: Width,
            height: Height,
            pitch: dstPitch,
        },
    )
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuMemsetD2D16Async(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    dstPitch: usize,
    us: u16,
    Width: usize,
    Height: usize,
    hStream: CUstream,
) -> Answer {
    fill(
        (default_stream, Some(hStream)),
        dstDevice,
        us,
        Area {
            width: Width,
            height: Height,
            pitch: dstPitch,
        },
    )
}

pub fn cuMemsetD32_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    ui: u32,
    N: usize,
) -> Answer {
    fill((default_stream, None), dstDevice, ui, Area::run(N))
}

pub fn cuMemsetD32Async(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    ui: u32,
    N: usize,
    hStream: CUstream,
) -> Answer {
    fill((default_stream, Some(hStream)), dstDevice, ui, Area::run(N))
}

pub fn cuMemsetD2D32_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    dstPitch: usize,
    ui: u32,
    Width: usize,
    Height: usize,
) -> Answer {
    fill(
        (default_stream, None),
        dstDevice,
        ui,
        Area {
            width: Width,
            height: Height,
            pitch: dstPitch,
        },
    )
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuMemsetD2D32Async(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    dstPitch: usize,
    ui: u32,
    Width: usize,
    Height: usize,
    hStream: CUstream,
) -> Answer {
    fill(
        (default_stream, Some(hStream)),
        dstDevice,
        ui,
        Area {
            width: Width,
            height: Height,
            pitch: dstPitch,
        },
    )
}
