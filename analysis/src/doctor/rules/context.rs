//! Contexts: retaining the primary one, making it current, asking which is.

use super::groups::{DRIVER_DID_NOT_START, PERMISSION_LOST};
use crate::doctor::client::ClientKind::{Ggml, OllamaRunner, OllamaServer, PyTorch, Runtime};
use crate::doctor::moment::Moment;
use crate::doctor::rule::{CallCheck, Check, Reaction, Rule, Severity, Stage, says, silently};

const NOT_INITIALIZED: u32 = 3;
const OUT_OF_MEMORY: u32 = 2;
const INVALID_DEVICE: u32 = 101;
const INVALID_CONTEXT: u32 = 201;

/// Codes of `cuDevicePrimaryCtxRetain` for which the CUDA runtime tells the application another one.
const MASKED: [u32; 2] = [NOT_INITIALIZED, INVALID_DEVICE];

fn answered(moment: &Moment<'_>) -> String {
    format!("{} answered {}.", moment.name(), moment.answer())
}

/// What becomes of a GPU that is listed and can't be used.
const UNUSABLE: [Reaction; 4] = [
    says(
        Ggml,
        "lists the GPU with 0 of 0 bytes and logs one warning with the code that the runtime shows",
    ),
    silently(
        OllamaServer,
        "skips the GPU (at its debug level only) and runs on the CPU",
    ),
    silently(
        OllamaRunner,
        "the runner aborts, its output is thrown away, and Ollama runs on the CPU",
    ),
    says(
        PyTorch,
        "torch.cuda.is_available() is True, and the first use of the GPU raises",
    ),
];

/// `ctx-retain-failed`.
pub static RETAIN_FAILED: Rule = Rule {
    id: "ctx-retain-failed",
    title: "The driver refuses the primary context",
    when: "cuDevicePrimaryCtxRetain returns an error other than CUDA_ERROR_OUT_OF_MEMORY (2), which may be true, and other than those of masked-code.",
    severity: Severity::Fatal,
    stage: Stage::Context,
    checks: &[Check::Call(CallCheck {
        functions: &["cuDevicePrimaryCtxRetain"],
        fires: |moment| {
            let code = moment.failure()?;
            (code != OUT_OF_MEMORY && !MASKED.contains(&code)).then_some(code.into())
        },
        what: answered,
    })],
    reactions: &UNUSABLE,
    advice: &[
        "a shim: the first retain is the first call that needs the remote GPU; look at what the server said",
        "801 (not supported), 46 (busy): look whether the device is in exclusive mode or a MIG parent; 800 (not permitted): at the container's devices",
    ],
    sources: &["ollama#8271", "ollama#10409", "ollama#9531", "ollama#6928"],
    follows: &[DRIVER_DID_NOT_START, PERMISSION_LOST],
};

/// `masked-code`.
///
/// Measured on libcudart 12.9 and 13.5: of the codes of cuDevicePrimaryCtxRetain 3 and 101 reach the application as 46, 2 and 801 as they
/// are; cuCtxSetCurrent's 201 reaches it as 46, which ctx-set-failed says.
pub static MASKED_CODE: Rule = Rule {
    id: "masked-code",
    title: "The application is told another error than the driver's",
    when: "cuDevicePrimaryCtxRetain returns CUDA_ERROR_NOT_INITIALIZED (3) or CUDA_ERROR_INVALID_DEVICE (101), for which the CUDA runtime says 46.",
    severity: Severity::Fatal,
    stage: Stage::Context,
    checks: &[Check::Call(CallCheck {
        functions: &["cuDevicePrimaryCtxRetain"],
        fires: |moment| {
            moment
                .failure()
                .filter(|code| MASKED.contains(code))
                .map(u64::from)
        },
        what: |moment| {
            format!(
                "{} answered {}. The CUDA runtime tells the application 46, \"all CUDA-capable devices are busy or unavailable\", which is not what happened.",
                moment.name(),
                moment.answer()
            )
        },
    })],
    reactions: &UNUSABLE,
    advice: &[
        "look for the driver's own code, not for a GPU that is busy: 3 is a process whose driver is not initialised, 101 a device number that the driver does not know",
        "a shim: check that the device that was retained is the number that cuDeviceGet gave",
    ],
    sources: &["measured: libcudart 12.9 and 13.5"],
    follows: &[DRIVER_DID_NOT_START],
};

