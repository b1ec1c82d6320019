//! `cuFunc*`: what a function was compiled with, and what may be changed about it.

use std::ffi::c_char;
use std::sync::atomic::Ordering;

use super::library_calls::lasting;
use super::{Launchable, Settings};
use crate::abi::{CUfunction, CUmodule};
use crate::attribute::number as device_attribute;
use crate::boundary::Out;
use crate::context::current;
use crate::device::Device;
use crate::driver;
use crate::status::{Answer, CuError};

/// `CUfunction_attribute`.
mod number {
    pub const MAX_THREADS_PER_BLOCK: u32 = 0;
    pub const SHARED_SIZE_BYTES: u32 = 1;
    pub const CONST_SIZE_BYTES: u32 = 2;
    pub const LOCAL_SIZE_BYTES: u32 = 3;
    pub const NUM_REGS: u32 = 4;
    pub const PTX_VERSION: u32 = 5;
    pub const BINARY_VERSION: u32 = 6;
    pub const CACHE_MODE_CA: u32 = 7;
    pub const MAX_DYNAMIC_SHARED_SIZE_BYTES: u32 = 8;
    pub const PREFERRED_SHARED_MEMORY_CARVEOUT: u32 = 9;
    pub const CLUSTER_SIZE_MUST_BE_SET: u32 = 10;
    pub const REQUIRED_CLUSTER_WIDTH: u32 = 11;
    pub const REQUIRED_CLUSTER_DEPTH: u32 = 13;
    pub const NON_PORTABLE_CLUSTER_SIZE_ALLOWED: u32 = 14;
    pub const CLUSTER_SCHEDULING_POLICY_PREFERENCE: u32 = 15;
    pub const DEVICE_NODE_UPDATE_SUPPORTED: u32 = 16;
}

/// Most threads that a block of the kernel may have on a device: its own bound, or what its registers leave room for.
pub fn max_threads(settings: &Settings, device: &Device) -> u32 {
    let most = device.limit(device_attribute::MAX_THREADS_PER_BLOCK) as u32;
    let bound = if settings.kernel().max_threads == 0 {
        most
    } else {
        settings.kernel().max_threads
    };
    let registers = device.limit(device_attribute::MAX_REGISTERS_PER_BLOCK) as u32;
    let by_registers = registers
        .checked_div(settings.kernel().registers)
        .map_or(most, |threads| threads / 32 * 32);
    bound.min(most).min(by_registers.max(32))
}

/// The value of an attribute.
pub fn attribute(settings: &Settings, attribute: u32, device: &Device) -> Result<i32, CuError> {
    let kernel = settings.kernel();
    Ok(match attribute {
        number::MAX_THREADS_PER_BLOCK => max_threads(settings, device) as i32,
        number::SHARED_SIZE_BYTES => kernel.shared_bytes as i32,
        number::CONST_SIZE_BYTES => kernel.constant_bytes as i32,
        number::LOCAL_SIZE_BYTES => kernel.local_bytes as i32,
        number::NUM_REGS => kernel.registers as i32,
        number::PTX_VERSION => kernel.ptx_version as i32,
        number::BINARY_VERSION => kernel.binary_version as i32,
        // Nodes are not updated from the device, because nothing runs there.
        number::CACHE_MODE_CA
        | number::CLUSTER_SIZE_MUST_BE_SET
        | number::DEVICE_NODE_UPDATE_SUPPORTED => 0,
        number::MAX_DYNAMIC_SHARED_SIZE_BYTES => settings.max_dynamic_shared_bytes(device),
        number::PREFERRED_SHARED_MEMORY_CARVEOUT => {
            settings.carveout_percent.load(Ordering::Relaxed)
        }
        number::REQUIRED_CLUSTER_WIDTH..=number::REQUIRED_CLUSTER_DEPTH => settings
            .required_cluster[(attribute - number::REQUIRED_CLUSTER_WIDTH) as usize]
            .load(Ordering::Relaxed),
        number::NON_PORTABLE_CLUSTER_SIZE_ALLOWED => {
            settings.non_portable_cluster.load(Ordering::Relaxed)
        }
        number::CLUSTER_SCHEDULING_POLICY_PREFERENCE => {
            settings.cluster_policy.load(Ordering::Relaxed)
        }
        _ => return Err(CuError::INVALID_VALUE),
    })
}

