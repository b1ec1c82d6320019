//! What is compared, how and why; and what came out, in a few lines.

use cutape_trace_format::trace::Trace;

use super::Compared;
use super::line::{Line, LineKind, counted};
use crate::diff::choice::{first_process, program};
use crate::diff::compare::{Outcome, SideCounts, Verdict};
use crate::diff::described::described_otherwise;
use crate::diff::rows::RowCounts;
use crate::diff::sequence::Sequence;
use crate::printable::printable;

/// The traces, the way of comparing, and what is missing or left out.
pub fn heading(compared: Compared<'_>) -> Vec<Line> {
    let comparison = compared.comparison;
    let mut lines = vec![
        Line::new(LineKind::OnlyA, side("---", compared.a, &comparison.a)),
        Line::new(LineKind::OnlyB, side("+++", compared.b, &comparison.b)),
    ];
    let choice = &comparison.choice;
    let why = format!("{}: {}", choice.mode.name(), choice.why);
    lines.push(Line::new(LineKind::Heading, why));
    lines.extend(described(compared));
    for (name, counts) in [("A", &comparison.a), ("B", &comparison.b)] {
        lines.extend(left_out(name, counts));
        lines.extend(missing(name, counts));
    }
    if let Outcome::Sequence(sequence) = &comparison.outcome
        && sequence.approximate
    {
        lines.push(Line::new(
            LineKind::Note,
            "approximate: there are so many differences that the search for the shortest list of them was cut short; --minimal lets it go on",
        ));
    }
    lines
}

fn side(mark: &str, trace: &Trace, counts: &SideCounts) -> String {
    let mut text = format!("{mark} {}", trace.path().display());
    text.push_str(&format!(
        "  {}, {}",
        program(trace),
        counted(counts.calls, "call")
    ));
    if let Some(process) = first_process(trace) {
        let driver = process.driver.rsplit('/').next().unwrap_or_default();
        text.push_str(&format!(" to {driver}"));
    }
    if let Some(profile) = option(trace, "CUTAPE_SIM_PROFILE") {
        text.push_str(&format!(" ({profile})"));
    }
    if trace.is_live() {
        text.push_str(", still being recorded");
    }
    text.chars().map(printable).collect()
}

fn option<'a>(trace: &'a Trace, name: &str) -> Option<&'a str> {
    let options = trace
        .recording()
        .into_iter()
        .flat_map(|recording| &recording.options);
    let mut options = options.into_iter();
    options.find_map(|(key, value)| (key == name).then_some(value.as_str()))
}

/// Where cutape itself changed between the recordings.
fn described(compared: Compared<'_>) -> Option<Line> {
    const MOST_NAMED: usize = 5;
    let functions = described_otherwise(compared.a.schema(), compared.b.schema());
    let mut named = functions
        .iter()
        .take(MOST_NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if functions.len() > MOST_NAMED {
        named.push_str(", ...");
    }
    let text = format!(
        "different versions of cutape recorded A and B and describe {} differently, whose calls may differ for that alone: {named}",
        counted(functions.len() as u64, "function")
    );
    (!functions.is_empty()).then(|| Line::new(LineKind::Note, text))
}

fn left_out(name: &str, counts: &SideCounts) -> Option<Line> {
    let mut parts = Vec::new();
    if counts.ignored > 0 {
        parts.push(format!("{} by --ignore", counts.ignored));
    }
    if counts.readiness > 0 {
        parts.push(format!(
            "{} that ask whether work is done",
            counts.readiness
        ));
    }
    let text = format!("{name}: calls left out: {}", parts.join(", "));
    (!parts.is_empty()).then(|| Line::new(LineKind::Note, text))
}

fn missing(name: &str, counts: &SideCounts) -> Option<Line> {
    let text = match counts.lost {
        0 => return None,
        u64::MAX => format!("{name}: an unknown number of calls is missing"),
        lost => format!("{name}: {} missing", counted(lost, "call")),
    };
    let text = format!("{text}; what they would match is not counted as a difference");
    Some(Line::new(LineKind::Note, text))
}

/// What came out, in a few lines.
pub fn closing(compared: Compared<'_>) -> Vec<Line> {
    let comparison = compared.comparison;
    let mut lines = Vec::new();
    if let Some((a, b)) = &comparison.ends {
        lines.push(Line::new(LineKind::Changed, format!("! end: {a} -> {b}")));
    }
    let text = match (&comparison.outcome, comparison.verdict()) {
        (Outcome::Sequence(sequence), verdict) => sequence_result(sequence, verdict),
        (Outcome::Profile(_), Verdict::Same) => "no difference".to_owned(),
        (Outcome::Profile(_), _) => return lines,
    };
    lines.push(Line::new(LineKind::Heading, text));
    lines
}

fn sequence_result(sequence: &Sequence, verdict: Verdict) -> String {
    let counts = &sequence.counts;
    let same = counted(counts.same, "call");
    let moved = match counts.moved / 2 {
        0 => String::new(),
        moved => format!(
            ", {} made by another thread or in another order of giving back",
            counted(moved, "call")
        ),
    };
    match verdict {
        Verdict::Same => format!("no difference but time: {same} the same{moved}"),
        Verdict::Unknown if counts.differences() > 0 => format!(
            "{} on record, and calls are missing that they may belong to; {same} the same{moved}",
            differences(counts)
        ),
        Verdict::Unknown if counts.unknown > 0 => format!(
            "no difference in what is on record: {same} the same{moved}, {} where the other side's are missing",
            counted(counts.unknown, "call")
        ),
        Verdict::Unknown => format!("no difference in what is on record: {same} the same{moved}"),
        Verdict::Differ => format!("{}; {same} the same{moved}", differences(counts)),
    }
}

/// Differences by kind.
pub(super) fn differences(counts: &RowCounts) -> String {
    let parts = [
        (counts.changed, "changed"),
        (counts.only_a, "only in A"),
        (counts.only_b, "only in B"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(calls, _)| *calls > 0)
        .map(|(calls, what)| format!("{} {what}", counted(*calls, "call")))
        .collect();
    if parts.is_empty() {
        "calls are the same".to_owned()
    } else {
        parts.join(", ")
    }
}
