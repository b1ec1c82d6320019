//! What `cuMemGetInfo` answers: the question that costs most GPUs.

use super::groups::{DRIVER_DID_NOT_START, NO_CONTEXT, PERMISSION_LOST, RUNTIME_REFUSES};
use crate::doctor::client::ClientKind::{
    Ggml, OllamaInProcess, OllamaRunner, OllamaServer, PyTorch, Runtime,
};
use crate::doctor::facts::devices::Memory;
use crate::doctor::look_up::found_nothing;
use crate::doctor::moment::Moment;
use crate::doctor::rule::{
    CallCheck, Check, Found, Reaction, Rule, Severity, Stage, says, silently,
};
use crate::doctor::story::Story;
use crate::quantity::{push_bytes, text};

const FUNCTIONS: &[&str] = &["cuMemGetInfo"];

fn memory(moment: &Moment<'_>) -> Option<Memory> {
    Some(Memory {
        free: moment.out("free")?,
        total: moment.out("total")?,
    })
}

fn after_success(moment: &Moment<'_>) -> Option<Memory> {
    memory(moment).filter(|_| moment.succeeded())
}

fn in_words(memory: Memory) -> String {
    format!(
        "{} free of {}",
        text(push_bytes, memory.free),
        text(push_bytes, memory.total)
    )
}

const NO_MEMORY: [Reaction; 5] = [
    says(
        Ggml,
        "lists the GPU with 0 of 0 bytes and logs one warning, \"cudaMemGetInfo failed ... returning 0/0\"; builds before llama.cpp#25157 abort",
    ),
    silently(
        OllamaServer,
        "skips the GPU (\"skipping pseudo-device with zero memory\", at its debug level only) and runs on the CPU",
    ),
    says(
        OllamaRunner,
        "the runner aborts, its output is thrown away unless OLLAMA_DEBUG=2, and Ollama runs on the CPU",
    ),
    says(OllamaInProcess, "logs at INFO and drops the GPU"),
    says(
        PyTorch,
        "works: nothing on its start-up path asks for memory; torch.cuda.mem_get_info raises",
    ),
];

/// `meminfo-error`.
pub static ERROR: Rule = Rule {
    id: "meminfo-error",
    title: "The driver can't say how much memory the GPU has",
    when: "cuMemGetInfo returns an error.",
    severity: Severity::Fatal,
    stage: Stage::MemoryInfo,
    checks: &[Check::Call(CallCheck {
        functions: FUNCTIONS,
        fires: |moment| moment.failure().map(u64::from),
        what: |moment| {
            let device = moment.facts.current_device(moment.call.thread);
            let context = match moment.facts.devices.0.get(&device) {
                Some(device) if device.context.answered.is_some() => {
                    ", with the primary context retained and current"
                }
                _ => ", and no context had been retained before",
            };
            let memory = memory(moment)
                .map_or_else(String::new, |memory| format!(" and {}", in_words(memory)));
            format!(
                "{} answered {}{memory}{context}.",
                moment.name(),
                moment.answer()
            )
        },
    })],
    reactions: &NO_MEMORY,
    advice: &[
        "make the driver answer cuMemGetInfo once the primary context is retained and current, in every process: what a shim takes for \"not safe to initialise\" is the process that asks",
        "where the shim can't reach its backend, answer from known values (such as 78 of 80 GiB) with CUDA_SUCCESS rather than with an error or 0",
        "try the repair before it is written: `cutape record --driver sim:shim-fixed -- ...` shows what the same program does with an answer",
    ],
    sources: &[
        "llama.cpp#25157",
        "ollama discover/llama_server.go",
        "measured: libggml-cuda of llama.cpp v0.5.0, libcudart 12.9 and 13.5",
    ],
    follows: &[
        DRIVER_DID_NOT_START,
        RUNTIME_REFUSES,
        NO_CONTEXT,
        PERMISSION_LOST,
        &["meminfo-missing"],
    ],
};

/// `meminfo-zero`.
pub static ZERO: Rule = Rule {
    id: "meminfo-zero",
    title: "The driver says that the GPU has no memory at all",
    when: "cuMemGetInfo returns success with a total of 0 bytes.",
    severity: Severity::Fatal,
    stage: Stage::MemoryInfo,
    checks: &[Check::Call(CallCheck {
        functions: FUNCTIONS,
        fires: |moment| {
            after_success(moment)
                .filter(|memory| memory.total == 0)
                .map(|_| 0)
        },
        what: |moment| {
            format!(
                "{} succeeded and said 0 of 0 bytes. Success with nothing in it leaves no trace in any log.",
                moment.name()
            )
        },
    })],
    reactions: &[
        silently(Ggml, "lists the GPU with 0 of 0 bytes, without a word"),
        silently(
            OllamaServer,
            "skips the GPU (at its debug level only) and runs on the CPU",
        ),
        silently(
            OllamaRunner,
            "takes it for a GPU without memory and runs on the CPU",
        ),
        silently(OllamaInProcess, "drops the GPU"),
        silently(PyTorch, "works; torch.cuda.mem_get_info answers (0, 0)"),
    ],
    advice: &[
        "answer the real total; where the shim can't reach its backend, known values do",
        "check that both out-parameters are written before the function returns: they are 64 bits wide in cuMemGetInfo_v2, 32 in cuMemGetInfo",
    ],
    sources: &[
        "measured: libggml-cuda of llama.cpp v0.5.0",
        "ollama discover/llama_server.go",
    ],
    follows: &[DRIVER_DID_NOT_START],
};

