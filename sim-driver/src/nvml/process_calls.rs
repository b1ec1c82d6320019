//! Which processes use a GPU. Each process simulates a GPU of its own, so it sees itself and nobody else.

use super::abi::{nvmlDevice_t, nvmlProcessInfo_v2_t};
use super::{device, place, ready, write_text};
use crate::boundary::Out;
use crate::status::{NvmlAnswer, NvmlError};

/// Writes the processes, or how many there are if there is no room for them.
fn list(
    processes: &[nvmlProcessInfo_v2_t],
    infoCount: Out<u32>,
    infos: Out<nvmlProcessInfo_v2_t>,
) -> NvmlAnswer {
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

pub fn nvmlDeviceGetComputeRunningProcesses_v3(
    device: nvmlDevice_t,
    infoCount: Out<u32>,
    infos: Out<nvmlProcessInfo_v2_t>,
) -> NvmlAnswer {
    /// What stands for "not part of an instance" on a GPU that is not divided.
    const NO_INSTANCE: u32 = u32::MAX;
    let found = self::device(device)?;
    let used_bytes = found.gpu.free_bytes - found.free_bytes();
    let (_, has_context) = found.primary.flags_and_activity();
    let own = nvmlProcessInfo_v2_t {
        pid: std::process::id(),
        usedGpuMemory: used_bytes,
        gpuInstanceId: NO_INSTANCE,
        computeInstanceId: NO_INSTANCE,
    };
    let count = usize::from(has_context || used_bytes > 0);
    list(&[own][..count], infoCount, infos)
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
    list(&[], infoCount, infos)
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
    list(&[], infoCount, infos)
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
