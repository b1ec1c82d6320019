//! `nvmlDevice*`.

use super::abi::{
    nvmlDevice_t, nvmlGpuFabricInfo_v2_t, nvmlMemory_t, nvmlMemory_v2_t, nvmlPciInfo_t,
    nvmlUtilization_t,
};
use super::{device, handle_of, place, ready, text, write_text};
use crate::attribute::number;
use crate::boundary::{Out, Text};
use crate::device::Device;
use crate::profile::PciAddress;
use crate::status::{NvmlAnswer, NvmlError};
use crate::visible_devices::uuid_digits;

pub fn nvmlDeviceGetCount(deviceCount: Out<u32>) -> NvmlAnswer {
    let driver = ready()?;
    place(deviceCount)?.set(driver.gpus.len() as u32);
    Ok(())
}

pub fn nvmlDeviceGetCount_v2(deviceCount: Out<u32>) -> NvmlAnswer {
    nvmlDeviceGetCount(deviceCount)
}

pub fn nvmlDeviceGetHandleByIndex(index: u32, device: Out<nvmlDevice_t>) -> NvmlAnswer {
    let driver = ready()?;
    let device = place(device)?;
    device.set(handle_of(
        driver
            .gpus
            .get(index as usize)
            .ok_or(NvmlError::INVALID_ARGUMENT)?,
    ));
    Ok(())
}

pub fn nvmlDeviceGetHandleByIndex_v2(index: u32, device: Out<nvmlDevice_t>) -> NvmlAnswer {
    nvmlDeviceGetHandleByIndex(index, device)
}

pub fn nvmlDeviceGetHandleByUUID(uuid: Text, device: Out<nvmlDevice_t>) -> NvmlAnswer {
    let driver = ready()?;
    let (uuid, device) = (text(uuid)?, place(device)?);
    let found = driver
        .gpus
        .iter()
        .find(|gpu| uuid == format!("GPU-{}", uuid_digits(&gpu.uuid)));
    device.set(handle_of(found.ok_or(NvmlError::NOT_FOUND)?));
    Ok(())
}

pub fn nvmlDeviceGetHandleByPciBusId(pciBusId: Text, device: Out<nvmlDevice_t>) -> NvmlAnswer {
    let driver = ready()?;
    let (address, device) = (text(pciBusId)?, place(device)?);
    let address = PciAddress::parse(&address).ok_or(NvmlError::INVALID_ARGUMENT)?;
    device.set(handle_of(
        driver
            .gpus
            .iter()
            .find(|gpu| gpu.pci == address)
            .ok_or(NvmlError::NOT_FOUND)?,
    ));
    Ok(())
}

pub fn nvmlDeviceGetHandleByPciBusId_v2(pciBusId: Text, device: Out<nvmlDevice_t>) -> NvmlAnswer {
    nvmlDeviceGetHandleByPciBusId(pciBusId, device)
}

pub fn nvmlDeviceGetIndex(device: nvmlDevice_t, index: Out<u32>) -> NvmlAnswer {
    let found = self::device(device)?;
    place(index)?.set(found.index as u32);
    Ok(())
}

pub fn nvmlDeviceGetMinorNumber(device: nvmlDevice_t, minorNumber: Out<u32>) -> NvmlAnswer {
    nvmlDeviceGetIndex(device, minorNumber)
}

pub fn nvmlDeviceGetName(device: nvmlDevice_t, name: Out<u8>, length: u32) -> NvmlAnswer {
    let gpu = &self::device(device)?.gpu;
    write_text(name, length, gpu.nvml.name.as_ref().unwrap_or(&gpu.name))
}

pub fn nvmlDeviceGetUUID(device: nvmlDevice_t, uuid: Out<u8>, length: u32) -> NvmlAnswer {
    let found = self::device(device)?;
    write_text(uuid, length, &format!("GPU-{}", uuid_digits(&found.uuid)))
}

