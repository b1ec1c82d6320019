//! Writing a changed copy of a trace: fewer calls, other texts, without payloads. The copy is one sealed file.

use std::collections::HashSet;
use std::io::{self, Write};

use crate::block::{BuildError, Kind};
use crate::block_source::Damage;
use crate::call::Call;
use crate::code_reader::{CodeReader, KnownNames, NoFiles};
use crate::metadata::{Libraries, Note, Process, note};
use crate::payload::PayloadHash;
use crate::sealed_writer::{SealedWriter, WriteError};
use crate::trace::Trace;

/// What the copy has of the trace.
pub trait Rewrite {
    /// Whether to keep the next call, which may be changed. Calls come in the order of their numbers.
    fn call(&mut self, trace: &Trace, call: &mut Call) -> bool;

    /// Changes the text of a note that is written about damage in the trace.
    fn text(&mut self, text: &mut String);
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Calls in the copy.
    pub calls: u64,
    /// Bytes of the copy.
    pub bytes: u64,
    /// What could not be read. Each is a note in the copy.
    pub damages: Vec<Damage>,
}

/// The copy could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// The operating system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A block could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl From<WriteError> for RewriteError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Io(error) => Self::Io(error),
            WriteError::Build(error) => Self::Build(error),
        }
    }
}

/// Writes a copy of a trace. `progress` is told now and then how many calls were read. Payloads come along if a call of the copy refers to
/// them, and so do names of callers and call stacks, which only a sealed trace has.
///
/// # Errors
/// The copy can't be written. What of the trace can't be read is no error, but missing in the copy, which says so.
pub fn rewrite(
    trace: &Trace,
    out: impl Write,
    plan: &mut dyn Rewrite,
    progress: &mut dyn FnMut(u64),
) -> Result<Rewritten, RewriteError> {
    let (mut known, mut none) = (KnownNames(&trace.code), NoFiles);
    let code: &mut dyn CodeReader = match trace.sealed {
        true => &mut known,
        false => &mut none,
    };
    let mut writer = SealedWriter::new(trace, code, out)?;
    write_introduction(trace, &mut writer)?;
    let mut damages = trace.damages.clone();
    let payloads = write_calls(trace, &mut writer, (plan, &mut damages), progress)?;
    for (hash, bytes) in trace.payloads().list() {
        if payloads.contains(&hash)
            && let Err(error) = writer.payload(&hash, bytes)?
        {
            damages.push(Damage {
                path: trace.path.clone(),
                offset: 0,
                bytes,
                problem: error.to_string(),
                lost_calls: None,
            });
        }
    }
    for note in &trace.notes {
        writer.block(Kind::Note, note)?;
    }
    for damage in &damages {
        let mut note = Note {
            kind: note::DAMAGED.to_owned(),
            text: damage.to_string(),
            count: damage.lost_calls.unwrap_or(0),
            ..Note::default()
        };
        plan.text(&mut note.text);
        writer.block(Kind::Note, &note)?;
    }
    if let Some(exit) = &trace.exit {
        writer.block(Kind::Exit, exit)?;
    }
    let calls = writer.calls_written();
    let (mut out, bytes) = writer.finish()?;
    out.flush()?;
    Ok(Rewritten {
        calls,
        bytes,
        damages,
    })
}

/// Who recorded what, and the processes.
fn write_introduction<W: Write>(
    trace: &Trace,
    writer: &mut SealedWriter<'_, W>,
) -> Result<(), WriteError> {
    if let Some(recording) = &trace.recording {
        writer.block(Kind::Recording, recording)?;
    }
    for (number, entry) in (0..).zip(&trace.processes) {
        let process = Process {
            number: Some(number),
            ..entry.process.clone()
        };
        writer.block(Kind::Process, &process)?;
        for libraries in &entry.libraries {
            let libraries = Libraries {
                process: Some(number),
                ..libraries.clone()
            };
            writer.block(Kind::Libraries, &libraries)?;
        }
    }
    Ok(())
}

/// Writes the calls that are kept, and says which payloads they refer to.
fn write_calls<W: Write>(
    trace: &Trace,
    writer: &mut SealedWriter<'_, W>,
    (plan, damages): (&mut dyn Rewrite, &mut Vec<Damage>),
    progress: &mut dyn FnMut(u64),
) -> Result<HashSet<PayloadHash>, WriteError> {
    let mut payloads = HashSet::new();
    let mut calls = trace.calls();
    let mut call = Call::default();
    loop {
        match calls.read_next(&mut call) {
            Ok(false) => return Ok(payloads),
            Ok(true) => {
                if call.seq.is_multiple_of(1 << 14) {
                    progress(call.seq);
                }
                if plan.call(trace, &mut call) {
                    payloads.extend(call.payloads().filter_map(|(_, payload)| payload.hash));
                    writer.call(&call)?;
                }
            }
            Err(damage) => damages.push(damage),
        }
    }
}
