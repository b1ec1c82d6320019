//! What the table of the API doesn't say and a replay must know: data.

use cutape_call_choice::pattern::fits;

use crate::answer::AnswerClass;
use crate::plan::Stub;
use crate::skip::SkipReason;

/// Functions that are never played, by name; the first line that fits counts.
const SKIPPED: &[(&str, Option<SkipReason>)] = &[
    ("cuIpc*", Some(SkipReason::OtherProcess)),
    (
        "cuMemExportToShareableHandle",
        Some(SkipReason::OtherProcess),
    ),
    (
        "cuMemImportFromShareableHandle",
        Some(SkipReason::OtherProcess),
    ),
    ("cuMemPoolExport*", Some(SkipReason::OtherProcess)),
    ("cuMemPoolImport*", Some(SkipReason::OtherProcess)),
    (
        "cuMemGetHandleForAddressRange",
        Some(SkipReason::OtherProcess),
    ),
    ("cuLogicalEndpoint*", Some(SkipReason::OtherProcess)),
    ("cuFabric*", Some(SkipReason::OtherProcess)),
    ("cuCheckpoint*", Some(SkipReason::ChangesMachine)),
    ("cuImportExternal*", Some(SkipReason::ForeignResource)),
    ("cuDestroyExternal*", Some(SkipReason::ForeignResource)),
    ("cuExternalMemory*", Some(SkipReason::ForeignResource)),
    ("cuSignalExternal*", Some(SkipReason::ForeignResource)),
    ("cuWaitExternal*", Some(SkipReason::ForeignResource)),
    ("cuGraphAddExternal*", Some(SkipReason::ForeignResource)),
    ("cuGraphExternal*", Some(SkipReason::ForeignResource)),
    ("cuGraphExecExternal*", Some(SkipReason::ForeignResource)),
    ("cuGraphics*", Some(SkipReason::ForeignResource)),
    ("cuGL*", Some(SkipReason::ForeignResource)),
    ("cuEGL*", Some(SkipReason::ForeignResource)),
    (
        "cuEventCreateFromEGLSync",
        Some(SkipReason::ForeignResource),
    ),
    ("cuVDPAU*", Some(SkipReason::ForeignResource)),
    (
        "cuDeviceGetNvSciSyncAttributes",
        Some(SkipReason::ForeignResource),
    ),
    (
        "cuStreamBeginCaptureToCig*",
        Some(SkipReason::ForeignResource),
    ),
    ("cuGraphDebugDotPrint", Some(SkipReason::NamesFile)),
    ("cuLogsDumpToFile", Some(SkipReason::NamesFile)),
    ("cuProfilerInitialize", Some(SkipReason::NamesFile)),
    ("cuCoredump*", Some(SkipReason::NamesFile)),
    ("cuStreamBeginRecaptureToGraph", Some(SkipReason::CallsBack)),
    ("nvmlInit*", None),
    ("nvmlShutdown", None),
    ("nvmlErrorString", None),
    ("nvml*Get*", None),
    ("nvml*Query*", None),
    ("nvml*Is*", None),
    ("nvmlDeviceOnSameBoard", None),
    ("nvmlDeviceValidateInforom", None),
    ("nvmlGpmSampleAlloc", None),
    ("nvmlGpmSampleFree", None),
    ("nvmlEventSetCreate", None),
    ("nvmlEventSetFree", None),
    ("nvml*", Some(SkipReason::ChangesMachine)),
];

/// Why no call of a function is played.
pub fn skip_of(function: &str) -> Option<SkipReason> {
    let plain = without_stream_suffix(function);
    SKIPPED
        .iter()
        .find(|(pattern, _)| fits(pattern, plain))
        .and_then(|&(_, reason)| reason)
}

fn without_stream_suffix(function: &str) -> &str {
    function
        .strip_suffix("_ptsz")
        .or_else(|| function.strip_suffix("_ptds"))
        .unwrap_or(function)
}

