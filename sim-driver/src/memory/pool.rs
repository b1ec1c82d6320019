//! Memory pools and allocation in stream order. A pool keeps nothing back: what is freed is free at once.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Origin, Request};
use crate::abi::{
    CUdevice, CUdeviceptr, CUmemAccessDesc, CUmemLocation, CUmemPoolProps, CUmemoryPool, CUstream,
};
use crate::boundary::{In, Out};
use crate::context::Context;
use crate::device::Device;
use crate::driver::{self, Driver};
use crate::graph::{GraphMemory, Operation};
use crate::status::{Answer, CuError};
use crate::stream::{Stream, resolve};
use crate::surface::DefaultStream;

/// `CU_MEM_LOCATION_TYPE_DEVICE`.
const ON_DEVICE: u32 = 1;

/// A pool.
pub struct Pool {
    pub handle: CUmemoryPool,
    /// Place of its GPU in the machine.
    device: usize,
    is_default: bool,
    max_bytes: u64,
    used_bytes: AtomicU64,
    most_used_bytes: AtomicU64,
    release_threshold: AtomicU64,
    /// The three switches about reuse, one bit each, on at first.
    reuse: [AtomicU64; 3],
}

impl Pool {
    fn new(handle: u64, device: usize, is_default: bool, max_bytes: u64) -> Self {
        Self {
            handle: CUmemoryPool(handle),
            device,
            is_default,
            max_bytes,
            used_bytes: AtomicU64::new(0),
            most_used_bytes: AtomicU64::new(0),
            release_threshold: AtomicU64::new(0),
            reuse: [const { AtomicU64::new(1) }; 3],
        }
    }

