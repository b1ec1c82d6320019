//! Whether programs find the driver library, and in it what they need.

use crate::doctor::client::ClientKind::{
    Ggml, OllamaInProcess, OllamaRunner, OllamaServer, PyTorch,
};
use crate::doctor::client::file_name;
use crate::doctor::closing::Closing;
use crate::doctor::rule::{Check, Found, Rule, Severity, Stage, says, silently};
use crate::doctor::story::Story;

/// What libggml-cuda.so is linked to (nm -D --undefined-only, llama.cpp v0.5.0). The loader refuses the library if one is missing.
const GGML_IMPORTS: [&str; 11] = [
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuGetErrorString",
    "cuMemAddressFree",
    "cuMemAddressReserve",
    "cuMemCreate",
    "cuMemGetAllocationGranularity",
    "cuMemMap",
    "cuMemRelease",
    "cuMemSetAccess",
    "cuMemUnmap",
];

/// What Ollama up to 0.12.3 looks up with dlsym (discover/gpu_info_nvcuda.c).
const OLLAMA_SYMBOLS: [&str; 10] = [
    "cuInit",
    "cuDriverGetVersion",
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetUuid",
    "cuDeviceGetName",
    "cuCtxCreate_v3",
    "cuMemGetInfo_v2",
    "cuCtxDestroy",
];

/// `backend-absent`.
///
/// A process that makes no call leaves nothing in a trace, mapped or not: the recording library writes with the first call. So what is seen
/// is a recording without a process.
pub static BACKEND_ABSENT: Rule = Rule {
    id: "backend-absent",
    title: "The program's CUDA backend could not be loaded",
    when: "The driver library lacks a function that GGML's backend is linked to, and no process of GGML's called the driver; or no call was recorded at all. What the driver exports is known for traces of `cutape record`.",
    severity: Severity::Fatal,
    stage: Stage::Loading,
    checks: &[Check::Trace(backend_absent)],
    reactions: &[
        silently(
            Ggml,
            "the loader refuses libggml-cuda.so; loading all backends says nothing of it, and the CPU is used",
        ),
        silently(OllamaServer, "runs on the CPU"),
        silently(OllamaRunner, "runs on the CPU"),
        says(
            PyTorch,
            "importing torch fails if it is linked to what is missing",
        ),
    ],
    advice: &[
        "export every function that NVIDIA's libcuda.so.1 exports; those that can't be served return CUDA_ERROR_NOT_SUPPORTED (801)",
        "LD_DEBUG=libs,symbols shows what the loader misses: `undefined symbol: cu...`",
        "if the program should have used the GPU and made no call: it may load the driver by absolute path, by RPATH, or with a cleaned environment",
    ],
    sources: &["ollama#16985", "measured: libggml-cuda of llama.cpp v0.5.0"],
    follows: &[],
};

fn backend_absent(story: &Story<'_>) -> Vec<Found> {
    let missing: Vec<&str> = GGML_IMPORTS
        .into_iter()
        .filter(|name| story.exports.lack(name))
        .collect();
    let calls = story.calls();
    if !missing.is_empty()
        && !story
            .clients
            .iter()
            .any(|client| client.kinds.contains(&Ggml))
    {
        let seen = if calls == 0 {
            " No call was recorded."
        } else {
            ""
        };
        let what = format!(
            "The driver library does not export {}, which GGML's CUDA backend is linked to.{seen}",
            missing.join(", ")
        );
        return vec![Found::new(what, []).variant(1)];
    }
    if calls == 0 && story.trace.damages().is_empty() && !story.trace.is_live() {
        let what = "No call to the CUDA driver or NVML was recorded: the program did not load a CUDA library, or the loader refused it, or it found another driver than the recorded one.";
        return vec![Found::new(what, [])];
    }
    Vec::new()
}

/// `shim-bypassed`.
pub static BYPASSED: Rule = Rule {
    id: "shim-bypassed",
    title: "A program may pass over this driver library and take another one",
    when: "The driver library lacks a function that Ollama up to 0.12.3 looks up by name, such as cuCtxCreate_v3 or cuCtxDestroy; or a process has two files named libcuda.so mapped besides the recording library.",
    severity: Severity::Doubtful,
    stage: Stage::Loading,
    checks: &[Check::Trace(lacks_symbols), Check::Process(two_drivers)],
    reactions: &[silently(
        OllamaInProcess,
        "closes the library and takes the next libcuda.so it finds: calls go to another driver",
    )],
    advice: &[
        "export the old names as well: cuCtxCreate_v3 and cuCtxDestroy (without version) beside cuCtxDestroy_v2",
        "find the other library: OLLAMA_DEBUG=1 lists the candidates; `cutape info` lists what was mapped",
        "if this driver loads the other one itself, all is well: --allow shim-bypassed",
    ],
    sources: &["ollama#5493", "ollama discover/gpu.go up to v0.12.3"],
    follows: &[&["backend-absent", "meminfo-missing"]],
};

fn lacks_symbols(story: &Story<'_>) -> Vec<Found> {
    let missing: Vec<&str> = OLLAMA_SYMBOLS
        .into_iter()
        .filter(|name| story.exports.lack(name))
        .collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let what = format!("The driver library does not export {}.", missing.join(", "));
    vec![Found::new(what, [])]
}

fn two_drivers(closing: &Closing<'_>) -> Vec<Found> {
    let Some(entry) = closing.entry else {
        return Vec::new();
    };
    let driver = &entry.process.driver;
    let mut others: Vec<&str> = entry
        .libraries
        .iter()
        .flat_map(|map| &map.libraries)
        .map(|library| library.path.as_str())
        .filter(|path| file_name(path).starts_with("libcuda.so"))
        .filter(|path| path != driver && !is_front(path))
        .collect();
    others.sort_unstable();
    others.dedup();
    // The driver may have been given by a link to the file that is mapped.
    let allowed = usize::from(file_name(driver).starts_with("libcuda.so") && !maps(entry, driver));
    let Some(other) = others.get(allowed) else {
        return Vec::new();
    };
    let what = format!(
        "Besides the recorded driver the process has {} mapped; calls to it are not in this trace.",
        super::quoted_name(other)
    );
    vec![Found::new(what, []).variant(1)]
}

fn maps(entry: &cutape_trace_format::trace::ProcessEntry, path: &str) -> bool {
    let libraries = entry.libraries.iter().flat_map(|map| &map.libraries);
    libraries.into_iter().any(|library| library.path == path)
}

/// The folder of the recording library, which has the driver's name: ~/.cache/cutape/fronts/record-...
fn is_front(path: &str) -> bool {
    let mut folders = path.rsplit('/').skip(1);
    folders
        .next()
        .is_some_and(|name| name.starts_with("record-"))
        && folders.next() == Some("fronts")
}
