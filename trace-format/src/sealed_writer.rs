//! Writing the blocks of a sealed file: calls in larger blocks, functions renumbered in order of first use, the index.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use cutape_cuda_api::{DefaultStream, Field, Function, Library, Type, TypeDef, TypeKind};
use serde::Serialize;

use crate::block::{self, BlockBuilder, BuildError, Kind, Label, MAX_GROUPS};
use crate::call::{Call, FunctionId, ProcessId, ThreadId};
use crate::calls_block::{BlobTable, CallsWriter, GroupColumns, RowColumns, Source};
use crate::capture_number::{STACK, STACK_MEMORY};
use crate::code_collector::CodeCollector;
use crate::code_reader::CodeReader;
use crate::index::Index;
use crate::metadata::{Thread, Threads};
use crate::payload::PayloadHash;
use crate::payloads::PayloadError;
use crate::record::Captured;
use crate::schema::Schema;
use crate::trace::Trace;

/// Rows of a Calls block: twice those of a recording's, at hardly more cost for a reader that wants one call.
const ROWS: usize = 16 << 10;
/// Bytes of arguments and captures that close a block early.
const BLOCK_BYTES: usize = 4 << 20;
/// zstd level: a tenth smaller than the level of recording, at half the speed.
const LEVEL: i32 = 3;

/// A sealed file could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Writes a sealed file from front to back.
pub(crate) struct SealedWriter<'a, W> {
    trace: &'a Trace,
    out: W,
    offset: u64,
    index: Index,
    builder: BlockBuilder,
    calls: CallsWriter,
    rows: RowColumns,
    groups: Vec<GroupColumns>,
    groups_used: usize,
    group_of: HashMap<(FunctionId, usize), usize>,
    blobs: BlobTable,
    block_bytes: usize,
    calls_written: u64,
    functions: Vec<FunctionId>,
    function_numbers: HashMap<FunctionId, u32>,
    /// Thread numbers for calls whose thread is not known, by process.
    nameless: Vec<ProcessId>,
    code: CodeCollector<'a>,
}

impl<'a, W: Write> SealedWriter<'a, W> {
    /// `code` knows what the trace's addresses are called.
    pub fn new(
        trace: &'a Trace,
        code: &'a mut dyn CodeReader,
        mut out: W,
    ) -> Result<Self, WriteError> {
        out.write_all(&block::file_header())?;
        Ok(Self {
            trace,
            out,
            offset: block::FILE_HEADER_BYTES as u64,
            index: Index::default(),
            builder: BlockBuilder::new(LEVEL)?,
            calls: CallsWriter::default(),
            rows: RowColumns::default(),
            groups: Vec::new(),
            groups_used: 0,
            group_of: HashMap::new(),
            blobs: BlobTable::default(),
            block_bytes: 0,
            calls_written: 0,
            functions: Vec::new(),
            function_numbers: HashMap::new(),
            nameless: Vec::new(),
            code: CodeCollector::new(code),
        })
    }

    /// Writes a block that is not of calls.
    pub fn block(&mut self, kind: Kind, value: &impl Serialize) -> Result<(), WriteError> {
        let mut bytes = Vec::new();
        self.builder.append_value(kind, value, &mut bytes)?;
        self.index.others.push((self.offset, kind as u8));
        self.write(&bytes)
    }

    /// Copies a payload of the trace, block by block. What of it turns out to be damaged half-way stays behind, and no index has it.
    ///
    /// # Errors
    /// The inner one: it can't be read.
    pub fn payload(
        &mut self,
        hash: &PayloadHash,
        bytes: u64,
    ) -> Result<Result<(), PayloadError>, WriteError> {
        let mut blocks = Vec::new();
        let mut failure = None;
        let copied = self.trace.payloads().blocks(hash, &mut |stored, _| {
            blocks.push(self.offset);
            self.offset += stored.len() as u64;
            self.out.write_all(stored).map_err(|error| {
                let problem = error.to_string();
                failure = Some(error);
                problem
            })
        });
        match failure {
            Some(error) => Err(error.into()),
            None if copied.is_ok() => {
                self.index.payloads.push((*hash, bytes, blocks));
                Ok(copied)
            }
            None => Ok(copied),
        }
    }

