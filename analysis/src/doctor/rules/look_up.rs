//! Look-ups that give another function than the one that was asked for.

use crate::doctor::client::ClientKind::{PyTorch, Runtime};
use crate::doctor::closing::Closing;
use crate::doctor::look_up::LookUp;
use crate::doctor::rule::{Check, Found, Rule, Severity, Stage, silently};

/// Look-ups named in a finding.
const LISTED: usize = 3;
/// Look-ups of a process that were answered wrongly, as far as the driver's version allows to say so: a runtime may ask for the version
/// after its look-ups.
fn wrong(closing: &Closing<'_>, only_the_stream: bool) -> Vec<Found> {
    let exports = closing.story.exports;
    let version = closing.facts.version.value().copied().unwrap_or(0);
    let driver = u32::try_from(version)
        .ok()
        .filter(|&version| version > 0)
        .unwrap_or(u32::MAX);
    let wrong: Vec<&LookUp> = closing
        .facts
        .suspicious_look_ups
        .iter()
        .filter(|look_up| {
            look_up.is_wrong(exports, driver)
                && look_up.is_only_the_stream(exports, driver) == only_the_stream
        })
        .collect();
    let Some(first) = wrong.first() else {
        return Vec::new();
    };
    let calls = wrong.iter().take(LISTED).map(|look_up| look_up.seq);
    let mut found = Found::new(first.in_words(exports, driver), calls);
    found.count = wrong.len() as u64;
    vec![found]
}

/// `wrong-abi`.
pub static WRONG_ABI: Rule = Rule {
    id: "wrong-abi",
    title: "A look-up gives a function with another binary interface than the one asked for",
    when: "cuGetProcAddress returns the address of another version of a function than the newest one that the driver exports and that is newer neither than the version asked for nor than the driver. Known only where the trace has the driver's exports, which `cutape record` notes.",
    severity: Severity::Fatal,
    stage: Stage::Loading,
    checks: &[Check::Process(|closing| wrong(closing, false))],
    reactions: &[
        silently(
            Runtime,
            "calls the function with the arguments of the version it asked for: a crash, an error that makes no sense, or garbage, as the parameters differ",
        ),
        silently(PyTorch, "as the CUDA runtime, later and elsewhere"),
    ],
    advice: &[
        "choose by name, version and flags: of the variants of the name the newest that is no newer than cudaVersion",
        "CUDA 13 gives cuCtxCreate, cuCtxGetDevice and cuCtxSynchronize new parameters under the old names; HAMi-core#57 and #320 have tables",
    ],
    sources: &["HAMi-core#57", "HAMi-core#320", "cuda.h 12.9 and 13.5"],
    follows: &[],
};

/// `ptsz-ignored`.
pub static PTSZ_IGNORED: Rule = Rule {
    id: "ptsz-ignored",
    title: "A look-up for the per-thread default stream gives the function of the shared one",
    when: "cuGetProcAddress with flag 2 returns a function without _ptsz or _ptds although the driver exports one with it. Known where the trace has the driver's exports, which `cutape record` notes.",
    severity: Severity::Harmful,
    stage: Stage::Loading,
    checks: &[Check::Process(|closing| wrong(closing, true))],
    reactions: &[
        silently(
            Runtime,
            "programs built for per-thread streams work on the shared default stream: their threads wait for each other, or read what is not there yet",
        ),
        silently(
            PyTorch,
            "is not built for per-thread streams and does not mind",
        ),
    ],
    advice: &[
        "honour CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM (2): answer with the _ptsz or _ptds variant where there is one",
    ],
    sources: &[
        "cuda.h, CUdriverProcAddress_flags",
        "measured: NVIDIA's driver 535",
    ],
    follows: &[],
};
