//! Comparing with a second trace: done by a worker, as lines that can be shown.

use std::collections::HashMap;
use std::sync::Arc;

use cutape_analysis::diff::report::{Compared, Line, LineKind, closing, heading, profile_lines};
use cutape_analysis::diff::{
    CallChange, Comparison, Describer, DiffError, Hunk, Options, Outcome, Report, RowKind,
    Sequence, Side, ThreadPair, Unit, calls_by_number,
};
use cutape_analysis::printable::printable;
use cutape_analysis::text::Detail;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::msg::Msg;
use crate::workers::{Job, Slot, Worker};

use crate::replay_report::ReplayReport;

use super::{ComparisonMsg, Other, replayed};

/// Rows around a difference.
const CONTEXT: usize = 3;
/// Differences shown; `cutape diff` has all.
const MOST_HUNKS: usize = 500;
/// Rows of a loop, and of neighbouring rows of one kind, that are shown.
const MOST_ROWS: u64 = 24;
/// Lines of a part of a profile.
const MOST_LINES: usize = 200;

/// A line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffLine {
    /// Text over both sides.
    Text(LineKind, String),
    /// Where a difference is.
    Hunk(String),
    /// A call of A beside one of B.
    Row(Box<DiffRow>),
}

/// A call of A beside one of B.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRow {
    /// What it is.
    pub kind: RowKind,
    /// Number and text of A's call.
    pub a: Option<(u64, String)>,
    /// Number and text of B's call.
    pub b: Option<(u64, String)>,
    /// What became of A's call, argument by argument.
    pub change: Option<CallChange>,
    /// More about it, for below that.
    pub note: Option<String>,
}

impl DiffRow {
    /// Of a call that changed, the line has only what differs: there is half a screen for each side.
    fn keep_differences(&mut self) {
        let Some(change) = &self.change else {
            return;
        };
        let differing = change.arguments.iter().filter(|argument| argument.differs);
        let text = |api: &str, values: Vec<(&str, Option<&String>)>, answer: &str| {
            let arguments: Vec<String> = values
                .into_iter()
                .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
                .collect();
            format!("{api}({}) = {answer}", arguments.join(", "))
        };
        let a = differing
            .clone()
            .map(|argument| (argument.name.as_str(), argument.a.as_ref()));
        let b = differing.map(|argument| (argument.name.as_str(), argument.b.as_ref()));
        let text_a = text(&change.api.0, a.collect(), &change.answer.0);
        let text_b = text(&change.api.1, b.collect(), &change.answer.1);
        if let (Some((_, a)), Some((_, b))) = (&mut self.a, &mut self.b) {
            (*a, *b) = (text_a, text_b);
        }
    }
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// What the two sides are called, where they are not this trace and the other one.
    pub sides: Option<(String, String)>,
    /// What is compared and how.
    pub heading: Vec<DiffLine>,
    /// The comparison.
    pub lines: Vec<DiffLine>,
}

/// The job that opens a second trace, or a report, and compares with it.
pub fn compare_job(other: Other, tells_progress: bool) -> Job {
    Job::new(Slot::Comparison, move |worker: &Worker<'_>| {
        let answer = match open(worker, &other) {
            Ok(Opened::Trace(other)) => compare(worker, &other, tells_progress),
            Ok(Opened::Report(report)) => Some(replayed::show(worker, &report)),
            Err(why) => Some(Err(why)),
        };
        if let Some(answer) = answer {
            worker.send(Msg::Comparison(ComparisonMsg::Compared(
                answer.map(Arc::new),
            )));
        }
    })
}

enum Opened {
    Trace(Arc<Trace>),
    Report(Arc<ReplayReport>),
}

fn open(worker: &Worker<'_>, other: &Other) -> Result<Opened, String> {
    match other {
        Other::Report(report) => return Ok(Opened::Report(Arc::clone(report))),
        Other::Path(path) if ReplayReport::is_json(path) => {
            return ReplayReport::read(path).map(|report| Opened::Report(Arc::new(report)));
        }
        Other::Path(path) => {
            let trace = Trace::open(path).map_err(|error| error.to_string())?;
            worker.opened.set_other(Arc::new(trace));
        }
        Other::Given => {}
    }
    worker
        .opened
        .other()
        .map(Opened::Trace)
        .ok_or_else(|| "there is no second trace".to_owned())
}

/// `None` if it was stopped.
fn compare(
    worker: &Worker<'_>,
    other: &Trace,
    tells_progress: bool,
) -> Option<Result<Shown, String>> {
    let reading = worker.opened.reading();
    // A recording that goes on is read as it is now.
    let now = match reading.is_followed() {
        true => match Trace::open(reading.trace().path()) {
            Ok(trace) => Some(trace),
            Err(error) => return Some(Err(error.to_string())),
        },
        false => None,
    };
    let a = now.as_ref().unwrap_or(reading.trace());
    let watch = |done: u64, all: u64| {
        if tells_progress {
            worker.send(Msg::Progress {
                slot: Slot::Comparison,
                what: "comparing",
                done,
                all,
            });
        }
        !worker.is_stopped()
    };
    let options = Options {
        report: &watch,
        ..Options::usual()
    };
    let comparison = match Comparison::of(a, other, options) {
        Ok(comparison) => comparison,
        Err(_) if worker.is_stopped() => return None,
        Err(error) => return Some(Err(error.to_string())),
    };
    let compared = Compared {
        comparison: &comparison,
        a,
        b: other,
    };
    let mut shown = match show(compared, &watch) {
        Err(_) if worker.is_stopped() => return None,
        shown => shown.map_err(|error| error.to_string()),
    };
    if let (Ok(shown), true) = (&mut shown, now.is_some()) {
        let text = "the recording goes on; this is what it shows so far, calls numbered in the order of their begin";
        shown
            .heading
            .push(DiffLine::Text(LineKind::Note, text.to_owned()));
    }
    Some(shown)
}

