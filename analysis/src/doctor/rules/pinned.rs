//! Pinned host memory.

use super::groups::{DRIVER_DID_NOT_START, NO_CONTEXT, PERMISSION_LOST};
use crate::doctor::client::ClientKind::{Ggml, OllamaRunner, OllamaServer, PyTorch, Runtime};
use crate::doctor::rule::{CallCheck, Check, Rule, Severity, Stage, says, silently};

/// The memory is pinned already: nothing is slower for it.
const ALREADY_REGISTERED: u32 = 712;

/// `pinned-fallback`.
pub static FALLBACK: Rule = Rule {
    id: "pinned-fallback",
    title: "Host memory can't be pinned, so copies are slow",
    when: "cuMemHostAlloc, cuMemAllocHost or cuMemHostRegister returns an error. Memory that is registered already (712) is no failure.",
    severity: Severity::Harmful,
    stage: Stage::Work,
    checks: &[Check::Call(CallCheck {
        functions: &["cuMemHostAlloc", "cuMemAllocHost", "cuMemHostRegister"],
        fires: |moment| {
            let code = moment.failure();
            code.filter(|&code| code != ALREADY_REGISTERED)
                .map(u64::from)
        },
        what: |moment| format!("{} answered {}.", moment.name(), moment.answer()),
    })],
    reactions: &[
        silently(
            Ggml,
            "takes pageable memory instead: loading models and copying is several times slower",
        ),
        silently(OllamaServer, "takes pageable memory instead"),
        silently(OllamaRunner, "takes pageable memory instead"),
        says(
            Runtime,
            "cudaMallocHost and cudaHostRegister answer the code",
        ),
        says(
            PyTorch,
            "tensor.pin_memory() and DataLoader(pin_memory=True) raise",
        ),
    ],
    advice: &[
        "raise the limit of locked memory (ulimit -l) and look at the container's",
        "a shim: pinned memory is host memory that the program gets an address for; mmap and remember it, even if copies are staged anyway",
        "GGML_CUDA_NO_PINNED=1 keeps GGML from asking",
    ],
    sources: &[
        "llama.cpp#9629",
        "measured: libggml-cuda of llama.cpp v0.5.0",
    ],
    follows: &[DRIVER_DID_NOT_START, NO_CONTEXT, PERMISSION_LOST],
};
