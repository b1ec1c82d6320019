//! The C types of NVML that the simulated library fills, under their names in `nvml.h`. Checked against the API table like
//! [`crate::abi`].
#![allow(non_camel_case_types, non_snake_case)]

/// A GPU, as NVML names it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct nvmlDevice_t(pub u64);

/// Memory of a GPU, bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nvmlMemory_t {
    pub total: u64,
    pub free: u64,
    pub used: u64,
}

/// Memory of a GPU, with what the driver keeps for itself apart, bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nvmlMemory_v2_t {
    pub version: u32,
    pub total: u64,
    pub reserved: u64,
    pub free: u64,
    pub used: u64,
}

/// A place on the PCI bus.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nvmlPciInfo_t {
    pub busIdLegacy: [u8; 16],
    pub domain: u32,
    pub bus: u32,
    pub device: u32,
    pub pciDeviceId: u32,
    pub pciSubSystemId: u32,
    pub busId: [u8; 32],
}

/// Percent of the last second.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nvmlUtilization_t {
    pub gpu: u32,
    pub memory: u32,
}

/// A temperature that is asked for, degrees Celsius.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nvmlTemperature_v1_t {
    pub version: u32,
    /// Which sensor; 0 is the GPU's.
    pub sensorType: u32,
    pub temperature: i32,
}

/// A process that uses a GPU, as NVML 10 told it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nvmlProcessInfo_v1_t {
    pub pid: u32,
    /// Bytes.
    pub usedGpuMemory: u64,
}

/// Whether GPUs of several machines are joined to one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nvmlGpuFabricInfo_v2_t {
    pub version: u32,
    pub clusterUuid: [u8; 16],
    pub status: u32,
    pub cliqueId: u32,
    pub state: u8,
    pub healthMask: u32,
}

/// A process that has memory of a GPU.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nvmlProcessInfo_v2_t {
    pub pid: u32,
    /// Bytes.
    pub usedGpuMemory: u64,
    pub gpuInstanceId: u32,
    pub computeInstanceId: u32,
}
