//! What a process did and was told, kept while its calls are read. All of it is bounded, however long the trace and whatever it says.

mod contexts;
pub mod devices;
pub mod nvml;
pub mod pace;
pub mod runtime;
pub mod tallies;
pub mod topic;

use cutape_trace_format::call::{Call, FunctionId, ProcessId, ThreadId};

use self::contexts::Contexts;
use self::devices::{Devices, Memory};
use self::nvml::Nvml;
use self::pace::Pace;
use self::runtime::{Runtime, TableAsked};
use self::tallies::Tallies;
use self::topic::Topic;
use super::answers::Asked;
use super::look_up::LookUp;
use super::seen_call::SeenCall;

/// A call that never returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// Its number.
    pub seq: u64,
    /// Its thread.
    pub thread: ThreadId,
    /// Its function.
    pub function: FunctionId,
    /// Begin, CLOCK_MONOTONIC nanoseconds.
    pub begin_ns: u64,
}

/// Open calls kept of a process; one a thread is usual.
const MAX_OPEN: usize = 256;
/// Suspicious look-ups kept of a process; a runtime makes 480.
const MAX_LOOK_UPS: usize = 1024;

/// What one process did and was told.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    /// The process.
    pub process: ProcessId,
    /// All its calls.
    pub calls: u64,
    /// Those to the CUDA driver.
    pub cuda_calls: u64,
    /// When the last one began or returned, CLOCK_MONOTONIC nanoseconds.
    pub last_ns: u64,
    /// Number of the last one.
    pub last_call: u64,
    /// `cuDriverGetVersion`.
    pub version: Asked<i32>,
    /// A version that differs from an earlier one: both calls.
    pub version_rewritten: Option<(u64, u64)>,
    /// `cuInit`.
    pub init: Asked<()>,
    /// `cuDeviceGetCount`.
    pub count: Asked<i32>,
    /// `cuCtxGetCurrent`.
    pub get_current: Asked<()>,
    /// `cuCtxSetCurrent` and `cuCtxPushCurrent`.
    pub set_current: Asked<()>,
    /// What it was told about each device.
    pub devices: Devices,
    /// What its CUDA runtime asked for.
    pub runtime: Runtime,
    /// What NVML said.
    pub nvml: Nvml,
    /// How long questions took.
    pub pace: Pace,
    /// Calls by function.
    pub tallies: Tallies,
    /// Calls that never returned, in the order of their begin.
    pub open: Vec<OpenCall>,
    /// Look-ups that may have given another function than the one that was meant.
    pub suspicious_look_ups: Vec<LookUp>,
    contexts: Contexts,
}

impl ProcessFacts {
    /// Nothing yet.
    pub fn new(process: ProcessId) -> Self {
        Self {
            process,
            ..Self::default()
        }
    }

    /// Takes in that a call was made.
    pub fn count(&mut self, call: &Call, is_cuda: bool) {
        self.calls += 1;
        self.cuda_calls += u64::from(is_cuda);
        self.last_call = call.seq;
        let end_ns = call.begin_ns.saturating_add(call.duration_ns.unwrap_or(0));
        self.last_ns = self.last_ns.max(end_ns);
        if call.returned.is_none() && self.open.len() < MAX_OPEN {
            self.open.push(OpenCall {
                seq: call.seq,
                thread: call.thread,
                function: call.function,
                begin_ns: call.begin_ns,
            });
        }
    }

    /// Takes in a look-up that may have given the wrong function.
    pub fn suspect(&mut self, look_up: LookUp) {
        if self.suspicious_look_ups.len() < MAX_LOOK_UPS {
            self.suspicious_look_ups.push(look_up);
        }
    }

