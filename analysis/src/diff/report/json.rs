//! A comparison as one JSON object; docs/diff.md describes it.

use std::collections::HashMap;

use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;
use serde::Serialize;

use super::Compared;
use super::profile_json::{ProfileObject, profile_object};
use super::stat::{FunctionStat, function_stats};
use crate::diff::changes::{CallChange, Describer, Side};
use crate::diff::choice::program;
use crate::diff::compare::{Outcome, SideCounts};
use crate::diff::described::described_otherwise;
use crate::diff::fetching::calls_by_number;
use crate::diff::hunks::{Hunk, Unit};
use crate::diff::rows::{Row, RowCounts, RowKind, ThreadPair};
use crate::diff::sequence::Sequence;
use crate::diff::watch::{DiffError, Report};
use crate::json;
use crate::text::Detail;

const SCHEMA: &str = "cutape.diff";
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Object {
    schema: &'static str,
    version: u32,
    verdict: &'static str,
    mode: &'static str,
    why: String,
    a: SideObject,
    b: SideObject,
    ends: Option<EndsObject>,
    described_otherwise: Vec<String>,
    sequence: Option<SequenceObject>,
    profile: Option<ProfileObject>,
}

#[derive(Serialize)]
struct SideObject {
    path: String,
    program: String,
    #[serde(serialize_with = "json::integer")]
    calls: u64,
    #[serde(serialize_with = "json::integer")]
    ignored: u64,
    #[serde(serialize_with = "json::integer")]
    readiness: u64,
    /// Null where it is not known how many.
    #[serde(serialize_with = "json::optional")]
    lost: Option<u64>,
}

#[derive(Serialize)]
struct EndsObject {
    a: String,
    b: String,
}

#[derive(Serialize)]
struct CountsObject {
    #[serde(serialize_with = "json::integer")]
    same: u64,
    #[serde(serialize_with = "json::integer")]
    changed: u64,
    #[serde(serialize_with = "json::integer")]
    only_a: u64,
    #[serde(serialize_with = "json::integer")]
    only_b: u64,
    #[serde(serialize_with = "json::integer")]
    moved: u64,
    #[serde(serialize_with = "json::integer")]
    unknown: u64,
}

#[derive(Serialize)]
struct SequenceObject {
    counts: CountsObject,
    approximate: bool,
    processes: Vec<ProcessObject>,
    functions: Vec<FunctionStat>,
    differences: Vec<DifferenceObject>,
    #[serde(serialize_with = "json::integer")]
    differences_left_out: u64,
}

#[derive(Serialize)]
struct ProcessObject {
    a: Option<u32>,
    b: Option<u32>,
    how: &'static str,
    threads: Vec<ThreadObject>,
}

#[derive(Serialize)]
struct ThreadObject {
    a: Option<u32>,
    a_name: Option<String>,
    b: Option<u32>,
    b_name: Option<String>,
    how: &'static str,
    counts: CountsObject,
}

/// A difference, or a loop of calls that differ.
#[derive(Serialize)]
struct DifferenceObject {
    /// Place of the pair of threads among all pairs, process by process.
    thread: usize,
    kind: &'static str,
    /// How often the rows are repeated.
    #[serde(serialize_with = "json::integer")]
    count: u64,
    ran: Option<RanObject>,
    rows: Vec<RowObject>,
}

/// How often both sides ran what these rows are.
#[derive(Serialize)]
struct RanObject {
    /// Calls of one iteration.
    #[serde(serialize_with = "json::integer")]
    calls: u64,
    #[serde(serialize_with = "json::integer")]
    a: u64,
    #[serde(serialize_with = "json::integer")]
    b: u64,
}

#[derive(Serialize)]
struct RowObject {
    kind: &'static str,
    #[serde(serialize_with = "json::optional")]
    a: Option<u64>,
    #[serde(serialize_with = "json::optional")]
    b: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeObject>,
}

#[derive(Serialize)]
struct ChangeObject {
    api: String,
    arguments: Vec<ArgumentObject>,
    answer: PairObject,
}

