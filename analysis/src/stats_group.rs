//! Calls that are counted together: those of a function, a thread, a process, a caller.

use std::collections::HashMap;

use cutape_trace_format::call::{Call, FunctionId, ProcessId, ThreadId};
use cutape_trace_format::trace::Trace;
use serde::Serialize;

use crate::histogram::{Bucket, Histogram};
use crate::json::{integer, optional};
use crate::word_hash::WordMap;

/// Functions and files that are told apart as callers; a program that makes code as it runs could have any number.
const MAX_CALLERS: usize = 1 << 16;
/// Places in them that are remembered.
const MAX_SITES: usize = 1 << 16;

/// What calls are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// Their function.
    #[default]
    Function,
    /// Their thread.
    Thread,
    /// Their process.
    Process,
    /// The function that called, or the file where its name is not known.
    Caller,
}

impl GroupBy {
    /// What one of the groups is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Thread => "thread",
            Self::Process => "process",
            Self::Caller => "caller",
        }
    }

    /// What they are called in the JSON.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Function => "functions",
            Self::Thread => "threads",
            Self::Process => "processes",
            Self::Caller => "callers",
        }
    }
}

/// What the calls of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Group {
    /// All calls, or those of a function.
    Function {
        /// Its symbol name; `total` for all.
        api: String,
    },
    /// Calls of a thread.
    Thread {
        /// Its process; 0 where damage took it.
        pid: u32,
        /// Its kernel thread id; 0 where damage took it.
        tid: u32,
        /// Its name.
        comm: String,
    },
    /// Calls of a process.
    Process {
        /// Its id; 0 where damage took it.
        pid: u32,
        /// The program's path.
        program: String,
    },
    /// Calls that came from a function, or from a file.
    Caller {
        /// Names of the file and, where it is known, of the function; `?` where no file is known to be mapped.
        caller: String,
    },
}

impl Group {
    /// For people.
    pub fn name(&self) -> String {
        match self {
            Self::Function { api } => api.clone(),
            Self::Thread { pid, tid, comm } if pid == tid => format!("{tid} {comm}"),
            Self::Thread { pid, tid, comm } => format!("{tid} {comm} (process {pid})"),
            Self::Process { pid, program } => format!("{pid} {program}"),
            Self::Caller { caller } => caller.clone(),
        }
    }

    /// What it is called in every run: without the numbers that the system gave it.
    pub fn lasting_name(&self) -> &str {
        match self {
            Self::Function { api: name }
            | Self::Thread { comm: name, .. }
            | Self::Process { program: name, .. }
            | Self::Caller { caller: name } => name,
        }
    }
}

/// Calls of a group. Times are nanoseconds, of the calls that returned; none where no call did.
#[derive(Clone, Debug, Serialize)]
pub struct GroupStats {
    /// Which calls.
    #[serde(flatten)]
    pub group: Group,
    /// Calls that began.
    #[serde(serialize_with = "integer")]
    pub calls: u64,
    /// Calls that returned a code other than success.
    #[serde(serialize_with = "integer")]
    pub failed: u64,
    /// Calls that never returned.
    #[serde(serialize_with = "integer")]
    pub in_flight: u64,
    /// Sum of times.
    #[serde(serialize_with = "integer")]
    pub total_ns: u64,
    /// Mean time.
    #[serde(serialize_with = "optional")]
    pub mean_ns: Option<u64>,
    /// Median, within 1.6 %.
    #[serde(serialize_with = "optional")]
    pub p50_ns: Option<u64>,
    /// What 99 of 100 calls do not exceed, within 1.6 %.
    #[serde(serialize_with = "optional")]
    pub p99_ns: Option<u64>,
    /// The longest time.
    #[serde(serialize_with = "optional")]
    pub max_ns: Option<u64>,
    /// How many calls took how long, by powers of two; only if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<Bucket>,
}

/// Counts of a group while calls are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    calls: u64,
    failed: u64,
    total_ns: u128,
    times: Histogram,
}

