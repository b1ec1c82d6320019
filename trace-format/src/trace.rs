//! An open trace: a sealed file or a recording folder, the process behind it dead or alive.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cutape_cuda_api::Function;

use crate::block::BlockProblem;
use crate::block_source::{BlockSource, Damage, OpenError};
use crate::call::{Call, FunctionId, ProcessId, ThreadId};
use crate::calls_block::CallsBlock;
use crate::code::{Code, Place};
use crate::late_ends::LateIndex;
use crate::merge::Calls;
use crate::metadata::{Exit, Libraries, Library, Note, Process, Recording, Thread, note};
use crate::payload::PayloadHash;
use crate::payloads::{PayloadError, Payloads};
use crate::schema::TraceSchema;

/// A process of a trace.
#[derive(Clone, Debug, Default)]
pub struct ProcessEntry {
    /// What its Process block says; pid and start time are taken from the folder's name where there is none.
    pub process: Process,
    /// What was mapped, in the order of writing.
    pub libraries: Vec<Libraries>,
    /// The process was there when the trace was opened.
    pub alive: bool,
    /// Numbers that its calls use for threads.
    pub(crate) threads: HashMap<u32, ThreadId>,
    /// Numbers that its calls use for functions which the schema does not have.
    pub(crate) functions: HashMap<u32, FunctionId>,
    pub(crate) late: LateIndex,
    /// Source and offset of each LateEnds block.
    pub(crate) late_blocks: Vec<(u32, u64)>,
}

/// A thread of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadEntry {
    /// The process that it is of.
    pub process: ProcessId,
    /// Kernel thread id.
    pub tid: u32,
    /// Its name when it made its first call.
    pub name: String,
    /// Its number in its process.
    pub ordinal: u32,
}

/// What was not recorded, in all processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Calls dropped because a ring was full.
    pub dropped: u64,
    /// Calls whose thread got no ring.
    pub without_ring: u64,
    /// Calls in blocks that can't be read.
    pub damaged: u64,
    /// Time that threads waited for space in their rings, nanoseconds. Nothing is lost by it.
    pub waited_ns: u64,
}

/// A Calls block: where it is and what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallsRef {
    pub source: u32,
    pub offset: u64,
    pub rows: u32,
    pub first_begin_ns: u64,
    /// `None` in sealed files, where threads say it.
    pub process: Option<ProcessId>,
    /// Calls in the blocks before this one; the numbers of calls only in sealed files.
    pub calls_before: u64,
}

/// An open trace. Calls are read when they are asked for.
#[derive(Debug, Default)]
pub struct Trace {
    pub(crate) path: PathBuf,
    pub(crate) sealed: bool,
    pub(crate) recording: Option<Recording>,
    pub(crate) exit: Option<Exit>,
    pub(crate) schema: TraceSchema,
    pub(crate) processes: Vec<ProcessEntry>,
    pub(crate) threads: Vec<ThreadEntry>,
    pub(crate) notes: Vec<Note>,
    pub(crate) damages: Vec<Damage>,
    pub(crate) sources: Vec<BlockSource>,
    /// By begin of their first row.
    pub(crate) calls: Vec<CallsRef>,
    /// Files of payloads, in a folder.
    pub(crate) payload_files: Vec<PathBuf>,
    pub(crate) payloads: OnceLock<Payloads>,
    pub(crate) code: Code,
}

impl Trace {
    /// Opens a sealed file, or a recording folder whether or not it is still being written.
    ///
    /// # Errors
    /// Only when nothing can be read at all. Damage is listed in [`Self::damages`] and costs what it hit.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let metadata = std::fs::metadata(path).map_err(OpenError::io(path))?;
        if metadata.is_dir() {
            crate::open_folder::open(path)
        } else {
            crate::open_sealed::open(path)
        }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is one sealed file.
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Whether a process was still running when the trace was opened.
    pub fn is_live(&self) -> bool {
        self.processes.iter().any(|process| process.alive)
    }

