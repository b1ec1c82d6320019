//! How long the driver takes.

use crate::doctor::client::ClientKind::{Ggml, OllamaRunner, OllamaServer, PyTorch};
use crate::doctor::closing::Closing;
use crate::doctor::facts::pace::{BOOTSTRAP_LIMIT_NS, START_UP_CALLS};
use crate::doctor::rule::{Check, Found, Rule, Severity, Stage, says, silently};
use crate::quantity::{push_time, text};

/// Functions named of those that took most of the time.
const NAMED: usize = 3;

/// `too-slow`.
///
/// The rule as written takes the mean of all calls but look-ups. On a real machine cuInit and the first context take 0.1 to 1 s whatever
/// the driver, so only questions that need no work are timed, and most of them must be slow.
pub static TOO_SLOW: Rule = Rule {
    id: "too-slow",
    title: "Each call takes so long that discovery runs into its time limit",
    when: "Of the first 400 calls of a process that only ask something, not counting look-ups, at least 8 were made, the mean time is above 6 ms, and most of them took more than 3 ms: a start-up makes about 155 such calls, and Ollama 0.12.4 to 0.24 allows it 3 s for a refresh and 30 s for the first discovery.",
    severity: Severity::Fatal,
    stage: Stage::Pace,
    checks: &[Check::Process(too_slow)],
    reactions: &[
        silently(
            OllamaRunner,
            "kills the runner after 3 s (30 s at its start): \"failed to finish discovery before timeout\", at its debug level",
        ),
        silently(
            OllamaServer,
            "kills the process that lists the devices, and runs on the CPU",
        ),
        says(Ggml, "waits"),
        says(PyTorch, "waits: importing and the first use take seconds"),
    ],
    advice: &[
        "a shim: fetch everything that does not change (name, UUID, attributes, limits) in one message when cuInit is called, and answer from memory",
        "`cutape stats -S time` shows where the time goes",
    ],
    sources: &[
        "ollama#13308",
        "measured: 155 calls of libggml-cuda of llama.cpp v0.5.0 with one device",
    ],
    follows: &[],
};

fn too_slow(closing: &Closing<'_>) -> Vec<Found> {
    let pace = &closing.facts.pace;
    let Some(mean) = pace.too_slow_ns() else {
        return Vec::new();
    };
    let (start_up, limit) = (mean.saturating_mul(START_UP_CALLS), |ns| {
        text(push_time, ns)
    });
    let misses = if mean > BOOTSTRAP_LIMIT_NS {
        "more than the 30 s that Ollama allows for its first discovery"
    } else {
        "more than the 3 s that Ollama allows for a refresh"
    };
    let what = format!(
        "{} questions took {} each in the mean; a start-up of {START_UP_CALLS} calls takes {}, {misses}. Most of the time went to {}.",
        pace.calls,
        limit(mean),
        limit(start_up),
        slowest_functions(closing)
    );
    let mut found = Found::new(what, [pace.slowest.0]);
    found.count = pace.calls;
    vec![found]
}

fn slowest_functions(closing: &Closing<'_>) -> String {
    let mut functions: Vec<_> = closing.facts.tallies.functions().collect();
    functions.sort_by_key(|(id, tally)| (std::cmp::Reverse(tally.total_ns), *id));
    let schema = closing.story.trace.schema();
    let named = functions.iter().take(NAMED).map(|(id, tally)| {
        format!(
            "{} ({} calls, {})",
            super::quoted_name(&schema.function_name(*id)),
            tally.calls,
            text(push_time, tally.total_ns)
        )
    });
    named.collect::<Vec<_>>().join(", ")
}
