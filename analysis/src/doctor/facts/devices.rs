//! What a process was told about its devices.

use std::collections::BTreeMap;

use crate::doctor::answers::Asked;
use crate::doctor::seen_call::SeenCall;

/// `CU_DEVICE_ATTRIBUTE_...` numbers that rules and the checklist look at.
pub mod attribute {
    /// INTEGRATED: the GPU shares the host's memory.
    pub const INTEGRATED: i32 = 18;
    /// GLOBAL_MEMORY_BUS_WIDTH, bits.
    pub const MEMORY_BUS_WIDTH: i32 = 37;
    /// UNIFIED_ADDRESSING.
    pub const UNIFIED_ADDRESSING: i32 = 41;
    /// COMPUTE_CAPABILITY_MAJOR.
    pub const COMPUTE_MAJOR: i32 = 75;
    /// COMPUTE_CAPABILITY_MINOR.
    pub const COMPUTE_MINOR: i32 = 76;
    /// VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED.
    pub const VIRTUAL_MEMORY: i32 = 102;

    /// Those that are kept.
    pub const KEPT: [i32; 6] = [
        INTEGRATED,
        MEMORY_BUS_WIDTH,
        UNIFIED_ADDRESSING,
        COMPUTE_MAJOR,
        COMPUTE_MINOR,
        VIRTUAL_MEMORY,
    ];
}

/// Free and total bytes, as `cuMemGetInfo` said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Free bytes.
    pub free: u64,
    /// All bytes.
    pub total: u64,
}

/// What was said about one device.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Its name.
    pub name: Asked<String>,
    /// Bytes of memory.
    pub total_memory: Asked<u64>,
    /// Its UUID, as `cuDeviceGetUuid` and its second version say: on a slice of a GPU (MIG) only the second names the slice.
    pub uuids: [Asked<[u8; 16]>; 2],
    /// Its PCI bus id.
    pub pci: Asked<String>,
    /// The attributes named in [`attribute::KEPT`].
    pub attributes: BTreeMap<i32, Asked<i32>>,
    /// `cuDevicePrimaryCtxRetain` or `cuCtxCreate` on it.
    pub context: Asked<()>,
    /// `cuMemGetAllocationGranularity` for allocations on it.
    pub granularity: Asked<u64>,
    /// `cuMemGetInfo` in a context of it.
    pub memory: Asked<Memory>,
    /// A total memory, UUID or PCI bus id that differed from an earlier answer: both calls, and what it is.
    pub rewritten: Option<(u64, u64, &'static str)>,
}

impl Device {
    /// Its UUID, the newer function's answer first.
    pub fn uuid(&self) -> &Asked<[u8; 16]> {
        let [older, newer] = &self.uuids;
        if newer.was_asked() { newer } else { older }
    }

    /// An attribute's value, if it was asked for and answered.
    pub fn attribute(&self, number: i32) -> Option<(u64, i32)> {
        self.attributes.get(&number)?.answered
    }

    /// Compute capability, major and minor.
    pub fn compute_capability(&self) -> Option<(i32, i32)> {
        let major = self.attribute(attribute::COMPUTE_MAJOR)?.1;
        let minor = self.attribute(attribute::COMPUTE_MINOR)?.1;
        Some((major, minor))
    }

    /// Keeps an answer, and remembers it if it contradicts an earlier one.
    fn keep<T: PartialEq>(
        slot: &mut Asked<T>,
        rewritten: &mut Option<(u64, u64, &'static str)>,
        seen: &SeenCall<'_>,
        (what, value): (&'static str, Option<T>),
    ) {
        let (Some(code), seq) = (seen.code, seen.call.seq) else {
            return;
        };
        if let (Some((earlier, known)), Some(value), 0) = (&slot.answered, &value, code)
            && known != value
            && rewritten.is_none()
        {
            *rewritten = Some((*earlier, seq, what));
        }
        slot.take(seq, code, || value);
    }
}

/// Devices kept of a process; no machine has as many.
const MAX_DEVICES: usize = 128;

/// What a process was told about each device, by the number that `cuDeviceGet` gave.
#[derive(Clone, Debug, Default)]
pub struct Devices(pub BTreeMap<i32, Device>);

impl Devices {
    /// The device of that number, new if need be; `None` when there are too many.
    pub fn at(&mut self, number: i32) -> Option<&mut Device> {
        if self.0.len() >= MAX_DEVICES && !self.0.contains_key(&number) {
            return None;
        }
        Some(self.0.entry(number).or_default())
    }

    /// The device that an argument `dev` or, in other functions, `device` names.
    fn of_call(&mut self, seen: &SeenCall<'_>) -> Option<&mut Device> {
        self.at(seen.int("dev").or_else(|| seen.int("device"))?)
    }

    /// A name.
    pub fn name(&mut self, seen: &SeenCall<'_>) {
        if let (Some(device), Some(code)) = (self.of_call(seen), seen.code) {
            device
                .name
                .take(seen.call.seq, code, || seen.out_text("name"));
        }
    }

    /// Bytes of memory.
    pub fn total_memory(&mut self, seen: &SeenCall<'_>) {
        if let Some(Device {
            total_memory,
            rewritten,
            ..
        }) = self.of_call(seen)
        {
            let value = ("total memory", seen.out("bytes"));
            Device::keep(total_memory, rewritten, seen, value);
        }
    }

    /// A UUID.
    pub fn uuid(&mut self, seen: &SeenCall<'_>) {
        if let Some(Device {
            uuids, rewritten, ..
        }) = self.of_call(seen)
        {
            let uuid = &mut uuids[usize::from(seen.name().ends_with("_v2"))];
            let bytes = seen
                .out_bytes("uuid")
                .and_then(|bytes| bytes.try_into().ok());
            Device::keep(uuid, rewritten, seen, ("UUID", bytes));
        }
    }

    /// A PCI bus id.
    pub fn pci(&mut self, seen: &SeenCall<'_>) {
        if let Some(Device { pci, rewritten, .. }) = self.of_call(seen) {
            let value = ("PCI bus id", seen.out_text("pciBusId"));
            Device::keep(pci, rewritten, seen, value);
        }
    }

    /// An attribute.
    pub fn attribute(&mut self, seen: &SeenCall<'_>) {
        let Some(number) = seen
            .int("attrib")
            .filter(|number| attribute::KEPT.contains(number))
        else {
            return;
        };
        if let (Some(device), Some(code)) = (self.of_call(seen), seen.code) {
            let value = || seen.out("pi").map(|value| value as u32 as i32);
            let slot = device.attributes.entry(number).or_default();
            slot.take(seen.call.seq, code, value);
        }
    }
}
