//! Following a recording while it is being made: what is new since the last look.
//!
//! Calls come from blocks, which the traced process writes every few milliseconds, so a call is seen soon after it returned; one that stays
//! open is seen by [`Follower::in_flight`]. When a process has ended, what its rings still hold comes last.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::block::{BlockProblem, Header, Kind};
use crate::block_source::{BlockSource, Damage, OpenError, Step};
use crate::call::{Call, ProcessId};
use crate::calls_block::CallsBlock;
use crate::late_ends;
use crate::metadata::{Functions, Threads};
use crate::open_folder::{
    RECORDING_FILE, SCHEMA_FILE, process_folders, process_of, read_top_level,
};
use crate::process_folder::{BLOCKS_FILE, ProcessFolder, ProcessKey};
use crate::ring::CallId;
use crate::trace::{ProcessEntry, Trace};

/// Open calls kept for their ends, of one process. Beyond it (a program that leaves calls by longjmp) the oldest are given up.
const MAX_PENDING: usize = 1 << 16;

/// Calls after which a look at what is new ends: a recording that has long been going on must not fill the memory.
const MAX_NEWS: usize = 1 << 16;

/// What is new.
#[derive(Debug, Default)]
pub struct News {
    /// Calls that returned, in begin order; those that never will, when their process has ended. Their numbers count what was delivered.
    pub calls: Vec<Call>,
    /// What could not be read.
    pub damages: Vec<Damage>,
    /// There is more that is new already.
    pub more: bool,
    /// Every process of the recording has ended and is delivered. More may start.
    pub all_ended: bool,
}

/// Follows a recording folder.
#[derive(Debug)]
pub struct Follower {
    trace: Trace,
    processes: Vec<Followed>,
    known: HashSet<ProcessKey>,
    delivered: u64,
    has_schema: bool,
}

#[derive(Debug)]
struct Followed {
    key: ProcessKey,
    id: ProcessId,
    folder: PathBuf,
    source: Option<BlockSource>,
    /// Offset of the first block that was not read.
    next: u64,
    /// Calls whose end was not seen, by id.
    pending: BTreeMap<CallId, Call>,
    /// Ends that came ahead of their call: it began in a ring that is drained later than the one where it ended.
    early_ends: HashMap<CallId, Vec<u8>>,
    ended: bool,
}

impl Follower {
    /// Starts to follow a recording folder, from its first call on.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if !std::fs::metadata(path)
            .map_err(OpenError::io(path))?
            .is_dir()
        {
            return Err(OpenError::NotATrace {
                path: path.to_owned(),
            });
        }
        let trace = Trace {
            path: path.to_owned(),
            ..Trace::default()
        };
        let mut follower = Self {
            trace,
            processes: Vec::new(),
            known: HashSet::new(),
            delivered: 0,
            has_schema: false,
        };
        read_top_level(&mut follower.trace, RECORDING_FILE)?;
        follower.read_schema()?;
        Ok(follower)
    }

    /// Names and processes known so far. It holds no calls.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Calls that are open as far as is known, in begin order.
    pub fn in_flight(&self) -> Vec<&Call> {
        let mut calls: Vec<&Call> = self
            .processes
            .iter()
            .flat_map(|process| process.pending.values())
            .collect();
        calls.sort_by_key(|call| (call.begin_ns, call.process));
        calls
    }

    /// Looks for what is new. Returns at once; where much is new, with the beginning of it.
    pub fn poll(&mut self) -> Result<News, OpenError> {
        self.read_schema()?;
        self.find_processes()?;
        let mut news = News::default();
        for process in &mut self.processes {
            if !process.ended {
                process.poll(&mut self.trace, &mut news)?;
            }
        }
        news.calls.sort_by_key(|call| (call.begin_ns, call.process));
        for call in &mut news.calls {
            self.delivered += 1;
            call.seq = self.delivered;
        }
        news.damages.append(&mut self.trace.damages);
        news.all_ended =
            self.processes.iter().all(|process| process.ended) && !self.processes.is_empty();
        Ok(news)
    }

    /// The schema is written by the first process, so it may come later than the folder.
    fn read_schema(&mut self) -> Result<(), OpenError> {
        if !self.has_schema {
            self.has_schema = read_top_level(&mut self.trace, SCHEMA_FILE)?
                && !self.trace.schema.functions().is_empty();
            if !self.has_schema {
                // Half a file: it is being written.
                self.trace.damages.clear();
            }
        }
        Ok(())
    }

    fn find_processes(&mut self) -> Result<(), OpenError> {
        for key in process_folders(&self.trace.path)? {
            if !self.known.insert(key) {
                continue;
            }
            let id = ProcessId(self.trace.processes.len() as u32);
            self.trace.processes.push(ProcessEntry {
                process: process_of(&key),
                ..ProcessEntry::default()
            });
            self.processes.push(Followed {
                folder: self.trace.path.join(key.folder_name()),
                key,
                id,
                source: None,
                next: 0,
                pending: BTreeMap::new(),
                early_ends: HashMap::new(),
                ended: false,
            });
        }
        Ok(())
    }
}

