//! Virtual memory management, which GGML's pool of device memory is built on.

use super::groups::{DRIVER_DID_NOT_START, PERMISSION_LOST};
use crate::doctor::client::ClientKind::{Ggml, OllamaRunner, OllamaServer, PyTorch};
use crate::doctor::facts::devices::attribute;
use crate::doctor::rule::{CallCheck, Check, Rule, Severity, Stage, says, silently};

/// `vmm-missing`.
pub static MISSING: Rule = Rule {
    id: "vmm-missing",
    title: "The driver promises virtual memory management and fails at it",
    when: "cuMemGetAllocationGranularity returns an error for a device whose attribute VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED (102) is 1 or was not asked for.",
    severity: Severity::Fatal,
    stage: Stage::VirtualMemory,
    checks: &[Check::Call(CallCheck {
        functions: &["cuMemGetAllocationGranularity"],
        fires: |moment| {
            let devices = moment.facts.devices.0.values();
            let failed = devices.filter(|device| device.granularity.failed.is_some());
            let promised = failed.into_iter().any(|device| {
                device
                    .attribute(attribute::VIRTUAL_MEMORY)
                    .is_none_or(|(_, value)| value != 0)
            });
            moment.failure().filter(|_| promised).map(u64::from)
        },
        what: |moment| {
            let promise = moment.facts.devices.0.values().find_map(|device| {
                let (seq, value) = device.attribute(attribute::VIRTUAL_MEMORY)?;
                Some(format!(
                    " Attribute 102, VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, was {value} in call {seq}."
                ))
            });
            format!(
                "{} answered {}.{}",
                moment.name(),
                moment.answer(),
                promise.unwrap_or_default()
            )
        },
    })],
    reactions: &[
        says(Ggml, "aborts"),
        silently(
            OllamaServer,
            "the process that lists the devices aborts, and Ollama runs on the CPU",
        ),
        silently(
            OllamaRunner,
            "the runner aborts, and Ollama runs on the CPU",
        ),
        silently(PyTorch, "works: it asks only with expandable segments"),
    ],
    advice: &[
        "implement cuMemAddressReserve, cuMemCreate, cuMemMap, cuMemSetAccess, cuMemUnmap, cuMemRelease, cuMemAddressFree and cuMemGetAllocationGranularity",
        "or answer 0 for attribute 102: GGML then takes its older pool, which needs cuMemAlloc only",
    ],
    sources: &[
        "measured: libggml-cuda of llama.cpp v0.5.0",
        "the seed's note of 2026-02-27",
    ],
    follows: &[DRIVER_DID_NOT_START, PERMISSION_LOST],
};