    /// Adds the next call; true when that completed a block.
    pub fn call(&mut self, call: &Call) -> Result<bool, WriteError> {
        let full = self.rows.begin.len() >= ROWS
            || self.block_bytes >= BLOCK_BYTES
            || self.groups_used >= MAX_GROUPS;
        if full {
            self.calls_block()?;
        }
        let group = self.group(call);
        self.rows.begin.push(call.begin_ns);
        let thread = self.thread_number(call);
        self.rows.thread.push(thread.into());
        self.rows.group.push(group as u64);
        if call.returned.is_none() {
            let id = call.open_id.map_or(0, |id| id.0);
            self.rows.open.push((self.rows.begin.len() as u32 - 1, id));
        }
        let row = self.groups[group].push(call);
        self.block_bytes += call.args.len() * 8;
        self.code.caller(self.trace, call);
        for capture in call.captures() {
            // What is on a stack is nobody's business. Its number is another one in this file.
            if matches!(capture.param, STACK_MEMORY | STACK) {
                continue;
            }
            self.block_bytes += 8 + capture.bytes.len();
            self.groups[group].capture(row, &capture, &mut self.blobs);
        }
        if let Some(stack) = self.code.stack(self.trace, call) {
            let capture = Captured {
                param: STACK,
                out: true,
                bytes: &stack.0.to_le_bytes(),
                full: None,
            };
            self.block_bytes += 8;
            self.groups[group].capture(row, &capture, &mut self.blobs);
        }
        Ok(full)
    }

    /// Writes the rest: last calls, threads, the part of the schema that was used, index and footer. Returns the file's length.
    pub fn finish(mut self) -> Result<(W, u64), WriteError> {
        self.calls_block()?;
        if let Some(code) = self.code.finish() {
            self.block(Kind::Code, &code)?;
        }
        self.block(Kind::Threads, &self.threads())?;
        self.block(Kind::Schema, &self.schema())?;
        let mut bytes = Vec::new();
        self.index
            .append(self.offset, &mut self.builder, &mut bytes)?;
        self.write(&bytes)?;
        Ok((self.out, self.offset))
    }