#[derive(Serialize)]
struct ArgumentObject {
    name: String,
    #[serde(flatten)]
    values: PairObject,
}

#[derive(Serialize)]
struct PairObject {
    a: Option<String>,
    b: Option<String>,
    differs: bool,
}

impl From<RowCounts> for CountsObject {
    fn from(counts: RowCounts) -> Self {
        let RowCounts {
            same,
            changed,
            only_a,
            only_b,
            moved,
            unknown,
        } = counts;
        Self {
            same,
            changed,
            only_a,
            only_b,
            moved,
            unknown,
        }
    }
}

/// The object, with a line feed at the end. `most` limits the differences that are listed; how many there are is told in any case. `report` is
/// told of how many rows loops were folded.
///
/// # Errors
/// There is too much to number, or it was stopped.
pub fn to_json(
    compared: Compared<'_>,
    most: usize,
    report: Report<'_>,
) -> Result<String, DiffError> {
    let comparison = compared.comparison;
    let (sequence, profile) = match &comparison.outcome {
        Outcome::Sequence(sequence) => {
            let hunks = sequence.hunks(0, report)?;
            (
                Some(sequence_object(compared, sequence, (hunks, most))?),
                None,
            )
        }
        Outcome::Profile(profile) => (None, Some(profile_object(profile))),
    };
    let ends = comparison.ends.clone();
    let described = described_otherwise(compared.a.schema(), compared.b.schema());
    Ok(json::pretty(&Object {
        schema: SCHEMA,
        version: VERSION,
        verdict: comparison.verdict().name(),
        mode: comparison.choice.mode.name(),
        why: comparison.choice.why.clone(),
        a: side_object(compared.a, &comparison.a),
        b: side_object(compared.b, &comparison.b),
        ends: ends.map(|(a, b)| EndsObject { a, b }),
        described_otherwise: described.into_iter().map(str::to_owned).collect(),
        sequence,
        profile,
    }))
}

fn side_object(trace: &Trace, counts: &SideCounts) -> SideObject {
    SideObject {
        path: trace.path().display().to_string(),
        program: program(trace),
        calls: counts.calls,
        ignored: counts.ignored,
        readiness: counts.readiness,
        lost: Some(counts.lost).filter(|&lost| lost != u64::MAX),
    }
}

fn sequence_object(
    compared: Compared<'_>,
    sequence: &Sequence,
    (mut hunks, most): (Vec<Hunk>, usize),
) -> Result<SequenceObject, DiffError> {
    let all: usize = hunks.iter().map(|hunk| hunk.units.len()).sum();
    let mut left = most;
    for hunk in &mut hunks {
        hunk.units.truncate(left);
        left -= hunk.units.len();
    }
    Ok(SequenceObject {
        counts: sequence.counts.into(),
        approximate: sequence.approximate,
        processes: processes(compared, sequence),
        functions: function_stats(compared, sequence),
        differences: Rows::of(compared, sequence, &hunks).differences(&hunks),
        differences_left_out: all.saturating_sub(most) as u64,
    })
}

fn processes(compared: Compared<'_>, sequence: &Sequence) -> Vec<ProcessObject> {
    let thread = |thread: &ThreadPair| {
        let of = |trace: &Trace, id| {
            let thread = trace.thread(id)?;
            Some((thread.tid, thread.name.clone()))
        };
        let (a, a_name) = thread.a.and_then(|id| of(compared.a, id)).unzip();
        let (b, b_name) = thread.b.and_then(|id| of(compared.b, id)).unzip();
        ThreadObject {
            a,
            a_name,
            b,
            b_name,
            how: thread.how.text(),
            counts: thread.counts().into(),
        }
    };
    let pid = |trace: &Trace, id| Some(trace.process(id)?.process.pid);
    let processes = sequence.processes.iter();
    processes
        .map(|process| ProcessObject {
            a: process.a.and_then(|id| pid(compared.a, id)),
            b: process.b.and_then(|id| pid(compared.b, id)),
            how: process.how.text(),
            threads: process.threads.iter().map(thread).collect(),
        })
        .collect()
}

