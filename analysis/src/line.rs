//! One call as a line: columns that say which call, whose, when, how long and from where, then the call itself.

use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::caller::Callers;
use crate::objects::CallNames;
use crate::printable::push_printable;
use crate::quantity::{push_decimal, push_seconds, push_time};
use crate::text::{Detail, push_named_call};

/// What stands before the call on a line. The names are those of the filter's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// `seq`: the call's number, in the order in which calls began.
    Number,
    /// `pid`: process id.
    Pid,
    /// `tid`: kernel thread id.
    Tid,
    /// `comm`: the thread's name.
    ThreadName,
    /// `t`: seconds from the start of the recording to the call's begin.
    Time,
    /// `dur`: how long the call took; `-` if it never returned.
    Duration,
    /// `caller`: file and offset that the call returns to.
    Caller,
}

/// Columns by the name that users give.
const NAMES: [(&str, Column); 7] = [
    ("seq", Column::Number),
    ("pid", Column::Pid),
    ("tid", Column::Tid),
    ("comm", Column::ThreadName),
    ("t", Column::Time),
    ("dur", Column::Duration),
    ("caller", Column::Caller),
];

/// Where a longer caller no longer moves what follows.
const MAX_CALLER_WIDTH: usize = 40;
/// The kernel keeps 15 letters of a thread's name.
const THREAD_NAME_WIDTH: usize = 15;
/// `1234.567890`: the seconds of most recordings.
const TIME_WIDTH: usize = 11;
/// `12.3us`, `1.00ms`.
const DURATION_WIDTH: usize = 6;

impl Column {
    /// Reads `seq,t,dur`, or `none`.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        if text == "none" {
            return Ok(Vec::new());
        }
        let names = NAMES.map(|(name, _)| name).join(", ");
        text.split(',')
            .map(|word| {
                let found = NAMES.iter().find(|(name, _)| *name == word.trim());
                found.map(|&(_, column)| column).ok_or_else(|| {
                    format!("expected columns among {names}, or \"none\"; found {word:?}")
                })
            })
            .collect()
    }

    /// All columns, without the process where there is only one, and without the thread where there is only one.
    pub fn usual(trace: &Trace) -> Vec<Self> {
        let mut columns = vec![Self::Number];
        if trace.processes().len() > 1 {
            columns.push(Self::Pid);
        }
        if trace.threads().len() > 1 {
            columns.push(Self::Tid);
        }
        columns.extend([Self::Time, Self::Duration, Self::Caller]);
        columns
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where the call's answer starts in the text; it goes to the end.
    pub answer: usize,
}

/// Writes lines whose columns stand below each other.
#[derive(Debug)]
pub struct LineWriter {
    columns: Vec<Column>,
    detail: Detail,
    callers: Callers,
    start_ns: u64,
    number_width: usize,
    id_width: usize,
    caller_width: usize,
}

impl LineWriter {
    /// For the calls of a trace, whose numbers and ids give the widths.
    pub fn new(trace: &Trace, columns: Vec<Column>, detail: Detail) -> Self {
        let mut writer = Self {
            columns,
            detail,
            callers: Callers::default(),
            start_ns: 0,
            number_width: 3,
            id_width: 1,
            caller_width: 0,
        };
        writer.learn(trace);
        writer
    }

    /// Shows callers by file and offset, without their functions.
    pub fn with_raw_callers(mut self) -> Self {
        self.callers = Callers::raw();
        self
    }

    /// Shows these columns from now on.
    pub fn show(&mut self, columns: Vec<Column>) {
        self.columns = columns;
    }

    /// Takes in what a trace that is still being written has said since.
    pub fn learn(&mut self, trace: &Trace) {
        self.start_ns = trace.start_ns();
        self.number_width = self.number_width.max(digits(trace.call_count()));
        let tids = trace.threads().iter().map(|thread| thread.tid);
        let pids = trace.processes().iter().map(|entry| entry.process.pid);
        let largest = tids.chain(pids).max().unwrap_or(0);
        self.id_width = self.id_width.max(digits(largest.into()));
    }

    /// Adds a line, without its line feed.
    pub fn push(&mut self, out: &mut String, trace: &Trace, call: &Call) -> Line {
        self.push_named(out, trace, (call, CallNames::NONE))
    }

    /// Adds a line, without its line feed, with handles and addresses by their names.
    pub fn push_named(
        &mut self,
        out: &mut String,
        trace: &Trace,
        (call, names): (&Call, &CallNames),
    ) -> Line {
        for place in 0..self.columns.len() {
            self.push_column(out, self.columns[place], trace, call);
            out.push_str("  ");
        }
        Line {
            answer: push_named_call(out, trace.schema(), (call, names), &self.detail),
        }
    }

    fn push_column(&mut self, out: &mut String, column: Column, trace: &Trace, call: &Call) {
        let start = out.len();
        match column {
            Column::Number => {
                push_decimal(out, call.seq);
                align_right(out, start, self.number_width);
            }
            Column::Pid => {
                match trace.process(call.process) {
                    Some(entry) => push_decimal(out, entry.process.pid.into()),
                    None => out.push('?'),
                }
                align_right(out, start, self.id_width);
            }
            Column::Tid => {
                match trace.thread(call.thread) {
                    Some(thread) => push_decimal(out, thread.tid.into()),
                    None => out.push('?'),
                }
                align_right(out, start, self.id_width);
            }
            Column::ThreadName => {
                let name = trace.thread(call.thread).map_or("?", |thread| &thread.name);
                push_printable(out, name);
                align_left(out, start, THREAD_NAME_WIDTH);
            }
            Column::Time => {
                push_seconds(out, call.begin_ns.saturating_sub(self.start_ns));
                align_right(out, start, TIME_WIDTH);
            }
            Column::Duration => {
                match call.duration_ns {
                    Some(ns) => push_time(out, ns),
                    None => out.push('-'),
                }
                align_right(out, start, DURATION_WIDTH);
            }
            Column::Caller => {
                out.push_str(self.callers.name(trace, call));
                let width = out[start..].chars().count();
                self.caller_width = self.caller_width.max(width.min(MAX_CALLER_WIDTH));
                align_left(out, start, self.caller_width);
            }
        }
    }
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

fn align_right(out: &mut String, start: usize, width: usize) {
    const SPACES: &str = "                    ";
    let missing = width.saturating_sub(out.len() - start).min(SPACES.len());
    out.insert_str(start, &SPACES[..missing]);
}

fn align_left(out: &mut String, start: usize, width: usize) {
    let letters = out[start..].chars().count();
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(letters)));
}
