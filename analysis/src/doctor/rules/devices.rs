//! How many devices there are, and what is said of them before a context exists.

use super::groups::DRIVER_DID_NOT_START;
use crate::doctor::client::ClientKind::{
    Ggml, OllamaInProcess, OllamaRunner, OllamaServer, PyTorch, Runtime,
};
use crate::doctor::closing::Closing;
use crate::doctor::look_up::found_nothing;
use crate::doctor::moment::Moment;
use crate::doctor::rule::{CallCheck, Check, Found, Rule, Severity, Stage, says, silently};

/// `no-devices`.
pub static NONE: Rule = Rule {
    id: "no-devices",
    title: "The driver starts, and says that there are 0 devices",
    when: "cuDeviceGetCount returns success with 0. A real driver without a GPU fails in cuInit, with 100.",
    severity: Severity::Fatal,
    stage: Stage::Devices,
    checks: &[Check::Process(|closing| {
        let count = closing.facts.count.answered;
        count
            .filter(|&(_, count)| count <= 0)
            .map_or_else(Vec::new, |(seq, count)| {
                vec![Found::new(
                    format!("cuInit succeeded, and cuDeviceGetCount said {count}."),
                    closing.facts.init.call().into_iter().chain([seq]),
                )]
            })
    })],
    reactions: &[
        silently(Runtime, "cudaGetDeviceCount succeeds with 0"),
        says(Ggml, "logs \"found 0 CUDA devices\", which is no error"),
        silently(OllamaServer, "runs on the CPU"),
        silently(OllamaRunner, "runs on the CPU"),
        silently(OllamaInProcess, "runs on the CPU"),
        says(
            PyTorch,
            "torch.cuda.is_available() is False, and the first use of the GPU raises",
        ),
    ],
    advice: &[
        "a shim: ask the server for the number of devices before the first cuDeviceGetCount is answered",
        "without a GPU answer cuInit with CUDA_ERROR_NO_DEVICE (100), as NVIDIA's driver does: programs report it",
        "look at CUDA_VISIBLE_DEVICES",
    ],
    sources: &["measured: libcudart 12.9 and 13.5, libggml-cuda of llama.cpp v0.5.0"],
    follows: &[&["visible-devices-ignored"]],
};

/// `device-query-failed`.
///
/// As first written the rule meant any failing attribute. Newer runtimes ask older drivers for attributes that those don't know; the answer
/// is then CUDA_ERROR_INVALID_VALUE, and nothing happens. The runtime asks for device ordinals only below the count.
pub static QUERY_FAILED: Rule = Rule {
    id: "device-query-failed",
    title: "The driver fails to describe a device",
    when: "cuDeviceGet, cuDeviceGetName, cuDeviceTotalMem, cuDeviceGetUuid, cuDeviceGetAttribute or cuModuleGetLoadingMode fails before the process has a context. An attribute that the driver does not know (CUDA_ERROR_INVALID_VALUE) and an ordinal beyond the count are no failures of the driver.",
    severity: Severity::Fatal,
    stage: Stage::Properties,
    checks: &[Check::Call(CallCheck {
        functions: &[
            "cuDeviceGet",
            "cuDeviceGetName",
            "cuDeviceTotalMem",
            "cuDeviceGetUuid",
            "cuDeviceGetAttribute",
            "cuModuleGetLoadingMode",
        ],
        fires: |moment| {
            moment
                .failure()
                .filter(|&code| !moment.facts.has_context() && !is_callers_fault(moment, code))
                .map(u64::from)
        },
        what: |moment| {
            format!(
                "{} answered {} while the devices were being described.",
                moment.name(),
                moment.answer()
            )
        },
    })],
    reactions: &[
        says(
            Runtime,
            "offers no device at all and answers every call with an error, not always the driver's code (999 becomes 3)",
        ),
        says(
            Ggml,
            "logs one line, \"failed to initialize CUDA\", and offers 0 devices",
        ),
        silently(OllamaServer, "runs on the CPU"),
        says(OllamaInProcess, "logs at INFO and drops the GPU"),
        says(PyTorch, "torch.cuda.is_available() warns and answers False"),
    ],
    advice: &[
        "answer each question about a device from what is known when cuInit returns; a shim fetches them all at once",
        "one device that can't be described costs the runtime all devices",
    ],
    sources: &["measured: libcudart 12.9 and 13.5"],
    follows: &[DRIVER_DID_NOT_START],
};

fn is_callers_fault(moment: &Moment<'_>, code: u32) -> bool {
    const INVALID_VALUE: u32 = 1;
    const INVALID_DEVICE: u32 = 101;
    match moment.function.base.as_str() {
        "cuDeviceGetAttribute" => code == INVALID_VALUE,
        "cuDeviceGet" => {
            let count = moment.facts.count.value().copied().unwrap_or(i32::MAX);
            let ordinal = moment.int("ordinal").unwrap_or(0);
            code == INVALID_DEVICE && !(0..count).contains(&ordinal)
        }
        _ => false,
    }
}

