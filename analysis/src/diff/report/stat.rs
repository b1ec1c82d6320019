//! Differences by function.

use std::collections::BTreeMap;

use cutape_trace_format::trace::Trace;
use serde::Serialize;

use super::Compared;
use super::line::{Line, LineKind};
use crate::diff::process_pair::lanes_of;
use crate::diff::profile::{FunctionTally, Profile};
use crate::diff::rows::{RowKind, Run, ThreadPair};
use crate::diff::scan::Scan;
use crate::diff::sequence::Sequence;
use crate::json;
use crate::printable::push_printable;

/// One function's calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FunctionStat {
    /// The symbol.
    pub api: String,
    /// Calls that are the same.
    #[serde(serialize_with = "json::integer")]
    pub same: u64,
    /// Calls that differ in arguments or answers.
    #[serde(serialize_with = "json::integer")]
    pub changed: u64,
    /// Of these, calls that returned another code.
    #[serde(serialize_with = "json::integer")]
    pub code_changed: u64,
    /// Calls that A alone made.
    #[serde(serialize_with = "json::integer")]
    pub only_a: u64,
    /// Calls that B alone made.
    #[serde(serialize_with = "json::integer")]
    pub only_b: u64,
}

impl FunctionStat {
    fn differences(&self) -> u64 {
        self.changed + self.only_a + self.only_b
    }
}

/// Functions with their differences, the most first; those without any at the end.
pub fn function_stats(compared: Compared<'_>, sequence: &Sequence) -> Vec<FunctionStat> {
    let mut stats: BTreeMap<String, FunctionStat> = BTreeMap::new();
    for thread in sequence.threads() {
        count(compared, sequence, thread, &mut stats);
    }
    let mut stats: Vec<FunctionStat> = stats.into_values().collect();
    stats.sort_by_key(|stat| {
        (
            std::cmp::Reverse(stat.differences()),
            std::cmp::Reverse(stat.same),
        )
    });
    stats
}

fn count(
    compared: Compared<'_>,
    sequence: &Sequence,
    thread: &ThreadPair,
    stats: &mut BTreeMap<String, FunctionStat>,
) {
    // By kind and classes first: there are few of those, and names cost.
    let (a, b) = lanes_of((&sequence.a, &sequence.b), thread);
    let mut counts: BTreeMap<(RowKind, Option<u32>, Option<u32>), u64> = BTreeMap::new();
    for run in thread.runs() {
        for step in 0..run.rows {
            let Run { kind, .. } = *run;
            let of_a = kind.has_a().then(|| a.classes[(run.a + step) as usize]);
            // Of calls that are the same, one side says it all.
            let with_b = kind.has_b() && kind != RowKind::Same;
            let of_b = with_b.then(|| b.classes[(run.b + step) as usize]);
            *counts.entry((kind, of_a, of_b)).or_default() += 1;
        }
    }
    for ((kind, of_a, of_b), calls) in counts {
        let name = |trace: &Trace, scan: &Scan, class: u32| {
            trace
                .function_name(scan.class(class).function())
                .into_owned()
        };
        let api = match (of_a, of_b) {
            (Some(class), _) => name(compared.a, &sequence.a, class),
            (None, Some(class)) => name(compared.b, &sequence.b, class),
            (None, None) => continue,
        };
        let stat = stats.entry(api.clone()).or_default();
        stat.api = api;
        let code = |scan: &Scan, class: Option<u32>| class.map(|class| scan.class(class).code());
        match kind {
            RowKind::Same => stat.same += calls,
            RowKind::Changed => {
                stat.changed += calls;
                if code(&sequence.a, of_a) != code(&sequence.b, of_b) {
                    stat.code_changed += calls;
                }
            }
            RowKind::OnlyA => stat.only_a += calls,
            RowKind::OnlyB => stat.only_b += calls,
            _ => {}
        }
    }
}

/// The table. Functions without a difference are summed up in one line.
pub fn stat_lines(stats: &[FunctionStat]) -> Vec<Line> {
    let mut lines = vec![Line::new(
        LineKind::Heading,
        format!(
            "{:>10} {:>10} {:>10} {:>10} {:>10}  function",
            "same", "changed", "new code", "only A", "only B"
        ),
    )];
    let row = |stat: &FunctionStat, name: &str| {
        let mut text = format!(
            "{:>10} {:>10} {:>10} {:>10} {:>10}  ",
            stat.same, stat.changed, stat.code_changed, stat.only_a, stat.only_b
        );
        push_printable(&mut text, name);
        text
    };
    let mut same = FunctionStat::default();
    let mut functions = 0;
    for stat in stats {
        if stat.differences() == 0 {
            same.same += stat.same;
            functions += 1;
            continue;
        }
        lines.push(Line::new(LineKind::Changed, row(stat, &stat.api)));
    }
    if functions > 0 {
        // Blanks in a name would be replaced as unprintable, so this one is put together by hand.
        let mut text = row(&same, "");
        text.push_str(&format!("({functions} functions without a difference)"));
        lines.push(Line::new(LineKind::Both, text));
    }
    lines
}

/// Two programs' functions as a table.
pub fn profile_stat_lines(profile: &Profile) -> Vec<Line> {
    let mut lines = vec![Line::new(
        LineKind::Heading,
        format!(
            "{:>10} {:>10} {:>10} {:>10}  function",
            "calls A", "calls B", "failed A", "failed B"
        ),
    )];
    for (base, a, b) in &profile.functions {
        let calls = |tally: &Option<FunctionTally>| tally.as_ref().map_or(0, |tally| tally.calls);
        let failed = |tally: &Option<FunctionTally>| {
            let codes = tally.iter().flat_map(|tally| tally.codes.values());
            codes.sum::<u64>()
        };
        let kind = match (a, b) {
            (Some(_), None) => LineKind::OnlyA,
            (None, _) => LineKind::OnlyB,
            (Some(_), Some(_)) if (failed(a) == 0) != (failed(b) == 0) => LineKind::Changed,
            (Some(_), Some(_)) => LineKind::Both,
        };
        let mut text = format!(
            "{:>10} {:>10} {:>10} {:>10}  ",
            calls(a),
            calls(b),
            failed(a),
            failed(b)
        );
        push_printable(&mut text, base);
        lines.push(Line::new(kind, text));
    }
    lines
}
