//! `cuMemset*`: values of 1, 2 and 4 bytes, in runs and in rectangles.

use super::copy::End;
use crate::abi::{CUdeviceptr, CUstream};
use crate::driver;
use crate::graph::Operation;
use crate::status::{Answer, CuError};
use crate::stream::{resolve, unsafe_call};
use crate::surface::DefaultStream;

/// What is set to what: values in a row, rows, bytes from row to row.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    pub to: CUdeviceptr,
    pub value: u32,
    /// Bytes of a value: 1, 2 or 4.
    pub element_bytes: u32,
    pub width: usize,
    pub height: usize,
    pub pitch: usize,
}

impl Fill {
    /// `width` values of one or more bytes, one after the other.
    fn run_of<T: Into<u32>>(to: CUdeviceptr, value: T, width: usize) -> Self {
        Self {
            to,
            value: value.into(),
            element_bytes: size_of::<T>() as u32,
            width,
            height: 1,
            pitch: 0,
        }
    }

    fn rows(self, pitch: usize, height: usize) -> Self {
        Self {
            height,
            pitch,
            ..self
        }
    }

    /// Whether there is anything to set, and all of it may be set.
    pub fn check(&self) -> Result<bool, CuError> {
        let element = self.element_bytes as usize;
        if !matches!(element, 1 | 2 | 4) {
            return Err(CuError::INVALID_VALUE);
        }
        let row_bytes = self
            .width
            .checked_mul(element)
            .ok_or(CuError::INVALID_VALUE)?;
        if row_bytes == 0 || self.height == 0 {
            return Ok(false);
        }
        let is_aligned =
            self.to.0.is_multiple_of(element as u64) && self.pitch.is_multiple_of(element);
        let rows_are_apart = self.height == 1 || self.pitch >= row_bytes;
        let whole = self
            .pitch
            .checked_mul(self.height - 1)
            .and_then(|rows| rows.checked_add(row_bytes))
            .filter(|_| is_aligned && rows_are_apart)
            .ok_or(CuError::INVALID_VALUE)?;
        End::Device(self.to.0).check(whole as u64)?;
        Ok(true)
    }

    /// Sets the values.
    pub fn perform(&self) {
        for row in 0..self.height {
            let to = self.to.0 + (row * self.pitch) as u64;
            match self.element_bytes {
                1 => set(to, self.value as u8, self.width),
                2 => set(to, self.value as u16, self.width),
                _ => set(to, self.value, self.width),
            }
        }
    }
}

/// Sets values; the caller waits unless it named a stream.
fn fill(queue: (DefaultStream, Option<CUstream>), fill: Fill) -> Answer {
    driver::started()?;
    let (context, stream) = resolve(queue.0, queue.1.unwrap_or_default())?;
    if queue.1.is_none() {
        stream.refuse_capture(&context)?;
        unsafe_call()?;
    }
    if !fill.check()? {
        return Ok(());
    }
    if stream.is_captured(&context, || Operation::Fill(fill))? {
        return Ok(());
    }
    let ticket = stream.submit(&context, move || fill.perform());
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
    fill((default_stream, None), Fill::run_of(dstDevice, uc, N))
}

pub fn cuMemsetD8Async(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    uc: u8,
    N: usize,
    hStream: CUstream,
) -> Answer {
    fill(
        (default_stream, Some(hStream)),
        Fill::run_of(dstDevice, uc, N),
    )
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
        Fill::run_of(dstDevice, uc, Width).rows(dstPitch, Height),
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
        Fill::run_of(dstDevice, uc, Width).rows(dstPitch, Height),
    )
}

pub fn cuMemsetD16_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    us: u16,
    N: usize,
) -> Answer {
    fill((default_stream, None), Fill::run_of(dstDevice, us, N))
}

pub fn cuMemsetD16Async(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    us: u16,
    N: usize,
    hStream: CUstream,
) -> Answer {
    fill(
        (default_stream, Some(hStream)),
        Fill::run_of(dstDevice, us, N),
    )
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
        Fill::run_of(dstDevice, us, Width).rows(dstPitch, Height),
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
        Fill::run_of(dstDevice, us, Width).rows(dstPitch, Height),
    )
}

pub fn cuMemsetD32_v2(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    ui: u32,
    N: usize,
) -> Answer {
    fill((default_stream, None), Fill::run_of(dstDevice, ui, N))
}

pub fn cuMemsetD32Async(
    default_stream: DefaultStream,
    dstDevice: CUdeviceptr,
    ui: u32,
    N: usize,
    hStream: CUstream,
) -> Answer {
    fill(
        (default_stream, Some(hStream)),
        Fill::run_of(dstDevice, ui, N),
    )
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
        Fill::run_of(dstDevice, ui, Width).rows(dstPitch, Height),
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
        Fill::run_of(dstDevice, ui, Width).rows(dstPitch, Height),
    )
}
