//! Virtual memory management: address reservations (`cuMemAddressReserve`), physical memory (`cuMemCreate`) and what is mapped where.
//! Physical memory is shareable pages of the process, so that one piece can be mapped at several addresses, as on a GPU.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pages::{self, Access};
use super::shareable::SharedMemory;
use crate::abi::{
    CUdeviceptr, CUmemAccessDesc, CUmemAllocationProp, CUmemGenericAllocationHandle, CUmemLocation,
};
use crate::boundary::{In, Out};
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};

/// All sizes and addresses are multiples of this.
const GRANULARITY: u64 = 2 << 20;

/// `CU_MEM_ALLOCATION_TYPE_PINNED`, the only one there is.
const PINNED: u32 = 1;
/// `CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR`: memory that may go to other processes by a descriptor.
pub const FILE_DESCRIPTOR: u32 = 1;
/// `CU_MEM_LOCATION_TYPE_DEVICE`.
const ON_DEVICE: u32 = 1;
/// `CU_MEM_LOCATION_TYPE_HOST`, `..._HOST_NUMA`, `..._HOST_NUMA_CURRENT`.
const ON_HOST: std::ops::RangeInclusive<u32> = 2..=4;

/// Physical memory that `cuMemCreate` made.
pub struct Physical {
    pub handle: u64,
    prop: CUmemAllocationProp,
    /// Where the driver itself sees the pages.
    base: u64,
    bytes: u64,
    /// The GPU whose memory it is, for giving back.
    device: Option<usize>,
    /// The file that holds it, if it may go to other processes or came from one.
    pub shared: Option<SharedMemory>,
}

// SAFETY: the one pointer in it (`win32HandleMetaData`) means nothing on Linux and is never followed.
unsafe impl Send for Physical {}
// SAFETY: as above; nothing in it changes after creation.
unsafe impl Sync for Physical {}

impl Physical {
    /// Pages of the process that count for no GPU yet.
    pub fn new(
        prop: CUmemAllocationProp,
        (base, bytes): (u64, u64),
        shared: Option<SharedMemory>,
    ) -> Self {
        Self {
            handle: 0,
            prop,
            base,
            bytes,
            device: None,
            shared,
        }
    }

    /// Gives it a handle.
    pub fn register(mut self, driver: &Driver) -> Result<CUmemGenericAllocationHandle, CuError> {
        let make = |handle| {
            self.handle = handle;
            self
        };
        let made = driver.physical.insert(make).ok_or(CuError::OUT_OF_MEMORY)?;
        Ok(CUmemGenericAllocationHandle(made.handle))
    }
}

impl Drop for Physical {
    /// The memory lives as long as its handle or a mapping of it.
    fn drop(&mut self) {
        pages::unmap(self.base, self.bytes);
        if let (Some(device), Some(driver)) = (self.device, driver::machine()) {
            driver.gpus[device].give_back(self.bytes);
        }
    }
}

/// A run of a reservation with memory behind it.
struct Mapping {
    bytes: u64,
    /// Keeps the memory alive after its handle is released.
    _physical: Arc<Physical>,
    access: Access,
}

/// Reserved addresses and what is mapped there.
#[derive(Default)]
pub struct Reservations(Mutex<State>);

#[derive(Default)]
struct State {
    /// Begin and bytes.
    reserved: BTreeMap<u64, u64>,
    mapped: BTreeMap<u64, Mapping>,
}

impl Reservations {
    /// The mapping that an address lies in: its begin and bytes.
    pub fn mapping_around(&self, address: u64) -> Option<(u64, u64)> {
        let state = self.state();
        let (base, mapping) = state.mapped.range(..=address).next_back()?;
        (address - base < mapping.bytes).then_some((*base, mapping.bytes))
    }