impl Followed {
    fn poll(&mut self, trace: &mut Trace, news: &mut News) -> Result<(), OpenError> {
        // Asked before the blocks are read: what a process wrote before it ended is then in them.
        let alive = self.key.is_alive();
        trace.processes[self.id.0 as usize].alive = alive;
        self.read_blocks(trace, news, !alive)?;
        if !alive && !news.more {
            self.read_rings(trace, news)?;
            news.calls
                .extend(std::mem::take(&mut self.pending).into_values());
            self.ended = true;
        }
        Ok(())
    }

    fn read_blocks(
        &mut self,
        trace: &mut Trace,
        news: &mut News,
        ended: bool,
    ) -> Result<(), OpenError> {
        if self.source.is_none() {
            match BlockSource::open(&self.folder.join(BLOCKS_FILE)) {
                Ok(source) => {
                    self.next = source.start();
                    self.source = Some(source);
                }
                Err(OpenError::Version { path, found }) => {
                    return Err(OpenError::Version { path, found });
                }
                // Not there yet, or not yet with its header.
                Err(_) => return Ok(()),
            }
        }
        let Some(source) = self.source.take() else {
            return Ok(());
        };
        let end = source.length()?;
        let mut steps = source.steps(self.next, end);
        loop {
            if news.calls.len() >= MAX_NEWS {
                news.more = true;
                break;
            }
            let Some(step) = steps.advance()? else {
                break;
            };
            match step {
                Step::Block {
                    offset,
                    header,
                    raw,
                } => {
                    self.next = offset + header.total_bytes();
                    self.add(trace, news, (source.path(), offset), &header, raw);
                }
                Step::Damage {
                    offset,
                    bytes,
                    problem,
                    rows,
                } => {
                    let at_end = offset + bytes == end;
                    if at_end && (!ended || matches!(problem, BlockProblem::Truncated { .. })) {
                        // Being written, or cut by the end of the process.
                        break;
                    }
                    self.next = offset + bytes;
                    let (path, lost_calls) = (source.path().to_owned(), rows.map(u64::from));
                    news.damages.push(Damage {
                        path,
                        offset,
                        bytes,
                        problem: problem.to_string(),
                        lost_calls,
                    });
                }
            }
        }
        self.source = Some(source);
        Ok(())
    }

    /// What the rings hold beyond the blocks, once the process has ended.
    fn read_rings(&mut self, trace: &mut Trace, news: &mut News) -> Result<(), OpenError> {
        let blocks = self.folder.join(BLOCKS_FILE);
        let folder = ProcessFolder::open(&self.folder, &self.key)?;
        news.damages.extend(
            folder
                .damages
                .into_iter()
                .filter(|damage| damage.path != blocks),
        );
        for source in folder
            .sources
            .iter()
            .filter(|source| source.path() != blocks)
        {
            let mut steps = source.steps(source.start(), source.length()?);
            while let Some(step) = steps.advance()? {
                if let Step::Block {
                    offset,
                    header,
                    raw,
                } = step
                {
                    self.add(trace, news, (source.path(), offset), &header, raw);
                }
            }
        }
        Ok(())
    }