    /// Takes in what a call says about its topic.
    pub fn learn(&mut self, topic: Topic, seen: &SeenCall<'_>) {
        if !matches!(topic, Topic::Uuid | Topic::Version | Topic::LookUp)
            && seen.call.returned.is_some()
        {
            self.runtime.calls_after_check += 1;
        }
        let (Some(code), seq) = (seen.code, seen.call.seq) else {
            return;
        };
        match topic {
            Topic::Other => {}
            Topic::Version => self.learn_version(seen, code),
            Topic::Init => self.init.take(seq, code, || Some(())),
            Topic::Count => self
                .count
                .take(seq, code, || Some(seen.out("count")? as i32)),
            Topic::GetCurrent => self.get_current.take(seq, code, || Some(())),
            Topic::SetCurrent => self.learn_current(seen, code),
            Topic::Retain | Topic::CreateContext => self.learn_context(seen, code),
            Topic::Granularity => self.learn_granularity(seen, code),
            Topic::MemoryInfo => self.learn_memory(seen, code),
            Topic::LookUp => {
                let version = seen.word("cudaVersion").unwrap_or(0) as u32;
                self.runtime.newest_look_up = self.runtime.newest_look_up.max(version);
            }
            Topic::ExportTable => self.learn_table(seen, code),
            Topic::Name => self.devices.name(seen),
            Topic::TotalMemory => self.devices.total_memory(seen),
            Topic::Uuid => self.devices.uuid(seen),
            Topic::PciBusId => self.devices.pci(seen),
            Topic::Attribute => self.devices.attribute(seen),
            Topic::NvmlInit => self.nvml.init.take(seq, code, || Some(())),
            Topic::NvmlCount => {
                let count = || seen.out("deviceCount");
                self.nvml.count.take(seq, code, count);
            }
            Topic::NvmlName => self.nvml.name(seen),
            Topic::NvmlUuid => self.nvml.uuid(seen),
            Topic::NvmlMemory => self.nvml.memory(seen),
        }
    }

    fn learn_version(&mut self, seen: &SeenCall<'_>, code: u32) {
        let (seq, version) = (seen.call.seq, seen.out("driverVersion"));
        let version = version.map(|version| version as i32);
        if let (Some((earlier, known)), Some(version)) = (self.version.answered, version)
            && known != version
        {
            self.version_rewritten.get_or_insert((earlier, seq));
        }
        self.version.take(seq, code, || version);
    }

    fn learn_current(&mut self, seen: &SeenCall<'_>, code: u32) {
        self.set_current.take(seen.call.seq, code, || Some(()));
        if code == 0 {
            let context = seen.call.args.first().copied().unwrap_or(0);
            self.contexts.made_current(seen.call.thread, context);
        }
    }

    fn learn_context(&mut self, seen: &SeenCall<'_>, code: u32) {
        let Some(number) = seen.int("dev") else {
            return;
        };
        if let (0, Some(context)) = (code, seen.out("pctx")) {
            self.contexts.made(context, number);
            if seen.function.base == "cuCtxCreate" {
                self.contexts.made_current(seen.call.thread, context);
            }
        }
        if let Some(device) = self.devices.at(number) {
            device.context.take(seen.call.seq, code, || Some(()));
        }
    }

    fn learn_granularity(&mut self, seen: &SeenCall<'_>, code: u32) {
        // CUmemAllocationProp: after type and handle types, the location's type and the device.
        let place = seen
            .place("prop")
            .and_then(|place| u8::try_from(place).ok());
        let prop = place.and_then(|place| seen.call.capture(place, false));
        let number = prop
            .and_then(|prop| prop.bytes.get(12..16)?.try_into().ok())
            .map_or(0, i32::from_le_bytes);
        if let Some(device) = self.devices.at(number) {
            let value = || seen.out("granularity");
            device.granularity.take(seen.call.seq, code, value);
        }
    }

    fn learn_memory(&mut self, seen: &SeenCall<'_>, code: u32) {
        let number = self.contexts.device(seen.call.thread).unwrap_or(0);
        if let Some(device) = self.devices.at(number) {
            let memory = || {
                Some(Memory {
                    free: seen.out("free")?,
                    total: seen.out("total")?,
                })
            };
            device.memory.take(seen.call.seq, code, memory);
        }
    }

    fn learn_table(&mut self, seen: &SeenCall<'_>, code: u32) {
        // cuGetExportTable(const void **ppExportTable, const CUuuid *pExportTableId)
        let asked = seen.call.capture(1, false);
        if let Some(guid) = asked.and_then(|asked| asked.bytes.try_into().ok()) {
            let seq = seen.call.seq;
            self.runtime.table(TableAsked { guid, seq, code });
        }
    }

    /// The device that a thread's current context is on.
    pub fn current_device(&self, thread: ThreadId) -> i32 {
        self.contexts.device(thread).unwrap_or(0)
    }

    /// Whether a context was ever made: what comes before is start-up.
    pub fn has_context(&self) -> bool {
        let devices = self.devices.0.values();
        devices
            .into_iter()
            .any(|device| device.context.answered.is_some())
    }

    /// Whether the process asks what GGML's backend asks of a device, and no CUDA runtime does it for another.
    pub fn asks_like_ggml(&self) -> bool {
        let devices = self.devices.0.values();
        devices.into_iter().any(|device| {
            device.granularity.was_asked() || (device.memory.was_asked() && device.pci.was_asked())
        })
    }
}