    /// Whether all these bytes are mapped and may be used; neighbouring mappings count as one.
    pub fn is_accessible(&self, address: u64, bytes: u64) -> bool {
        let state = self.state();
        let Some(end) = address.checked_add(bytes) else {
            return false;
        };
        let mut at = address;
        while at < end {
            let Some((base, mapping)) = state.mapped.range(..=at).next_back() else {
                return false;
            };
            if at - base >= mapping.bytes || mapping.access == Access::None {
                return false;
            }
            at = base + mapping.bytes;
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The reservation that holds all these bytes.
    fn holds(&self, address: u64, bytes: u64) -> bool {
        let before = self.reserved.range(..=address).next_back();
        before.is_some_and(|(base, reserved)| {
            address
                .checked_add(bytes)
                .is_some_and(|end| end <= base + reserved)
        })
    }

    /// Begins of the mappings that make up exactly this range; `None` if the range cuts one or has a gap.
    fn exact(&self, address: u64, bytes: u64) -> Option<Vec<u64>> {
        let end = address.checked_add(bytes)?;
        let mut at = address;
        let mut begins = Vec::new();
        while at < end {
            at += self.mapped.get(&at)?.bytes;
            begins.push(*self.mapped.range(..at).next_back()?.0);
        }
        (at == end && !begins.is_empty()).then_some(begins)
    }

    fn has_any(&self, address: u64, bytes: u64) -> bool {
        let before = self.mapped.range(..address + bytes).next_back();
        before.is_some_and(|(base, mapping)| base + mapping.bytes > address)
    }
}

fn is_granular(number: u64) -> bool {
    number.is_multiple_of(GRANULARITY)
}

/// Checks what is asked for, and says on which GPU (`None`: on the host).
fn check_prop(driver: &Driver, prop: &CUmemAllocationProp) -> Result<Option<usize>, CuError> {
    if prop.r#type != PINNED {
        return Err(CuError::INVALID_VALUE);
    }
    match prop.location.r#type {
        ON_DEVICE => Ok(Some(driver.device(prop.location.id)?.index)),
        kind if ON_HOST.contains(&kind) => Ok(None),
        _ => Err(CuError::INVALID_VALUE),
    }
}

pub fn cuMemGetAllocationGranularity(
    granularity: Out<usize>,
    prop: In<CUmemAllocationProp>,
    option: u32,
) -> Answer {
    let driver = driver::started()?;
    let place = granularity.required()?;
    check_prop(driver, &prop.required()?)?;
    // Minimum (0) and recommended (1) are the same.
    if option > 1 {
        return Err(CuError::INVALID_VALUE);
    }
    place.set(GRANULARITY as usize);
    Ok(())
}

pub fn cuMemAddressReserve(
    ptr: Out<CUdeviceptr>,
    size: usize,
    alignment: usize,
    _addr: CUdeviceptr,
    flags: u64,
) -> Answer {
    let driver = driver::started()?;
    let place = ptr.required()?;
    let bytes = size as u64;
    if bytes == 0
        || !is_granular(bytes)
        || flags != 0
        || alignment != 0 && !alignment.is_power_of_two()
    {
        return Err(CuError::INVALID_VALUE);
    }
    // The wanted address is a hint, and the driver is free to choose another.
    let base =
        pages::reserve(bytes, GRANULARITY.max(alignment as u64)).ok_or(CuError::OUT_OF_MEMORY)?;
    driver
        .memory
        .reservations
        .state()
        .reserved
        .insert(base, bytes);
    place.set(CUdeviceptr(base));
    Ok(())
}

pub fn cuMemAddressFree(ptr: CUdeviceptr, size: usize) -> Answer {
    let driver = driver::started()?;
    let mut state = driver.memory.reservations.state();
    if state.reserved.get(&ptr.0) != Some(&(size as u64)) || state.has_any(ptr.0, size as u64) {
        return Err(CuError::INVALID_VALUE);
    }
    state.reserved.remove(&ptr.0);
    pages::unmap(ptr.0, size as u64);
    Ok(())
}

pub fn cuMemCreate(
    handle: Out<CUmemGenericAllocationHandle>,
    size: usize,
    prop: In<CUmemAllocationProp>,
    flags: u64,
) -> Answer {
    let driver = driver::started()?;
    let place = handle.required()?;
    let prop = prop.required()?;
    let device = check_prop(driver, &prop)?;
    let bytes = size as u64;
    if bytes == 0 || !is_granular(bytes) || flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    let memory = if prop.requestedHandleTypes & FILE_DESCRIPTOR == 0 {
        pages::map_shareable(bytes).map(|base| (base, None))
    } else {
        SharedMemory::make(bytes, &prop).and_then(|made| Some((made.map()?, Some(made))))
    };
    let (base, shared) = memory.ok_or(CuError::OUT_OF_MEMORY)?;
    let mut physical = Physical::new(prop, (base, bytes), shared);
    if let Some(device) = device {
        driver.gpus[device].take(bytes)?;
        physical.device = Some(device);
    }
    place.set(physical.register(driver)?);
    Ok(())
}

