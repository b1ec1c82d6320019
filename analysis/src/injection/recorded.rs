//! The rules of a recording, as its trace tells them.

use cutape_trace_format::call::Call;
use cutape_trace_format::metadata::note;
use cutape_trace_format::trace::Trace;

/// The options of a recording that are rules.
const OPTIONS: [&str; 2] = ["inject", "override"];

/// The rules of a recording, `--inject cuInit:error=100`, each once; whether any acted is another matter.
pub fn rules_of(trace: &Trace) -> Vec<String> {
    let options = trace
        .recording()
        .map_or(&[][..], |recording| &recording.options);
    let of_recording = options
        .iter()
        .filter(|(name, _)| OPTIONS.contains(&name.as_str()))
        .map(|(name, rule)| format!("--{name} {rule}"));
    let notes = trace.notes().iter();
    let of_processes = notes
        .filter(|entry| entry.kind == note::INJECTION)
        .map(|entry| entry.text.clone());
    let mut rules: Vec<String> = Vec::new();
    for rule in of_recording.chain(of_processes) {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}

/// The rules that acted on a call; `rule 3` where the trace does not say its words.
pub fn rules_on(trace: &Trace, call: &Call) -> Vec<String> {
    let Some(injection) = call.injection() else {
        return Vec::new();
    };
    let words = |number: usize| {
        let mut notes = trace.notes().iter();
        let said = notes.find(|entry| {
            entry.kind == note::INJECTION
                && entry.process == Some(call.process.0)
                && entry.count == number as u64 + 1
        });
        said.map_or_else(
            || format!("rule {}", number + 1),
            |entry| entry.text.clone(),
        )
    };
    injection.rule_numbers().map(words).collect()
}

/// Whether calls of the trace can be injected ones. A trace whose calls are not has no note of a rule.
pub(crate) fn has_rules(trace: &Trace) -> bool {
    trace
        .notes()
        .iter()
        .any(|entry| entry.kind == note::INJECTION)
}
