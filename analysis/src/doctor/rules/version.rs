//! What the driver says of its version, and whether the CUDA runtime takes it.

use crate::doctor::client::ClientKind::{Ggml, OllamaRunner, OllamaServer, PyTorch, Runtime};
use crate::doctor::closing::Closing;
use crate::doctor::rule::{Check, Found, Rule, Severity, Stage, says, silently};
use crate::quantity::{push_cuda_version, text};

/// The oldest CUDA version that any current client is built for: Ollama ships libraries for 12 and 13, PyTorch wheels for 12 and 13.
const OLDEST_IN_USE: i32 = 12;

/// `driver-too-old`.
pub static TOO_OLD: Rule = Rule {
    id: "driver-too-old",
    title: "The driver is older than the CUDA runtime needs",
    when: "cuDriverGetVersion answers a major version below the one of the CUDA runtime in the process; where no runtime is known, one below 12. Not if another process of the trace, with an older runtime, got its devices: Ollama tries one library folder after the other.",
    severity: Severity::Fatal,
    stage: Stage::Version,
    checks: &[Check::Process(too_old)],
    reactions: &[
        says(
            Runtime,
            "answers every call with 35, \"CUDA driver version is insufficient for CUDA runtime version\", without asking the driver anything more",
        ),
        says(Ggml, "logs one line and offers 0 devices"),
        silently(
            OllamaServer,
            "tries the folder for the older CUDA version (cuda_v12), else runs on the CPU",
        ),
        silently(
            OllamaRunner,
            "tries the folder for the older CUDA version (cuda_v12), else runs on the CPU",
        ),
        says(
            PyTorch,
            "torch.cuda.is_available() warns that the driver is too old and answers False",
        ),
    ],
    advice: &[
        "a shim: answer cuDriverGetVersion with the version of the driver at the other end, not with the one the shim was built on",
        "install a newer driver, or a client built for the older CUDA (PyTorch: a cu12 wheel)",
    ],
    sources: &[
        "ollama#15400",
        "measured: libcudart 12.8 takes a driver of 12.2, 13.x refuses 12.x",
    ],
    follows: &[],
};

fn too_old(closing: &Closing<'_>) -> Vec<Found> {
    let Some((seq, version)) = closing.facts.version.answered else {
        return Vec::new();
    };
    let major = version / 1000;
    let runtime = closing.runtime_major();
    let needed = runtime.map_or(OLDEST_IN_USE, |major| {
        i32::try_from(major).unwrap_or(i32::MAX)
    });
    if version <= 0 || major >= needed || another_folder_works(closing) {
        return Vec::new();
    }
    let version = text(push_cuda_version, version as u64);
    let what = match runtime {
        Some(runtime) => format!(
            "cuDriverGetVersion said CUDA {version}, and the CUDA runtime in the process is of CUDA {runtime}."
        ),
        None => format!(
            "cuDriverGetVersion said CUDA {version}: the CUDA runtimes of current clients, 12 and 13, refuse it."
        ),
    };
    vec![Found::new(what, [seq])]
}

/// Whether another process of the trace got devices from a runtime that this driver is new enough for.
fn another_folder_works(closing: &Closing<'_>) -> bool {
    let story = closing.story;
    story
        .processes
        .iter()
        .zip(story.clients)
        .any(|(other, client)| {
            let other_closing = Closing {
                story,
                facts: other,
                client,
                entry: story.entry(other.process),
            };
            other.process != closing.facts.process
                && client.is(Ggml)
                && client.library_folder != closing.client.library_folder
                && other_closing.runtime_major() != closing.runtime_major()
                && other.count.value().is_some_and(|&count| count > 0)
        })
}

/// `driver-version-failed`.
pub static FAILED: Rule = Rule {
    id: "driver-version-failed",
    title: "The driver does not say which version it is",
    when: "cuDriverGetVersion returns an error, and never succeeds in the process.",
    severity: Severity::Fatal,
    stage: Stage::Version,
    checks: &[Check::Process(|closing| {
        let version = &closing.facts.version;
        let failed = version.failed.filter(|_| version.answered.is_none());
        failed.map_or_else(Vec::new, |(seq, code)| {
            let what = format!("cuDriverGetVersion answered {}.", closing.code(code));
            vec![Found::new(what, [seq])]
        })
    })],
    reactions: &[
        says(
            Runtime,
            "answers every call with 35, \"CUDA driver version is insufficient for CUDA runtime version\": not the driver's code",
        ),
        says(Ggml, "logs one line and offers 0 devices"),
        silently(OllamaServer, "runs on the CPU"),
        says(PyTorch, "torch.cuda.is_available() warns and answers False"),
    ],
    advice: &[
        "cuDriverGetVersion is called before cuInit, and must answer then: a shim that has not reached its server yet answers from a constant",
    ],
    sources: &["measured: libcudart 12.9 and 13.5"],
    follows: &[],
};