pub fn cuMemRelease(handle: CUmemGenericAllocationHandle) -> Answer {
    let driver = driver::started()?;
    driver
        .physical
        .remove(handle.0)
        .map(|_| ())
        .ok_or(CuError::INVALID_VALUE)
}

pub fn cuMemMap(
    ptr: CUdeviceptr,
    size: usize,
    offset: usize,
    handle: CUmemGenericAllocationHandle,
    flags: u64,
) -> Answer {
    let driver = driver::started()?;
    let bytes = size as u64;
    let physical = driver
        .physical
        .get(handle.0)
        .ok_or(CuError::INVALID_VALUE)?;
    let fits = (offset as u64)
        .checked_add(bytes)
        .is_some_and(|end| end <= physical.bytes);
    // As documented, only whole allocations are mapped: the offset has to be 0.
    if bytes == 0
        || !is_granular(bytes)
        || !is_granular(ptr.0)
        || offset != 0
        || !fits
        || flags != 0
    {
        return Err(CuError::INVALID_VALUE);
    }
    let mut state = driver.memory.reservations.state();
    if !state.holds(ptr.0, bytes) || state.has_any(ptr.0, bytes) {
        return Err(CuError::INVALID_VALUE);
    }
    if !pages::map_again(physical.base, bytes, ptr.0) {
        return Err(CuError::OUT_OF_MEMORY);
    }
    state.mapped.insert(
        ptr.0,
        Mapping {
            bytes,
            _physical: physical,
            access: Access::None,
        },
    );
    Ok(())
}

pub fn cuMemUnmap(ptr: CUdeviceptr, size: usize) -> Answer {
    let driver = driver::started()?;
    let mut state = driver.memory.reservations.state();
    let begins = state
        .exact(ptr.0, size as u64)
        .ok_or(CuError::INVALID_VALUE)?;
    if !pages::reserve_again(ptr.0, size as u64) {
        return Err(CuError::OUT_OF_MEMORY);
    }
    for begin in begins {
        state.mapped.remove(&begin);
    }
    Ok(())
}

pub fn cuMemSetAccess(
    ptr: CUdeviceptr,
    size: usize,
    desc: In<CUmemAccessDesc>,
    count: usize,
) -> Answer {
    let driver = driver::started()?;
    desc.required()?;
    if count == 0 || count > driver.devices().len() + 1 {
        return Err(CuError::INVALID_VALUE);
    }
    let mut access = Access::None;
    for wanted in desc.all(count) {
        if wanted.location.r#type == ON_DEVICE {
            driver.device(wanted.location.id)?;
        } else if !ON_HOST.contains(&wanted.location.r#type) {
            return Err(CuError::INVALID_VALUE);
        }
        access = match wanted.flags {
            0 => access,
            1 if access == Access::None => Access::Read,
            1 => access,
            3 => Access::ReadWrite,
            _ => return Err(CuError::INVALID_VALUE),
        };
    }
    let mut state = driver.memory.reservations.state();
    let begins = state
        .exact(ptr.0, size as u64)
        .ok_or(CuError::INVALID_VALUE)?;
    if !pages::protect(ptr.0, size as u64, access) {
        return Err(CuError::OUT_OF_MEMORY);
    }
    for begin in begins {
        if let Some(mapping) = state.mapped.get_mut(&begin) {
            mapping.access = access;
        }
    }
    Ok(())
}

pub fn cuMemGetAccess(flags: Out<u64>, location: In<CUmemLocation>, ptr: CUdeviceptr) -> Answer {
    let driver = driver::started()?;
    let place = flags.required()?;
    let location = location.required()?;
    if location.r#type == ON_DEVICE {
        driver.device(location.id)?;
    }
    let (base, _) = driver
        .memory
        .reservations
        .mapping_around(ptr.0)
        .ok_or(CuError::INVALID_VALUE)?;
    let access = driver
        .memory
        .reservations
        .state()
        .mapped
        .get(&base)
        .map(|mapping| mapping.access);
    place.set(match access {
        Some(Access::ReadWrite) => 3,
        Some(Access::Read) => 1,
        _ => 0,
    });
    Ok(())
}

pub fn cuMemGetAllocationPropertiesFromHandle(
    prop: Out<CUmemAllocationProp>,
    handle: CUmemGenericAllocationHandle,
) -> Answer {
    let driver = driver::started()?;
    let place = prop.required()?;
    place.set(
        driver
            .physical
            .get(handle.0)
            .ok_or(CuError::INVALID_VALUE)?
            .prop,
    );
    Ok(())
}
