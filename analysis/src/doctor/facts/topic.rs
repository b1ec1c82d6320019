//! Which functions a diagnosis follows, and what each is about.

use cutape_cuda_api::{Effect, Function, Library};

/// What a function is about, as far as facts are kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Nothing that is kept.
    Other,
    /// `cuDriverGetVersion`.
    Version,
    /// `cuInit`.
    Init,
    /// `cuDeviceGetCount`.
    Count,
    /// `cuDeviceGetName`.
    Name,
    /// `cuDeviceTotalMem`.
    TotalMemory,
    /// `cuDeviceGetUuid`.
    Uuid,
    /// `cuDeviceGetPCIBusId`.
    PciBusId,
    /// `cuDeviceGetAttribute`.
    Attribute,
    /// `cuDevicePrimaryCtxRetain`.
    Retain,
    /// `cuCtxCreate`.
    CreateContext,
    /// `cuCtxSetCurrent`, `cuCtxPushCurrent`.
    SetCurrent,
    /// `cuCtxGetCurrent`.
    GetCurrent,
    /// `cuMemGetAllocationGranularity`.
    Granularity,
    /// `cuMemGetInfo`.
    MemoryInfo,
    /// `cuGetProcAddress`.
    LookUp,
    /// `cuGetExportTable`.
    ExportTable,
    /// `nvmlInit`.
    NvmlInit,
    /// `nvmlDeviceGetCount`.
    NvmlCount,
    /// `nvmlDeviceGetName`.
    NvmlName,
    /// `nvmlDeviceGetUUID`.
    NvmlUuid,
    /// `nvmlDeviceGetMemoryInfo`.
    NvmlMemory,
}

/// Topics by the name without version that a function has.
const TOPICS: [(&str, Topic); 22] = [
    ("cuDriverGetVersion", Topic::Version),
    ("cuInit", Topic::Init),
    ("cuDeviceGetCount", Topic::Count),
    ("cuDeviceGetName", Topic::Name),
    ("cuDeviceTotalMem", Topic::TotalMemory),
    ("cuDeviceGetUuid", Topic::Uuid),
    ("cuDeviceGetPCIBusId", Topic::PciBusId),
    ("cuDeviceGetAttribute", Topic::Attribute),
    ("cuDevicePrimaryCtxRetain", Topic::Retain),
    ("cuCtxCreate", Topic::CreateContext),
    ("cuCtxSetCurrent", Topic::SetCurrent),
    ("cuCtxPushCurrent", Topic::SetCurrent),
    ("cuCtxGetCurrent", Topic::GetCurrent),
    ("cuMemGetAllocationGranularity", Topic::Granularity),
    ("cuMemGetInfo", Topic::MemoryInfo),
    ("cuGetProcAddress", Topic::LookUp),
    ("cuGetExportTable", Topic::ExportTable),
    ("nvmlInit", Topic::NvmlInit),
    ("nvmlDeviceGetCount", Topic::NvmlCount),
    ("nvmlDeviceGetName", Topic::NvmlName),
    ("nvmlDeviceGetUUID", Topic::NvmlUuid),
    ("nvmlDeviceGetMemoryInfo", Topic::NvmlMemory),
];

/// What a function is about.
pub fn topic(function: &Function) -> Topic {
    let base = plain_name(function);
    TOPICS
        .iter()
        .find(|(name, _)| *name == base)
        .map_or(Topic::Other, |&(_, topic)| topic)
}

/// A function's name without version: `cuMemGetInfo` for `cuMemGetInfo_v2`, `nvmlInit` for `nvmlInit_v2`.
pub fn plain_name(function: &Function) -> &str {
    match function.library {
        Library::Cuda => &function.base,
        Library::Nvml => match function.base.rsplit_once("_v") {
            Some((plain, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => plain,
            _ => &function.base,
        },
    }
}

/// Whether a function only asks something that any driver on the same machine answers from memory: what such a call takes is what a call
/// costs on its way. Look-ups are answered in the process.
pub fn is_quick_question(function: &Function) -> bool {
    const WAIT_OR_LOAD: [&str; 5] = [
        "cuGetProcAddress",
        "cuGetExportTable",
        "cuModuleGetFunction",
        "cuLibraryGetKernel",
        "cuKernelGetFunction",
    ];
    function.library == Library::Cuda
        && function.effects.contains(&Effect::Queries)
        && !WAIT_OR_LOAD.contains(&function.base.as_str())
}
