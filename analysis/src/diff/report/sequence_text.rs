//! Two runs of one program as text: where they differ, with what is around it.

use std::collections::HashMap;

use cutape_trace_format::call::{Call, ProcessId, ThreadId};
use cutape_trace_format::trace::Trace;

use super::Compared;
use super::heading::differences;
use super::line::{Line, LineKind, counted};
use crate::diff::changes::{CallChange, Describer, Side};
use crate::diff::fetching::calls_by_number;
use crate::diff::hunks::{Again, Hunk, Unit};
use crate::diff::process_pair::ProcessPair;
use crate::diff::rows::{Row, RowKind, ThreadPair};
use crate::diff::sequence::Sequence;
use crate::doctor::client::file_name;
use crate::printable::push_printable;
use crate::text::Detail;

/// Pairs of threads that are listed.
const MOST_PAIRS: usize = 16;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows of one kind in a row, and rows of a loop, that are shown.
    pub rows: usize,
    /// How much of long values is shown.
    pub detail: Detail,
}

/// Writes differences.
pub struct SequenceText<'a> {
    sequence: &'a Sequence,
    traces: (&'a Trace, &'a Trace),
    threads: Vec<&'a ThreadPair>,
    describer: Describer<'a>,
    extent: Extent,
    /// Calls of the hunks that are being written, by number.
    calls: (HashMap<u64, Call>, HashMap<u64, Call>),
    /// Width of the columns of call numbers.
    width: usize,
}

impl<'a> SequenceText<'a> {
    /// For a comparison call by call.
    pub fn new(compared: Compared<'a>, sequence: &'a Sequence, extent: Extent) -> Self {
        let traces = (compared.a, compared.b);
        let most = compared.comparison.a.calls.max(compared.comparison.b.calls);
        Self {
            sequence,
            traces,
            threads: sequence.threads().collect(),
            describer: Describer::new(sequence, traces, extent.detail),
            extent,
            calls: (HashMap::new(), HashMap::new()),
            width: most.max(1).ilog10() as usize + 1,
        }
    }

