//! Calls on their way to standard output, in the form that was asked for.

use std::io::{self, Write};

use clap::ValueEnum;
use cutape_analysis::call_stack::push_stack;
use cutape_analysis::csv::{self, CsvWriter};
use cutape_analysis::json_lines;
use cutape_analysis::line::{Column, LineWriter};
use cutape_analysis::objects::{CallNames, Namer, names_in};
use cutape_analysis::outcome::outcome;
use cutape_analysis::text::Detail;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

/// Written to standard output at once; smaller pieces cost a system call each.
const BUFFER_BYTES: usize = 256 << 10;

/// Bold red: the call failed, as its code says.
const FAILED: &str = "\x1b[1;31m";
/// Bold yellow: the call did not return, as its `?` says.
const IN_FLIGHT: &str = "\x1b[1;33m";
const PLAIN: &str = "\x1b[0m";

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people
    Text,
    /// A header object, then one JSON object for each call
    Jsonl,
    /// A header line, then one line of comma-separated values for each call
    Csv,
}

/// How calls are to look.
#[derive(Clone, Debug)]
pub struct Look {
    /// The form.
    pub format: Format,
    /// Columns of text; `None` for the usual ones of the trace.
    pub columns: Option<Vec<Column>>,
    /// How much of long values is shown, in text and CSV.
    pub detail: Detail,
    /// Whether text is coloured.
    pub coloured: bool,
    /// Whether text shows handles and addresses by their names.
    pub named: bool,
    /// Whether text has the stack under each call that has one.
    pub stacks: bool,
}

enum Writer {
    Text(LineWriter),
    Jsonl,
    Csv(CsvWriter),
}

/// Writes calls, many at once.
pub struct CallOutput<W: Write> {
    look: Look,
    writer: Writer,
    out: W,
    buffer: String,
    /// For text with names.
    namer: Option<Namer>,
}

impl<W: Write> CallOutput<W> {
    /// Writes calls of `trace` to `out`.
    pub fn new(look: Look, out: W, trace: &Trace) -> Self {
        Self {
            writer: writer(&look, trace),
            namer: (look.named && look.format == Format::Text).then(Namer::default),
            look,
            out,
            buffer: String::with_capacity(BUFFER_BYTES + 4096),
        }
    }

    /// Adds what comes before the first call.
    pub fn start(&mut self, trace: &Trace) {
        match self.look.format {
            Format::Text => {}
            Format::Jsonl => {
                self.buffer.push_str(&json_lines::header(trace));
                self.buffer.push('\n');
            }
            Format::Csv => self.buffer.push_str(csv::HEADER),
        }
    }

    /// Takes in what a trace that is still being written has said since.
    pub fn learn(&mut self, trace: &Trace) {
        if let Writer::Text(writer) = &mut self.writer {
            if self.look.columns.is_none() {
                writer.show(Column::usual(trace));
            }
            writer.learn(trace);
        }
    }

    /// Whether the calls before the first one to show have to be read, too: they say what objects are called.
    pub fn needs_all_calls(&self) -> bool {
        self.namer.is_some()
    }

    /// Takes in a call that is not shown.
    pub fn pass(&mut self, trace: &Trace, call: &Call) {
        if let Some(namer) = &mut self.namer {
            namer.observe(trace.schema(), call);
        }
    }

    /// Adds the last calls of a recording, which has become another trace meanwhile.
    ///
    /// # Errors
    /// The output can't be written to.
    pub fn push_from(&mut self, trace: &Trace, calls: &[Call]) -> io::Result<()> {
        self.writer = writer(&self.look, trace);
        let names = match self.namer.take() {
            Some(_) => names_in(trace, calls),
            None => Vec::new(),
        };
        for (place, call) in calls.iter().enumerate() {
            let names = names.get(place).unwrap_or(CallNames::NONE);
            self.push_named(trace, (call, names))?;
        }
        Ok(())
    }

    /// Adds a call.
    ///
    /// # Errors
    /// The output can't be written to.
    pub fn push(&mut self, trace: &Trace, call: &Call) -> io::Result<()> {
        match self.namer.take() {
            Some(mut namer) => {
                let names = namer.observe(trace.schema(), call);
                let pushed = self.push_named(trace, (call, names));
                self.namer = Some(namer);
                pushed
            }
            None => self.push_named(trace, (call, CallNames::NONE)),
        }
    }

    fn push_named(&mut self, trace: &Trace, (call, names): (&Call, &CallNames)) -> io::Result<()> {
        match &mut self.writer {
            Writer::Text(writer) => {
                let line = writer.push_named(&mut self.buffer, trace, (call, names));
                if self.look.coloured {
                    colour(&mut self.buffer, line.answer, trace, call);
                }
                if self.look.stacks {
                    push_stack(&mut self.buffer, trace, call);
                }
            }
            Writer::Jsonl => self.buffer.push_str(&json_lines::call(trace, call)),
            Writer::Csv(writer) => writer.push(&mut self.buffer, trace, call),
        }
        self.buffer.push('\n');
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Writes what is waiting.
    ///
    /// # Errors
    /// The output can't be written to.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        self.out.flush()
    }
}

fn writer(look: &Look, trace: &Trace) -> Writer {
    match look.format {
        Format::Text => {
            let columns = look.columns.clone().unwrap_or_else(|| Column::usual(trace));
            let lines = LineWriter::new(trace, columns, look.detail);
            Writer::Text(match look.named {
                true => lines,
                false => lines.with_raw_callers(),
            })
        }
        Format::Jsonl => Writer::Jsonl,
        Format::Csv => Writer::Csv(CsvWriter::new(look.detail)),
    }
}

/// Gives the answer, from `start` to the end, its colour.
fn colour(line: &mut String, start: usize, trace: &Trace, call: &Call) {
    let code = match outcome(trace.schema(), call) {
        _ if call.returned.is_none() => IN_FLIGHT,
        outcome if outcome.is_failure() => FAILED,
        _ => return,
    };
    line.insert_str(start, code);
    line.push_str(PLAIN);
}