/// `ctx-set-failed`.
pub static SET_FAILED: Rule = Rule {
    id: "ctx-set-failed",
    title: "No context can be made current",
    when: "cuCtxSetCurrent or cuCtxPushCurrent returns an error.",
    severity: Severity::Fatal,
    stage: Stage::Context,
    checks: &[Check::Call(CallCheck {
        functions: &["cuCtxSetCurrent", "cuCtxPushCurrent"],
        fires: |moment| moment.failure().map(u64::from),
        what: |moment| {
            format!(
                "{} The CUDA runtime tells the application 46, \"all CUDA-capable devices are busy or unavailable\".",
                answered(moment)
            )
        },
    })],
    reactions: &UNUSABLE,
    advice: &[
        "accept every context that this driver has handed out, and NULL; the runtime makes a context current on each thread that uses it",
    ],
    sources: &["measured: libcudart 12.9 and 13.5"],
    follows: &[
        DRIVER_DID_NOT_START,
        PERMISSION_LOST,
        &["ctx-retain-failed", "masked-code"],
    ],
};

/// `ctx-get-failed`.
pub static GET_FAILED: Rule = Rule {
    id: "ctx-get-failed",
    title: "The driver can't say which context is current",
    when: "cuCtxGetCurrent returns an error. Where no context is current it has to succeed with NULL.",
    severity: Severity::Fatal,
    stage: Stage::Context,
    checks: &[Check::Call(CallCheck {
        functions: &["cuCtxGetCurrent"],
        fires: |moment| moment.failure().map(u64::from),
        what: answered,
    })],
    reactions: &UNUSABLE,
    advice: &["answer CUDA_SUCCESS with NULL where the calling thread has no current context"],
    sources: &[
        "CUDA driver API, cuCtxGetCurrent",
        "measured: libcudart 12.9 and 13.5",
    ],
    follows: &[DRIVER_DID_NOT_START, PERMISSION_LOST],
};

/// `ctx-device-failed`.
pub static DEVICE_FAILED: Rule = Rule {
    id: "ctx-device-failed",
    title: "The driver can't say which device the current context is on",
    when: "cuCtxGetDevice returns an error other than CUDA_ERROR_INVALID_CONTEXT (201), which is what a thread without a context is told.",
    severity: Severity::Fatal,
    stage: Stage::Context,
    checks: &[Check::Call(CallCheck {
        functions: &["cuCtxGetDevice"],
        fires: |moment| {
            moment
                .failure()
                .filter(|&code| code != INVALID_CONTEXT)
                .map(u64::from)
        },
        what: answered,
    })],
    reactions: &[
        says(Ggml, "aborts in cudaGetDevice"),
        silently(
            OllamaServer,
            "the process aborts, and Ollama runs on the CPU",
        ),
        silently(
            OllamaRunner,
            "the runner aborts, and Ollama runs on the CPU",
        ),
        says(
            Runtime,
            "passes the code on: cudaGetDevice and all that follows fail",
        ),
        says(PyTorch, "the first use of the GPU raises"),
    ],
    advice: &[
        "answer CUDA_ERROR_INVALID_CONTEXT (201) where the thread has no current context: the runtime then takes device 0",
    ],
    sources: &["measured: libcudart 12.9 and 13.5, libggml-cuda of llama.cpp v0.5.0"],
    follows: &[
        DRIVER_DID_NOT_START,
        PERMISSION_LOST,
        &["ctx-retain-failed", "masked-code", "ctx-set-failed"],
    ],
};
