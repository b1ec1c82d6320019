//! What the CUDA runtime wants of a driver beyond the API: private tables, and answers that stay what they are.

use super::groups::DRIVER_DID_NOT_START;
use crate::doctor::client::ClientKind::{Ggml, OllamaServer, PyTorch, Runtime};
use crate::doctor::closing::Closing;
use crate::doctor::rule::{Check, Found, Rule, Severity, Stage, says, silently};

/// A table that runtimes do not start without.
struct Needed {
    guid: [u8; 16],
    /// First runtime that needs it, as in look-ups: 13000 for 13.0.
    since: u32,
}

const fn needed(guid: u128, since: u32) -> Needed {
    Needed {
        guid: guid.to_be_bytes(),
        since,
    }
}

/// Refused by nothing that works (facts measured on libcudart 12.8 to 13.5). The others that runtimes ask for are optional; see
/// [`crate::benign`].
const NEEDED: [Needed; 7] = [
    // CUDART_INTERFACE
    needed(0x6bd5fb6c_5bf4_e74a_8987_d93912fd9df9, 0),
    // TOOLS_RUNTIME_CALLBACK_HOOKS
    needed(0xa094798c_2e74_2e74_93f2_0800200c0a66, 0),
    // TOOLS_TLS
    needed(0x42d85a81_23f6_cb47_8298_f6e78a3aecdc, 0),
    // CONTEXT_LOCAL_STORAGE
    needed(0xc693336e_1121_df11_a8c3_68f355d89593, 0),
    // INTEGRITY_CHECK
    needed(0xd4082055_bde6_704b_8d34_ba123c66e1f2, 0),
    // CONTEXT_CHECKS
    needed(0x263e8860_7cd2_6143_92f6_bbd5006dfa7e, 13_000),
    // TOOLS_CONTEXT
    needed(0x21318c60_9714_3248_8ca6_41ff7324c8f2, 13_050),
];

/// `export-table-refused`.
pub static TABLE_REFUSED: Rule = Rule {
    id: "export-table-refused",
    title: "The driver refuses a private table that the CUDA runtime does not start without",
    when: "cuGetExportTable fails for CUDART_INTERFACE, TOOLS_RUNTIME_CALLBACK_HOOKS, TOOLS_TLS, CONTEXT_LOCAL_STORAGE or INTEGRITY_CHECK; for CONTEXT_CHECKS if the runtime is of CUDA 13, for TOOLS_CONTEXT if it is of 13.5.",
    severity: Severity::Fatal,
    stage: Stage::Runtime,
    checks: &[Check::Process(table_refused)],
    reactions: &[
        says(
            Runtime,
            "answers every call with 1, \"invalid argument\", which names neither the table nor the driver",
        ),
        says(Ggml, "logs one line and offers 0 devices"),
        silently(OllamaServer, "runs on the CPU"),
        says(PyTorch, "torch.cuda.is_available() warns and answers False"),
    ],
    advice: &[
        "a shim has to bring these tables itself, or pass on those of a real driver at their own address: the runtime mixes the addresses of two of them into a checksum",
        "docs/architecture.md says what is known of them; ZLUDA's sources name their slots",
    ],
    sources: &["measured: libcudart 12.8 to 13.5", "ZLUDA dark_api"],
    follows: &[DRIVER_DID_NOT_START],
};

fn table_refused(closing: &Closing<'_>) -> Vec<Found> {
    let runtime = closing.facts.runtime.newest_look_up;
    let refused = closing.facts.runtime.tables.iter().filter(|asked| {
        asked.code != 0
            && NEEDED
                .iter()
                .any(|needed| needed.guid == asked.guid && runtime >= needed.since)
    });
    let refused: Vec<_> = refused.collect();
    let Some(first) = refused.first() else {
        return Vec::new();
    };
    let name = cutape_cuda_api::Api::get()
        .export_table_name(first.guid)
        .unwrap_or("a table");
    let what = format!(
        "cuGetExportTable answered {} when it was asked for {name}.",
        closing.code(first.code)
    );
    let mut found = Found::new(what, refused.iter().take(3).map(|asked| asked.seq));
    found.count = refused.len() as u64;
    vec![found]
}

/// `integrity-mismatch`.
///
/// The check itself is a call through a table, and no trace has it: that the runtime answered 103 can't be read anywhere. What can be read
/// is that an answer the check depends on changed, or that the process asked the driver nothing more once the check was over. The second
/// is what a program looks like, too, that only counts devices (measured: libcudart 12.9 and 13.5 make the same calls in both cases). So
/// it is taken for a sign only in GGML's backend, which goes on to ask about each device that it is given (measured on v0.5.0).
pub static INTEGRITY: Rule = Rule {
    id: "integrity-mismatch",
    title: "The CUDA runtime finds that the driver is not the one it says it is",
    when: "The driver's version, or a device's UUID, PCI bus id or total memory is answered differently from one call to the next; or every call of the start succeeds, and GGML's backend asks nothing about the devices it was told of. The check is made through a private table, so the trace does not have its result; for programs that only count devices the rule can't tell.",
    severity: Severity::Fatal,
    stage: Stage::Runtime,
    checks: &[Check::Process(rewritten), Check::Process(gives_up)],
    reactions: &[
        says(
            Runtime,
            "answers every call with 103 (cudaErrorSoftwareValidityNotEstablished) although every driver call succeeded",
        ),
        says(Ggml, "logs one line and offers 0 devices"),
        silently(OllamaServer, "runs on the CPU"),
        says(PyTorch, "torch.cuda.is_available() warns and answers False"),
    ],
    advice: &[
        "leave the driver's version, and each device's UUID and PCI bus id, as the driver's own check sees them: the runtime's checksum is made of them",
        "hand out the tables CUDART_INTERFACE and INTEGRITY_CHECK at their own addresses, not as copies",
    ],
    sources: &["measured: libcudart 12.9 and 13.5; libggml-cuda of llama.cpp v0.5.0"],
    follows: &[
        DRIVER_DID_NOT_START,
        &["export-table-refused", "device-query-failed"],
    ],
};

fn rewritten(closing: &Closing<'_>) -> Vec<Found> {
    let facts = closing.facts;
    let mut found = Vec::new();
    if let Some((earlier, later)) = facts.version_rewritten {
        let what = "The driver's version changed from one call of cuDriverGetVersion to the next.";
        found.push(Found::new(what, [earlier, later]));
    }
    for (&number, device) in &facts.devices.0 {
        if let Some((earlier, later, what)) = device.rewritten {
            let what = format!(
                "The {what} of {} was answered differently by two calls.",
                closing.device_name(number, device)
            );
            found.push(Found::new(what, [earlier, later]).variant(1));
        }
    }
    found
}

fn gives_up(closing: &Closing<'_>) -> Vec<Found> {
    let facts = closing.facts;
    let devices = facts.count.value().copied().unwrap_or(0);
    let passed = facts.runtime.integrity_check.answered;
    let is_over = !closing.entry.is_some_and(|entry| entry.alive) && facts.open.is_empty();
    let Some((seq, ())) = passed.filter(|_| {
        devices > 0 && is_over && facts.runtime.calls_after_check <= 1 && closing.client.is(Ggml)
    }) else {
        return Vec::new();
    };
    let what = format!(
        "The start of the CUDA runtime went through, up to its integrity check after call {seq}; then GGML's backend asked nothing about the {devices} device(s) that it had been told of. The runtime must have refused the driver (103)."
    );
    let version = facts.version.call();
    vec![Found::new(what, version.into_iter().chain([seq])).variant(2)]
}