/// Puts rows into objects.
struct Rows<'a> {
    sequence: &'a Sequence,
    threads: Vec<&'a ThreadPair>,
    describer: Describer<'a>,
    calls: (HashMap<u64, Call>, HashMap<u64, Call>),
}

impl<'a> Rows<'a> {
    fn of(compared: Compared<'a>, sequence: &'a Sequence, hunks: &[Hunk]) -> Self {
        let threads: Vec<&ThreadPair> = sequence.threads().collect();
        let mut wanted = (Vec::new(), Vec::new());
        for hunk in hunks {
            let thread = threads[hunk.thread];
            for unit in &hunk.units {
                for row in
                    (unit.row..unit.row + unit.body).filter_map(|row| sequence.row(thread, row))
                {
                    wanted.0.extend(row.a);
                    wanted.1.extend(row.b.filter(|_| row.kind != RowKind::Same));
                }
            }
        }
        Self {
            sequence,
            threads,
            describer: Describer::new(sequence, (compared.a, compared.b), Detail::FULL),
            calls: (
                calls_by_number(compared.a, wanted.0),
                calls_by_number(compared.b, wanted.1),
            ),
        }
    }

    fn differences(mut self, hunks: &[Hunk]) -> Vec<DifferenceObject> {
        let mut objects = Vec::new();
        for hunk in hunks {
            for unit in &hunk.units {
                let rows = self.rows(hunk.thread, unit);
                objects.push(DifferenceObject {
                    thread: hunk.thread,
                    kind: name(unit.kind),
                    count: unit.count,
                    ran: unit.again.map(|again| RanObject {
                        calls: again.body,
                        a: again.a,
                        b: again.b,
                    }),
                    rows,
                });
            }
        }
        objects
    }

    fn rows(&mut self, thread: usize, unit: &Unit) -> Vec<RowObject> {
        let thread = self.threads[thread];
        let rows = unit.row..unit.row + unit.body;
        let rows: Vec<Row> = rows
            .filter_map(|row| self.sequence.row(thread, row))
            .collect();
        rows.into_iter().map(|row| self.row(row)).collect()
    }

    fn row(&mut self, row: Row) -> RowObject {
        let a = row.a.and_then(|seq| self.calls.0.get(&seq));
        let b = row.b.and_then(|seq| self.calls.1.get(&seq));
        let (mut call, mut change) = (None, None);
        match (row.kind, a, b) {
            (RowKind::Changed, Some(a), Some(b)) => {
                change = Some(change_object(self.describer.change(a, b)));
            }
            (_, Some(a), _) => call = Some(self.describer.call(Side::A, a).0),
            (_, None, Some(b)) => call = Some(self.describer.call(Side::B, b).0),
            (_, None, None) => {}
        }
        RowObject {
            kind: name(row.kind),
            a: row.a,
            b: row.b,
            call,
            change,
        }
    }
}

fn change_object(change: CallChange) -> ChangeObject {
    let arguments = change.arguments.into_iter();
    let (a, b) = change.answer;
    ChangeObject {
        api: change.api.0,
        arguments: arguments
            .map(|argument| ArgumentObject {
                name: argument.name,
                values: PairObject {
                    a: argument.a,
                    b: argument.b,
                    differs: argument.differs,
                },
            })
            .collect(),
        answer: PairObject {
            a: Some(a),
            b: Some(b),
            differs: change.answer_differs,
        },
    }
}

fn name(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Same => "same",
        RowKind::Changed => "changed",
        RowKind::OnlyA => "only_a",
        RowKind::OnlyB => "only_b",
        RowKind::MovedA => "moved_a",
        RowKind::MovedB => "moved_b",
        RowKind::UnknownA => "unknown_a",
        RowKind::UnknownB => "unknown_b",
    }
}