    /// What was recorded and how; `None` for a recording made without `cutape record`.
    pub fn recording(&self) -> Option<&Recording> {
        self.recording.as_ref()
    }

    /// How the recorded program ended, if that was seen.
    pub fn exit(&self) -> Option<&Exit> {
        self.exit.as_ref()
    }

    /// Functions and types.
    pub fn schema(&self) -> &TraceSchema {
        &self.schema
    }

    /// Processes; a [`ProcessId`] is a place in this list.
    pub fn processes(&self) -> &[ProcessEntry] {
        &self.processes
    }

    /// A process.
    pub fn process(&self, id: ProcessId) -> Option<&ProcessEntry> {
        self.processes.get(id.0 as usize)
    }

    /// Threads of all processes; a [`ThreadId`] is a place in this list.
    pub fn threads(&self) -> &[ThreadEntry] {
        &self.threads
    }

    /// A thread.
    pub fn thread(&self, id: ThreadId) -> Option<&ThreadEntry> {
        self.threads.get(id.0 as usize)
    }

    /// A function, if the trace says what it is.
    pub fn function(&self, id: FunctionId) -> Option<&Function> {
        self.schema.function(id)
    }

    /// A function's symbol name, or `function#N`.
    pub fn function_name(&self, id: FunctionId) -> Cow<'_, str> {
        self.schema.function_name(id)
    }

    /// What the recorder had to say.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What was recorded and how, for a changed copy.
    pub fn recording_mut(&mut self) -> Option<&mut Recording> {
        self.recording.as_mut()
    }

    /// The processes, for a changed copy.
    pub fn processes_mut(&mut self) -> &mut [ProcessEntry] {
        &mut self.processes
    }

    /// The threads, for a changed copy.
    pub fn threads_mut(&mut self) -> &mut [ThreadEntry] {
        &mut self.threads
    }

    /// Names and call stacks, for a changed copy.
    pub fn code_mut(&mut self) -> &mut Code {
        &mut self.code
    }

    /// What the recorder had to say, for a changed copy.
    pub fn notes_mut(&mut self) -> &mut Vec<Note> {
        &mut self.notes
    }

    /// What could not be read when the trace was opened. A sealed file's Calls blocks are checked when they are read, or by
    /// [`crate::verify`].
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// What was not recorded or can't be read.
    pub fn losses(&self) -> Losses {
        let count = |kind: &str| {
            self.notes
                .iter()
                .filter(|note| note.kind == kind)
                .map(|note| note.count)
                .fold(0, u64::saturating_add)
        };
        Losses {
            dropped: count(note::DROPPED),
            without_ring: count(note::NO_RING),
            damaged: self
                .damages
                .iter()
                .filter_map(|damage| damage.lost_calls)
                .fold(count(note::DAMAGED), u64::saturating_add),
            waited_ns: count(note::WAITED),
        }
    }

    /// Number of calls, those in damaged blocks of a sealed file included.
    pub fn call_count(&self) -> u64 {
        self.calls
            .last()
            .map_or(0, |last| last.calls_before + u64::from(last.rows))
    }

    /// CLOCK_MONOTONIC nanoseconds from which times are shown: start of the recording, or the first process's first call.
    pub fn start_ns(&self) -> u64 {
        if let Some(recording) = self
            .recording
            .as_ref()
            .filter(|recording| recording.start_monotonic_ns != 0)
        {
            return recording.start_monotonic_ns;
        }
        let anchors = self
            .processes
            .iter()
            .map(|entry| entry.process.anchor.monotonic_ns)
            .filter(|&ns| ns != 0);
        anchors
            .chain(self.calls.first().map(|calls| calls.first_begin_ns))
            .min()
            .unwrap_or(0)
    }

    /// CLOCK_REALTIME (nanoseconds since 1970) at [`Self::start_ns`], if the trace says it.
    pub fn start_realtime_ns(&self) -> Option<u64> {
        if let Some(recording) = self
            .recording
            .as_ref()
            .filter(|recording| recording.start_realtime_ns != 0)
        {
            return Some(recording.start_realtime_ns);
        }
        let anchor = self
            .processes
            .iter()
            .map(|entry| entry.process.anchor)
            .find(|anchor| anchor.realtime_ns != 0)?;
        anchor
            .realtime_ns
            .checked_sub(anchor.monotonic_ns.checked_sub(self.start_ns())?)
    }

    /// The file mapped at an address of a process, and the offset in that file. `at_ns` picks among maps of different times.
    pub fn module_at(
        &self,
        process: ProcessId,
        address: u64,
        at_ns: u64,
    ) -> Option<(&Library, u64)> {
        let maps = &self.process(process)?.libraries;
        let holds = |library: &&Library| (library.start..library.end).contains(&address);
        // The newest map before the call; a library that was seen only later was mapped by then too.
        let before = maps.iter().rev().filter(|map| map.since_ns <= at_ns);
        let after = maps.iter().filter(|map| map.since_ns > at_ns);
        let library = before
            .chain(after)
            .find_map(|map| map.libraries.iter().rev().find(holds))?;
        Some((
            library,
            (address - library.start).saturating_add(library.file_offset),
        ))
    }

    /// Names of code addresses, and call stacks. A recording that was not sealed has none.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Where a call returns to.
    pub fn caller(&self, call: &Call) -> Place<'_> {
        match self.module_at(call.process, call.caller, call.begin_ns) {
            Some((library, offset)) => Place {
                path: Some(&library.path),
                offset,
                symbol: self.code.symbol(library, offset),
            },
            None => Place {
                path: None,
                offset: call.caller,
                symbol: None,
            },
        }
    }

    /// The stack that a call was made on, the innermost place first: where it returns to. `None` where none was kept.
    pub fn stack(&self, call: &Call) -> Option<impl ExactSizeIterator<Item = Place<'_>>> {
        self.code.stack(call.stack()?)
    }

    /// All calls in global begin order. Damage met on the way comes as an error between calls, and reading goes on behind it.
    pub fn calls(&self) -> Calls<'_> {
        Calls::new(self, 0)
    }

    /// The calls from number `seq` on. In a sealed file this opens only the block that has it; in a folder calls are counted off.
    pub fn calls_from(&self, seq: u64) -> Calls<'_> {
        Calls::new(self, seq)
    }

    /// The call with that number, or `None` if there is none. In a folder all calls before it are counted off.
    pub fn call(&self, seq: u64) -> Result<Option<Call>, Damage> {
        let mut call = Call::default();
        let found = self.calls_from(seq).read_next(&mut call)?;
        Ok(Some(call).filter(|call| found && call.seq == seq))
    }

    /// Module images and copied data. In a folder they are looked for at the first question.
    pub fn payloads(&self) -> &Payloads {
        self.payloads
            .get_or_init(|| Payloads::of_files(&self.payload_files))
    }

    /// The content of a payload that a call refers to ([`Call::payload`]), checked against its hash.
    ///
    /// # Errors
    /// The trace doesn't have it, or it is damaged.
    pub fn payload(&self, hash: &PayloadHash) -> Result<Vec<u8>, PayloadError> {
        self.payloads().read(hash)
    }

    /// Reads and parses a Calls block.
    pub(crate) fn read_calls(&self, place: &CallsRef) -> Result<CallsBlock, Damage> {
        let first = |block: &CallsBlock| (block.rows() > 0).then(|| block.begin_ns(0));
        self.read_calls_as(place, CallsBlock::parse, |block| {
            (block.rows(), first(block))
        })
    }

    /// Reads a Calls block and makes of it what `parse` does. `claim` tells its rows and the begin of the first one, nanoseconds.
    pub(crate) fn read_calls_as<T>(
        &self,
        place: &CallsRef,
        parse: impl FnOnce(Vec<u8>) -> Result<T, BlockProblem>,
        claim: impl FnOnce(&T) -> (usize, Option<u64>),
    ) -> Result<T, Damage> {
        let source = &self.sources[place.source as usize];
        let raw = self.read_block(place.source, place.offset, Some(place.rows));
        let damage = |problem: String| Damage {
            path: source.path().to_owned(),
            offset: place.offset,
            bytes: 0,
            problem,
            lost_calls: Some(place.rows.into()),
        };
        let block = raw
            .and_then(parse)
            .map_err(|problem| damage(problem.to_string()))?;
        let (rows, first_begin_ns) = claim(&block);
        if rows != place.rows as usize
            || first_begin_ns.is_some_and(|first| first != place.first_begin_ns)
        {
            return Err(damage(
                "the block's header or the index does not agree with its rows".to_owned(),
            ));
        }
        Ok(block)
    }

    /// Reads the msgpack of a block. `rows`, if given, must be what the header says.
    pub(crate) fn read_block(
        &self,
        source: u32,
        offset: u64,
        rows: Option<u32>,
    ) -> Result<Vec<u8>, BlockProblem> {
        let source = &self.sources[source as usize];
        let io = |error: OpenError| BlockProblem::Content(error.to_string());
        let end = source.length().map_err(io)?;
        let (header, raw) = source
            .block_at(offset, end)
            .map_err(io)?
            .map_err(|fault| fault.problem)?;
        if rows.is_some_and(|rows| rows != header.rows) {
            return Err(BlockProblem::Content(format!(
                "{} rows where the index says {rows:?}",
                header.rows
            )));
        }
        Ok(raw)
    }

    /// Takes in an entry of a process's Threads block. A thread that took over a second ring has a second entry.
    pub(crate) fn add_thread(&mut self, process: ProcessId, thread: Thread) {
        let id = ThreadId(self.threads.len() as u32);
        let threads = &mut self.processes[process.0 as usize].threads;
        if let Entry::Vacant(place) = threads.entry(thread.ordinal) {
            place.insert(id);
            let Thread {
                tid, name, ordinal, ..
            } = thread;
            self.threads.push(ThreadEntry {
                process,
                tid,
                name,
                ordinal,
            });
        }
    }

    /// Takes in an entry of a process's Functions block.
    pub(crate) fn add_function(&mut self, process: ProcessId, number: u32, name: &str) {
        let id = self.schema.add_named(name);
        self.processes[process.0 as usize]
            .functions
            .insert(number, id);
    }

    /// Puts Calls blocks into order and counts their calls.
    pub(crate) fn order_calls(&mut self) {
        if !self.sealed {
            self.calls.sort_by_key(|calls| {
                (
                    calls.first_begin_ns,
                    calls.process,
                    calls.source,
                    calls.offset,
                )
            });
        }
        let mut before = 0u64;
        for calls in &mut self.calls {
            calls.calls_before = before;
            before = before.saturating_add(calls.rows.into());
        }
    }

    /// Translates the thread and function of a call from the numbers of its block.
    #[inline]
    pub(crate) fn translate(&self, call: &mut Call, process: Option<ProcessId>) {
        let number = call.function.0;
        let by_number = self.schema.by_number(number);
        let unnamed = FunctionId(number | FunctionId::UNNAMED);
        let Some(process) = process else {
            call.process = self
                .thread(call.thread)
                .map_or(ProcessId::UNKNOWN, |thread| thread.process);
            call.function = by_number.unwrap_or(unnamed);
            return;
        };
        let entry = &self.processes[process.0 as usize];
        call.process = process;
        call.function = entry
            .functions
            .get(&number)
            .copied()
            .or(by_number)
            .unwrap_or(unnamed);
        call.thread = entry
            .threads
            .get(&call.thread.0)
            .copied()
            .unwrap_or(ThreadId::UNKNOWN);
    }
}
