//! Host memory that the device may reach: `cuMemHostAlloc`, `cuMemHostRegister` and their like.

use std::ffi::c_void;

use super::{Allocation, Origin, pages};
use crate::abi::CUdeviceptr;
use crate::boundary::Out;
use crate::context::current;
use crate::driver;
use crate::status::{Answer, CuError};
use crate::stream::unsafe_call;

/// `CU_MEMHOSTALLOC_*`: portable 1, device map 2, write combined 4.
const ALLOCATE_FLAGS: u32 = 7;
const DEVICE_MAP: u32 = 2;
/// `CU_MEMHOSTREGISTER_*`: portable 1, device map 2, I/O memory 4, read only 8.
const REGISTER_FLAGS: u32 = 15;

fn allocate(pp: Out<*mut c_void>, bytesize: usize, flags: u32) -> Answer {
    pp.set(std::ptr::null_mut());
    let driver = driver::started()?;
    let context = current()?;
    let place = pp.required()?;
    if bytesize == 0 || flags & !ALLOCATE_FLAGS != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    unsafe_call()?;
    let base = pages::map(bytesize as u64, pages::PAGE_BYTES).ok_or(CuError::OUT_OF_MEMORY)?;
    driver.memory.map.insert(Allocation {
        base,
        bytes: bytesize as u64,
        taken_bytes: 0,
        origin: Origin::Host,
        context_id: context.id,
        context: context.handle,
        device: context.device.index,
        buffer_id: driver.memory.new_buffer_id(),
        // With unified addressing all host memory is mapped.
        flags: flags | DEVICE_MAP,
        pool: 0,
    });
    place.set(base as usize as *mut c_void);
    Ok(())
}

pub fn cuMemAllocHost_v2(pp: Out<*mut c_void>, bytesize: usize) -> Answer {
    allocate(pp, bytesize, 0)
}

pub fn cuMemAllocHost(pp: Out<*mut c_void>, bytesize: u32) -> Answer {
    allocate(pp, bytesize as usize, 0)
}

pub fn cuMemHostAlloc(pp: Out<*mut c_void>, bytesize: usize, Flags: u32) -> Answer {
    allocate(pp, bytesize, Flags)
}

pub fn cuMemFreeHost(p: *mut c_void) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    unsafe_call()?;
    context.group.wait();
    driver.memory.free(driver, p as u64, |allocation| {
        allocation.origin == Origin::Host
    })
}

pub fn cuMemHostGetDevicePointer_v2(pdptr: Out<CUdeviceptr>, p: *mut c_void, Flags: u32) -> Answer {
    pdptr.set(CUdeviceptr(0));
    let driver = driver::started()?;
    current()?;
    let place = pdptr.required()?;
    let found = driver.memory.map.find(p as u64).filter(Allocation::is_host);
    if Flags != 0 || found.is_none() {
        return Err(CuError::INVALID_VALUE);
    }
    place.set(CUdeviceptr(p as u64));
    Ok(())
}

pub fn cuMemHostGetFlags(pFlags: Out<u32>, p: *mut c_void) -> Answer {
    let place = pFlags.required()?;
    let driver = driver::started()?;
    current()?;
    let found = driver.memory.map.find(p as u64).filter(Allocation::is_host);
    place.set(found.ok_or(CuError::INVALID_VALUE)?.flags);
    Ok(())
}

pub fn cuMemHostRegister(p: *mut c_void, bytesize: u64, Flags: u32) -> Answer {
    cuMemHostRegister_v2(p, bytesize as usize, Flags)
}

pub fn cuMemHostRegister_v2(p: *mut c_void, bytesize: usize, Flags: u32) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let ends = (p as u64).checked_add(bytesize as u64).is_some();
    if p.is_null() || bytesize == 0 || !ends || Flags & !REGISTER_FLAGS != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    let registered = driver.memory.map.insert_if_free(Allocation {
        base: p as u64,
        bytes: bytesize as u64,
        taken_bytes: 0,
        origin: Origin::Registered,
        context_id: context.id,
        context: context.handle,
        device: context.device.index,
        buffer_id: driver.memory.new_buffer_id(),
        flags: Flags | DEVICE_MAP,
        pool: 0,
    });
    if registered {
        Ok(())
    } else {
        Err(CuError::HOST_MEMORY_ALREADY_REGISTERED)
    }
}

pub fn cuMemHostUnregister(p: *mut c_void) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    if p.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    context.group.wait();
    let taken = driver.memory.map.remove_if(p as u64, |allocation| {
        allocation.origin == Origin::Registered
    });
    taken.map(|_| ()).ok_or(CuError::HOST_MEMORY_NOT_REGISTERED)
}
