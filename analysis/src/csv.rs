//! Calls as comma-separated values (RFC 4180, lines end in a line feed). The columns are a promise: later versions only add at the end.

use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::caller::Callers;
use crate::objects::CallNames;
use crate::outcome::{Outcome, outcome};
use crate::quantity::push_decimal;
use crate::text::{Detail, push_arguments, push_injection};

/// The first line, with its line feed.
pub const HEADER: &str = "seq,pid,tid,comm,t_ns,dur_ns,caller,api,args,ret,ret_name,injected\n";

/// The first line of an export, with its line feed: two columns more.
pub const EXPORT_HEADER: &str =
    "seq,pid,tid,comm,t_ns,dur_ns,caller,api,args,ret,ret_name,family,objects,injected\n";

/// Writes rows.
#[derive(Debug)]
pub struct CsvWriter {
    callers: Callers,
    detail: Detail,
    cell: String,
}

impl CsvWriter {
    /// Arguments are shown in that detail.
    pub fn new(detail: Detail) -> Self {
        Self {
            callers: Callers::default(),
            detail,
            cell: String::new(),
        }
    }

    /// Adds the row of a call, without its line feed. What is not on record is empty.
    pub fn push(&mut self, out: &mut String, trace: &Trace, call: &Call) {
        self.push_call(out, trace, call);
        self.push_injection(out, trace, (call, CallNames::NONE));
    }

    fn push_call(&mut self, out: &mut String, trace: &Trace, call: &Call) {
        push_decimal(out, call.seq);
        out.push(',');
        if let Some(entry) = trace.process(call.process) {
            push_decimal(out, entry.process.pid.into());
        }
        out.push(',');
        let thread = trace.thread(call.thread);
        if let Some(thread) = thread {
            push_decimal(out, thread.tid.into());
        }
        out.push(',');
        push_cell(out, thread.map_or("", |thread| &thread.name));
        out.push(',');
        push_decimal(out, call.begin_ns.saturating_sub(trace.start_ns()));
        out.push(',');
        if let Some(ns) = call.duration_ns {
            push_decimal(out, ns);
        }
        out.push(',');
        push_cell(out, self.callers.name(trace, call));
        out.push(',');
        push_cell(out, &trace.function_name(call.function));
        out.push(',');
        self.cell.clear();
        push_arguments(&mut self.cell, trace.schema(), call, &self.detail);
        push_cell(out, &self.cell);
        out.push(',');
        push_returned(out, outcome(trace.schema(), call));
    }
}

impl CsvWriter {
    /// Adds the row of a call as [`Self::push`] does, and the part of the API that it is of and the objects that it refers to.
    pub fn push_named(
        &mut self,
        out: &mut String,
        trace: &Trace,
        (call, names): (&Call, &CallNames),
    ) {
        self.push_call(out, trace, call);
        out.push(',');
        let function = trace.function(call.function);
        push_cell(out, function.map_or("", |function| &function.family));
        out.push(',');
        self.cell.clear();
        for (name, labels) in names.by_argument(trace.schema(), call) {
            for label in labels.split(' ') {
                if !self.cell.is_empty() {
                    self.cell.push(' ');
                }
                self.cell.push_str(&name);
                self.cell.push('=');
                self.cell.push_str(label);
            }
        }
        push_cell(out, &self.cell);
        self.push_injection(out, trace, (call, names));
    }

    /// Adds the column `injected`: what rules of the recording did, empty for most calls.
    fn push_injection(
        &mut self,
        out: &mut String,
        trace: &Trace,
        (call, names): (&Call, &CallNames),
    ) {
        out.push(',');
        if call.is_injected() {
            self.cell.clear();
            push_injection(&mut self.cell, trace.schema(), (call, names), &self.detail);
            push_cell(out, &self.cell);
        }
    }
}

/// Adds the columns `ret` and `ret_name`.
fn push_returned(out: &mut String, outcome: Outcome<'_>) {
    match outcome {
        Outcome::InFlight | Outcome::Void => out.push(','),
        Outcome::Code { name, code } => {
            push_decimal(out, code.into());
            out.push(',');
            push_cell(out, name.unwrap_or_default());
        }
        Outcome::Other(word) | Outcome::Unknown(word) => {
            push_decimal(out, word);
            out.push(',');
        }
    }
}

fn push_cell(out: &mut String, text: &str) {
    if !text.contains([',', '"', '\n', '\r']) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for letter in text.chars() {
        if letter == '"' {
            out.push('"');
        }
        out.push(letter);
    }
    out.push('"');
}
