//! Which processes use a GPU. Each process simulates a GPU of its own, so it sees itself and nobody else.

use super::abi::{nvmlDevice_t, nvmlProcessInfo_v1_t, nvmlProcessInfo_v2_t};
use super::{device, place, ready, write_text};
use crate::boundary::Out;
use crate::device::Device;
use crate::status::{NvmlAnswer, NvmlError};

/// Writes the processes, or how many there are if there is no room for them.
fn list<T: Copy>(processes: &[T], infoCount: Out<u32>, infos: Out<T>) -> NvmlAnswer {
    let room = place(infoCount)?.get().unwrap_or(0) as usize;
    infoCount.set(processes.len() as u32);
    if processes.len() > room {
        return Err(NvmlError::INSUFFICIENT_SIZE);
    }
    if !processes.is_empty() {
        place(infos)?.set_all(processes);
    }
    Ok(())
}

/// How many bytes this process uses of a GPU; nothing if it does not use it at all.
fn own_use(gpu: &Device) -> Option<u64> {
    let used_bytes = gpu.gpu.free_bytes - gpu.free_bytes();
    let (_, has_context) = gpu.primary.flags_and_activity();
    (has_context || used_bytes > 0).then_some(used_bytes)
}

pub fn nvmlDeviceGetComputeRunningProcesses(
    device: nvmlDevice_t,
    infoCount: Out<u32>,
    infos: Out<nvmlProcessInfo_v1_t>,
) -> NvmlAnswer {
    let own = own_use(self::device(device)?).map(|used_bytes| nvmlProcessInfo_v1_t {
        pid: std::process::id(),
        usedGpuMemory: used_bytes,
    });
    list(own.as_slice(), infoCount, infos)
}

pub fn nvmlDeviceGetComputeRunningProcesses_v3(
    device: nvmlDevice_t,
    infoCount: Out<u32>,
    infos: Out<nvmlProcessInfo_v2_t>,
) -> NvmlAnswer {
    /// What stands for "not part of an instance" on a GPU that is not divided.
    const NO_INSTANCE: u32 = u32::MAX;
    let own = own_use(self::device(device)?).map(|used_bytes| nvmlProcessInfo_v2_t {
        pid: std::process::id(),
        usedGpuMemory: used_bytes,
        gpuInstanceId: NO_INSTANCE,
        computeInstanceId: NO_INSTANCE,
    });
    list(own.as_slice(), infoCount, infos)
}

pub fn nvmlDeviceGetComputeRunningProcesses_v2(
    device: nvmlDevice_t,
    infoCount: Out<u32>,
    infos: Out<nvmlProcessInfo_v2_t>,
) -> NvmlAnswer {
    nvmlDeviceGetComputeRunningProcesses_v3(device, infoCount, infos)
}

pub fn nvmlDeviceGetGraphicsRunningProcesses_v3(
    device: nvmlDevice_t,
    infoCount: Out<u32>,
    infos: Out<nvmlProcessInfo_v2_t>,
) -> NvmlAnswer {
    self::device(device)?;
    list::<nvmlProcessInfo_v2_t>(&[], infoCount, infos)
}

pub fn nvmlDeviceGetGraphicsRunningProcesses_v2(
    device: nvmlDevice_t,
    infoCount: Out<u32>,
    infos: Out<nvmlProcessInfo_v2_t>,
) -> NvmlAnswer {
    nvmlDeviceGetGraphicsRunningProcesses_v3(device, infoCount, infos)
}

pub fn nvmlDeviceGetMPSComputeRunningProcesses_v3(
    device: nvmlDevice_t,
    infoCount: Out<u32>,
    infos: Out<nvmlProcessInfo_v2_t>,
) -> NvmlAnswer {
    self::device(device)?;
    list::<nvmlProcessInfo_v2_t>(&[], infoCount, infos)
}

pub fn nvmlSystemGetProcessName(pid: u32, name: Out<u8>, length: u32) -> NvmlAnswer {
    ready()?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let program = command.split(|byte| *byte == 0).next().unwrap_or_default();
    if program.is_empty() {
        return Err(NvmlError::NOT_FOUND);
    }
    write_text(name, length, &String::from_utf8_lossy(program))
}
