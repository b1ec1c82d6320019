//! `cuPointerGetAttribute(s)`: what the driver knows of an address.

use std::ffi::c_void;

use super::{Allocation, Origin};
use crate::abi::{CUcontext, CUdeviceptr, CUmemoryPool};
use crate::boundary::{In, Out};
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};

/// `CUpointer_attribute`.
mod number {
    pub const CONTEXT: u32 = 1;
    pub const MEMORY_TYPE: u32 = 2;
    pub const DEVICE_POINTER: u32 = 3;
    pub const HOST_POINTER: u32 = 4;
    pub const SYNC_MEMOPS: u32 = 6;
    pub const BUFFER_ID: u32 = 7;
    pub const IS_MANAGED: u32 = 8;
    pub const DEVICE_ORDINAL: u32 = 9;
    pub const IS_LEGACY_CUDA_IPC_CAPABLE: u32 = 10;
    pub const RANGE_START_ADDR: u32 = 11;
    pub const RANGE_SIZE: u32 = 12;
    pub const MAPPED: u32 = 13;
    pub const ALLOWED_HANDLE_TYPES: u32 = 14;
    pub const IS_GPU_DIRECT_RDMA_CAPABLE: u32 = 15;
    pub const ACCESS_FLAGS: u32 = 16;
    pub const MEMPOOL_HANDLE: u32 = 17;
    pub const MAPPING_SIZE: u32 = 18;
    pub const MAPPING_BASE_ADDR: u32 = 19;
    pub const MEMORY_BLOCK_ID: u32 = 20;
    pub const IS_HW_DECOMPRESS_CAPABLE: u32 = 21;
}

/// More attributes than this are no list but a slip.
const MOST_ATTRIBUTES: u32 = 1024;
const MEMORY_TYPE_HOST: u32 = 1;
const MEMORY_TYPE_DEVICE: u32 = 2;

/// What an attribute's value looks like behind the caller's pointer.
enum Value {
    /// Four bytes: libcudart and many programs read these from an `unsigned int` that they did not clear.
    Flag(bool),
    Int(u32),
    Word(u64),
}

impl Value {
    fn write(self, place: *mut c_void) {
        match self {
            Self::Flag(value) => Out::<u32>::at(place).set(u32::from(value)),
            Self::Int(value) => Out::<u32>::at(place).set(value),
            Self::Word(value) => Out::<u64>::at(place).set(value),
        }
    }
}

/// What `cuPointerGetAttributes` writes for an address that the driver does not know.
fn unknown(attribute: u32) -> Result<Value, CuError> {
    Ok(match attribute {
        number::IS_MANAGED | number::MAPPED | number::IS_LEGACY_CUDA_IPC_CAPABLE => {
            Value::Flag(false)
        }
        number::SYNC_MEMOPS
        | number::IS_GPU_DIRECT_RDMA_CAPABLE
        | number::IS_HW_DECOMPRESS_CAPABLE => Value::Flag(false),
        number::DEVICE_ORDINAL => Value::Int((-2i32) as u32),
        number::MEMORY_TYPE | number::ACCESS_FLAGS => Value::Int(0),
        number::CONTEXT..=number::MEMORY_BLOCK_ID => Value::Word(0),
        _ => return Err(CuError::INVALID_VALUE),
    })
}

