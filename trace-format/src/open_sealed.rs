//! Opening a sealed file: by its index, or by scanning it where the index is missing or damaged.

use std::path::Path;
use std::sync::OnceLock;

use crate::block::Kind;
use crate::block_source::{BlockSource, Damage, OpenError, Step};
use crate::call::{ProcessId, ThreadId};
use crate::code::{Code, CodeBlock};
use crate::index::{FOOTER_BYTES, Index, read_footer};
use crate::metadata::{Libraries, Process, Thread, Threads};
use crate::open_folder::add_top_level;
use crate::payload_block::Piece;
use crate::payloads::{Collector, Payloads, Place};
use crate::process_folder::METADATA_BYTES;
use crate::trace::{CallsRef, ProcessEntry, ThreadEntry, Trace};

/// Processes and threads that a trace may number.
const MAX_NUMBERED: u32 = 1 << 20;

/// Opens a sealed file.
pub(crate) fn open(path: &Path) -> Result<Trace, OpenError> {
    let mut trace = Trace {
        path: path.to_owned(),
        sealed: true,
        ..Trace::default()
    };
    let source = BlockSource::open(path)?;
    let end = source.length()?;
    let mut opener = Opener {
        trace: &mut trace,
        metadata_bytes: 0,
        libraries: Vec::new(),
        payloads: Payloads::default(),
    };
    let index = read_index(&source, end)?;
    let whole = match &index {
        Ok(index) => opener.add_by_index(&source, index, end)?,
        Err(_) => false,
    };
    if !whole {
        if let Err(problem) = index {
            opener.damage(&source, end, (0, problem));
        }
        opener.add_by_scanning(&source, end)?;
    }
    opener.finish();
    let mut payloads = opener.payloads;
    payloads.add_source(BlockSource::open(path)?);
    trace.payloads = OnceLock::from(payloads);
    trace.sources.push(source);
    trace.order_calls();
    Ok(trace)
}

/// The index, or why there is none.
fn read_index(source: &BlockSource, end: u64) -> Result<Result<Index, String>, OpenError> {
    let mut footer = [0; FOOTER_BYTES];
    let footer_at = end.saturating_sub(FOOTER_BYTES as u64);
    let read = source.read_at(&mut footer, footer_at)?;
    let Some(offset) = read_footer(&footer).filter(|_| read == FOOTER_BYTES) else {
        return Ok(Err(
            "no footer: the end of the file is missing or damaged; blocks were found by scanning"
                .to_owned(),
        ));
    };
    Ok(match source.block_at(offset, footer_at)? {
        Ok((header, raw)) if header.kind == Kind::Index as u8 => {
            Index::read(&raw).map_err(|problem| problem.to_string())
        }
        Ok(_) => Err(
            "the footer points to another block than the index; blocks were found by scanning"
                .to_owned(),
        ),
        Err(fault) => Err(format!(
            "the index can't be read ({}); blocks were found by scanning",
            fault.problem
        )),
    })
}

struct Opener<'a> {
    trace: &'a mut Trace,
    metadata_bytes: usize,
    libraries: Vec<Libraries>,
    payloads: Payloads,
}

