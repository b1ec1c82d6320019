//! What NVML said about the machine's GPUs.

use std::collections::BTreeMap;

use crate::doctor::answers::Asked;
use crate::doctor::seen_call::{SeenCall, number};

/// A GPU as NVML knows it.
#[derive(Clone, Debug, Default)]
pub struct NvmlDevice {
    /// Its name.
    pub name: Asked<String>,
    /// `GPU-...`.
    pub uuid: Asked<String>,
    /// Bytes of memory.
    pub total_memory: Asked<u64>,
}

/// Devices kept of a process.
const MAX_DEVICES: usize = 128;

/// What NVML said.
#[derive(Clone, Debug, Default)]
pub struct Nvml {
    /// `nvmlInit`.
    pub init: Asked<()>,
    /// How many GPUs.
    pub count: Asked<u64>,
    /// By handle.
    pub devices: BTreeMap<u64, NvmlDevice>,
}

impl Nvml {
    fn device(&mut self, seen: &SeenCall<'_>) -> Option<&mut NvmlDevice> {
        let handle = seen.word("device")?;
        if self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(&handle) {
            return None;
        }
        Some(self.devices.entry(handle).or_default())
    }

    /// A GPU's name.
    pub fn name(&mut self, seen: &SeenCall<'_>) {
        if let (Some(device), Some(code)) = (self.device(seen), seen.code) {
            device
                .name
                .take(seen.call.seq, code, || seen.out_text("name"));
        }
    }

    /// A GPU's UUID.
    pub fn uuid(&mut self, seen: &SeenCall<'_>) {
        if let (Some(device), Some(code)) = (self.device(seen), seen.code) {
            device
                .uuid
                .take(seen.call.seq, code, || seen.out_text("uuid"));
        }
    }

    /// A GPU's memory: `nvmlMemory_t` begins with the total, `nvmlMemory_v2_t` has its version before it.
    pub fn memory(&mut self, seen: &SeenCall<'_>) {
        if let (Some(device), Some(code)) = (self.device(seen), seen.code) {
            let total = if seen.name().ends_with("_v2") { 8 } else { 0 };
            device.total_memory.take(seen.call.seq, code, || {
                number(seen.out_bytes("memory")?.get(total..total + 8)?)
            });
        }
    }
}