/// Changes one of the attributes that may be changed.
pub fn set_attribute(settings: &Settings, attribute: u32, value: i32, device: &Device) -> Answer {
    let set = |place: &std::sync::atomic::AtomicI32, range: std::ops::RangeInclusive<i32>| {
        if !range.contains(&value) {
            return Err(CuError::INVALID_VALUE);
        }
        place.store(value, Ordering::Relaxed);
        Ok(())
    };
    match attribute {
        number::MAX_DYNAMIC_SHARED_SIZE_BYTES => {
            let most = device.attribute(device_attribute::MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
            set(
                &settings.max_dynamic_shared_bytes,
                0..=most - settings.kernel().shared_bytes as i32,
            )
        }
        number::PREFERRED_SHARED_MEMORY_CARVEOUT => set(&settings.carveout_percent, -1..=100),
        number::REQUIRED_CLUSTER_WIDTH..=number::REQUIRED_CLUSTER_DEPTH => set(
            &settings.required_cluster[(attribute - number::REQUIRED_CLUSTER_WIDTH) as usize],
            0..=i32::MAX,
        ),
        number::NON_PORTABLE_CLUSTER_SIZE_ALLOWED => set(&settings.non_portable_cluster, 0..=1),
        number::CLUSTER_SCHEDULING_POLICY_PREFERENCE => set(&settings.cluster_policy, 0..=2),
        _ => Err(CuError::INVALID_VALUE),
    }
}

/// How many parameters it takes.
pub fn param_count(settings: &Settings, place: Out<usize>) -> Answer {
    place.required()?.set(settings.kernel().params.len());
    Ok(())
}

/// Offset and bytes of a parameter.
pub fn param_info(
    settings: &Settings,
    index: usize,
    offset: Out<usize>,
    size: Out<usize>,
) -> Answer {
    let (at, bytes) = settings
        .kernel()
        .params
        .get(index)
        .ok_or(CuError::INVALID_VALUE)?;
    offset.set(*at as usize);
    size.set(*bytes as usize);
    Ok(())
}

pub fn cuFuncGetAttribute(pi: Out<i32>, attrib: u32, hfunc: CUfunction) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let place = pi.required()?;
    let function = Launchable::find(driver, hfunc)?;
    place.set(attribute(function.settings(), attrib, context.device)?);
    Ok(())
}

pub fn cuFuncSetAttribute(hfunc: CUfunction, attrib: u32, value: i32) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    set_attribute(
        Launchable::find(driver, hfunc)?.settings(),
        attrib,
        value,
        context.device,
    )
}

pub fn cuFuncSetCacheConfig(hfunc: CUfunction, config: u32) -> Answer {
    let driver = driver::started()?;
    Launchable::find(driver, hfunc)?;
    if config > 3 {
        Err(CuError::INVALID_VALUE)
    } else {
        Ok(())
    }
}

pub fn cuFuncSetSharedMemConfig(hfunc: CUfunction, config: u32) -> Answer {
    let driver = driver::started()?;
    Launchable::find(driver, hfunc)?;
    if config > 2 {
        Err(CuError::INVALID_VALUE)
    } else {
        Ok(())
    }
}

pub fn cuFuncGetModule(hmod: Out<CUmodule>, hfunc: CUfunction) -> Answer {
    let driver = driver::started()?;
    let place = hmod.required()?;
    match Launchable::find(driver, hfunc)? {
        Launchable::Function(function) => place.set(function.module),
        Launchable::Kernel(kernel) => {
            let library = driver
                .libraries
                .get(kernel.library.0)
                .ok_or(CuError::INVALID_HANDLE)?;
            place.set(library.module(driver, &*current()?)?.handle);
        }
    }
    Ok(())
}

pub fn cuFuncGetName(name: Out<*const c_char>, hfunc: CUfunction) -> Answer {
    let driver = driver::started()?;
    let place = name.required()?;
    place.set(lasting(
        &Launchable::find(driver, hfunc)?.settings().kernel().name,
    ));
    Ok(())
}

pub fn cuFuncGetParamInfo(
    func: CUfunction,
    paramIndex: usize,
    paramOffset: Out<usize>,
    paramSize: Out<usize>,
) -> Answer {
    let driver = driver::started()?;
    let place = paramOffset.required()?;
    param_info(
        Launchable::find(driver, func)?.settings(),
        paramIndex,
        place,
        paramSize,
    )
}

pub fn cuFuncIsLoaded(state: Out<u32>, function: CUfunction) -> Answer {
    const LOADED: u32 = 1;
    let driver = driver::started()?;
    let place = state.required()?;
    Launchable::find(driver, function)?;
    place.set(LOADED);
    Ok(())
}

pub fn cuFuncLoad(function: CUfunction) -> Answer {
    Launchable::find(driver::started()?, function).map(|_| ())
}

pub fn cuFuncGetParamCount(func: CUfunction, paramCount: Out<usize>) -> Answer {
    let found = Launchable::find(driver::started()?, func)?;
    param_count(found.settings(), paramCount)
}
