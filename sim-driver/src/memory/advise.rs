//! The calls that give advice about managed memory, and those that ask for it.

use std::ffi::c_void;
use std::ops::Range;

use crate::abi::{CUdevice, CUdeviceptr, CUmemLocation, CUstream};
use crate::boundary::Out;
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};
use crate::stream::resolve;
use crate::surface::DefaultStream;

use super::Origin;
use super::advice::Advice;

/// `CU_DEVICE_CPU`: the host, where a device is asked for.
const HOST: CUdevice = -1;
/// `CU_DEVICE_INVALID`: no device, or several.
const NONE: CUdevice = -2;
/// The numbers of `CUmem_advise`.
const ADVICE: std::ops::RangeInclusive<u32> = 1..=6;
mod advice {
    pub const SET_READ_MOSTLY: u32 = 1;
    pub const UNSET_READ_MOSTLY: u32 = 2;
    pub const SET_PREFERRED_LOCATION: u32 = 3;
    pub const UNSET_PREFERRED_LOCATION: u32 = 4;
    pub const SET_ACCESSED_BY: u32 = 5;
}
/// `CUmem_range_attribute`.
mod attribute {
    pub const READ_MOSTLY: u32 = 1;
    pub const PREFERRED_LOCATION: u32 = 2;
    pub const ACCESSED_BY: u32 = 3;
    pub const LAST_PREFETCH_LOCATION: u32 = 4;
    pub const PREFERRED_LOCATION_TYPE: u32 = 5;
    pub const PREFERRED_LOCATION_ID: u32 = 6;
    pub const LAST_PREFETCH_LOCATION_TYPE: u32 = 7;
    pub const LAST_PREFETCH_LOCATION_ID: u32 = 8;
}
/// More attributes than this are no list but a slip.
const MOST_ATTRIBUTES: usize = 1024;
/// `CUmemLocationType`: device, host, a NUMA node, the thread's NUMA node.
const LOCATION_DEVICE: u32 = 1;
const LOCATION_HOST: u32 = 2;
const LOCATIONS: std::ops::RangeInclusive<u32> = 1..=4;

