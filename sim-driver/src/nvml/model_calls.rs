//! What kind of GPU it is: `nvmlDeviceGetBrand`, `...GetArchitecture`, `...GetEccMode`, `...GetMigMode` and their like.

use super::abi::{nvmlDevice_t, nvmlTemperature_v1_t};
use super::{device, place};
use crate::attribute::number;
use crate::boundary::Out;
use crate::device::Device;
use crate::status::{NvmlAnswer, NvmlError};

/// The compute capability.
fn capability(device: &Device) -> (i32, i32) {
    (device.attribute(75), device.attribute(76))
}

pub fn nvmlDeviceGetBrand(device: nvmlDevice_t, r#type: Out<u32>) -> NvmlAnswer {
    /// `NVML_BRAND_TESLA`, `NVML_BRAND_NVIDIA`: NVIDIA gave up the former with Ampere.
    const TESLA: u32 = 2;
    const NVIDIA: u32 = 14;
    let found = self::device(device)?;
    let is_tesla = found.gpu.name.starts_with("Tesla");
    place(r#type)?.set(if is_tesla { TESLA } else { NVIDIA });
    Ok(())
}

pub fn nvmlDeviceGetArchitecture(device: nvmlDevice_t, arch: Out<u32>) -> NvmlAnswer {
    const UNKNOWN: u32 = u32::MAX;
    let found = self::device(device)?;
    place(arch)?.set(match capability(found) {
        (3, _) => 2,
        (5, _) => 3,
        (6, _) => 4,
        (7, 0..5) => 5,
        (7, _) => 6,
        (8, 9) => 8,
        (8, _) => 7,
        (9, _) => 9,
        (10..=12, _) => 10,
        _ => UNKNOWN,
    });
    Ok(())
}

pub fn nvmlDeviceGetEccMode(
    device: nvmlDevice_t,
    current: Out<u32>,
    pending: Out<u32>,
) -> NvmlAnswer {
    let found = self::device(device)?;
    let (current, pending) = (place(current)?, place(pending)?);
    let enabled = found.attribute(number::ECC_ENABLED) as u32;
    current.set(enabled);
    pending.set(enabled);
    Ok(())
}

pub fn nvmlDeviceGetMigMode(
    device: nvmlDevice_t,
    currentMode: Out<u32>,
    pendingMode: Out<u32>,
) -> NvmlAnswer {
    const DISABLED: u32 = 0;
    let found = self::device(device)?;
    let (current, pending) = (place(currentMode)?, place(pendingMode)?);
    // Only the large GPUs of Ampere, Hopper and Blackwell can be divided, and none is here.
    if !matches!(capability(found), (8..=10, 0)) {
        return Err(NvmlError::NOT_SUPPORTED);
    }
    current.set(DISABLED);
    pending.set(DISABLED);
    Ok(())
}

pub fn nvmlDeviceGetMaxMigDeviceCount(device: nvmlDevice_t, count: Out<u32>) -> NvmlAnswer {
    self::device(device)?;
    place(count)?.set(0);
    Ok(())
}

pub fn nvmlDeviceGetMemoryBusWidth(device: nvmlDevice_t, busWidth: Out<u32>) -> NvmlAnswer {
    let found = self::device(device)?;
    place(busWidth)?.set(found.attribute(number::GLOBAL_MEMORY_BUS_WIDTH) as u32);
    Ok(())
}

pub fn nvmlDeviceGetNumGpuCores(device: nvmlDevice_t, numCores: Out<u32>) -> NvmlAnswer {
    let found = self::device(device)?;
    // FP32 units of a multiprocessor, from the CUDA C++ programming guide's table of arithmetic throughput.
    let cores = match capability(found) {
        (6, 0) | (7, _) | (8, 0) => 64,
        (3, _) => 192,
        _ => 128,
    };
    place(numCores)?.set(cores * found.attribute(number::MULTIPROCESSOR_COUNT) as u32);
    Ok(())
}

pub fn nvmlDeviceGetTemperatureV(
    device: nvmlDevice_t,
    temperature: Out<nvmlTemperature_v1_t>,
) -> NvmlAnswer {
    /// The structure's size and its version, as `nvmlTemperature_v1` in nvml.h makes it.
    const VERSION: u32 = size_of::<nvmlTemperature_v1_t>() as u32 | 1 << 24;
    let found = self::device(device)?;
    let given = place(temperature)?
        .get()
        .ok_or(NvmlError::INVALID_ARGUMENT)?;
    if given.version != VERSION {
        return Err(NvmlError::ARGUMENT_VERSION_MISMATCH);
    }
    if given.sensorType != 0 {
        return Err(NvmlError::INVALID_ARGUMENT);
    }
    temperature.set(nvmlTemperature_v1_t {
        temperature: found.gpu.sensors.temperature_c as i32,
        ..given
    });
    Ok(())
}
