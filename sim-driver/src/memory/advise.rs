//! Advice about managed memory: checked, and without effect, because there is one memory only.

use crate::abi::{CUdevice, CUdeviceptr, CUmemLocation, CUstream};
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};
use crate::stream::resolve;
use crate::surface::DefaultStream;

use super::Origin;

/// `CU_DEVICE_CPU`: the host, where a device is asked for.
const HOST: CUdevice = -1;
/// The numbers of `CUmem_advise`.
const ADVICE: std::ops::RangeInclusive<u32> = 1..=6;
/// `CUmemLocationType`: device, host, a NUMA node, the thread's NUMA node.
const LOCATION_DEVICE: u32 = 1;
const LOCATIONS: std::ops::RangeInclusive<u32> = 1..=4;

/// Whether all these bytes are managed memory.
fn check_managed(driver: &Driver, address: CUdeviceptr, bytes: usize) -> Answer {
    let found = driver.memory.map.find(address.0);
    let fits = found.is_some_and(|found| {
        found.origin == Origin::Managed && found.holds(address.0, bytes as u64)
    });
    if fits && bytes > 0 {
        Ok(())
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

fn check_device(driver: &Driver, device: CUdevice) -> Answer {
    if device == HOST {
        Ok(())
    } else {
        driver.device(device).map(|_| ())
    }
}

fn check_location(driver: &Driver, location: CUmemLocation) -> Answer {
    match location.r#type {
        LOCATION_DEVICE => driver.device(location.id).map(|_| ()),
        kind if LOCATIONS.contains(&kind) => Ok(()),
        _ => Err(CuError::INVALID_VALUE),
    }
}

pub fn cuMemAdvise(devPtr: CUdeviceptr, count: usize, advice: u32, device: CUdevice) -> Answer {
    let driver = driver::started()?;
    if !ADVICE.contains(&advice) {
        return Err(CuError::INVALID_VALUE);
    }
    check_device(driver, device)?;
    check_managed(driver, devPtr, count)
}

pub fn cuMemAdvise_v2(
    devPtr: CUdeviceptr,
    count: usize,
    advice: u32,
    location: CUmemLocation,
) -> Answer {
    // Measured on 535: a location that is none is told before "not initialized".
    if !ADVICE.contains(&advice) || !LOCATIONS.contains(&location.r#type) {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    check_location(driver, location)?;
    check_managed(driver, devPtr, count)
}

pub fn cuMemPrefetchAsync(
    default_stream: DefaultStream,
    devPtr: CUdeviceptr,
    count: usize,
    dstDevice: CUdevice,
    hStream: CUstream,
) -> Answer {
    let driver = driver::started()?;
    let (context, stream) = resolve(default_stream, hStream)?;
    check_device(driver, dstDevice)?;
    check_managed(driver, devPtr, count)?;
    stream.submit(&context, || ());
    Ok(())
}

pub fn cuMemPrefetchAsync_v2(
    default_stream: DefaultStream,
    devPtr: CUdeviceptr,
    count: usize,
    location: CUmemLocation,
    flags: u32,
    hStream: CUstream,
) -> Answer {
    if !LOCATIONS.contains(&location.r#type) || flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    let (context, stream) = resolve(default_stream, hStream)?;
    check_location(driver, location)?;
    check_managed(driver, devPtr, count)?;
    stream.submit(&context, || ());
    Ok(())
}