/// Whether all these bytes are managed memory.
fn check_managed(
    driver: &Driver,
    address: CUdeviceptr,
    bytes: usize,
) -> Result<Range<u64>, CuError> {
    let found = driver.memory.map.find(address.0);
    let fits = found.is_some_and(|found| {
        found.origin == Origin::Managed && found.holds(address.0, bytes as u64)
    });
    if fits && bytes > 0 {
        Ok(address.0..address.0 + bytes as u64)
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

/// The location that the forms with a device mean.
fn location_of(device: CUdevice) -> CUmemLocation {
    if device == HOST {
        CUmemLocation {
            r#type: LOCATION_HOST,
            id: 0,
        }
    } else {
        CUmemLocation {
            r#type: LOCATION_DEVICE,
            id: device,
        }
    }
}

/// The device that stands for a location where only devices can be told.
fn device_of(location: Option<CUmemLocation>) -> CUdevice {
    match location {
        Some(location) if location.r#type == LOCATION_DEVICE => location.id,
        Some(location) if location.r#type == LOCATION_HOST => HOST,
        _ => NONE,
    }
}

/// Does to a page's advice what a call says.
fn apply(page: &mut Advice, said: u32, location: CUmemLocation) {
    let device = device_of(Some(location));
    match said {
        advice::SET_READ_MOSTLY => page.is_read_mostly = true,
        advice::UNSET_READ_MOSTLY => page.is_read_mostly = false,
        advice::SET_PREFERRED_LOCATION => page.preferred = Some(location),
        advice::UNSET_PREFERRED_LOCATION => page.preferred = None,
        _ => {
            page.accessed_by.retain(|known| *known != device);
            if said == advice::SET_ACCESSED_BY {
                page.accessed_by.push(device);
            }
        }
    }
}

fn advise(
    driver: &Driver,
    (address, bytes): (CUdeviceptr, usize),
    said: u32,
    location: CUmemLocation,
) -> Answer {
    let range = check_managed(driver, address, bytes)?;
    let map = &driver.memory.advice;
    map.change(range, |page| apply(page, said, location));
    Ok(())
}

fn prefetch(
    driver: &Driver,
    (address, bytes): (CUdeviceptr, usize),
    location: CUmemLocation,
) -> Answer {
    let range = check_managed(driver, address, bytes)?;
    let map = &driver.memory.advice;
    map.change(range, |page| page.prefetched = Some(location));
    Ok(())
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
    advise(driver, (devPtr, count), advice, location_of(device))
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
    advise(driver, (devPtr, count), advice, location)
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
    prefetch(driver, (devPtr, count), location_of(dstDevice))?;
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
    prefetch(driver, (devPtr, count), location)?;
    stream.submit(&context, || ());
    Ok(())
}

/// What a range has of an attribute, as numbers of four bytes.
fn attribute_of(driver: &Driver, attribute: u32, range: Range<u64>) -> Result<Vec<i32>, CuError> {
    let map = &driver.memory.advice;
    let preferred = || map.common(range.clone(), |page| page.preferred).flatten();
    let prefetched = || map.common(range.clone(), |page| page.prefetched).flatten();
    let kind =
        |location: Option<CUmemLocation>| location.map_or(0, |location| location.r#type as i32);
    let id = |location: Option<CUmemLocation>| match location {
        Some(location) if location.r#type != LOCATION_HOST => location.id,
        _ => NONE,
    };
    Ok(match attribute {
        attribute::READ_MOSTLY => {
            vec![i32::from(
                map.common(range, |page| page.is_read_mostly) == Some(true),
            )]
        }
        attribute::PREFERRED_LOCATION => vec![device_of(preferred())],
        attribute::ACCESSED_BY => map
            .common(range, |page| page.accessed_by.clone())
            .unwrap_or_default(),
        attribute::LAST_PREFETCH_LOCATION => vec![device_of(prefetched())],
        attribute::PREFERRED_LOCATION_TYPE => vec![kind(preferred())],
        attribute::PREFERRED_LOCATION_ID => vec![id(preferred())],
        attribute::LAST_PREFETCH_LOCATION_TYPE => vec![kind(prefetched())],
        attribute::LAST_PREFETCH_LOCATION_ID => vec![id(prefetched())],
        _ => return Err(CuError::INVALID_VALUE),
    })
}

/// Writes an attribute into room for that many bytes; a list is filled up with [`NONE`].
fn write_attribute(
    driver: &Driver,
    attribute: u32,
    range: Range<u64>,
    (place, bytes): (*mut c_void, usize),
) -> Answer {
    const NUMBER_BYTES: usize = size_of::<i32>();
    let is_list = attribute == attribute::ACCESSED_BY;
    let fits = bytes == NUMBER_BYTES || is_list && bytes > 0 && bytes.is_multiple_of(NUMBER_BYTES);
    if place.is_null() || !fits {
        return Err(CuError::INVALID_VALUE);
    }
    let mut numbers = attribute_of(driver, attribute, range)?.into_iter();
    let place = place as u64;
    for offset in (0..bytes as u64).step_by(NUMBER_BYTES) {
        Out::at((place + offset) as usize as *mut c_void).set(numbers.next().unwrap_or(NONE));
    }
    Ok(())
}

pub fn cuMemRangeGetAttribute(
    data: *mut c_void,
    dataSize: usize,
    attribute: u32,
    devPtr: CUdeviceptr,
    count: usize,
) -> Answer {
    let driver = driver::started()?;
    let range = check_managed(driver, devPtr, count)?;
    write_attribute(driver, attribute, range, (data, dataSize))
}

pub fn cuMemRangeGetAttributes(
    data: Out<*mut c_void>,
    dataSizes: Out<usize>,
    attributes: Out<u32>,
    numAttributes: usize,
    devPtr: CUdeviceptr,
    count: usize,
) -> Answer {
    let driver = driver::started()?;
    let is_there = !data.is_null() && !dataSizes.is_null() && !attributes.is_null();
    if !is_there || !(1..=MOST_ATTRIBUTES).contains(&numAttributes) {
        return Err(CuError::INVALID_VALUE);
    }
    let range = check_managed(driver, devPtr, count)?;
    let places = data
        .all(numAttributes)
        .into_iter()
        .zip(dataSizes.all(numAttributes));
    for (attribute, place) in attributes.all(numAttributes).into_iter().zip(places) {
        write_attribute(driver, attribute, range.clone(), place)?;
    }
    Ok(())
}