    /// Takes in a block. `place` is file and offset.
    fn add(
        &mut self,
        trace: &mut Trace,
        news: &mut News,
        place: (&Path, u64),
        header: &Header,
        raw: Vec<u8>,
    ) {
        let text = |error: rmp_serde::decode::Error| BlockProblem::Content(error.to_string());
        let result = match Kind::from_number(header.kind) {
            Some(Kind::Calls) => {
                CallsBlock::parse(raw).and_then(|block| self.add_calls(trace, news, &block))
            }
            Some(Kind::LateEnds) => self.add_late_ends(news, &raw),
            Some(Kind::Process) => rmp_serde::from_slice(&raw)
                .map(|process| trace.processes[self.id.0 as usize].process = process)
                .map_err(text),
            Some(Kind::Libraries) => rmp_serde::from_slice(&raw)
                .map(|libraries| {
                    trace.processes[self.id.0 as usize]
                        .libraries
                        .push(libraries)
                })
                .map_err(text),
            Some(Kind::Threads) => rmp_serde::from_slice::<Threads>(&raw)
                .map(|threads| {
                    threads
                        .threads
                        .into_iter()
                        .for_each(|thread| trace.add_thread(self.id, thread))
                })
                .map_err(text),
            Some(Kind::Functions) => rmp_serde::from_slice::<Functions>(&raw)
                .map(|functions| {
                    functions
                        .functions
                        .iter()
                        .for_each(|(number, name)| trace.add_function(self.id, *number, name));
                })
                .map_err(text),
            Some(Kind::Note) => rmp_serde::from_slice(&raw)
                .map(|note| trace.notes.push(note))
                .map_err(text),
            _ => Ok(()),
        };
        if let Err(problem) = result {
            let lost_calls = (header.kind == Kind::Calls as u8).then_some(header.rows.into());
            news.damages.push(Damage {
                path: place.0.to_owned(),
                offset: place.1,
                bytes: header.total_bytes(),
                problem: problem.to_string(),
                lost_calls,
            });
        }
    }

    fn add_calls(
        &mut self,
        trace: &Trace,
        news: &mut News,
        block: &CallsBlock,
    ) -> Result<(), BlockProblem> {
        for row in 0..block.rows() {
            let mut call = Call::default();
            block.fill(row, &mut call);
            trace.translate(&mut call, Some(self.id));
            match call.open_id {
                None => news.calls.push(call),
                Some(id) => match self.early_ends.remove(&id) {
                    Some(entry) => news.calls.push(ended(call, &entry)?),
                    None => {
                        self.pending.insert(id, call);
                    }
                },
            }
        }
        while self.pending.len() > MAX_PENDING {
            let oldest = self
                .pending
                .iter()
                .min_by_key(|(_, call)| call.begin_ns)
                .map(|(&id, _)| id);
            news.calls
                .extend(oldest.and_then(|id| self.pending.remove(&id)));
        }
        Ok(())
    }

    fn add_late_ends(&mut self, news: &mut News, raw: &[u8]) -> Result<(), BlockProblem> {
        for (id, entry) in late_ends::entries(raw)? {
            match self.pending.remove(&id) {
                Some(call) => news.calls.push(ended(call, entry)?),
                None if self.early_ends.len() < MAX_PENDING => {
                    self.early_ends.insert(id, entry.to_vec());
                }
                None => {}
            }
        }
        Ok(())
    }
}

fn ended(mut call: Call, entry: &[u8]) -> Result<Call, BlockProblem> {
    late_ends::join(entry, 0, &mut call)?;
    call.open_id = None;
    Ok(call)
}
