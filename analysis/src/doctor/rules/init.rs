//! What `cuInit` answers: one rule a code.

use crate::doctor::client::ClientKind::{
    Ggml, OllamaInProcess, OllamaRunner, OllamaServer, PyTorch, Runtime,
};
use crate::doctor::closing::Closing;
use crate::doctor::rule::{Check, Found, Reaction, Rule, Severity, Stage, says, silently};

const NOT_INITIALIZED: u32 = 3;
const NO_DEVICE: u32 = 100;
const NOT_PERMITTED: u32 = 800;
const SYSTEM_NOT_READY: u32 = 802;
const SYSTEM_DRIVER_MISMATCH: u32 = 803;
const COMPAT_NOT_SUPPORTED: u32 = 804;
const UNKNOWN: u32 = 999;

/// Codes that have a rule of their own; 800 is `ctx-lost-permission`'s.
const KNOWN: [u32; 7] = [
    NOT_INITIALIZED,
    NO_DEVICE,
    NOT_PERMITTED,
    SYSTEM_NOT_READY,
    SYSTEM_DRIVER_MISMATCH,
    COMPAT_NOT_SUPPORTED,
    UNKNOWN,
];

const NO_GPU: [Reaction; 6] = [
    says(
        Runtime,
        "answers every call with the same code, until the process ends: cuInit is not asked again",
    ),
    says(
        Ggml,
        "logs one line, \"failed to initialize CUDA\", offers 0 devices, and still says that its CUDA backend is loaded",
    ),
    silently(OllamaServer, "runs on the CPU"),
    silently(
        OllamaRunner,
        "runs on the CPU; the runner's message is thrown away unless OLLAMA_DEBUG=2",
    ),
    silently(
        OllamaInProcess,
        "closes the library and tries the next libcuda.so it finds",
    ),
    says(PyTorch, "torch.cuda.is_available() warns and answers False"),
];

/// The code with which `cuInit` failed, where it never succeeded in the process.
fn failed(closing: &Closing<'_>) -> Option<(u64, u32)> {
    let init = &closing.facts.init;
    init.failed.filter(|_| init.answered.is_none())
}

fn found(closing: &Closing<'_>, matches: fn(u32) -> bool) -> Vec<Found> {
    let Some((seq, code)) = failed(closing).filter(|&(_, code)| matches(code)) else {
        return Vec::new();
    };
    let mut what = format!("cuInit answered {}.", closing.code(code));
    if let Some(visible) = closing.variable("CUDA_VISIBLE_DEVICES") {
        what.push_str(" CUDA_VISIBLE_DEVICES was set to ");
        what.push_str(&super::quoted(visible));
        what.push('.');
    }
    vec![Found::new(what, [seq]).variant(code.into())]
}

const fn rule(
    (id, title): (&'static str, &'static str),
    when: &'static str,
    checks: &'static [Check],
    (advice, sources): (&'static [&'static str], &'static [&'static str]),
) -> Rule {
    Rule {
        id,
        title,
        when,
        severity: Severity::Fatal,
        stage: Stage::Init,
        checks,
        reactions: &NO_GPU,
        advice,
        sources,
        follows: &[&["visible-devices-ignored"]],
    }
}

