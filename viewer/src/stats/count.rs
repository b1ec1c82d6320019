//! Counting the listed calls by function, thread or process, from the index alone.

use std::collections::HashMap;

use cutape_analysis::histogram::Histogram;
use cutape_analysis::index::Row;
use cutape_trace_format::trace::Trace;

use crate::listing::Listing;
use crate::msg::Msg;
use crate::opened::Opened;
use crate::verdict::Verdict;
use crate::workers::{Job, Slot, Worker};

use super::StatsMsg;

/// What calls are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Their function.
    #[default]
    Function,
    /// Their thread.
    Thread,
    /// Their process.
    Process,
}

impl By {
    /// All ways, with what they are called.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Function, "function"),
        (Self::Thread, "thread"),
        (Self::Process, "process"),
    ];

    /// What it is called.
    pub fn title(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn key(self, row: &Row) -> u32 {
        match self {
            Self::Function => row.function.0,
            Self::Thread => row.thread.0,
            Self::Process => row.process.0,
        }
    }

    fn name(self, trace: &Trace, key: u32) -> String {
        use cutape_analysis::printable::push_printable;
        use cutape_trace_format::call::{FunctionId, ProcessId, ThreadId};
        let mut out = String::new();
        let text = match self {
            Self::Function => trace.function_name(FunctionId(key)).into_owned(),
            Self::Thread => match trace.thread(ThreadId(key)) {
                Some(thread) => format!("{} {}", thread.tid, thread.name),
                None => "unknown".to_owned(),
            },
            Self::Process => match trace.process(ProcessId(key)) {
                Some(entry) => {
                    let program = entry.process.program.rsplit('/').next();
                    format!("{} {}", entry.process.pid, program.unwrap_or_default())
                }
                None => "unknown".to_owned(),
            },
        };
        push_printable(&mut out, &text);
        out
    }
}

/// Calls that have something in common.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// What they have in common.
    pub name: String,
    /// How many there are.
    pub calls: u64,
    /// Those that failed, without benign ones.
    pub failed: u64,
    /// Those that failed and mean no harm.
    pub benign: u64,
    /// Those that never returned.
    pub in_flight: u64,
    /// Time in all, nanoseconds.
    pub total_ns: u64,
    /// Times of those that returned.
    pub times: Histogram,
    /// Number of the first one.
    pub first: u64,
    /// Number of the first one that failed.
    pub first_failed: Option<u64>,
}

impl Tally {
    fn add(&mut self, seq: u64, row: &Row, verdict: Verdict) {
        if self.calls == 0 {
            self.first = seq;
        }
        self.calls += 1;
        match verdict {
            Verdict::Fine => {}
            Verdict::Failed => {
                self.failed += 1;
                self.first_failed.get_or_insert(seq);
            }
            Verdict::Benign => self.benign += 1,
            Verdict::InFlight => self.in_flight += 1,
        }
        if let Some(ns) = row.duration_ns {
            self.total_ns = self.total_ns.saturating_add(ns);
            self.times.add(ns);
        }
    }

    /// Mean time, nanoseconds.
    pub fn mean_ns(&self) -> Option<u64> {
        self.total_ns.checked_div(self.times.count())
    }
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// What the calls were counted by.
    pub by: By,
    /// One for each function, thread or process.
    pub tallies: Vec<Tally>,
    /// All of them together.
    pub total: Tally,
}

/// The job that counts the listed calls.
pub fn count_job(by: By, listing: Listing) -> Job {
    Job::new(Slot::Stats, move |worker: &Worker<'_>| {
        let counted = count(worker.opened, by, &listing, &|| worker.is_stopped());
        if let Some(counted) = counted {
            worker.send(Msg::Stats(StatsMsg {
                counted: Box::new(counted),
                listing,
            }));
        }
    })
}

/// `None` when `stop` says so.
fn count(opened: &Opened, by: By, listing: &Listing, stop: &dyn Fn() -> bool) -> Option<Counted> {
    let (reading, index, verdicts) = (opened.reading(), opened.index(), opened.verdicts());
    let trace = reading.trace();
    let mut total = Tally::default();
    let mut places: HashMap<u32, usize> = HashMap::new();
    let mut tallies: Vec<Tally> = Vec::new();
    let mut add = |seq: u64, row: &Row| {
        let verdict = verdicts.on(trace.schema(), seq, row);
        total.add(seq, row, verdict);
        let key = by.key(row);
        let place = *places.entry(key).or_insert_with(|| {
            tallies.push(Tally {
                name: by.name(trace, key),
                ..Tally::default()
            });
            tallies.len() - 1
        });
        tallies[place].add(seq, row, verdict);
    };
    match listing {
        Listing::All(_) => {
            for (seq, row) in index.rows_from(1) {
                if seq.is_multiple_of(1 << 16) && stop() {
                    return None;
                }
                add(seq, &row);
            }
        }
        Listing::Chosen(chosen) => {
            for (place, seq) in chosen.iter_from(1).enumerate() {
                if place.is_multiple_of(1 << 16) && stop() {
                    return None;
                }
                if let Some(row) = index.row(seq) {
                    add(seq, &row);
                }
            }
        }
    }
    Some(Counted { by, tallies, total })
}
