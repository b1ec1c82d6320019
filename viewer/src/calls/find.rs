//! Looking for calls of some kind, from the one under the cursor on. Done by a worker: ten million calls are looked through in a moment, but
//! not in no time.

use std::ops::ControlFlow;

use cutape_analysis::index::Row;
use cutape_analysis::objects::{ObjectId, ReferenceFinder};
use cutape_analysis::text::{Detail, push_named_call};
use cutape_trace_format::call::Call;
use cutape_trace_format::capture_number::is_of_call;
use cutape_trace_format::trace::Trace;

use crate::canvas::Matcher;
use crate::command::{Direction, Kind};
use crate::listing::Listing;
use crate::msg::Msg;
use crate::naming::Naming;
use crate::opened::Opened;
use crate::verdict::Verdict;
use crate::workers::{Job, Slot, Worker};

use super::CallsMsg;

/// Calls looked through between looking whether to stop.
const STRIDE: u64 = 8192;

/// What is looked for.
#[derive(Clone, Debug)]
pub enum Sought {
    /// A call of a kind that its row tells.
    Kind(Kind),
    /// A call that has this handle or pointer among its arguments.
    Word(u64),
    /// A call that refers to this object.
    Object(ObjectId),
    /// A call whose text matches.
    Text(Matcher),
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The call; `None` where there is none.
    pub seq: Option<u64>,
    /// The end was reached, and the search went on from the other end.
    pub wrapped: bool,
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct Quest {
    /// What for.
    pub sought: Sought,
    /// The call to start behind.
    pub from: u64,
    /// Which way.
    pub direction: Direction,
    /// Among which calls.
    pub listing: Listing,
}

/// The job that looks.
pub fn find_job(quest: Quest) -> Job {
    Job::new(Slot::Find, move |worker: &Worker<'_>| {
        let found = find(worker, &quest);
        worker.send(Msg::Calls(CallsMsg::Found(found, quest.sought.clone())));
    })
}

fn find(worker: &Worker<'_>, quest: &Quest) -> Found {
    let (start, listed) = quest.listing.position(quest.from);
    let len = quest.listing.len();
    // What lies ahead; what lies behind, for a search that goes on from the other end.
    let (ahead, behind) = match quest.direction {
        Direction::Forward => {
            let next = (start + u64::from(listed)).min(len);
            (next..len, 0..next)
        }
        Direction::Backward => (0..start.min(len), start.min(len)..len),
    };
    if let Some(seq) = find_in(worker, quest, ahead) {
        return Found {
            seq: Some(seq),
            wrapped: false,
        };
    }
    let wraps = !matches!(quest.sought, Sought::Kind(_));
    let seq = wraps.then(|| find_in(worker, quest, behind)).flatten();
    Found { seq, wrapped: true }
}

/// Looks through positions, a stride at a time, in the direction of the quest.
fn find_in(worker: &Worker<'_>, quest: &Quest, positions: std::ops::Range<u64>) -> Option<u64> {
    let (mut low, mut high) = (positions.start, positions.end);
    let all = positions.end.saturating_sub(positions.start);
    while low < high && !worker.is_stopped() {
        let stride = match quest.direction {
            Direction::Forward => low..high.min(low + STRIDE),
            Direction::Backward => low.max(high.saturating_sub(STRIDE))..high,
        };
        let found = look_through(worker.opened, quest, stride.clone());
        if found.is_some() {
            return found;
        }
        match quest.direction {
            Direction::Forward => low = stride.end,
            Direction::Backward => high = stride.start,
        }
        worker.send(Msg::Progress {
            slot: Slot::Find,
            what: "searching",
            done: all - (high - low),
            all,
        });
    }
    None
}

/// The first or last call of a stride that is sought.
fn look_through(opened: &Opened, quest: &Quest, stride: std::ops::Range<u64>) -> Option<u64> {
    let numbers = stride.filter_map(|position| quest.listing.seq(position));
    match &quest.sought {
        Sought::Kind(kind) => by_rows(opened, quest, *kind, numbers),
        Sought::Word(word) => by_calls(opened, quest, numbers, |_, call| has_word(call, *word)),
        Sought::Object(id) => {
            let objects = opened.objects()?;
            let mut finder = ReferenceFinder::default();
            by_calls(opened, quest, numbers, |trace, call| {
                finder.uses(&objects, trace.schema(), call, *id)
            })
        }
        Sought::Text(matcher) => {
            let mut text = String::new();
            let mut naming = Naming::new(opened.objects());
            by_calls(opened, quest, numbers, |trace, call| {
                text.clear();
                let names = naming.names(trace.schema(), call);
                push_named_call(&mut text, trace.schema(), (call, &names), &Detail::LINE);
                matcher.is_in(&text)
            })
        }
    }
}

fn by_rows(
    opened: &Opened,
    quest: &Quest,
    kind: Kind,
    numbers: impl DoubleEndedIterator<Item = u64>,
) -> Option<u64> {
    let (reading, index, verdicts) = (opened.reading(), opened.index(), opened.verdicts());
    let trace = reading.trace();
    let here = index.row(quest.from);
    let is_sought = |seq: &u64| {
        let Some(row) = index.row(*seq) else {
            return false;
        };
        let same = |equal: fn(&Row, &Row) -> bool| here.is_some_and(|here| equal(&here, &row));
        match kind {
            Kind::Error => verdicts.on(trace.schema(), *seq, &row) == Verdict::Failed,
            Kind::Warning => matches!(
                verdicts.on(trace.schema(), *seq, &row),
                Verdict::Benign | Verdict::InFlight
            ),
            Kind::Slow => row.duration_ns > verdicts.slow_ns && verdicts.slow_ns.is_some(),
            Kind::SameThread => same(|here, row| here.thread == row.thread),
            Kind::SameFunction => same(|here, row| here.function == row.function),
            Kind::SameHandle => false,
        }
    };
    let mut numbers = numbers;
    match quest.direction {
        Direction::Forward => numbers.find(is_sought),
        Direction::Backward => numbers.rfind(is_sought),
    }
}

fn by_calls(
    opened: &Opened,
    quest: &Quest,
    numbers: impl Iterator<Item = u64>,
    mut is_sought: impl FnMut(&Trace, &Call) -> bool,
) -> Option<u64> {
    let reading = opened.reading();
    let mut found = None;
    reading.calls(numbers, |call| {
        if is_sought(reading.trace(), call) {
            found = Some(call.seq);
            if quest.direction == Direction::Forward {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    found
}

/// Whether a call has a word among its arguments, its answer, or what it pointed to.
fn has_word(call: &Call, word: u64) -> bool {
    let bytes = word.to_le_bytes();
    call.args.contains(&word)
        || call.returned == Some(word)
        || call
            .captures()
            .filter(|capture| !is_of_call(capture.param))
            .any(|capture| capture.bytes.chunks_exact(8).any(|chunk| chunk == bytes))
}
