//! Modules and libraries: whether there is code that this GPU and this driver can run.

use super::groups::{DRIVER_DID_NOT_START, NO_CONTEXT};
use crate::doctor::client::ClientKind::{Ggml, OllamaRunner, OllamaServer, PyTorch, Runtime};
use crate::doctor::moment::Moment;
use crate::doctor::rule::{CallCheck, Check, Rule, Severity, Stage, says};

const LOADS: &[&str] = &[
    "cuModuleLoad",
    "cuModuleLoadData",
    "cuModuleLoadDataEx",
    "cuModuleLoadFatBinary",
    "cuLibraryLoadData",
    "cuLibraryLoadFromFile",
];
const NO_BINARY_FOR_GPU: u32 = 209;
const UNSUPPORTED_PTX_VERSION: u32 = 222;

fn answered(moment: &Moment<'_>) -> String {
    let device = moment.facts.current_device(moment.call.thread);
    let device = moment.facts.devices.0.get(&device);
    let capability = device.and_then(|device| device.compute_capability());
    let on = capability.map_or_else(String::new, |(major, minor)| {
        format!(" on a GPU of compute capability {major}.{minor}")
    });
    let version = moment
        .facts
        .version
        .value()
        .map_or_else(String::new, |&version| {
            let version = version.max(0) as u64;
            let version = crate::quantity::text(crate::quantity::push_cuda_version, version);
            format!(", driver of CUDA {version}")
        });
    format!(
        "{} answered {}{on}{version}.",
        moment.name(),
        moment.answer()
    )
}

/// `no-kernel-image`.
pub static NO_KERNEL_IMAGE: Rule = Rule {
    id: "no-kernel-image",
    title: "What the program brings has no code for this GPU",
    when: "Loading a module or library returns CUDA_ERROR_NO_BINARY_FOR_GPU (209).",
    severity: Severity::Fatal,
    stage: Stage::Code,
    checks: &[Check::Call(CallCheck {
        functions: LOADS,
        fires: |moment| {
            moment
                .failure()
                .filter(|&code| code == NO_BINARY_FOR_GPU)
                .map(u64::from)
        },
        what: answered,
    })],
    reactions: &[
        says(
            Ggml,
            "aborts at the first kernel: \"no kernel image is available for execution on the device\"",
        ),
        says(OllamaServer, "the model's process aborts"),
        says(OllamaRunner, "the runner aborts"),
        says(Runtime, "the first launch answers 209"),
        says(
            PyTorch,
            "raises \"no kernel image is available for execution on the device\"",
        ),
    ],
    advice: &[
        "compare the GPU's compute capability with the architectures the client was built for (ggml prints ARCHS = ..., PyTorch torch.cuda.get_arch_list())",
        "a shim: check that attributes 75 and 76 are the real GPU's",
    ],
    sources: &[
        "llama.cpp#4215",
        "measured: libggml-cuda of llama.cpp v0.5.0",
    ],
    follows: &[DRIVER_DID_NOT_START, NO_CONTEXT, &["arch-unsupported"]],
};

/// `ptx-too-new`.
pub static PTX_TOO_NEW: Rule = Rule {
    id: "ptx-too-new",
    title: "The driver's compiler is older than the program's PTX",
    when: "Loading a module or library returns CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222).",
    severity: Severity::Fatal,
    stage: Stage::Code,
    checks: &[Check::Call(CallCheck {
        functions: LOADS,
        fires: |moment| {
            let code = moment.failure();
            code.filter(|&code| code == UNSUPPORTED_PTX_VERSION)
                .map(u64::from)
        },
        what: answered,
    })],
    reactions: &[
        says(
            Ggml,
            "aborts: \"the provided PTX was compiled with an unsupported toolchain\"",
        ),
        says(OllamaServer, "the model's process aborts"),
        says(OllamaRunner, "the runner aborts"),
        says(
            PyTorch,
            "raises \"the provided PTX was compiled with an unsupported toolchain\"",
        ),
    ],
    advice: &[
        "install a driver at least as new as the client's CUDA",
        "or a client with machine code for this GPU, which needs no compiler: the PTX is only what is left when no code fits",
    ],
    sources: &["ollama#1430", "measured: libggml-cuda of llama.cpp v0.5.0"],
    follows: &[DRIVER_DID_NOT_START, NO_CONTEXT, &["arch-unsupported"]],
};