/// All memory, what is free of it, and what no program can ever have because the driver keeps it, bytes.
fn memory_of(found: &Device) -> (u64, u64, u64) {
    let (gpu, view) = (&found.gpu, &found.gpu.nvml);
    let total = view.total_bytes.unwrap_or(gpu.total_bytes);
    match view.free_bytes {
        // Another GPU's memory, which this process takes nothing from.
        Some(free) => (total, free.min(total), total - free.min(total)),
        None => {
            let reserved = (gpu.total_bytes - gpu.free_bytes).min(total);
            let used = gpu.free_bytes - found.free_bytes();
            (total, (total - reserved).saturating_sub(used), reserved)
        }
    }
}

pub fn nvmlDeviceGetMemoryInfo(device: nvmlDevice_t, memory: Out<nvmlMemory_t>) -> NvmlAnswer {
    let found = self::device(device)?;
    let (total, free, _) = memory_of(found);
    place(memory)?.set(nvmlMemory_t {
        total,
        free,
        used: total - free,
    });
    Ok(())
}

pub fn nvmlDeviceGetMemoryInfo_v2(
    device: nvmlDevice_t,
    memory: Out<nvmlMemory_v2_t>,
) -> NvmlAnswer {
    /// The structure's size and its version, as `nvmlMemory_v2` in nvml.h makes it.
    const VERSION: u32 = size_of::<nvmlMemory_v2_t>() as u32 | 2 << 24;
    let found = self::device(device)?;
    let memory = place(memory)?;
    if memory.get().is_none_or(|given| given.version != VERSION) {
        return Err(NvmlError::ARGUMENT_VERSION_MISMATCH);
    }
    let (total, free, reserved) = memory_of(found);
    memory.set(nvmlMemory_v2_t {
        version: VERSION,
        total,
        reserved,
        free,
        used: total - free - reserved,
    });
    Ok(())
}

pub fn nvmlDeviceGetPciInfo_v3(device: nvmlDevice_t, pci: Out<nvmlPciInfo_t>) -> NvmlAnswer {
    let found = self::device(device)?;
    let pci = place(pci)?;
    let [device_id, subsystem_id] = [number::GPU_PCI_DEVICE_ID, number::GPU_PCI_SUBSYSTEM_ID]
        .map(|attribute| found.attribute(attribute).cast_unsigned());
    let PciAddress {
        domain,
        bus,
        device,
        ..
    } = found.pci;
    let mut info = nvmlPciInfo_t {
        busIdLegacy: [0; 16],
        domain,
        bus,
        device,
        pciDeviceId: device_id,
        pciSubSystemId: subsystem_id,
        busId: [0; 32],
    };
    let fill = |field: &mut [u8], text: &str| field[..text.len()].copy_from_slice(text.as_bytes());
    fill(
        &mut info.busIdLegacy,
        &format!("{:04X}:{bus:02X}:{device:02X}.0", domain & 0xffff),
    );
    fill(
        &mut info.busId,
        &format!("{domain:08X}:{bus:02X}:{device:02X}.0"),
    );
    pci.set(info);
    Ok(())
}

pub fn nvmlDeviceGetCudaComputeCapability(
    device: nvmlDevice_t,
    major: Out<i32>,
    minor: Out<i32>,
) -> NvmlAnswer {
    let found = self::device(device)?;
    let (major, minor) = (place(major)?, place(minor)?);
    major.set(found.attribute(75));
    minor.set(found.attribute(76));
    Ok(())
}

pub fn nvmlDeviceGetUtilizationRates(
    device: nvmlDevice_t,
    utilization: Out<nvmlUtilization_t>,
) -> NvmlAnswer {
    let sensors = self::device(device)?.gpu.sensors;
    let (gpu, memory) = (
        sensors.gpu_utilization_percent,
        sensors.memory_utilization_percent,
    );
    place(utilization)?.set(nvmlUtilization_t { gpu, memory });
    Ok(())
}