/// What an opaque pointer is; other parameters are named by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpaqueRole {
    /// The driver reads so many bytes there: a parameter's name.
    Source(&'static str),
    /// The driver writes so many bytes there.
    Sink(&'static str),
    /// Known host memory.
    Host,
    /// Host memory that becomes known, so many bytes.
    Registered(&'static str),
    /// An address on the device.
    Device,
    /// A place for an answer of no known type.
    Scratch(u32),
    /// A function.
    Stub(Stub),
    /// What a function gets.
    UserData,
    /// A module image.
    Image,
    /// Kernel arguments, a pointer to each.
    KernelParams,
    /// Kernel arguments in a buffer.
    KernelExtra,
}

/// What opaque pointers are, by function (`*` for any letters) and parameter. What is not here can only be null.
const OPAQUE: &[(&str, &str, OpaqueRole)] = &[
    ("cuMemcpyHtoD*", "srcHost", OpaqueRole::Source("ByteCount")),
    ("cuMemcpyHtoA*", "srcHost", OpaqueRole::Source("ByteCount")),
    ("cuMemcpyDtoH*", "dstHost", OpaqueRole::Sink("ByteCount")),
    ("cuMemcpyAtoH*", "dstHost", OpaqueRole::Sink("ByteCount")),
    ("cuMemFreeHost", "p", OpaqueRole::Host),
    ("cuMemHostGetDevicePointer*", "p", OpaqueRole::Host),
    ("cuMemHostGetFlags", "p", OpaqueRole::Host),
    ("cuMemHostUnregister", "p", OpaqueRole::Host),
    (
        "cuMemHostRegister*",
        "p",
        OpaqueRole::Registered("bytesize"),
    ),
    ("cuMemRetainAllocationHandle", "addr", OpaqueRole::Device),
    (
        "cuTensorMapReplaceAddress",
        "globalAddress",
        OpaqueRole::Device,
    ),
    ("cuPointerGetAttribute", "data", OpaqueRole::Scratch(64)),
    ("cuMemPoolGetAttribute", "value", OpaqueRole::Scratch(64)),
    (
        "cuLaunchHostFunc*",
        "fn",
        OpaqueRole::Stub(Stub::HostFunction),
    ),
    ("cuLaunchHostFunc*", "userData", OpaqueRole::UserData),
    (
        "cuStreamAddCallback",
        "callback",
        OpaqueRole::Stub(Stub::StreamCallback),
    ),
    ("cuStreamAddCallback", "userData", OpaqueRole::UserData),
    // What these functions are given besides, they leave alone.
    (
        "cuLogsRegisterCallback",
        "callbackFunc",
        OpaqueRole::Stub(Stub::HostFunction),
    ),
    ("cuLogsRegisterCallback", "userData", OpaqueRole::UserData),
    (
        "cuDeviceRegisterAsyncNotification",
        "callbackFunc",
        OpaqueRole::Stub(Stub::HostFunction),
    ),
    (
        "cuDeviceRegisterAsyncNotification",
        "userData",
        OpaqueRole::UserData,
    ),
    ("cuUserObjectCreate", "ptr", OpaqueRole::UserData),
    (
        "cuUserObjectCreate",
        "destroy",
        OpaqueRole::Stub(Stub::HostFunction),
    ),
    (
        "cuOccupancyMaxPotentialBlockSize*",
        "blockSizeToDynamicSMemSize",
        OpaqueRole::Stub(Stub::BlockSizeToSharedMemory),
    ),
    ("cuModuleLoadData*", "image", OpaqueRole::Image),
    ("cuModuleLoadFatBinary", "fatCubin", OpaqueRole::Image),
    ("cuLibraryLoadData", "code", OpaqueRole::Image),
    ("cuLinkAddData*", "data", OpaqueRole::Image),
    ("cuLaunch*", "kernelParams", OpaqueRole::KernelParams),
    ("cuLaunch*", "extra", OpaqueRole::KernelExtra),
];

/// Names of files with module images: a file of ours with the recorded content stands in.
const IMAGE_FILES: [(&str, &str); 3] = [
    ("cuModuleLoad", "fname"),
    ("cuLibraryLoadFromFile", "fileName"),
    ("cuLinkAddFile*", "path"),
];

/// Whether a text is the name of a file with a module image.
pub fn names_image_file(function: &str, param: &str) -> bool {
    IMAGE_FILES
        .iter()
        .any(|(pattern, name)| *name == param && fits(pattern, function))
}

/// Functions after which it is not known what device memory holds: the program can write there itself.
const UNSEEN_WRITERS: [&str; 4] = [
    "cuMemAllocManaged",
    "cuMemHostGetDevicePointer*",
    "cuIpcOpen*",
    "cuMemMap*",
];
/// Functions that run kernels.
const RUN_KERNELS: [&str; 4] = [
    "cuLaunchKernel*",
    "cuLaunchCooperative*",
    "cuLaunch",
    "cuGraphLaunch",
];

/// Whether after a call of the function it is not known what device memory holds; `kernels_agree` if kernels do the same as when the call
/// was recorded.
pub fn writes_unseen(function: &str, kernels_agree: bool) -> bool {
    let plain = without_stream_suffix(function);
    let is_among = |patterns: &[&str]| patterns.iter().any(|pattern| fits(pattern, plain));
    is_among(&UNSEEN_WRITERS) || (!kernels_agree && is_among(&RUN_KERNELS))
}

/// What an opaque pointer is.
pub fn opaque_role(function: &str, param: &str) -> Option<OpaqueRole> {
    let plain = without_stream_suffix(function);
    OPAQUE
        .iter()
        .find(|(pattern, name, _)| *name == param && fits(pattern, plain))
        .map(|&(.., role)| role)
}

/// Answers that a successful call may leave as they were, by function and parameter.
const OPTIONAL_ANSWERS: &[(&str, &str)] = &[
    // Written only while a capture is going on.
    ("cuStreamGetCaptureInfo*", "id_out"),
    ("cuStreamGetCaptureInfo*", "graph_out"),
    ("cuStreamGetCaptureInfo*", "dependencies_out"),
    ("cuStreamGetCaptureInfo*", "edgeData_out"),
    ("cuStreamGetCaptureInfo*", "numDependencies_out"),
    // Of a green context there is either this or that.
    ("cuStreamGetCtx_v2*", "*"),
    // The index of what failed.
    ("*", "failIdx"),
    ("*", "errorIndex"),
    ("cuGraphInstantiate*", "phErrorNode"),
    ("cuGraphInstantiate*", "logBuffer"),
    ("cuGraphExecUpdate*", "hErrorNode_out"),
    ("cuDevSmResourceSplit*", "*"),
    ("nvml*", "*"),
];

/// Whether a successful call may leave an answer as it was.
pub fn may_stay_unwritten(function: &str, param: &str) -> bool {
    OPTIONAL_ANSWERS
        .iter()
        .any(|(pattern, name)| fits(pattern, function) && fits(name, param))
}

/// Classes of values that differ from run to run or from machine to machine, by function and path of the value.
const CLASSES: &[(&str, &str, AnswerClass)] = &[
    ("cuMemGetInfo*", "free", AnswerClass::FreeMemory),
    ("cuEventElapsedTime*", "pMilliseconds", AnswerClass::Reading),
    ("cuDeviceGetUuid*", "*", AnswerClass::Identity),
    ("cuDeviceGetPCIBusId", "pciBusId", AnswerClass::Identity),
    ("cuDeviceGetLuid", "*", AnswerClass::Identity),
    ("cuDeviceGetFabricClusterUuid", "*", AnswerClass::Identity),
    (
        "cuDeviceGetGraphMemAttribute",
        "value",
        AnswerClass::FreeMemory,
    ),
    ("cuMemPoolGetAttribute", "value", AnswerClass::FreeMemory),
    ("cuCtxGetId", "ctxId", AnswerClass::Identity),
    ("cuStreamGetId", "streamId", AnswerClass::Identity),
    ("cuStreamGetCaptureInfo*", "id_out", AnswerClass::Identity),
    ("cuPointerGetAttribute*", "data*", AnswerClass::Reading),
    // The stand-in for the program's function asks for no shared memory.
    (
        "cuOccupancyMaxPotentialBlockSize*",
        "*",
        AnswerClass::Reading,
    ),
    (
        "cuCheckpointProcessGetRestoreThreadId",
        "tid",
        AnswerClass::Identity,
    ),
    // Pointers of the program's own, told back.
    ("*", "*.userData", AnswerClass::Reading),
    ("*", "*.fn", AnswerClass::Reading),
    ("*", "*.kernelParams", AnswerClass::Reading),
    ("*", "*.extra", AnswerClass::Reading),
    ("*", "*.reserved*", AnswerClass::Reading),
    ("*", "*.pad*", AnswerClass::Reading),
    (
        "nvmlDeviceGetMemoryInfo*",
        "memory.free",
        AnswerClass::FreeMemory,
    ),
    (
        "nvmlDeviceGetMemoryInfo*",
        "memory.used",
        AnswerClass::Reading,
    ),
    (
        "nvmlDeviceGetBAR1MemoryInfo",
        "bar1Memory.bar1Free",
        AnswerClass::FreeMemory,
    ),
    (
        "nvmlDeviceGetBAR1MemoryInfo",
        "bar1Memory.bar1Used",
        AnswerClass::Reading,
    ),
    ("nvmlDeviceGetUUID", "*", AnswerClass::Identity),
    ("nvmlDeviceGetSerial", "*", AnswerClass::Identity),
    ("nvmlDeviceGetPciInfo*", "*", AnswerClass::Identity),
    ("nvmlDeviceGetMinorNumber", "*", AnswerClass::Identity),
    ("nvmlDeviceGetBoardId", "*", AnswerClass::Identity),
    ("nvmlDeviceGetBoardPartNumber", "*", AnswerClass::Identity),
    ("nvmlDeviceGet*Affinity*", "*", AnswerClass::Identity),
    ("nvmlDeviceGetNumaNodeId", "*", AnswerClass::Identity),
    ("nvmlSystemGetProcessName", "*", AnswerClass::Identity),
    ("nvmlDeviceGet*Processes*", "*", AnswerClass::Reading),
    ("nvmlDeviceGetProcessUtilization", "*", AnswerClass::Reading),
    ("nvmlDeviceGetTemperature*", "*", AnswerClass::Reading),
    ("nvmlDeviceGetThermalSettings", "*", AnswerClass::Reading),
    ("nvmlDeviceGetPowerUsage", "*", AnswerClass::Reading),
    (
        "nvmlDeviceGetTotalEnergyConsumption",
        "*",
        AnswerClass::Reading,
    ),
    ("nvmlDeviceGet*Utilization*", "*", AnswerClass::Reading),
    ("nvmlDeviceGetClock*", "*", AnswerClass::Reading),
    ("nvmlDeviceGetCurrentClocks*", "*", AnswerClass::Reading),
    ("nvmlDeviceGetPerformanceState", "*", AnswerClass::Reading),
    ("nvmlDeviceGetPowerState", "*", AnswerClass::Reading),
    ("nvmlDeviceGetFanSpeed*", "*", AnswerClass::Reading),
    ("nvmlDeviceGetPcieThroughput", "*", AnswerClass::Reading),
    ("nvmlDeviceGetPcieReplayCounter", "*", AnswerClass::Reading),
    ("nvmlDeviceGetSamples", "*", AnswerClass::Reading),
    ("nvmlDeviceGetFieldValues", "*", AnswerClass::Reading),
    ("nvmlDeviceGetViolationStatus", "*", AnswerClass::Reading),
    ("nvmlDeviceGetAccounting*", "*", AnswerClass::Reading),
    ("nvmlGpmMetricsGet", "*", AnswerClass::Reading),
];

/// Values of `CUdevice_attribute` that name a place in one machine: PCI bus, device and domain, NUMA nodes, PCI ids.
const IDENTITY_ATTRIBUTES: [u64; 7] = [33, 34, 50, 130, 134, 139, 140];

/// The class of a value that an answer holds at that path, if it is other than its type says. `words` are the call's arguments.
pub fn class_of(function: &str, path: &str, words: &[u64]) -> Option<AnswerClass> {
    // CUresult cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)
    if function == "cuDeviceGetAttribute"
        && words
            .get(1)
            .is_some_and(|attribute| IDENTITY_ATTRIBUTES.contains(attribute))
    {
        return Some(AnswerClass::Identity);
    }
    let plain = without_stream_suffix(function);
    CLASSES
        .iter()
        .find(|(pattern, value, _)| fits(pattern, plain) && fits(value, path))
        .map(|&(.., class)| class)
}

/// Functions whose answer depends on how far the device is, and the codes that it swings between, by name.
const SWINGING: &[(&str, &[u32])] = &[
    ("cuEventQuery", &[0, 600]),
    ("cuStreamQuery", &[0, 600]),
    ("cuEventElapsedTime*", &[0, 600]),
    ("nvmlEventSetWait*", &[0, 10]),
];

/// Whether it means nothing that a function returns this code instead of that one.
pub fn codes_are_alike(function: &str, was: Option<u32>, is: Option<u32>) -> bool {
    let plain = without_stream_suffix(function);
    let (Some(was), Some(is)) = (was, is) else {
        return false;
    };
    SWINGING
        .iter()
        .any(|(pattern, codes)| fits(pattern, plain) && codes.contains(&was) && codes.contains(&is))
}

/// How many bytes belong to what a function creates, by base name: the parameter that says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeRule {
    /// This parameter's value.
    Param(&'static str),
    /// What stands behind this parameter.
    Behind(&'static str),
    /// What stands behind the first, times the value of the second.
    Pitch(&'static str, &'static str),
    /// The host range that this parameter is the start of.
    Host(&'static str),
}

/// By base name of the function.
const SIZES: &[(&str, SizeRule)] = &[
    ("cuMemAlloc", SizeRule::Param("bytesize")),
    ("cuMemAllocManaged", SizeRule::Param("bytesize")),
    ("cuMemAllocAsync", SizeRule::Param("bytesize")),
    ("cuMemAllocFromPoolAsync", SizeRule::Param("bytesize")),
    ("cuMemAllocPitch", SizeRule::Pitch("pPitch", "Height")),
    ("cuMemAddressReserve", SizeRule::Param("size")),
    ("cuMemAllocHost", SizeRule::Param("bytesize")),
    ("cuMemHostAlloc", SizeRule::Param("bytesize")),
    ("cuMemHostGetDevicePointer", SizeRule::Host("p")),
    ("cuModuleGetGlobal", SizeRule::Behind("bytes")),
    ("cuLibraryGetGlobal", SizeRule::Behind("bytes")),
    ("cuLibraryGetManaged", SizeRule::Behind("bytes")),
];

/// How many bytes belong to what a function creates.
pub fn size_rule(base: &str) -> Option<SizeRule> {
    SIZES
        .iter()
        .find(|(name, _)| *name == base)
        .map(|&(_, rule)| rule)
}

/// Parameters with the values of options: those of libraries, and those of the linker and the compiler.
pub const OPTION_VALUES: [&str; 3] = ["libraryOptionValues", "optionValues", "jitOptionsValues"];

/// Functions that give host memory back, by base name; their only parameter is its start.
pub const RELEASES_HOST: [&str; 2] = ["cuMemFreeHost", "cuMemHostUnregister"];

/// Functions whose device pointers the program may follow, too, by base name.
pub const HOST_TOO: [&str; 1] = ["cuMemAllocManaged"];

/// Arrays of pointers to places for answers, by function and parameter.
pub const SCRATCH_POINTERS: [(&str, &str); 2] = [
    ("cuPointerGetAttributes", "data"),
    ("cuMemRangeGetAttributes", "data"),
];

/// Functions that may bring data to the host, or with which programs wait for data.
const BRING_DATA: [&str; 6] = [
    "cuMemcpy*",
    "cuStreamSynchronize",
    "cuStreamQuery",
    "cuCtxSynchronize",
    "cuEventSynchronize",
    "cuEventQuery",
];

/// Whether a function, by base name, may bring data to the host, or is one with which programs wait for data.
pub fn brings_data(base: &str) -> bool {
    BRING_DATA.iter().any(|pattern| fits(pattern, base))
}

/// Device pointers that may be the host side of a copy, by base name and parameter: whether the driver writes there, and the parameter with
/// the number of bytes.
const UNIFIED_SIDES: [(&str, &str, bool, &str); 4] = [
    ("cuMemcpy", "src", false, "ByteCount"),
    ("cuMemcpy", "dst", true, "ByteCount"),
    ("cuMemcpyAsync", "src", false, "ByteCount"),
    ("cuMemcpyAsync", "dst", true, "ByteCount"),
];

/// Whether a device pointer may be the host side of a copy: whether the driver writes there, and the parameter with the number of bytes.
pub fn unified_side(base: &str, param: &str) -> Option<(bool, &'static str)> {
    UNIFIED_SIDES
        .iter()
        .find(|(function, name, ..)| *function == base && *name == param)
        .map(|&(_, _, is_written, bytes)| (is_written, bytes))
}

/// Functions that take host memory where the header says `CUdeviceptr`, because all addresses are one space.
const UNIFIED: [&str; 8] = [
    "cuPointer*",
    "cuMemcpy",
    "cuMemcpyAsync",
    "cuMemcpyPeer*",
    "cuMemRangeGet*",
    "cuMemAdvise*",
    "cuMemPrefetch*",
    "cuMemGetAddressRange*",
];

/// Whether a function takes host memory where the header says `CUdeviceptr`.
pub fn takes_any_address(function: &str) -> bool {
    let plain = without_stream_suffix(function);
    UNIFIED.iter().any(|pattern| fits(pattern, plain))
}

/// The values of `CUmemorytype` with which a field of a copy's structure counts, by the field's name without `src` and `dst`.
pub const COPY_FIELDS: [(&str, &[u32]); 3] = [
    ("Host", &[1]),
    // Unified addresses stand in the same place as device pointers.
    ("Device", &[2, 4]),
    ("Array", &[3]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hands_over_to_others_or_opens_files_is_not_played() {
        assert_eq!(skip_of("cuIpcGetMemHandle"), Some(SkipReason::OtherProcess));
        assert_eq!(skip_of("cuGraphDebugDotPrint"), Some(SkipReason::NamesFile));
        assert_eq!(skip_of("cuModuleLoadData"), None);
        assert!(names_image_file("cuModuleLoad", "fname"));
        assert_eq!(
            skip_of("nvmlDeviceSetPowerManagementLimit"),
            Some(SkipReason::ChangesMachine)
        );
        assert_eq!(skip_of("nvmlDeviceGetName"), None);
        assert_eq!(skip_of("cuMemAlloc_v2"), None);
    }

    #[test]
    fn volatile_values_have_classes_of_their_own() {
        assert_eq!(
            class_of("cuMemGetInfo_v2", "free", &[]),
            Some(AnswerClass::FreeMemory)
        );
        assert_eq!(class_of("cuMemGetInfo_v2", "total", &[]), None);
        assert_eq!(
            class_of("cuDeviceGetAttribute", "pi", &[0, 33, 0]),
            Some(AnswerClass::Identity)
        );
        assert_eq!(class_of("cuDeviceGetAttribute", "pi", &[0, 75, 0]), None);
    }
}
