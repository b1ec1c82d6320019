//! Phases of a program's life with the driver.

use cutape_cuda_api::{Effect, Function};

/// A phase. Which call belongs to which is decided by its function, in the order of the table; what destroys objects after the last work is
/// teardown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Looking functions up.
    Load,
    /// Starting the driver.
    Init,
    /// Asking about devices and memory.
    DeviceQuery,
    /// Making contexts and making them current.
    Context,
    /// Loading modules and finding kernels.
    Module,
    /// Allocating memory, making streams and events.
    Allocation,
    /// Copies, launches, waiting: the steady loop of what the program is for.
    Work,
    /// Giving back what was made, after the last work.
    Teardown,
    /// Anything else.
    Other,
}

/// All phases, in their usual order.
pub const PHASES: [Phase; 9] = [
    Phase::Load,
    Phase::Init,
    Phase::DeviceQuery,
    Phase::Context,
    Phase::Module,
    Phase::Allocation,
    Phase::Work,
    Phase::Teardown,
    Phase::Other,
];

impl Phase {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Init => "init",
            Self::DeviceQuery => "device query",
            Self::Context => "context",
            Self::Module => "module load",
            Self::Allocation => "allocation",
            Self::Work => "work",
            Self::Teardown => "teardown",
            Self::Other => "other",
        }
    }

    /// Whether a program that comes here has accepted the device.
    pub fn is_use(self) -> bool {
        matches!(self, Self::Module | Self::Allocation | Self::Work)
    }
}

/// Beginnings of base names and the phase of what begins so; the first line that fits counts.
const TABLE: [(&str, Phase); 34] = [
    ("cuGetProcAddress", Phase::Load),
    ("cuGetExportTable", Phase::Load),
    ("cuDriverGetVersion", Phase::Load),
    ("cuLogs", Phase::Load),
    ("cuInit", Phase::Init),
    ("nvmlInit", Phase::Init),
    ("nvml", Phase::DeviceQuery),
    ("cuDevicePrimaryCtx", Phase::Context),
    ("cuDevice", Phase::DeviceQuery),
    ("cuModuleGetLoadingMode", Phase::DeviceQuery),
    ("cuMemGetInfo", Phase::DeviceQuery),
    ("cuMemGetAllocationGranularity", Phase::DeviceQuery),
    ("cuCtxSynchronize", Phase::Work),
    ("cuCtx", Phase::Context),
    ("cuGreenCtx", Phase::Context),
    ("cuModule", Phase::Module),
    ("cuLibrary", Phase::Module),
    ("cuKernel", Phase::Module),
    ("cuFunc", Phase::Module),
    ("cuLink", Phase::Module),
    ("cuOccupancy", Phase::Module),
    ("cuMemcpy", Phase::Work),
    ("cuMemset", Phase::Work),
    ("cuMem", Phase::Allocation),
    ("cuArray", Phase::Allocation),
    ("cuStreamCreate", Phase::Allocation),
    ("cuEventCreate", Phase::Allocation),
    ("cuLaunch", Phase::Work),
    ("cuGraph", Phase::Work),
    ("cuStreamDestroy", Phase::Allocation),
    ("cuEventDestroy", Phase::Allocation),
    ("cuStream", Phase::Work),
    ("cuEvent", Phase::Work),
    ("cuSignal", Phase::Work),
];

/// The phase of a function's calls, unless they are teardown.
pub fn phase_of(function: &Function) -> Phase {
    let line = TABLE
        .iter()
        .find(|(start, _)| function.base.starts_with(start));
    line.map_or(Phase::Other, |&(_, phase)| phase)
}

/// Whether calls of a function are teardown when no work comes any more: they destroy something or give something up.
pub fn gives_back(function: &Function) -> bool {
    let destroys = |effect: &Effect| matches!(effect, Effect::Destroys(_));
    function.effects.iter().any(destroys)
        || function.base.starts_with("cuDevicePrimaryCtxRe")
            && function.base != "cuDevicePrimaryCtxRetain"
        || function.base == "nvmlShutdown"
        || function.base == "cuLogsUnregisterCallback"
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_cuda_api::Api;

    #[test]
    fn functions_are_where_one_expects_them() {
        let phase = |name: &str| {
            Api::get()
                .functions()
                .iter()
                .find(|f| f.name == name)
                .map(phase_of)
        };
        assert_eq!(phase("cuInit"), Some(Phase::Init));
        assert_eq!(phase("cuDeviceGetAttribute"), Some(Phase::DeviceQuery));
        assert_eq!(phase("cuDevicePrimaryCtxRetain"), Some(Phase::Context));
        assert_eq!(phase("cuMemGetInfo_v2"), Some(Phase::DeviceQuery));
        assert_eq!(phase("cuMemAlloc_v2"), Some(Phase::Allocation));
        assert_eq!(phase("cuMemcpyHtoDAsync_v2"), Some(Phase::Work));
        assert_eq!(phase("cuLaunchKernel"), Some(Phase::Work));
        assert_eq!(phase("cuLibraryLoadData"), Some(Phase::Module));
    }

    #[test]
    fn every_line_of_the_table_is_of_some_function() {
        let functions = Api::get().functions();
        for (place, (start, _)) in TABLE.iter().enumerate() {
            let first = |base: &str| TABLE.iter().position(|(other, _)| base.starts_with(other));
            assert!(
                functions
                    .iter()
                    .any(|function| first(&function.base) == Some(place)),
                "{start}"
            );
        }
    }
}