pub fn nvmlDeviceGetTemperature(
    device: nvmlDevice_t,
    sensorType: u32,
    temp: Out<u32>,
) -> NvmlAnswer {
    let sensors = self::device(device)?.gpu.sensors;
    let temp = place(temp)?;
    if sensorType != 0 {
        return Err(NvmlError::INVALID_ARGUMENT);
    }
    temp.set(sensors.temperature_c);
    Ok(())
}

pub fn nvmlDeviceGetPowerUsage(device: nvmlDevice_t, power: Out<u32>) -> NvmlAnswer {
    let sensors = self::device(device)?.gpu.sensors;
    place(power)?.set(sensors.power_mw);
    Ok(())
}

pub fn nvmlDeviceGetPowerManagementLimit(device: nvmlDevice_t, limit: Out<u32>) -> NvmlAnswer {
    let sensors = self::device(device)?.gpu.sensors;
    place(limit)?.set(sensors.power_limit_mw);
    Ok(())
}

pub fn nvmlDeviceGetEnforcedPowerLimit(device: nvmlDevice_t, limit: Out<u32>) -> NvmlAnswer {
    nvmlDeviceGetPowerManagementLimit(device, limit)
}

pub fn nvmlDeviceGetClockInfo(device: nvmlDevice_t, r#type: u32, clock: Out<u32>) -> NvmlAnswer {
    const MEMORY: u32 = 2;
    const LAST: u32 = 3;
    let sensors = self::device(device)?.gpu.sensors;
    let clock = place(clock)?;
    match r#type {
        MEMORY => clock.set(sensors.memory_clock_mhz),
        0..=LAST => clock.set(sensors.sm_clock_mhz),
        _ => return Err(NvmlError::INVALID_ARGUMENT),
    }
    Ok(())
}

pub fn nvmlDeviceGetMaxClockInfo(device: nvmlDevice_t, r#type: u32, clock: Out<u32>) -> NvmlAnswer {
    nvmlDeviceGetClockInfo(device, r#type, clock)
}

pub fn nvmlDeviceGetComputeMode(device: nvmlDevice_t, mode: Out<u32>) -> NvmlAnswer {
    let found = self::device(device)?;
    place(mode)?.set(found.attribute(20) as u32);
    Ok(())
}

pub fn nvmlDeviceGetPersistenceMode(device: nvmlDevice_t, mode: Out<u32>) -> NvmlAnswer {
    const ON: u32 = 1;
    self::device(device)?;
    place(mode)?.set(ON);
    Ok(())
}

pub fn nvmlDeviceGetPerformanceState(device: nvmlDevice_t, pState: Out<u32>) -> NvmlAnswer {
    const FASTEST: u32 = 0;
    self::device(device)?;
    place(pState)?.set(FASTEST);
    Ok(())
}

pub fn nvmlDeviceGetGpuFabricInfoV(
    device: nvmlDevice_t,
    gpuFabricInfo: Out<nvmlGpuFabricInfo_v2_t>,
) -> NvmlAnswer {
    /// The structure's size and its version, as `nvmlGpuFabricInfo_v2` in nvml.h makes it.
    const VERSION: u32 = size_of::<nvmlGpuFabricInfo_v2_t>() as u32 | 2 << 24;
    /// `NVML_GPU_FABRIC_STATE_NOT_SUPPORTED`: these GPUs are not behind an NVSwitch.
    const NO_FABRIC: u8 = 0;
    self::device(device)?;
    let place = place(gpuFabricInfo)?;
    if place.get().is_none_or(|given| given.version != VERSION) {
        return Err(NvmlError::ARGUMENT_VERSION_MISMATCH);
    }
    place.set(nvmlGpuFabricInfo_v2_t {
        version: VERSION,
        clusterUuid: [0; 16],
        status: 0,
        cliqueId: 0,
        state: NO_FABRIC,
        healthMask: 0,
    });
    Ok(())
}
