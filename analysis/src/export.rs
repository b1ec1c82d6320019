//! Calls in the forms of other tools: Perfetto, JSON lines, CSV. docs/export.md describes them for users.

use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::csv::{self, CsvWriter};
use crate::json_lines;
use crate::objects::Namer;
use crate::perfetto::PerfettoWriter;
use crate::text::Detail;

/// A form of export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// A Perfetto trace, as protobuf.
    Perfetto,
    /// A header object, then one object for each call, a line each.
    JsonLines,
    /// A header line, then one line for each call.
    Csv,
}

/// Writes calls in one form, in the order in which they began.
#[derive(Debug)]
pub struct Exporter {
    form: Form,
    line: String,
}

#[derive(Debug)]
enum Form {
    Perfetto(Box<PerfettoWriter>),
    JsonLines(Box<Namer>),
    Csv(Box<Namer>, CsvWriter),
}

impl Exporter {
    /// For that form.
    pub fn new(format: ExportFormat) -> Self {
        Self {
            form: match format {
                ExportFormat::Perfetto => Form::Perfetto(Box::default()),
                ExportFormat::JsonLines => Form::JsonLines(Box::default()),
                ExportFormat::Csv => Form::Csv(Box::default(), CsvWriter::new(Detail::FULL)),
            },
            line: String::new(),
        }
    }

    /// Adds what comes before the first call.
    pub fn start(&mut self, out: &mut Vec<u8>, trace: &Trace) {
        match &mut self.form {
            Form::Perfetto(writer) => writer.start(out, trace),
            Form::JsonLines(_) => push_line(out, &json_lines::header(trace)),
            Form::Csv(..) => out.extend_from_slice(csv::EXPORT_HEADER.as_bytes()),
        }
    }

    /// Takes in a call that is not exported: what it does to objects still counts.
    pub fn pass(&mut self, trace: &Trace, call: &Call) {
        match &mut self.form {
            Form::Perfetto(writer) => writer.pass(trace, call),
            Form::JsonLines(namer) | Form::Csv(namer, _) => {
                namer.observe(trace.schema(), call);
            }
        }
    }

    /// Adds a call.
    pub fn push(&mut self, out: &mut Vec<u8>, trace: &Trace, call: &Call) {
        match &mut self.form {
            Form::Perfetto(writer) => writer.push(out, trace, call),
            Form::JsonLines(namer) => {
                let names = namer.observe(trace.schema(), call);
                push_line(out, &json_lines::named_call(trace, call, names));
            }
            Form::Csv(namer, writer) => {
                let names = namer.observe(trace.schema(), call);
                self.line.clear();
                writer.push_named(&mut self.line, trace, (call, names));
                push_line(out, &self.line);
            }
        }
    }

    /// Adds what comes after the last call.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Form::Perfetto(writer) = &mut self.form {
            writer.finish(out);
        }
    }
}

fn push_line(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
}
