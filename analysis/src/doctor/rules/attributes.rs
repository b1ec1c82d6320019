//! Attributes of a device that clients act on.

use super::groups::DRIVER_DID_NOT_START;
use crate::doctor::client::ClientKind::{
    Ggml, OllamaInProcess, OllamaRunner, OllamaServer, PyTorch, Runtime,
};
use crate::doctor::closing::Closing;
use crate::doctor::facts::devices::{Device, attribute};
use crate::doctor::rule::{Check, Found, Rule, Severity, Stage, says, silently};

/// What is wrong with a device, and the calls that show it.
type Problem = Option<(String, Vec<u64>)>;

/// A finding for each device of a process that has the problem.
fn each_device(closing: &Closing<'_>, problem: fn(&Closing<'_>, &Device) -> Problem) -> Vec<Found> {
    let devices = closing.facts.devices.0.iter();
    devices
        .filter_map(|(&number, device)| {
            let (what, calls) = problem(closing, device)?;
            let what = format!("{}: {what}", closing.device_name(number, device));
            Some(Found::new(what, calls).variant(number as u32 as u64))
        })
        .collect()
}

/// `unified-addressing-off`.
///
/// The backend of llama.cpp v0.5.0 does not ask for the attribute itself, so it goes on (measured); what its libraries make of the answer
/// later is not known.
pub static UNIFIED_ADDRESSING: Rule = Rule {
    id: "unified-addressing-off",
    title: "The driver says that GPU and host have no common address space",
    when: "cuDeviceGetAttribute says 0 for UNIFIED_ADDRESSING (41). A 64-bit driver always says 1.",
    severity: Severity::Harmful,
    stage: Stage::Properties,
    checks: &[Check::Process(|closing| {
        each_device(closing, |_, device| {
            let (seq, value) = device.attribute(attribute::UNIFIED_ADDRESSING)?;
            let what = "UNIFIED_ADDRESSING (41) is 0.".to_owned();
            (value == 0).then_some((what, vec![seq]))
        })
    })],
    reactions: &[
        silently(
            Runtime,
            "reports unifiedAddressing = 0: cudaMemcpyDefault and peer copies are refused",
        ),
        silently(
            Ggml,
            "goes on; programs that check it refuse the GPU or copy by a detour",
        ),
        silently(
            PyTorch,
            "goes on; pinned memory and peer copies may fail later",
        ),
    ],
    advice: &["answer 1: every 64-bit driver since CUDA 4 does"],
    sources: &[
        "the seed's note of 2026-02-27",
        "CUDA driver API, unified addressing",
    ],
    follows: &[DRIVER_DID_NOT_START],
};

/// The least compute capability for which the compilers of a CUDA version make code: (CUDA major, capability major, minor).
const LEAST_CAPABILITY: [(u32, i32, i32); 3] = [(13, 7, 5), (12, 5, 0), (11, 3, 5)];
/// Ollama drops GPUs below this one, and no library of CUDA 12 has code for them.
const LEAST_IN_USE: (i32, i32) = (5, 0);

/// `arch-unsupported`.
///
/// For which architectures a library has code is written in the library, not in what it asks the driver. What is known is for which ones
/// its CUDA version can have any.
pub static ARCHITECTURE: Rule = Rule {
    id: "arch-unsupported",
    title: "No program of this CUDA version has code for a GPU of this compute capability",
    when: "Attributes 75 and 76 make a compute capability below the least that the compilers of the runtime's CUDA version know: 7.5 for CUDA 13, 5.0 for 12 and where no runtime is known. The architectures that a library was really built for are not in the trace.",
    severity: Severity::Fatal,
    stage: Stage::Properties,
    checks: &[Check::Process(|closing| each_device(closing, architecture))],
    reactions: &[
        says(
            Ggml,
            "lists the GPU and aborts at the first kernel: \"no kernel image is available for execution on the device\"",
        ),
        says(
            OllamaServer,
            "skips the GPU at INFO, because the architecture is not among those the library was built for",
        ),
        says(OllamaRunner, "aborts"),
        says(OllamaInProcess, "drops the GPU: below 5.0"),
        says(
            PyTorch,
            "warns that the GPU is not supported by this build, and kernels fail",
        ),
    ],
    advice: &[
        "if the GPU really is that old: use a client built for an older CUDA (PyTorch cu126 for Volta and Pascal, Ollama's cuda_v12)",
        "a shim that makes the number up: answer what the real GPU is, or 8.0, for which every current library has code",
    ],
    sources: &[
        "ollama#12408",
        "ollama#12341",
        "release notes of CUDA 12 and 13",
    ],
    follows: &[DRIVER_DID_NOT_START],
};

