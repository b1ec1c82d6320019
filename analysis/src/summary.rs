//! What `cutape record` says when the program has ended.

use cutape_trace_format::metadata::note;

use crate::info::{Info, RuleInfo};
use crate::printable::push_printable;

/// A few lines: what was recorded and lost; the first call that failed and is no benign probe, if one did; why recording was turned off, if it
/// was.
pub fn summary_lines(info: &Info) -> Vec<String> {
    let mut lines = vec![counts(info)];
    if let Some(failure) = &info.first_failure {
        let whose = match (info.processes.len(), failure.pid) {
            (2.., Some(pid)) => format!(" of process {pid}"),
            _ => String::new(),
        };
        lines.push(format!(
            "first failure: call {}{whose}: {}",
            failure.seq, failure.text
        ));
    }
    lines.extend(info.injection.iter().map(rule_line));
    lines.extend(filter_line(info));
    // Losses are counted in the first line, and waiting is no loss.
    let off = info.notes.iter().filter(|entry| entry.kind == note::OFF);
    lines.extend(off.map(|entry| {
        let mut line = "warning: recording was turned off: ".to_owned();
        push_printable(&mut line, &entry.text);
        line
    }));
    lines
}

/// What a rule of the recording did. One that did nothing is mostly a mistake.
fn rule_line(rule: &RuleInfo) -> String {
    let mut line = String::new();
    push_printable(&mut line, &rule.rule);
    line.push_str(": ");
    line.push_str(&rule.did());
    line
}

/// That calls are missing because they were not wanted. Processes and sealing each have a note of it.
fn filter_line(info: &Info) -> Option<String> {
    let of_kind = |kind: &str| info.notes.iter().find(|entry| entry.kind == kind);
    let left_out = of_kind(note::LEFT_OUT);
    let filter = left_out.or_else(|| of_kind(note::FILTER))?;
    let mut line = "only calls that the filter means: ".to_owned();
    push_printable(&mut line, &filter.text);
    if let Some(left_out) = left_out {
        line.push_str(&format!(" ({} left out)", left_out.count));
    }
    Some(line)
}

fn counts(info: &Info) -> String {
    let benign = match info.benign {
        0 => String::new(),
        benign => format!(" ({benign} benign)"),
    };
    let in_flight = match info.count.in_flight {
        0 => String::new(),
        calls => format!(", {calls} in flight"),
    };
    format!(
        "{}, {}, {} failed{benign}{in_flight}, {} lost",
        counted(info.processes.len() as u64, "process", "processes"),
        counted(info.count.calls, "call", "calls"),
        info.count.failed,
        info.lost()
    )
}

fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