/// `meminfo-free-zero`.
pub static FREE_ZERO: Rule = Rule {
    id: "meminfo-free-zero",
    title: "The driver says that all of the GPU's memory is taken",
    when: "cuMemGetInfo returns success with a total, and 0 bytes free.",
    severity: Severity::Harmful,
    stage: Stage::MemoryInfo,
    checks: &[Check::Call(CallCheck {
        functions: FUNCTIONS,
        fires: |moment| {
            after_success(moment)
                .filter(|memory| memory.total > 0 && memory.free == 0)
                .map(|_| 0)
        },
        what: |moment| {
            let memory = after_success(moment).map_or_else(String::new, in_words);
            format!("{} said {memory}.", moment.name())
        },
    })],
    reactions: &[
        silently(Ggml, "lists the GPU and puts no layers, or few, on it"),
        silently(OllamaServer, "lists the GPU and offloads no layers"),
        silently(OllamaRunner, "lists the GPU and offloads no layers"),
        silently(OllamaInProcess, "lists the GPU and offloads no layers"),
        silently(PyTorch, "works until an allocation fails"),
    ],
    advice: &[
        "answer what is really free; a GPU on which not one page is free is rare",
        "look whether another process holds the memory (nvidia-smi)",
    ],
    sources: &["ollama llm/memory.go, discover/"],
    follows: &[],
};

/// `meminfo-implausible`.
pub static IMPLAUSIBLE: Rule = Rule {
    id: "meminfo-implausible",
    title: "What the driver says of the GPU's memory can't be true",
    when: "cuMemGetInfo returns success with more free than there is, or with a total that differs from cuDeviceTotalMem's by more than 5 %.",
    severity: Severity::Harmful,
    stage: Stage::MemoryInfo,
    checks: &[Check::Call(CallCheck {
        functions: FUNCTIONS,
        fires: |moment| implausible(moment).map(|_| 0),
        what: |moment| implausible(moment).unwrap_or_default(),
    })],
    reactions: &[
        silently(
            Ggml,
            "believes it: layers go where there is no room, or stay away",
        ),
        silently(OllamaServer, "believes it, and places models wrongly"),
        silently(OllamaRunner, "believes it, and places models wrongly"),
        silently(PyTorch, "shows it in torch.cuda.mem_get_info"),
    ],
    advice: &[
        "free comes first, total second: cuMemGetInfo(free, total)",
        "look for a 32-bit variable on the way: 80 GiB becomes 0, 78 GiB becomes 2 GiB too much",
    ],
    sources: &["design of the rule; the seed's note of 2026-02-27"],
    follows: &[],
};

/// What is wrong with an answer, if something is. Totals differ a little by what the driver keeps for itself.
fn implausible(moment: &Moment<'_>) -> Option<String> {
    let memory = after_success(moment).filter(|memory| memory.total > 0)?;
    if memory.free > memory.total {
        return Some(format!(
            "{} said {}: more is free than there is. Are the two answers swapped?",
            moment.name(),
            in_words(memory)
        ));
    }
    let device = moment.facts.current_device(moment.call.thread);
    let &(asked, total) = moment
        .facts
        .devices
        .0
        .get(&device)?
        .total_memory
        .answered
        .as_ref()?;
    let difference = total.abs_diff(memory.total);
    (difference > total / 20).then(|| {
        let narrow = memory.total <= u64::from(u32::MAX) && total > u64::from(u32::MAX);
        format!(
            "{} said a total of {}, and call {asked}, cuDeviceTotalMem, said {}.{}",
            moment.name(),
            text(push_bytes, memory.total),
            text(push_bytes, total),
            if narrow {
                " The smaller number fits in 32 bits."
            } else {
                ""
            }
        )
    })
}

/// `meminfo-missing`.
pub static MISSING: Rule = Rule {
    id: "meminfo-missing",
    title: "The driver has no cuMemGetInfo",
    when: "cuGetProcAddress does not find cuMemGetInfo, or the driver library does not export it.",
    severity: Severity::Fatal,
    stage: Stage::Loading,
    checks: &[
        Check::Call(CallCheck {
            functions: &["cuGetProcAddress"],
            fires: |moment| {
                let asked = moment
                    .in_text("symbol")
                    .is_some_and(|name| name == "cuMemGetInfo");
                (asked && found_nothing(moment)).then_some(0)
            },
            what: |moment| {
                format!(
                    "{} was asked for cuMemGetInfo and found nothing. The CUDA runtime then answers cudaMemGetInfo with 36 (cudaErrorCallRequiresNewerDriver) without asking the driver.",
                    moment.name()
                )
            },
        }),
        Check::Trace(not_exported),
    ],
    reactions: &[
        says(
            Runtime,
            "starts, and cudaMemGetInfo answers 36, \"API call is not supported in the installed CUDA driver\"",
        ),
        says(
            Ggml,
            "lists the GPU with 0 of 0 bytes and logs one warning; Ollama on top of it runs on the CPU in silence",
        ),
        says(PyTorch, "works; torch.cuda.mem_get_info raises"),
    ],
    advice: &["export cuMemGetInfo and cuMemGetInfo_v2, and let cuGetProcAddress find both"],
    sources: &["measured: libcudart 12.9 and 13.5"],
    follows: &[],
};

/// For programs that look nothing up, and find nothing when they are linked.
fn not_exported(story: &Story<'_>) -> Vec<Found> {
    let gone = ["cuMemGetInfo", "cuMemGetInfo_v2"]
        .iter()
        .all(|name| story.exports.lack(name));
    let what = "The driver library exports neither cuMemGetInfo nor cuMemGetInfo_v2.";
    if gone {
        vec![Found::new(what, [])]
    } else {
        Vec::new()
    }
}