impl Opener<'_> {
    /// `what` is length and problem.
    fn damage(&mut self, source: &BlockSource, offset: u64, what: (u64, String)) {
        let path = source.path().to_owned();
        self.trace.damages.push(Damage {
            path,
            offset,
            bytes: what.0,
            problem: what.1,
            lost_calls: None,
        });
    }

    /// Reads the blocks that are not calls. False, with nothing taken in, if the index is not of this file.
    fn add_by_index(
        &mut self,
        source: &BlockSource,
        index: &Index,
        end: u64,
    ) -> Result<bool, OpenError> {
        let inside = |offset: &u64| *offset < end;
        let rows_fit = index
            .rows
            .iter()
            .all(|&rows| rows <= crate::block::MAX_ROWS.into());
        let others_inside = index.others.iter().all(|(offset, _)| inside(offset));
        let mut payload_blocks = index.payloads.iter().flat_map(|(.., blocks)| blocks);
        let payloads_inside = payload_blocks.all(inside);
        if !rows_fit || !others_inside || !payloads_inside || !index.offsets.iter().all(inside) {
            self.damage(
                source,
                end,
                (
                    0,
                    "the index points outside the file; blocks were found by scanning".to_owned(),
                ),
            );
            return Ok(false);
        }
        for &(offset, _) in &index.others {
            match source.block_at(offset, end)? {
                Ok((header, raw)) => {
                    self.add(source, offset, (header.kind, header.total_bytes()), &raw)
                }
                Err(fault) => self.damage(source, offset, (0, fault.problem.to_string())),
            }
        }
        for ((&offset, &rows), &first_begin_ns) in index
            .offsets
            .iter()
            .zip(&index.rows)
            .zip(&index.first_begins_ns)
        {
            self.add_calls(offset, rows as u32, first_begin_ns);
        }
        for (hash, bytes, blocks) in &index.payloads {
            let (bytes, blocks) = (*bytes, blocks.clone());
            self.payloads.add(
                *hash,
                Place {
                    bytes,
                    source: 0,
                    blocks,
                },
            );
        }
        Ok(true)
    }

    fn add_by_scanning(&mut self, source: &BlockSource, end: u64) -> Result<(), OpenError> {
        let mut steps = source.steps(source.start(), end);
        let mut collector = Collector::default();
        while let Some(step) = steps.advance()? {
            match step {
                Step::Block { offset, header, .. } if header.kind == Kind::Calls as u8 => {
                    self.add_calls(offset, header.rows, header.first_begin_ns);
                }
                Step::Block {
                    offset,
                    header,
                    raw,
                } if header.kind == Kind::Payload as u8 => match Piece::read(&raw) {
                    Ok(piece) => {
                        if let Some((hash, place)) = collector.add(offset, &piece) {
                            self.payloads.add(hash, place);
                        }
                    }
                    Err(problem) => {
                        self.damage(source, offset, (header.total_bytes(), problem.to_string()));
                    }
                },
                Step::Block {
                    offset,
                    header,
                    raw,
                } => {
                    self.add(source, offset, (header.kind, header.total_bytes()), &raw);
                }
                Step::Damage {
                    offset,
                    bytes,
                    problem,
                    rows,
                } => {
                    if offset + bytes == end && is_footer(source, offset, bytes)? {
                        continue;
                    }
                    let path = source.path().to_owned();
                    let lost_calls = rows.map(u64::from);
                    self.trace.damages.push(Damage {
                        path,
                        offset,
                        bytes,
                        problem: problem.to_string(),
                        lost_calls,
                    });
                }
            }
        }
        Ok(())
    }

    fn add_calls(&mut self, offset: u64, rows: u32, first_begin_ns: u64) {
        if rows > 0 {
            let source = self.trace.sources.len() as u32;
            self.trace.calls.push(CallsRef {
                source,
                offset,
                rows,
                first_begin_ns,
                process: None,
                calls_before: 0,
            });
        }
    }

    /// `what` is the number of the kind and the length of the block.
    fn add(&mut self, source: &BlockSource, offset: u64, what: (u8, u64), raw: &[u8]) {
        self.metadata_bytes += raw.len();
        let result = if self.metadata_bytes > METADATA_BYTES {
            Err(format!("more than {METADATA_BYTES} bytes of metadata"))
        } else {
            self.add_metadata(what.0, raw)
                .map_err(|error| error.to_string())
        };
        if let Err(problem) = result {
            self.damage(source, offset, (what.1, problem));
        }
    }

    fn add_metadata(&mut self, kind: u8, raw: &[u8]) -> Result<(), rmp_serde::decode::Error> {
        match Kind::from_number(kind) {
            Some(Kind::Process) => {
                let process: Process = rmp_serde::from_slice(raw)?;
                let number = process.number.unwrap_or(self.trace.processes.len() as u32);
                self.process_entry(number).process = process;
            }
            Some(Kind::Libraries) => self.libraries.push(rmp_serde::from_slice(raw)?),
            Some(Kind::Threads) => {
                let threads: Threads = rmp_serde::from_slice(raw)?;
                threads
                    .threads
                    .into_iter()
                    .for_each(|thread| self.add_thread(thread));
            }
            Some(Kind::Code) => {
                let block: CodeBlock = rmp_serde::from_slice(raw)?;
                self.trace.code =
                    Code::try_from(block).map_err(rmp_serde::decode::Error::Syntax)?;
            }
            Some(Kind::Note) => self.trace.notes.push(rmp_serde::from_slice(raw)?),
            _ => add_top_level(self.trace, kind, raw)?,
        }
        Ok(())
    }

    /// The entry of a process; one that is out of all bounds shares the last entry.
    fn process_entry(&mut self, number: u32) -> &mut ProcessEntry {
        let place = number.min(MAX_NUMBERED) as usize;
        if self.trace.processes.len() <= place {
            self.trace
                .processes
                .resize_with(place + 1, ProcessEntry::default);
        }
        &mut self.trace.processes[place]
    }

    fn add_thread(&mut self, thread: Thread) {
        let place = thread.ordinal.min(MAX_NUMBERED) as usize;
        let threads = &mut self.trace.threads;
        if threads.len() <= place {
            threads.resize_with(place + 1, || ThreadEntry {
                process: ProcessId::UNKNOWN,
                ..ThreadEntry::default()
            });
        }
        let process = thread.process.map_or(ProcessId::UNKNOWN, ProcessId);
        let ordinal = thread.local_ordinal.unwrap_or(thread.ordinal);
        threads[place] = ThreadEntry {
            process,
            tid: thread.tid,
            name: thread.name,
            ordinal,
        };
    }

    fn finish(&mut self) {
        for libraries in std::mem::take(&mut self.libraries) {
            let process = libraries.process.unwrap_or(0);
            self.process_entry(process).libraries.push(libraries);
        }
        for (number, thread) in self.trace.threads.iter().enumerate() {
            if let Some(entry) = self.trace.processes.get_mut(thread.process.0 as usize) {
                entry
                    .threads
                    .insert(thread.ordinal, ThreadId(number as u32));
            }
        }
    }
}

fn is_footer(source: &BlockSource, offset: u64, bytes: u64) -> Result<bool, OpenError> {
    let mut footer = [0; FOOTER_BYTES];
    let read = source.read_at(&mut footer, offset)?;
    Ok(bytes == FOOTER_BYTES as u64 && read == FOOTER_BYTES && read_footer(&footer).is_some())
}