    fn take(&self, bytes: u64) -> Answer {
        let fits = |used: u64| {
            used.checked_add(bytes)
                .filter(|&used| self.max_bytes == 0 || used <= self.max_bytes)
        };
        match self
            .used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
        {
            Ok(before) => {
                self.most_used_bytes
                    .fetch_max(before + bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(_) => Err(CuError::OUT_OF_MEMORY),
        }
    }

    /// Memory of the pool was freed.
    pub fn give_back(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn allocate(&self, driver: &Driver, context: &Context, bytes: usize) -> Result<u64, CuError> {
        if bytes == 0 {
            return Err(CuError::INVALID_VALUE);
        }
        let taken = super::heap::taken_bytes(bytes as u64);
        self.take(taken)?;
        let request = Request {
            bytes: bytes as u64,
            origin: Origin::Pool,
            pool: self.handle.0,
        };
        driver
            .memory
            .allocate(context, request)
            .inspect_err(|_| self.give_back(taken))
    }
}

fn find(driver: &Driver, handle: CUmemoryPool) -> Result<Arc<Pool>, CuError> {
    driver.pools.get(handle.0).ok_or(CuError::INVALID_VALUE)
}

/// The pool that the device came with.
fn default_pool(driver: &Driver, device: &Device) -> Result<Arc<Pool>, CuError> {
    let handle = *device.default_pool.get_or_init(|| {
        let made = driver
            .pools
            .insert(|handle| Pool::new(handle, device.index, true, 0));
        made.map_or(0, |pool| pool.handle.0)
    });
    find(driver, CUmemoryPool(handle))
}

/// The pool that allocations without a pool come from now.
fn current_pool(driver: &Driver, device: &Device) -> Result<Arc<Pool>, CuError> {
    match device.chosen_pool.load(Ordering::Acquire) {
        0 => default_pool(driver, device),
        handle => driver
            .pools
            .get(handle)
            .map_or_else(|| default_pool(driver, device), Ok),
    }
}

pub fn cuDeviceGetDefaultMemPool(pool_out: Out<CUmemoryPool>, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let place = pool_out.required()?;
    place.set(default_pool(driver, driver.device(dev)?)?.handle);
    Ok(())
}

pub fn cuDeviceGetMemPool(pool: Out<CUmemoryPool>, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let place = pool.required()?;
    place.set(current_pool(driver, driver.device(dev)?)?.handle);
    Ok(())
}

pub fn cuDeviceSetMemPool(dev: CUdevice, pool: CUmemoryPool) -> Answer {
    let driver = driver::started()?;
    let device = driver.device(dev)?;
    let pool = find(driver, pool)?;
    if pool.device != device.index {
        return Err(CuError::INVALID_VALUE);
    }
    device.chosen_pool.store(pool.handle.0, Ordering::Release);
    Ok(())
}

/// The device that a location names, of which there are pools of pinned memory. There are none of managed or host memory, as the device's
/// attributes say.
fn device_at(
    driver: &'static Driver,
    location: Out<CUmemLocation>,
    r#type: u32,
) -> Result<&'static Device, CuError> {
    const PINNED: u32 = 1;
    const MANAGED: u32 = 2;
    const ON_HOST: [u32; 3] = [2, 3, 4];
    let location = location.get().ok_or(CuError::INVALID_VALUE)?;
    match (r#type, location.r#type) {
        (PINNED, ON_DEVICE) => driver.device(location.id),
        (PINNED, kind) if ON_HOST.contains(&kind) => Err(CuError::NOT_SUPPORTED),
        (MANAGED, _) => Err(CuError::NOT_SUPPORTED),
        _ => Err(CuError::INVALID_VALUE),
    }
}

pub fn cuMemGetDefaultMemPool(
    pool_out: Out<CUmemoryPool>,
    location: Out<CUmemLocation>,
    r#type: u32,
) -> Answer {
    let driver = driver::started()?;
    let place = pool_out.required()?;
    let device = device_at(driver, location, r#type)?;
    place.set(default_pool(driver, device)?.handle);
    Ok(())
}

pub fn cuMemGetMemPool(
    pool: Out<CUmemoryPool>,
    location: Out<CUmemLocation>,
    r#type: u32,
) -> Answer {
    let driver = driver::started()?;
    let place = pool.required()?;
    let device = device_at(driver, location, r#type)?;
    place.set(current_pool(driver, device)?.handle);
    Ok(())
}

pub fn cuMemSetMemPool(location: Out<CUmemLocation>, r#type: u32, pool: CUmemoryPool) -> Answer {
    let driver = driver::started()?;
    let device = device_at(driver, location, r#type)?;
    cuDeviceSetMemPool(driver.ordinal(device), pool)
}

/// In a stream that is captured, an allocation is a node with an address of its own.
fn captured(
    driver: &Driver,
    context: &Context,
    stream: &Stream,
    bytes: usize,
) -> Result<Option<CUdeviceptr>, CuError> {
    if !stream.is_capturing() {
        stream.refuse_capture(context)?;
        return Ok(None);
    }
    let location = CUmemLocation {
        r#type: ON_DEVICE,
        id: driver.ordinal(context.device),
    };
    let memory = GraphMemory::reserve(driver, location, bytes)?;
    let address = CUdeviceptr(memory.address);
    stream.is_captured(context, || Operation::Allocate(memory))?;
    Ok(Some(address))
}

pub fn cuMemAllocAsync(
    default_stream: DefaultStream,
    dptr: Out<CUdeviceptr>,
    bytesize: usize,
    hStream: CUstream,
) -> Answer {
    dptr.set(CUdeviceptr(0));
    let driver = driver::started()?;
    let (context, stream) = resolve(default_stream, hStream)?;
    let place = dptr.required()?;
    let pool = current_pool(driver, context.device)?;
    if let Some(address) = captured(driver, &context, &stream, bytesize)? {
        place.set(address);
        return Ok(());
    }
    place.set(CUdeviceptr(pool.allocate(driver, &context, bytesize)?));
    Ok(())
}

pub fn cuMemAllocFromPoolAsync(
    default_stream: DefaultStream,
    dptr: Out<CUdeviceptr>,
    bytesize: usize,
    pool: CUmemoryPool,
    hStream: CUstream,
) -> Answer {
    dptr.set(CUdeviceptr(0));
    let driver = driver::started()?;
    let (context, stream) = resolve(default_stream, hStream)?;
    let place = dptr.required()?;
    let pool = find(driver, pool)?;
    if let Some(address) = captured(driver, &context, &stream, bytesize)? {
        place.set(address);
        return Ok(());
    }
    place.set(CUdeviceptr(pool.allocate(driver, &context, bytesize)?));
    Ok(())
}

pub fn cuMemFreeAsync(
    default_stream: DefaultStream,
    dptr: CUdeviceptr,
    hStream: CUstream,
) -> Answer {
    let driver = driver::started()?;
    let (context, stream) = resolve(default_stream, hStream)?;
    let found = driver
        .memory
        .map
        .find(dptr.0)
        .filter(|found| found.base == dptr.0 && !found.is_host())
        .ok_or(CuError::INVALID_VALUE)?;
    // A node can only free what a node allocates.
    if stream.is_capturing() && found.origin != Origin::Graph {
        return Err(CuError::INVALID_VALUE);
    }
    if stream.is_captured(&context, || Operation::Free(dptr))? {
        return Ok(());
    }
    // The memory goes when the stream gets there. If the program frees it twice, the second call's turn finds nothing.
    stream.submit(&context, move || {
        let _ = driver
            .memory
            .free(driver, dptr.0, |allocation| !allocation.is_host());
    });
    Ok(())
}

pub fn cuMemPoolCreate(pool: Out<CUmemoryPool>, poolProps: In<CUmemPoolProps>) -> Answer {
    const PINNED: u32 = 1;
    let driver = driver::started()?;
    let place = pool.required()?;
    let props = poolProps.required()?;
    if props.allocType != PINNED || props.location.r#type != ON_DEVICE {
        return Err(CuError::INVALID_VALUE);
    }
    // Pools do not go to other processes, and the attribute for it says so.
    if props.handleTypes != 0 {
        return Err(CuError::NOT_SUPPORTED);
    }
    let device = driver.device(props.location.id)?.index;
    let made = driver
        .pools
        .insert(|handle| Pool::new(handle, device, false, props.maxSize as u64));
    place.set(made.ok_or(CuError::OUT_OF_MEMORY)?.handle);
    Ok(())
}

pub fn cuMemPoolDestroy(pool: CUmemoryPool) -> Answer {
    let driver = driver::started()?;
    if find(driver, pool)?.is_default {
        return Err(CuError::NOT_PERMITTED);
    }
    driver.pools.remove(pool.0);
    Ok(())
}

pub fn cuMemPoolTrimTo(pool: CUmemoryPool, _minBytesToKeep: usize) -> Answer {
    find(driver::started()?, pool).map(|_| ())
}

/// `CUmemPool_attribute`: 1 to 3 are switches of 32 bits, the rest are numbers of 64 bits.
fn attribute(pool: &Pool, number: u32) -> Result<&AtomicU64, CuError> {
    match number {
        1..=3 => Ok(&pool.reuse[number as usize - 1]),
        4 => Ok(&pool.release_threshold),
        // Reserved now and at most is what is used now and at most, because nothing is kept back.
        5 | 7 => Ok(&pool.used_bytes),
        6 | 8 => Ok(&pool.most_used_bytes),
        _ => Err(CuError::INVALID_VALUE),
    }
}

pub fn cuMemPoolGetAttribute(pool: CUmemoryPool, attr: u32, value: *mut c_void) -> Answer {
    let pool = find(driver::started()?, pool)?;
    let number = attribute(&pool, attr)?.load(Ordering::Relaxed);
    match attr {
        1..=3 => Out::<i32>::at(value).required()?.set(number as i32),
        _ => Out::<u64>::at(value).required()?.set(number),
    }
    Ok(())
}

pub fn cuMemPoolSetAttribute(pool: CUmemoryPool, attr: u32, value: *mut c_void) -> Answer {
    let pool = find(driver::started()?, pool)?;
    let place = attribute(&pool, attr)?;
    let number = match attr {
        1..=3 => In::<i32>::at(value).required()?.clamp(0, 1) as u64,
        _ => In::<u64>::at(value).required()?,
    };
    match attr {
        1..=4 => place.store(number, Ordering::Relaxed),
        // The marks of the most ever used may only be set back, to 0.
        6 | 8 if number == 0 => {
            place.store(pool.used_bytes.load(Ordering::Relaxed), Ordering::Relaxed)
        }
        _ => return Err(CuError::INVALID_VALUE),
    }
    Ok(())
}

pub fn cuMemPoolSetAccess(pool: CUmemoryPool, map: In<CUmemAccessDesc>, count: usize) -> Answer {
    let driver = driver::started()?;
    let pool = find(driver, pool)?;
    map.required()?;
    if count == 0 || count > driver.devices().len() {
        return Err(CuError::INVALID_VALUE);
    }
    for wanted in map.all(count) {
        let device = driver.device(wanted.location.id)?;
        // A device cannot be kept from its own memory.
        if device.index == pool.device && wanted.flags != 3 || !matches!(wanted.flags, 0 | 1 | 3) {
            return Err(CuError::INVALID_VALUE);
        }
    }
    Ok(())
}

pub fn cuMemPoolGetAccess(
    flags: Out<u32>,
    memPool: CUmemoryPool,
    location: Out<CUmemLocation>,
) -> Answer {
    let driver = driver::started()?;
    let place = flags.required()?;
    let pool = find(driver, memPool)?;
    let location = location.get().ok_or(CuError::INVALID_VALUE)?;
    place.set(if driver.device(location.id)?.index == pool.device {
        3
    } else {
        0
    });
    Ok(())
}