/// The rules of this file, but for `ctx-lost-permission`.
pub static RULES: [Rule; 6] = [
    rule(
        (
            "init-not-initialized",
            "The driver says that it can't be initialised yet",
        ),
        "cuInit returns CUDA_ERROR_NOT_INITIALIZED (3), and never succeeds in the process.",
        &[Check::Process(|closing| {
            found(closing, |code| code == NOT_INITIALIZED)
        })],
        (
            &[
                "on a shim: look at the handshake with its server; this process may start before the server answers, or be one that the shim refuses",
                "on NVIDIA's driver: reload nvidia_uvm; uvm_disable_hmm=1 helped in ollama#11593",
            ],
            &["ollama#11593"],
        ),
    ),
    rule(
        ("init-no-device", "The driver sees no GPU"),
        "cuInit returns CUDA_ERROR_NO_DEVICE (100), and never succeeds in the process.",
        &[Check::Process(|closing| {
            found(closing, |code| code == NO_DEVICE)
        })],
        (
            &[
                "look whether there is a GPU and its kernel module is loaded: nvidia-smi, /proc/driver/nvidia",
                "look whether this process may see it: /dev/nvidia0, /dev/nvidiactl and /dev/nvidia-uvm in its container, NVIDIA_VISIBLE_DEVICES",
                "look at CUDA_VISIBLE_DEVICES: an empty value, -1, or a GPU that is not there hides all of them",
            ],
            &[
                "ollama#12136",
                "ollama#9298",
                "measured: NVIDIA's libcuda 535.261.03 on a machine without a GPU",
            ],
        ),
    ),
    rule(
        (
            "init-unknown",
            "The driver can't start, and doesn't say why",
        ),
        "cuInit returns CUDA_ERROR_UNKNOWN (999), and never succeeds in the process.",
        &[Check::Process(|closing| {
            found(closing, |code| code == UNKNOWN)
        })],
        (
            &[
                "reload the kernel module: rmmod nvidia_uvm, modprobe nvidia_uvm; common after suspend and resume",
                "look at the kernel's log: dmesg | grep -i nvrm",
            ],
            &["ollama#8638", "ollama#5464"],
        ),
    ),
    rule(
        (
            "init-system-not-ready",
            "The machine's GPUs are not set up yet",
        ),
        "cuInit returns CUDA_ERROR_SYSTEM_NOT_READY (802), and never succeeds in the process.",
        &[Check::Process(|closing| {
            found(closing, |code| code == SYSTEM_NOT_READY)
        })],
        (
            &[
                "start the fabric manager, in the driver's version: systemctl start nvidia-fabricmanager",
                "on a virtual machine with NVLink GPUs, ask whoever runs the host",
            ],
            &["ollama#11963"],
        ),
    ),
    rule(
        (
            "init-mismatch",
            "The driver library and the kernel module don't belong together",
        ),
        "cuInit returns CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803) or CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804), and never succeeds in the process.",
        &[Check::Process(|closing| {
            found(closing, |code| {
                matches!(code, SYSTEM_DRIVER_MISMATCH | COMPAT_NOT_SUPPORTED)
            })
        })],
        (
            &[
                "compare the library's version with /proc/driver/nvidia/version; after an update of the driver, reboot",
                "look for a compat library (cuda-compat, /usr/local/cuda/compat) ahead of the driver's in LD_LIBRARY_PATH or /etc/ld.so.conf.d",
            ],
            &["ollama#15918"],
        ),
    ),
    rule(
        ("init-other", "The driver can't start"),
        "cuInit returns a code that no other rule speaks of, and never succeeds in the process.",
        &[Check::Process(|closing| {
            found(closing, |code| !KNOWN.contains(&code))
        })],
        (
            &[
                "look the code up in cuda.h: clients show it as it is",
                "on a shim: a code that cuInit of NVIDIA's driver never gives makes clients do what nobody tested",
            ],
            &["cuda.h"],
        ),
    ),
];

/// `ctx-lost-permission`.
pub static LOST_PERMISSION: Rule = Rule {
    id: "ctx-lost-permission",
    title: "The process is no longer allowed to use the GPU",
    when: "cuInit returns CUDA_ERROR_NOT_PERMITTED (800), or another function returns it that had succeeded before.",
    severity: Severity::Fatal,
    stage: Stage::Init,
    checks: &[Check::Process(lost_permission)],
    reactions: &[
        says(Ggml, "the operation fails; an allocation or a copy aborts"),
        says(
            OllamaServer,
            "the model's process ends with an error, and the next one runs on the CPU",
        ),
        says(
            OllamaRunner,
            "the model's process ends with an error, and the next one runs on the CPU",
        ),
        says(PyTorch, "raises \"operation not permitted\""),
    ],
    advice: &[
        "a container loses its devices when systemd reloads (daemon-reload): run Docker with native.cgroupdriver=cgroupfs, or pass the devices with --device",
        "restart the container: the process can't get its right back by itself",
    ],
    sources: &["ollama#6928", "NVIDIA/nvidia-container-toolkit#48"],
    follows: &[],
};

fn lost_permission(closing: &Closing<'_>) -> Vec<Found> {
    if let Some((seq, NOT_PERMITTED)) = failed(closing) {
        let what = format!("cuInit answered {}.", closing.code(NOT_PERMITTED));
        return vec![Found::new(what, [seq])];
    }
    let lost = closing.facts.tallies.failures();
    let mut lost = lost
        .iter()
        .filter(|(_, code, failure)| *code == NOT_PERMITTED && failure.after_success);
    let Some((function, code, first)) = lost.next() else {
        return Vec::new();
    };
    let others: u64 = lost.map(|(.., failure)| failure.count).sum();
    let schema = closing.story.trace.schema();
    let worked = closing.facts.tallies.of(*function);
    let worked = worked.map_or(0, |tally| tally.first_success);
    let what = format!(
        "{} worked in call {worked} and answered {} from call {} on.",
        super::quoted_name(&schema.function_name(*function)),
        closing.code(*code),
        first.first
    );
    let mut found = Found::new(what, [worked, first.first]);
    found.count = first.count + others;
    vec![found]
}