    pub fn calls_written(&self) -> u64 {
        self.calls_written + self.rows.begin.len() as u64
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// The block's group for a call, made if this is its first.
    fn group(&mut self, call: &Call) -> usize {
        let key = (call.function, call.args.len());
        if let Some(&group) = self.group_of.get(&key) {
            return group;
        }
        let functions = &mut self.functions;
        let number = *self
            .function_numbers
            .entry(call.function)
            .or_insert_with(|| {
                functions.push(call.function);
                functions.len() as u32 - 1
            });
        if self.groups_used == self.groups.len() {
            self.groups.push(GroupColumns::default());
        }
        self.groups[self.groups_used].start(number, call.args.len());
        self.group_of.insert(key, self.groups_used);
        self.groups_used += 1;
        self.groups_used - 1
    }

    fn thread_number(&mut self, call: &Call) -> u32 {
        if call.thread != ThreadId::UNKNOWN {
            return call.thread.0;
        }
        let place = self
            .nameless
            .iter()
            .position(|&process| process == call.process)
            .unwrap_or_else(|| {
                self.nameless.push(call.process);
                self.nameless.len() - 1
            });
        (self.trace.threads.len() + place) as u32
    }

    fn calls_block(&mut self) -> Result<(), WriteError> {
        let Some(&first_begin_ns) = self.rows.begin.first() else {
            return Ok(());
        };
        let rows = self.rows.begin.len();
        let unit_ns = self.take_out_unit();
        let mut raw = Vec::new();
        let source = Source::Sealed {
            first_call: self.calls_written + 1,
        };
        self.calls
            .head(&self.rows, unit_ns, source, self.groups_used, &mut raw);
        for group in &mut self.groups[..self.groups_used] {
            self.calls.group(group, &mut raw);
        }
        self.calls.tail(&self.blobs, &mut raw);
        let mut bytes = Vec::new();
        self.builder.append(
            Label {
                kind: Kind::Calls,
                rows: rows as u32,
                first_begin_ns,
            },
            &raw,
            &mut bytes,
        )?;
        self.index.offsets.push(self.offset);
        self.index.rows.push(rows as u64);
        self.index.first_begins_ns.push(first_begin_ns);
        self.write(&bytes)?;
        self.calls_written += rows as u64;
        self.rows.clear();
        self.groups_used = 0;
        self.group_of.clear();
        self.blobs.clear();
        self.block_bytes = 0;
        Ok(())
    }

    /// Turns nanoseconds into the coarsest unit that loses nothing: that of the processes, if all times of the block are multiples.
    fn take_out_unit(&mut self) -> u32 {
        let processes = self
            .trace
            .processes
            .iter()
            .map(|entry| entry.process.unit_ns);
        let unit_ns = processes
            .reduce(greatest_common_divisor)
            .unwrap_or(1)
            .max(1);
        let unit = u64::from(unit_ns);
        let groups = &mut self.groups[..self.groups_used];
        let whole = |column: &[u64]| column.iter().all(|time| time.is_multiple_of(unit));
        if unit == 1
            || !whole(&self.rows.begin)
            || !groups.iter().all(|group| whole(&group.duration))
        {
            return 1;
        }
        self.rows.begin.iter_mut().for_each(|time| *time /= unit);
        groups
            .iter_mut()
            .for_each(|group| group.duration.iter_mut().for_each(|time| *time /= unit));
        unit_ns
    }

    fn threads(&self) -> Threads {
        let named = self
            .trace
            .threads
            .iter()
            .enumerate()
            .map(|(number, thread)| Thread {
                ordinal: number as u32,
                local_ordinal: Some(thread.ordinal),
                tid: thread.tid,
                name: thread.name.clone(),
                process: Some(thread.process.0),
                ..Thread::default()
            });
        let nameless = self
            .nameless
            .iter()
            .enumerate()
            .map(|(place, process)| Thread {
                ordinal: (self.trace.threads.len() + place) as u32,
                process: Some(process.0),
                ..Thread::default()
            });
        Threads {
            threads: named.chain(nameless).collect(),
        }
    }

    /// The functions that were called, and the types that they need.
    fn schema(&self) -> Schema {
        let function = |id: &FunctionId| {
            self.trace
                .function(*id)
                .cloned()
                .unwrap_or_else(|| nameless_function(self.trace, *id))
        };
        let functions: Vec<(u32, Function)> =
            (0..).zip(self.functions.iter().map(function)).collect();
        let mut types = UsedTypes {
            trace: self.trace,
            seen: HashSet::new(),
            found: Vec::new(),
        };
        for signature in functions
            .iter()
            .filter_map(|(_, function)| function.signature.as_ref())
        {
            types.add(&signature.returns);
            signature
                .params
                .iter()
                .for_each(|param| types.add(&param.ty));
        }
        types.close();
        let export_tables = self.trace.schema.export_tables().to_vec();
        Schema {
            functions,
            types: types.found,
            export_tables,
        }
    }
}

fn greatest_common_divisor(one: u32, other: u32) -> u32 {
    if other == 0 {
        one
    } else {
        greatest_common_divisor(other, one % other)
    }
}

/// A function of which the trace says nothing, under the name that readers show.
fn nameless_function(trace: &Trace, id: FunctionId) -> Function {
    let name = trace.function_name(id).into_owned();
    Function {
        base: name.clone(),
        name,
        library: Library::Cuda,
        family: String::new(),
        since: 0,
        headers: Vec::new(),
        default_stream: DefaultStream::Legacy,
        signature: None,
        effects: Vec::new(),
    }
}

/// Collects named types, then those that they are made of.
struct UsedTypes<'a> {
    trace: &'a Trace,
    seen: HashSet<String>,
    found: Vec<TypeDef>,
}

impl UsedTypes<'_> {
    fn add(&mut self, ty: &Type) {
        let mut ty = ty;
        loop {
            match ty {
                Type::Pointer { to, .. } => ty = to,
                Type::Array { of, .. } => ty = of,
                Type::Named(name) => {
                    if self.seen.insert(name.clone()) {
                        self.found
                            .extend(self.trace.schema.type_named(name).cloned());
                    }
                    return;
                }
                _ => return,
            }
        }
    }

    fn close(&mut self) {
        let mut next = 0;
        while let Some(definition) = self.found.get(next) {
            let inner: Vec<Type> = match &definition.kind {
                TypeKind::Alias(ty) => vec![ty.clone()],
                TypeKind::Struct(fields) | TypeKind::Union(fields) => {
                    fields.iter().map(|Field { ty, .. }| ty.clone()).collect()
                }
                _ => Vec::new(),
            };
            inner.iter().for_each(|ty| self.add(ty));
            next += 1;
        }
    }
}
