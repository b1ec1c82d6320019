//! Whether programs find the driver library, and in it what they need.

use cutape_trace_format::trace::Losses;

use crate::doctor::client::ClientKind::{
    Ggml, OllamaInProcess, OllamaRunner, OllamaServer, PyTorch,
};
use crate::doctor::client::{Client, file_name};
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
/// The rule was first written for a process that has libcuda mapped and makes no call. Such a process leaves nothing in a trace: the
/// recording library writes with the first call. What is known instead is what the driver exports and GGML's backend needs.
pub static BACKEND_ABSENT: Rule = Rule {
    id: "backend-absent",
    title: "The program's CUDA backend could not be loaded",
    when: "The driver library lacks a function that GGML's backend is linked to, and no process with that backend called the driver. What the driver exports is known for traces of `cutape record`.",
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
    ],
    sources: &["ollama#16985", "measured: libggml-cuda of llama.cpp v0.5.0"],
    follows: &[],
};

fn backend_absent(story: &Story<'_>) -> Vec<Found> {
    let missing: Vec<&str> = GGML_IMPORTS
        .into_iter()
        .filter(|name| story.exports.lack(name))
        .collect();
    let is_loaded = |client: &Client| {
        let mut reasons = client.kinds.values();
        reasons.any(|reason| reason.contains("libggml-cuda"))
    };
    if missing.is_empty() || story.clients.iter().any(is_loaded) {
        return Vec::new();
    }
    let seen = if story.calls() == 0 {
        " No call was recorded."
    } else {
        ""
    };
    let what = format!(
        "The driver library does not export {}, which GGML's CUDA backend is linked to.{seen}",
        missing.join(", ")
    );
    vec![Found::new(what, [])]
}

/// `no-calls`.
pub static NO_CALLS: Rule = Rule {
    id: "no-calls",
    title: "The program made no call that was recorded",
    when: "The trace has no call, although the program has ended.",
    severity: Severity::Doubtful,
    stage: Stage::Loading,
    checks: &[Check::Trace(|story| {
        let trace = story.trace;
        // Calls that damage took, or that found no room, were made all the same.
        let made =
            story.calls() > 0 || trace.call_count() > 0 || trace.losses() != Losses::default();
        if made || !trace.damages().is_empty() || trace.is_live() {
            return Vec::new();
        }
        let what = "No call to the CUDA driver or NVML was recorded: the program uses no CUDA, or its CUDA library could not be loaded, or it found another driver than the recording library.";
        vec![Found::new(what, [])]
    })],
    reactions: &[
        silently(
            Ggml,
            "where libggml-cuda.so can't be loaded, the CPU is used and nothing is said",
        ),
        silently(OllamaServer, "runs on the CPU"),
    ],
    advice: &[
        "LD_DEBUG=libs,symbols shows what the loader looks for, and what it misses: `undefined symbol: cu...`",
        "a program that loads the driver by absolute path or by RPATH, is linked to it statically, or cleans its environment is not recorded; docs/architecture.md has the limits",
    ],
    sources: &["docs/architecture.md, limits"],
    follows: &[&["backend-absent", "meminfo-missing", "shim-bypassed"]],
};

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