fn show(compared: Compared<'_>, report: Report<'_>) -> Result<Shown, DiffError> {
    let mut headings = heading(compared);
    for line in &mut headings {
        for trace in [compared.a, compared.b] {
            // The line at the top and the shell know where they are.
            let path = trace.path().display().to_string();
            line.text = line.text.replace(&path, &file_name(trace));
        }
    }
    let mut shown = Shown {
        sides: None,
        heading: texts(headings),
        lines: texts(closing(compared)),
    };
    match &compared.comparison.outcome {
        Outcome::Sequence(sequence) => push_hunks(&mut shown.lines, (compared, sequence), report)?,
        Outcome::Profile(profile) => {
            shown
                .lines
                .extend(texts(profile_lines(compared, profile, MOST_LINES)));
        }
    }
    Ok(shown)
}

fn file_name(trace: &Trace) -> String {
    let name = trace.path().file_name().unwrap_or_default();
    name.to_string_lossy().chars().map(printable).collect()
}

fn texts(lines: Vec<Line>) -> Vec<DiffLine> {
    let text = |line: Line| DiffLine::Text(line.kind, line.text);
    lines.into_iter().map(text).collect()
}

fn push_hunks(
    lines: &mut Vec<DiffLine>,
    (compared, sequence): (Compared<'_>, &Sequence),
    report: Report<'_>,
) -> Result<(), DiffError> {
    let hunks = sequence.hunks(CONTEXT, report)?;
    let threads: Vec<&ThreadPair> = sequence.threads().collect();
    let shown = &hunks[..hunks.len().min(MOST_HUNKS)];
    let mut maker = LineMaker {
        sequence,
        calls: fetch(compared, sequence, (&threads, shown)),
        describer: Describer::new(sequence, (compared.a, compared.b), Detail::LINE),
    };
    for (number, hunk) in (1..).zip(shown) {
        let thread = threads[hunk.thread];
        let first = if number == 1 {
            ": the first, where the runs part"
        } else {
            ""
        };
        lines.push(DiffLine::Hunk(format!(
            "difference {number} of {}{first}",
            hunks.len()
        )));
        for unit in &hunk.units {
            maker.push_unit(lines, thread, unit);
        }
    }
    if hunks.len() > MOST_HUNKS {
        let more = hunks.len() - MOST_HUNKS;
        lines.push(DiffLine::Text(
            LineKind::Note,
            format!("{more} more differences: cutape diff --all shows them"),
        ));
    }
    Ok(())
}

/// Rows of a unit that are shown.
fn rows_of(unit: &Unit) -> std::ops::Range<u64> {
    unit.row..unit.row + unit.body.min(MOST_ROWS)
}

type CallsByNumber = HashMap<u64, Call>;

/// The calls of all rows that are shown.
fn fetch(
    compared: Compared<'_>,
    sequence: &Sequence,
    (threads, hunks): (&[&ThreadPair], &[Hunk]),
) -> (CallsByNumber, CallsByNumber) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for hunk in hunks {
        for row in hunk.units.iter().flat_map(rows_of) {
            if let Some(row) = sequence.row(threads[hunk.thread], row) {
                a.extend(row.a);
                b.extend(row.b);
            }
        }
    }
    (
        calls_by_number(compared.a, a),
        calls_by_number(compared.b, b),
    )
}

struct LineMaker<'a> {
    sequence: &'a Sequence,
    describer: Describer<'a>,
    calls: (CallsByNumber, CallsByNumber),
}

impl LineMaker<'_> {
    fn push_unit(&mut self, lines: &mut Vec<DiffLine>, thread: &ThreadPair, unit: &Unit) {
        if unit.count > 1 {
            let calls = if unit.body == 1 { "call" } else { "calls" };
            lines.push(DiffLine::Text(
                LineKind::Place,
                format!("  {} {calls}, {} times in a row", unit.body, unit.count),
            ));
        }
        if let Some(again) = unit.again {
            lines.push(DiffLine::Text(
                LineKind::Changed,
                format!(
                    "! the loop before ran {} times in A, {} times in B",
                    again.a, again.b
                ),
            ));
        }
        for row in rows_of(unit) {
            if let Some(row) = self.sequence.row(thread, row) {
                lines.push(DiffLine::Row(Box::new(self.row(row))));
            }
        }
        if unit.body > MOST_ROWS {
            let more = unit.body - MOST_ROWS;
            lines.push(DiffLine::Text(
                LineKind::Note,
                format!("  and {more} more calls"),
            ));
        }
    }

    fn row(&mut self, row: cutape_analysis::diff::Row) -> DiffRow {
        let a = row.a.and_then(|seq| self.calls.0.get(&seq));
        let b = row.b.and_then(|seq| self.calls.1.get(&seq));
        let describer = &mut self.describer;
        let mut text = |side, call: Option<&Call>, seq: Option<u64>| {
            let text = call.map(|call| describer.call(side, call).0);
            seq.map(|seq| (seq, text.unwrap_or_else(|| "can't be read".to_owned())))
        };
        let (text_a, text_b) = (text(Side::A, a, row.a), text(Side::B, b, row.b));
        let change = a.zip(b).map(|(a, b)| self.describer.change(a, b));
        let mut made = DiffRow {
            kind: row.kind,
            a: text_a,
            b: text_b,
            change,
            note: None,
        };
        if row.kind == RowKind::Changed {
            made.keep_differences();
        }
        made
    }
}