fn architecture(closing: &Closing<'_>, device: &Device) -> Problem {
    let (major_call, major) = device.attribute(attribute::COMPUTE_MAJOR)?;
    let (minor_call, minor) = device.attribute(attribute::COMPUTE_MINOR)?;
    let runtime = closing.runtime_major();
    let least = LEAST_CAPABILITY
        .iter()
        .find(|(cuda, ..)| runtime.is_some_and(|runtime| runtime >= *cuda))
        .map_or(LEAST_IN_USE, |&(_, major, minor)| (major, minor));
    let of = runtime.map_or_else(
        || "libraries of CUDA 12".to_owned(),
        |runtime| format!("libraries of CUDA {runtime}"),
    );
    let what = format!(
        "compute capability {major}.{minor}; {of} have no code below {}.{}.",
        least.0, least.1
    );
    ((major, minor) < least).then_some((what, vec![major_call, minor_call]))
}

/// Words in the names of GPUs that have memory of their own.
const DISCRETE: [&str; 18] = [
    "A100", "A10", "A30", "A40", "B100", "B200", "GTX", "H100", "H200", "H800", "L20", "L4",
    "P100", "Quadro", "RTX", "T4", "Tesla", "V100",
];
/// Bits of the widest memory bus of an integrated GPU is 256 (Orin, Thor, GB10).
const WIDEST_INTEGRATED_BUS: i32 = 512;

/// `integrated-lie`.
pub static INTEGRATED: Rule = Rule {
    id: "integrated-lie",
    title: "A GPU with memory of its own says that it shares the host's",
    when: "Attribute INTEGRATED (18) is 1, and the GPU's name or the width of its memory bus is that of a GPU with memory of its own.",
    severity: Severity::Harmful,
    stage: Stage::Properties,
    checks: &[Check::Process(|closing| each_device(closing, integrated))],
    reactions: &[
        silently(
            Ggml,
            "takes the host's free memory, from /proc/meminfo, for the GPU's",
        ),
        silently(OllamaServer, "places models by the host's free memory"),
        silently(PyTorch, "shows is_integrated = True and does not mind"),
    ],
    advice: &["answer 0 for attribute 18, unless the GPU is part of the processor (Jetson, GB10)"],
    sources: &[
        "llama.cpp#17536",
        "measured: libggml-cuda of llama.cpp v0.5.0",
    ],
    follows: &[DRIVER_DID_NOT_START],
};

fn integrated(_: &Closing<'_>, device: &Device) -> Problem {
    let (seq, _) = device
        .attribute(attribute::INTEGRATED)
        .filter(|&(_, value)| value == 1)?;
    let name = device.name.value().map_or("", String::as_str);
    let words = || name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let by_name = words().any(|word| DISCRETE.contains(&word));
    let bus = device.attribute(attribute::MEMORY_BUS_WIDTH);
    let wide = bus.filter(|&(_, bits)| bits > WIDEST_INTEGRATED_BUS);
    let sign = match (by_name, wide) {
        (true, _) => "its name is that of a GPU with memory of its own".to_owned(),
        (false, Some((_, bits))) => format!("its memory bus is {bits} bits wide"),
        (false, None) => return None,
    };
    let calls = [Some(seq), wide.map(|(seq, _)| seq), device.name.call()];
    let mut calls: Vec<u64> = calls.into_iter().flatten().collect();
    calls.sort_unstable();
    Some((format!("INTEGRATED (18) is 1, and {sign}."), calls))
}
