//! NVML beside the driver.

use crate::doctor::answers::CodeText;
use crate::doctor::client::ClientKind::{OllamaRunner, OllamaServer, PyTorch};
use crate::doctor::facts::ProcessFacts;
use crate::doctor::facts::devices::Device;
use crate::doctor::facts::nvml::NvmlDevice;
use crate::doctor::rule::{Check, Found, Rule, Severity, Stage, says, silently};
use crate::doctor::story::Story;
use crate::quantity::{push_bytes, text};
use cutape_cuda_api::Library;

/// NVML_ERROR_LIB_RM_VERSION_MISMATCH.
const VERSION_MISMATCH: u32 = 18;
/// NVML counts memory that the driver keeps for itself; more than a tenth it is not.
const TOTALS_DIFFER: u64 = 10;

/// `nvml-overrides`.
pub static OVERRIDES: Rule = Rule {
    id: "nvml-overrides",
    title: "NVML speaks of another GPU than the driver",
    when: "NVML tells of one GPU, or of all that it counts, and a device of the driver's has another name and another memory than any of them; or nvmlInit returns NVML_ERROR_LIB_RM_VERSION_MISMATCH (18).",
    severity: Severity::Harmful,
    stage: Stage::Management,
    checks: &[Check::Trace(other_gpu), Check::Trace(version_mismatch)],
    reactions: &[
        silently(
            OllamaRunner,
            "takes NVML's memory for the GPU's, whatever the driver said",
        ),
        silently(
            OllamaServer,
            "takes names and memory from both, and places models wrongly",
        ),
        says(
            PyTorch,
            "nvidia-smi and torch.cuda.utilization() speak of the local GPU",
        ),
    ],
    advice: &[
        "wrap libnvidia-ml.so.1 together with libcuda.so.1, so that both speak of the same GPU",
        "or let programs not find NVML at all: clients do without it",
    ],
    sources: &[
        "ollama#14357",
        "ollama discover: memory of NVML overrides the driver's",
    ],
    follows: &[],
};

/// Programs ask NVML and the driver in different processes, so all of a trace are looked at together.
fn other_gpu(story: &Story<'_>) -> Vec<Found> {
    let nvml: Vec<&NvmlDevice> = story
        .processes
        .iter()
        .filter(|facts| are_all(facts))
        .flat_map(|facts| facts.nvml.devices.values())
        .filter(|gpu| gpu.name.value().is_some() || gpu.total_memory.value().is_some())
        .collect();
    let devices = story
        .processes
        .iter()
        .flat_map(|facts| facts.devices.0.iter());
    let mut found = Vec::new();
    for (number, device) in devices {
        let Some(other) = nvml
            .first()
            .filter(|_| !nvml.iter().any(|gpu| may_be_same(gpu, device)))
        else {
            continue;
        };
        let what = format!(
            "NVML tells of {}; the driver's device {number} is {}.",
            in_words(other.name.value(), other.total_memory.value()),
            in_words(device.name.value(), device.total_memory.value())
        );
        let calls = [
            other.name.call(),
            other.total_memory.call(),
            device.name.call(),
            device.total_memory.call(),
        ];
        let mut calls: Vec<u64> = calls.into_iter().flatten().collect();
        calls.sort_unstable();
        found.push(Found::new(what, calls));
    }
    found.truncate(1);
    found
}

/// Whether a process asked NVML about all GPUs that there are; of one of several that it passed over nothing is known.
fn are_all(facts: &ProcessFacts) -> bool {
    let count = facts.nvml.count.value().copied().unwrap_or(1);
    facts.nvml.devices.len() as u64 >= count
}

/// Not so only if both name and memory are known and neither agrees. A slice of a GPU (MIG) has a longer name and less memory.
fn may_be_same(gpu: &NvmlDevice, device: &Device) -> bool {
    let same_name = match (gpu.name.value(), device.name.value()) {
        (Some(nvml), Some(driver)) => {
            driver.starts_with(nvml.as_str()) || nvml.starts_with(driver.as_str())
        }
        _ => return true,
    };
    let same_memory = match (gpu.total_memory.value(), device.total_memory.value()) {
        (Some(&nvml), Some(&driver)) => nvml.abs_diff(driver) <= driver / TOTALS_DIFFER,
        _ => same_name,
    };
    same_name || same_memory
}

fn in_words(name: Option<&String>, bytes: Option<&u64>) -> String {
    let name = name.map_or_else(|| "a GPU".to_owned(), |name| super::quoted_name(name));
    match bytes {
        Some(&bytes) => format!("{name} with {}", text(push_bytes, bytes)),
        None => name,
    }
}

fn version_mismatch(story: &Story<'_>) -> Vec<Found> {
    let failed = story
        .processes
        .iter()
        .filter_map(|facts| facts.nvml.init.failed);
    let first = failed.filter(|&(_, code)| code == VERSION_MISMATCH).min();
    first.map_or_else(Vec::new, |(seq, code)| {
        let code = CodeText::of(story.trace.schema(), Library::Nvml, code);
        let what = format!(
            "nvmlInit answered {code}: this libnvidia-ml.so.1 is of another version than the kernel module."
        );
        vec![Found::new(what, [seq]).variant(VERSION_MISMATCH.into())]
    })
}
