//! Answers that differ from run to run though nothing is wrong, and calls whose answer is a matter of time alone.

/// Why an answer differs from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatile {
    /// How long something took.
    Time,
    /// How much memory is free. None at all, or much less, is a difference all the same.
    FreeMemory,
    /// A number or a handle that is made up anew in each run, and names something in it.
    Identity,
    /// What the device measures about itself, or who uses it: clocks, temperatures, processes.
    Measured,
}

/// One line of the table.
struct Entry {
    /// The function as `cuGetProcAddress` names it; a `*` at the end stands for any end.
    base: &'static str,
    /// The parameter; `*` for all that the driver writes.
    param: &'static str,
    class: Volatile,
}

const fn entry(base: &'static str, param: &'static str, class: Volatile) -> Entry {
    Entry { base, param, class }
}

use Volatile::{FreeMemory, Identity, Measured, Time};

/// All that are known. Device UUIDs, PCI addresses and names are no line here: they name the device, and another one is a difference.
const TABLE: [Entry; 37] = [
    entry("cuMemGetInfo", "free", FreeMemory),
    entry("cuEventElapsedTime", "*", Time),
    entry("cuStreamGetId", "*", Identity),
    entry("cuCtxGetId", "*", Identity),
    entry("cuGraphGetId", "*", Identity),
    entry("cuGraphExecGetId", "*", Identity),
    entry("cuGraphNodeGetToolsId", "*", Identity),
    entry("cuStreamGetCaptureInfo", "id_out", Identity),
    entry("cuIpcGetMemHandle", "*", Identity),
    entry("cuIpcGetEventHandle", "*", Identity),
    entry("cuMemPoolExportPointer", "*", Identity),
    entry("cuMemExportToShareableHandle", "*", Identity),
    entry("cuLogsCurrent", "*", Identity),
    entry("nvmlDeviceGetMemoryInfo", "*", Measured),
    entry("nvmlDeviceGetMemoryInfo_v2", "*", Measured),
    entry("nvmlDeviceGetBAR1MemoryInfo", "*", Measured),
    entry("nvmlDeviceGetUtilizationRates", "*", Measured),
    entry("nvmlDeviceGetEncoder*", "*", Measured),
    entry("nvmlDeviceGetDecoder*", "*", Measured),
    entry("nvmlDeviceGetProcess*", "*", Measured),
    entry("nvmlDeviceGetTemperature*", "temp", Measured),
    entry("nvmlDeviceGetThermal*", "*", Measured),
    entry("nvmlDeviceGetPowerUsage", "*", Measured),
    entry("nvmlDeviceGetPowerState", "*", Measured),
    entry("nvmlDeviceGetPerformanceState", "*", Measured),
    entry("nvmlDeviceGetTotalEnergyConsumption", "*", Measured),
    entry("nvmlDeviceGetClock*", "*", Measured),
    entry("nvmlDeviceGetCurrentClocks*", "*", Measured),
    entry("nvmlDeviceGetFanSpeed*", "*", Measured),
    entry("nvmlDeviceGetPcie*", "*", Measured),
    entry("nvmlDeviceGetSamples", "*", Measured),
    entry("nvmlDeviceGetFieldValues", "*", Measured),
    entry("nvmlDeviceGetViolationStatus", "*", Measured),
    entry("nvmlDeviceGetComputeRunning*", "*", Measured),
    entry("nvmlDeviceGetGraphicsRunning*", "*", Measured),
    entry("nvmlDeviceGetMPSComputeRunning*", "*", Measured),
    entry("nvmlDeviceGetAccounting*", "*", Measured),
];

/// Why what the driver writes behind a parameter differs from run to run; nothing for what does not.
pub fn volatile(base: &str, param: &str) -> Option<Volatile> {
    let matches = |entry: &&Entry| {
        let function = match entry.base.strip_suffix('*') {
            Some(start) => base.starts_with(start),
            None => base == entry.base,
        };
        function && (entry.param == "*" || entry.param == param)
    };
    TABLE.iter().find(matches).map(|entry| entry.class)
}

/// Functions that ask whether work is done. How often a program asks, and how often the answer is no, is a matter of time.
const READINESS: [&str; 2] = ["cuStreamQuery", "cuEventQuery"];
const NOT_READY: u32 = 600;

/// Whether calls of a function that return yes or no, and no failure, are left out of a comparison.
pub fn asks_whether_ready(base: &str) -> bool {
    READINESS.contains(&base)
}

/// Whether such a call answered yes or no.
pub fn is_yes_or_no(code: u32) -> bool {
    code == 0 || code == NOT_READY
}

/// Whether two amounts of free memory are alike: both none, or at most a tenth apart.
pub fn is_alike(one: u64, other: u64) -> bool {
    let (less, more) = (one.min(other), one.max(other));
    more - less <= more / 10 && (less == 0) == (more == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_may_differ_by_a_tenth_and_never_be_none() {
        assert!(is_alike(100, 90) && is_alike(90, 100) && is_alike(0, 0));
        assert!(!is_alike(100, 89) && !is_alike(1, 0) && !is_alike(0, 83_751_862_272));
    }

    #[test]
    fn the_table_knows_functions_of_the_api_only() {
        let api = cutape_cuda_api::Api::get();
        for entry in &TABLE {
            let known = api.functions().iter().any(|function| {
                let params = function
                    .signature
                    .iter()
                    .flat_map(|signature| &signature.params);
                volatile(&function.base, entry.param) == Some(entry.class)
                    && match entry.base.strip_suffix('*') {
                        Some(start) => function.base.starts_with(start),
                        None => function.base == entry.base,
                    }
                    && (entry.param == "*"
                        || params.into_iter().any(|param| param.name == entry.param))
            });
            assert!(known, "{}.{}", entry.base, entry.param);
        }
    }
}