/// `pci-missing`.
pub static PCI_MISSING: Rule = Rule {
    id: "pci-missing",
    title: "The driver does not say where on the PCI bus the GPU is",
    when: "cuDeviceGetPCIBusId returns an error, or cuGetProcAddress does not find it.",
    severity: Severity::Fatal,
    stage: Stage::Properties,
    checks: &[
        Check::Call(CallCheck {
            functions: &["cuDeviceGetPCIBusId"],
            fires: |moment| moment.failure().map(u64::from),
            what: |moment| format!("{} answered {}.", moment.name(), moment.answer()),
        }),
        Check::Call(CallCheck {
            functions: &["cuGetProcAddress"],
            fires: |moment| {
                let asked = moment.in_text("symbol");
                let asked = asked.is_some_and(|name| name == "cuDeviceGetPCIBusId");
                (asked && found_nothing(moment)).then_some(u64::MAX)
            },
            what: |moment| {
                format!(
                    "{} was asked for cuDeviceGetPCIBusId and found nothing.",
                    moment.name()
                )
            },
        }),
    ],
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
        silently(PyTorch, "works: it does not ask"),
    ],
    advice: &[
        "answer with an address, such as \"0000:19:00.0\", also for a GPU that is elsewhere; two devices must not share one",
    ],
    sources: &["measured: libggml-cuda of llama.cpp v0.5.0"],
    follows: &[DRIVER_DID_NOT_START],
};

/// `visible-devices-ignored`.
pub static VISIBLE_DEVICES: Rule = Rule {
    id: "visible-devices-ignored",
    title: "CUDA_VISIBLE_DEVICES hides a GPU that it should show",
    when: "A process with CUDA_VISIBLE_DEVICES gets CUDA_ERROR_NO_DEVICE or 0 devices, and another process of the trace saw the GPU that the variable names; or the variable names a GPU by UUID and nothing in the trace says that there is none of that UUID. Known for traces that keep the variable.",
    severity: Severity::Fatal,
    stage: Stage::Init,
    checks: &[Check::Process(visible_devices)],
    reactions: &[
        silently(
            OllamaRunner,
            "its second pass sets the variable to the GPU's UUID: the GPU that the first pass found is lost",
        ),
        silently(
            OllamaServer,
            "its second pass sets the variable to the GPU's UUID: the GPU that the first pass found is lost",
        ),
        says(
            Runtime,
            "answers every call with 100, \"no CUDA-capable device is detected\"",
        ),
        says(PyTorch, "torch.cuda.is_available() is False"),
    ],
    advice: &[
        "a shim has to read CUDA_VISIBLE_DEVICES as NVIDIA's driver does: a list of numbers, of UUIDs (GPU-...), also shortened ones, or of MIG-...; reading stops at the first entry that is no GPU",
        "try the same command without the variable",
    ],
    sources: &[
        "ollama#14031",
        "CUDA C++ Programming Guide, CUDA environment variables",
    ],
    follows: &[],
};

fn visible_devices(closing: &Closing<'_>) -> Vec<Found> {
    const NO_DEVICE: u32 = 100;
    let facts = closing.facts;
    let by_init = facts.init.failed.filter(|&(_, code)| code == NO_DEVICE);
    let by_count = facts.count.answered.filter(|&(_, count)| count == 0);
    let call = by_init.map(|(seq, _)| seq).or(by_count.map(|(seq, _)| seq));
    let (Some(seq), Some(visible)) = (call, closing.variable("CUDA_VISIBLE_DEVICES")) else {
        return Vec::new();
    };
    let first = visible.split(',').next().unwrap_or_default().trim();
    let Some(what) = expected_device(closing, first) else {
        return Vec::new();
    };
    let what = format!(
        "CUDA_VISIBLE_DEVICES is {}, and the driver sees no device. {what}",
        super::quoted(visible)
    );
    vec![Found::new(what, [seq])]
}

/// Why a device should have been seen, if so.
fn expected_device(closing: &Closing<'_>, entry: &str) -> Option<String> {
    let others = closing.story.processes.iter();
    let others = others.filter(|other| other.process != closing.facts.process);
    let seen = others
        .filter_map(|other| Some((other, *other.count.value()?)))
        .filter(|&(_, count)| count > 0);
    let pid = |process| {
        let entry = closing.story.entry(process);
        entry.map_or(0, |entry| entry.process.pid)
    };
    let is_uuid = ["GPU-", "MIG-"]
        .iter()
        .any(|begin| entry.starts_with(begin));
    for (other, count) in seen {
        let uuids = other.devices.0.values();
        let mut uuids = uuids.filter_map(|device| device.uuid().value());
        let named = if is_uuid {
            uuids.any(|uuid| starts_with_uuid(entry, uuid))
        } else {
            entry
                .parse()
                .is_ok_and(|number: i32| (0..count).contains(&number))
        };
        if named {
            return Some(format!(
                "Process {} saw the device that it names.",
                pid(other.process)
            ));
        }
        // What another process saw without it tells which GPUs there are.
        if is_uuid {
            return None;
        }
    }
    is_uuid.then(|| {
        "It names a GPU by its UUID; a driver that reads only numbers finds none. That there is a GPU of that UUID is not in the trace.".to_owned()
    })
}

/// Whether `GPU-5e0e8f2a` is the begin of a UUID.
fn starts_with_uuid(entry: &str, uuid: &[u8; 16]) -> bool {
    let hex = |text: &str| -> String { text.chars().filter(char::is_ascii_hexdigit).collect() };
    let digits: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    let given = hex(entry.get(4..).unwrap_or_default()).to_ascii_lowercase();
    !given.is_empty() && digits.starts_with(&given)
}
