//! `cuMemAlloc*`, `cuMemFree*`, `cuMemGetInfo`, `cuMemGetAddressRange`.

use super::{Origin, Request};
use crate::abi::CUdeviceptr;
use crate::boundary::Out;
use crate::context::{current, with_current};
use crate::driver;
use crate::status::{Answer, CuError};
use crate::stream::unsafe_call;

/// Rows of pitched memory begin at multiples of this.
const PITCH_BYTES: usize = 512;

fn allocate(dptr: Out<CUdeviceptr>, bytesize: usize, origin: Origin) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let dptr = dptr.required()?;
    if bytesize == 0 {
        return Err(CuError::INVALID_VALUE);
    }
    unsafe_call()?;
    let base = driver.memory.allocate(
        &context,
        Request {
            bytes: bytesize as u64,
            origin,
            pool: 0,
        },
    )?;
    dptr.set(CUdeviceptr(base));
    Ok(())
}

pub fn cuMemAlloc_v2(dptr: Out<CUdeviceptr>, bytesize: usize) -> Answer {
    // Measured on 535, here and below: the result is zeroed before anything is checked.
    dptr.set(CUdeviceptr(0));
    allocate(dptr, bytesize, Origin::Device)
}

pub fn cuMemAllocPitch_v2(
    dptr: Out<CUdeviceptr>,
    pPitch: Out<usize>,
    WidthInBytes: usize,
    Height: usize,
    ElementSizeBytes: u32,
) -> Answer {
    dptr.set(CUdeviceptr(0));
    pPitch.set(0);
    current()?;
    let pitch_place = pPitch.required()?;
    if !matches!(ElementSizeBytes, 4 | 8 | 16) {
        return Err(CuError::INVALID_VALUE);
    }
    let pitch = WidthInBytes
        .checked_next_multiple_of(PITCH_BYTES)
        .ok_or(CuError::OUT_OF_MEMORY)?;
    allocate(
        dptr,
        pitch.checked_mul(Height).ok_or(CuError::OUT_OF_MEMORY)?,
        Origin::Device,
    )?;
    pitch_place.set(pitch);
    Ok(())
}

pub fn cuMemAllocManaged(dptr: Out<CUdeviceptr>, bytesize: usize, flags: u32) -> Answer {
    const GLOBAL: u32 = 1;
    const HOST: u32 = 2;
    dptr.set(CUdeviceptr(0));
    if dptr.is_null() || !matches!(flags, GLOBAL | HOST) {
        return Err(CuError::INVALID_VALUE);
    }
    allocate(dptr, bytesize, Origin::Managed)
}

pub fn cuMemFree_v2(dptr: CUdeviceptr) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    if dptr.is_null() {
        return Ok(());
    }
    unsafe_call()?;
    // Like the real one, freeing waits for work that may still use the memory.
    context.group.wait();
    driver
        .memory
        .free(driver, dptr.0, |allocation| !allocation.is_host())
}

pub fn cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) -> Answer {
    free.set(0);
    total.set(0);
    with_current(|context| {
        free.required()?.set(context.device.free_bytes() as usize);
        total
            .required()?
            .set(context.device.gpu.total_bytes as usize);
        Ok(())
    })?
}

/// The form of CUDA 2, whose numbers have 32 bits: more than fits is shown as the most that fits.
pub fn cuMemGetInfo(free: Out<u32>, total: Out<u32>) -> Answer {
    let fit = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    free.set(0);
    total.set(0);
    with_current(|context| {
        free.required()?.set(fit(context.device.free_bytes()));
        total.required()?.set(fit(context.device.gpu.total_bytes));
        Ok(())
    })?
}

pub fn cuMemGetAddressRange_v2(
    pbase: Out<CUdeviceptr>,
    psize: Out<usize>,
    dptr: CUdeviceptr,
) -> Answer {
    // Measured on 535: asking for nothing succeeds, even before cuInit.
    if pbase.is_null() && psize.is_null() {
        return Ok(());
    }
    pbase.set(CUdeviceptr(0));
    psize.set(0);
    let driver = driver::started()?;
    current()?;
    let (base, bytes) = driver
        .memory
        .range_around(dptr.0)
        .ok_or(CuError::NOT_FOUND)?;
    pbase.set(CUdeviceptr(base));
    psize.set(bytes as usize);
    Ok(())
}