impl Tally {
    pub(crate) fn add(&mut self, call: &Call, failed: bool) {
        self.calls += 1;
        self.failed += u64::from(failed);
        // An end before its begin would need a clock that runs backwards; a call that returned has a duration.
        if let Some(ns) = call.duration_ns {
            self.total_ns += u128::from(ns);
            self.times.add(ns);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.total_ns += other.total_ns;
        self.times.merge(&other.times);
    }

    pub(crate) fn finish(&self, group: Group, histogram: bool) -> GroupStats {
        let returned = self.times.count();
        let mean = self.total_ns.checked_div(u128::from(returned));
        GroupStats {
            group,
            calls: self.calls,
            failed: self.failed,
            in_flight: self.calls - returned,
            total_ns: u64::try_from(self.total_ns).unwrap_or(u64::MAX),
            mean_ns: mean.map(|mean| mean as u64),
            p50_ns: self.times.percentile_ns(50),
            p99_ns: self.times.percentile_ns(99),
            max_ns: self.times.most_ns(),
            histogram: if histogram {
                self.times.powers_of_two()
            } else {
                Vec::new()
            },
        }
    }
}

/// What tells groups apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Function(FunctionId),
    Thread(ProcessId, ThreadId),
    Process(ProcessId),
    Caller(u32),
}

/// Counts calls by group.
#[derive(Debug)]
pub(crate) struct Groups {
    by: GroupBy,
    tallies: WordMap<Key, Tally>,
    callers: CallerNames,
}

/// The functions that call, by number; where their names are not known, the files. Those found are remembered.
#[derive(Debug, Default)]
struct CallerNames {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    /// By process, address, and the number of load maps read before the call.
    known: WordMap<(ProcessId, u64, usize), u32>,
}

impl CallerNames {
    fn number(&mut self, trace: &Trace, call: &Call) -> u32 {
        let maps = trace.process(call.process).map_or(0, |process| {
            let maps = process.libraries.iter();
            maps.filter(|map| map.since_ns <= call.begin_ns).count()
        });
        let key = (call.process, call.caller, maps);
        if let Some(&number) = self.known.get(&key) {
            return number;
        }
        let number = self.find(trace, call);
        if self.known.len() >= MAX_SITES {
            self.known.clear();
        }
        self.known.insert(key, number);
        number
    }

    fn find(&mut self, trace: &Trace, call: &Call) -> u32 {
        let place = trace.caller(call);
        let name = match (place.file_name(), place.symbol) {
            (Some(file), Some(symbol)) => format!("{file} {}", symbol.name),
            (Some(file), None) => file.to_owned(),
            (None, _) => "?".to_owned(),
        };
        let name = match self.numbers.get(&name) {
            Some(&number) => return number,
            None if self.names.len() < MAX_CALLERS => name,
            None => "?".to_owned(),
        };
        let next = self.names.len() as u32;
        let number = *self.numbers.entry(name.clone()).or_insert(next);
        if number == next {
            self.names.push(name);
        }
        number
    }
}

impl Groups {
    pub(crate) fn new(by: GroupBy) -> Self {
        Self {
            by,
            tallies: WordMap::default(),
            callers: CallerNames::default(),
        }
    }

    pub(crate) fn add(&mut self, trace: &Trace, call: &Call, failed: bool) {
        let key = match self.by {
            GroupBy::Function => Key::Function(call.function),
            GroupBy::Thread => Key::Thread(call.process, call.thread),
            GroupBy::Process => Key::Process(call.process),
            GroupBy::Caller => Key::Caller(self.callers.number(trace, call)),
        };
        self.tallies.entry(key).or_default().add(call, failed);
    }

    pub(crate) fn total(&self) -> Tally {
        let mut all = Tally::default();
        self.tallies.values().for_each(|tally| all.merge(tally));
        all
    }

    pub(crate) fn finish(&self, trace: &Trace, histogram: bool) -> Vec<GroupStats> {
        let groups = self.tallies.iter();
        groups
            .map(|(key, tally)| {
                let group = group(trace, key, &self.callers);
                tally.finish(group, histogram)
            })
            .collect()
    }
}

fn group(trace: &Trace, key: &Key, callers: &CallerNames) -> Group {
    let process = |id: ProcessId| trace.process(id).map(|entry| &entry.process);
    match key {
        Key::Function(function) => Group::Function {
            api: trace.function_name(*function).into_owned(),
        },
        Key::Thread(id, thread) => {
            let thread = trace.thread(*thread);
            Group::Thread {
                pid: process(*id).map_or(0, |process| process.pid),
                tid: thread.map_or(0, |thread| thread.tid),
                comm: thread.map_or_else(|| "?".to_owned(), |thread| thread.name.clone()),
            }
        }
        Key::Process(id) => Group::Process {
            pid: process(*id).map_or(0, |process| process.pid),
            program: process(*id).map_or_else(|| "?".to_owned(), |process| process.program.clone()),
        },
        Key::Caller(number) => Group::Caller {
            caller: callers.names[*number as usize].clone(),
        },
    }
}