/// An allocation's attribute.
fn of_allocation(
    driver: &Driver,
    found: &Allocation,
    address: u64,
    attribute: u32,
) -> Result<Value, CuError> {
    let is_device = matches!(
        found.origin,
        Origin::Device | Origin::Pool | Origin::Graph | Origin::Opened
    );
    Ok(match attribute {
        number::CONTEXT => Value::Word(
            if found.origin == Origin::Pool {
                CUcontext::default()
            } else {
                found.context
            }
            .0,
        ),
        number::MEMORY_TYPE => Value::Int(if found.is_host() {
            MEMORY_TYPE_HOST
        } else {
            MEMORY_TYPE_DEVICE
        }),
        number::DEVICE_POINTER => Value::Word(CUdeviceptr(address).0),
        number::HOST_POINTER if is_device => return Err(CuError::INVALID_VALUE),
        number::HOST_POINTER => Value::Word(address),
        number::SYNC_MEMOPS | number::IS_HW_DECOMPRESS_CAPABLE => Value::Flag(false),
        number::BUFFER_ID | number::MEMORY_BLOCK_ID => Value::Word(found.buffer_id),
        number::IS_MANAGED => Value::Flag(found.origin == Origin::Managed),
        number::DEVICE_ORDINAL => Value::Int(driver.ordinal(&driver.gpus[found.device]) as u32),
        number::IS_LEGACY_CUDA_IPC_CAPABLE => Value::Flag(found.origin == Origin::Device),
        number::RANGE_START_ADDR | number::MAPPING_BASE_ADDR => Value::Word(found.base),
        number::RANGE_SIZE | number::MAPPING_SIZE => Value::Word(found.bytes),
        number::MAPPED => Value::Flag(true),
        number::ALLOWED_HANDLE_TYPES => Value::Word(0),
        number::IS_GPU_DIRECT_RDMA_CAPABLE => Value::Flag(is_device),
        number::ACCESS_FLAGS => Value::Int(3),
        number::MEMPOOL_HANDLE => Value::Word(CUmemoryPool(found.pool).0),
        _ => return Err(CuError::INVALID_VALUE),
    })
}

/// An attribute of memory that `cuMemMap` mapped.
fn of_mapping((base, bytes): (u64, u64), address: u64, attribute: u32) -> Result<Value, CuError> {
    Ok(match attribute {
        number::MEMORY_TYPE => Value::Int(MEMORY_TYPE_DEVICE),
        number::DEVICE_POINTER => Value::Word(address),
        number::HOST_POINTER => return Err(CuError::INVALID_VALUE),
        number::DEVICE_ORDINAL => Value::Int(0),
        number::MAPPED => Value::Flag(true),
        number::RANGE_START_ADDR | number::MAPPING_BASE_ADDR => Value::Word(base),
        number::RANGE_SIZE | number::MAPPING_SIZE => Value::Word(bytes),
        number::ACCESS_FLAGS => Value::Int(3),
        other => return unknown(other),
    })
}

/// The value, or nothing if the driver does not know the address.
fn look_up(driver: &Driver, address: u64, attribute: u32) -> Result<Option<Value>, CuError> {
    if let Some(found) = driver.memory.map.find(address) {
        return of_allocation(driver, &found, address, attribute).map(Some);
    }
    match driver.memory.reservations.mapping_around(address) {
        Some(range) => of_mapping(range, address, attribute).map(Some),
        None => Ok(None),
    }
}

pub fn cuPointerGetAttribute(data: *mut c_void, attribute: u32, ptr: CUdeviceptr) -> Answer {
    let driver = driver::started()?;
    if data.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    look_up(driver, ptr.0, attribute)?
        .ok_or(CuError::INVALID_VALUE)?
        .write(data);
    Ok(())
}

pub fn cuPointerGetAttributes(
    numAttributes: u32,
    attributes: Out<u32>,
    data: Out<*mut c_void>,
    ptr: CUdeviceptr,
) -> Answer {
    let driver = driver::started()?;
    if !(1..=MOST_ATTRIBUTES).contains(&numAttributes) || attributes.is_null() || data.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    let places = data.all(numAttributes as usize);
    for (attribute, place) in attributes
        .all(numAttributes as usize)
        .into_iter()
        .zip(places)
    {
        if place.is_null() {
            return Err(CuError::INVALID_VALUE);
        }
        // Unlike the single form, an address or attribute that means nothing here gets a zero and no error.
        let value = look_up(driver, ptr.0, attribute).ok().flatten();
        value.map_or_else(|| unknown(attribute), Ok)?.write(place);
    }
    Ok(())
}

pub fn cuPointerSetAttribute(value: In<u8>, attribute: u32, ptr: CUdeviceptr) -> Answer {
    let driver = driver::started()?;
    value.required()?;
    if attribute != number::SYNC_MEMOPS || driver.memory.range_around(ptr.0).is_none() {
        return Err(CuError::INVALID_VALUE);
    }
    Ok(())
}