    /// Which threads are compared with each other; nothing if there is but one on each side.
    pub fn pairs(&self) -> Vec<Line> {
        if self.threads.len() < 2 {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let mut hidden = 0;
        for process in &self.sequence.processes {
            for (number, thread) in process.threads.iter().enumerate() {
                let is_same = thread.counts().differences() == 0;
                if lines.len() >= MOST_PAIRS && (is_same || lines.len() >= 2 * MOST_PAIRS) {
                    hidden += 1;
                    continue;
                }
                if number == 0 {
                    lines.push(Line::new(LineKind::Both, self.process_text(process)));
                }
                lines.push(Line::new(LineKind::Both, self.thread_text(thread)));
            }
        }
        if hidden > 0 {
            let text = format!("  ... {hidden} more pairs of threads, compared as well");
            lines.push(Line::new(LineKind::Note, text));
        }
        lines
    }

    fn process_text(&self, process: &ProcessPair) -> String {
        let name = |trace: &Trace, id: Option<ProcessId>| match id.and_then(|id| trace.process(id))
        {
            Some(entry) => {
                let mut text = format!("process {} ", entry.process.pid);
                push_printable(&mut text, file_name(&entry.process.program));
                text
            }
            None if id.is_some() => "unknown process".to_owned(),
            None => "none".to_owned(),
        };
        let (a, b) = (
            name(self.traces.0, process.a),
            name(self.traces.1, process.b),
        );
        format!("{a} = {b} ({})", process.how.text())
    }

    fn thread_text(&self, thread: &ThreadPair) -> String {
        let (a, b) = (
            thread_name(self.traces.0, thread.a),
            thread_name(self.traces.1, thread.b),
        );
        let counts = thread.counts();
        let result = if counts.differences() == 0 {
            counted(counts.same, "call") + " the same"
        } else {
            differences(&counts)
        };
        format!("  {a} = {b} ({}): {result}", thread.how.text())
    }

    /// Writes hunks; `first` is the number of the first one among all.
    pub fn hunks(&mut self, hunks: &[Hunk], first: usize) -> Vec<Line> {
        self.fetch(hunks);
        let mut lines = Vec::new();
        for (number, hunk) in hunks.iter().enumerate() {
            self.hunk(hunk, first + number, &mut lines);
        }
        lines
    }

    fn hunk(&mut self, hunk: &Hunk, number: usize, lines: &mut Vec<Line>) {
        let Some(&thread) = self.threads.get(hunk.thread) else {
            return;
        };
        lines.push(Line::new(LineKind::Place, self.place(hunk, thread, number)));
        let mut units = hunk.units.iter().peekable();
        while let Some(unit) = units.next() {
            if let Some(Again { body, a, b }) = unit.again {
                let calls = match body {
                    1 => "the call".to_owned(),
                    body => format!("the {body} calls"),
                };
                let text = format!("! {calls} above: ran {a} times in A, {b} times in B");
                lines.push(Line::new(LineKind::Changed, text));
            }
            self.unit(unit, thread, lines);
            // Of a long stretch that one side alone has, the start tells what it is.
            let mut shown = 1;
            while let Some(next) =
                units.next_if(|next| next.kind == unit.kind && next.kind != RowKind::Changed)
            {
                if shown < self.extent.rows || unit.kind == RowKind::Same {
                    self.unit(next, thread, lines);
                    shown += 1;
                    continue;
                }
                let mut rows = next.rows();
                while let Some(more) = units.next_if(|more| more.kind == unit.kind) {
                    rows += more.rows();
                }
                let text = format!("{} ... {} more", unit.kind.mark(), counted(rows, "call"));
                lines.push(Line::new(line_kind(unit.kind), text));
            }
        }
    }

    /// Where a hunk is: the numbers of its calls, and of which threads.
    fn place(&self, hunk: &Hunk, thread: &ThreadPair, number: usize) -> String {
        let rows = hunk
            .units
            .iter()
            .flat_map(|unit| [unit.row, unit.row + unit.rows() - 1]);
        let rows: Vec<Row> = rows
            .filter_map(|row| self.sequence.row(thread, row))
            .collect();
        let range = |numbers: Vec<u64>| match (numbers.iter().min(), numbers.iter().max()) {
            (Some(first), Some(last)) if first != last => format!("{first}-{last}"),
            (Some(only), _) => only.to_string(),
            _ => "-".to_owned(),
        };
        let a = range(rows.iter().filter_map(|row| row.a).collect());
        let b = range(rows.iter().filter_map(|row| row.b).collect());
        let mut text = format!("@@ A {a}  B {b} @@");
        if number == 0 {
            text.push_str(" first difference");
        }
        if self.threads.len() > 1 {
            let (a, b) = (
                thread_name(self.traces.0, thread.a),
                thread_name(self.traces.1, thread.b),
            );
            text.push_str(&format!("  {a} = {b}"));
        }
        text
    }

    fn unit(&mut self, unit: &Unit, thread: &ThreadPair, lines: &mut Vec<Line>) {
        let is_loop = unit.count > 1;
        if is_loop {
            let text = format!("{} {} times:", unit.kind.mark(), unit.count);
            lines.push(Line::new(line_kind(unit.kind), text));
        }
        let shown = unit.body.min(self.extent.rows as u64);
        for row in unit.row..unit.row + shown {
            if let Some(row) = self.sequence.row(thread, row) {
                lines.push(self.row(row, is_loop));
            }
        }
        if shown < unit.body {
            let text = format!(
                "{} | ... {} more",
                unit.kind.mark(),
                counted(unit.body - shown, "call")
            );
            lines.push(Line::new(line_kind(unit.kind), text));
        }
    }

    fn row(&mut self, row: Row, in_loop: bool) -> Line {
        let number =
            |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
        let width = self.width;
        let bar = if in_loop { "| " } else { "" };
        let mut text = format!(
            "{} {:>width$} {:>width$}  {bar}",
            row.kind.mark(),
            number(row.a),
            number(row.b)
        );
        text.push_str(&self.row_text(row));
        Line::new(line_kind(row.kind), text)
    }

    fn row_text(&mut self, row: Row) -> String {
        const LOST: &str = "(can't be read)";
        let a = row.a.and_then(|seq| self.calls.0.get(&seq));
        let b = row.b.and_then(|seq| self.calls.1.get(&seq));
        match (row.kind, a, b) {
            (RowKind::Changed, Some(a), Some(b)) => change_text(&self.describer.change(a, b)),
            (_, Some(a), _) => self.describer.call(Side::A, a).0,
            (_, None, Some(b)) => self.describer.call(Side::B, b).0,
            (_, None, None) => LOST.to_owned(),
        }
    }

    /// Reads the calls that are going to be shown.
    fn fetch(&mut self, hunks: &[Hunk]) {
        let mut wanted = (Vec::new(), Vec::new());
        for hunk in hunks {
            let Some(&thread) = self.threads.get(hunk.thread) else {
                continue;
            };
            let mut shown = (RowKind::Same, 0);
            for unit in &hunk.units {
                shown = if unit.kind == shown.0 {
                    (unit.kind, shown.1 + 1)
                } else {
                    (unit.kind, 0)
                };
                if shown.1 > self.extent.rows
                    && !matches!(unit.kind, RowKind::Same | RowKind::Changed)
                {
                    continue;
                }
                let rows = unit.row..unit.row + unit.body.min(self.extent.rows as u64);
                for row in rows.filter_map(|row| self.sequence.row(thread, row)) {
                    wanted.0.extend(row.a);
                    wanted.1.extend(row.b.filter(|_| row.kind != RowKind::Same));
                }
            }
        }
        self.calls = (
            calls_by_number(self.traces.0, wanted.0),
            calls_by_number(self.traces.1, wanted.1),
        );
    }
}

fn thread_name(trace: &Trace, id: Option<ThreadId>) -> String {
    let Some(id) = id else {
        return "none".to_owned();
    };
    let Some(thread) = trace.thread(id).filter(|thread| thread.tid != 0) else {
        return "unknown thread".to_owned();
    };
    let mut text = format!("thread {} ", thread.tid);
    push_printable(&mut text, &thread.name);
    text
}

fn line_kind(kind: RowKind) -> LineKind {
    match kind {
        RowKind::Same => LineKind::Both,
        RowKind::Changed => LineKind::Changed,
        RowKind::OnlyA => LineKind::OnlyA,
        RowKind::OnlyB => LineKind::OnlyB,
        RowKind::MovedA | RowKind::MovedB | RowKind::UnknownA | RowKind::UnknownB => LineKind::Note,
    }
}

/// A change in one line: what is the same in parentheses, what became what behind a colon.
pub(super) fn change_text(change: &CallChange) -> String {
    let mut text = String::new();
    push_printable(&mut text, &change.api.0);
    if change.api.0 != change.api.1 {
        text.push_str(" -> ");
        push_printable(&mut text, &change.api.1);
    }
    let same = change.arguments.iter().filter(|argument| !argument.differs);
    let same: Vec<String> = same
        .filter_map(|argument| Some(format!("{}={}", argument.name, argument.a.as_ref()?)))
        .collect();
    if !same.is_empty() {
        text.push_str(&format!("({})", same.join(", ")));
    }
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".to_owned());
    let mut parts: Vec<String> = change
        .arguments
        .iter()
        .filter(|argument| argument.differs)
        .map(|argument| {
            format!(
                "{} {} -> {}",
                argument.name,
                shown(&argument.a),
                shown(&argument.b)
            )
        })
        .collect();
    let (a, b) = &change.answer;
    if change.answer_differs {
        parts.push(format!("{a} -> {b}"));
    }
    text.push_str(": ");
    text.push_str(&parts.join(", "));
    if !change.answer_differs {
        text.push_str(" = ");
        text.push_str(a);
    }
    text
}
