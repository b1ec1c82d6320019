//! What a worker makes of the calls in a span: a lane for each thread, and one for each stream that work was put on.

use std::collections::HashMap;
use std::sync::Arc;

use cutape_analysis::index::{Index, Row};
use cutape_analysis::objects::{Kind as ObjectKind, Objects};
use cutape_cuda_api::{Direction, Effect, Param, Type, TypeKind};
use cutape_trace_format::call::{Call, FunctionId, ProcessId};
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::trace::Trace;

use crate::listing::Listing;
use crate::msg::Msg;
use crate::opened::Reading;
use crate::verdict::{Verdict, Verdicts};
use crate::workers::{Job, Slot, Worker};

use super::TimelineMsg;
use super::span::Span;
use super::stretches::{Stretches, end_ns};

/// Lanes at most; a trace may have any number of threads.
const MOST_LANES: usize = 4096;
/// Calls of a lane that are drawn one by one, for each column of the screen.
const BARS_A_COLUMN: usize = 2;
/// Calls that are read for their streams. In longer spans streams are left out.
const MOST_READ: usize = 300_000;

/// What is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The stretch of time.
    pub span: Span,
    /// Columns of the screen.
    pub columns: u16,
}

/// What happens in one column of a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Calls that begin in it.
    pub calls: u32,
    /// Time of it that calls take, nanoseconds; nested ones count twice.
    pub busy_ns: u64,
    /// The worst that became of one of them.
    pub worst: Verdict,
    /// The first call that goes on in it; 0 for none.
    pub seq: u64,
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its number.
    pub seq: u64,
    /// Its first column.
    pub from: u16,
    /// The column behind its last one.
    pub until: u16,
    /// Its function.
    pub function: FunctionId,
    /// What became of it.
    pub verdict: Verdict,
}

/// A thread, or a stream.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// What it is called.
    pub name: String,
    /// It is a stream: what is shown is when work was put on it, not when the device did it.
    pub is_stream: bool,
    /// Its columns.
    pub cells: Vec<Cell>,
    /// Its calls, if they are few enough to be drawn one by one.
    pub bars: Option<Vec<Bar>>,
    /// Calls in the span.
    pub calls: u64,
}

/// The answer to a [`Question`].
#[derive(Debug)]
pub struct Lanes {
    /// What was asked.
    pub question: Question,
    /// All of the trace's time.
    pub whole: Span,
    /// Threads, then streams.
    pub lanes: Vec<Lane>,
    /// Calls in the span.
    pub calls: u64,
    /// There are too many calls in the span to say what streams they are about.
    pub streams_left_out: bool,
    /// For the next question.
    pub stretches: Arc<Stretches>,
}

/// What a job needs besides the question; `question` is nothing for the whole time.
#[derive(Debug)]
pub struct Order {
    /// The stretch of time; nothing for all of it.
    pub span: Option<Span>,
    /// Columns of the screen.
    pub columns: u16,
    /// The calls that are listed.
    pub listing: Listing,
    /// What is known from the question before.
    pub stretches: Option<Arc<Stretches>>,
    /// Objects, for names of streams.
    pub objects: Option<Arc<Objects>>,
}

/// The job that answers.
pub fn lanes_job(order: Order) -> Job {
    Job::new(Slot::Timeline, move |worker: &Worker<'_>| {
        let answer = answer(worker, &order);
        if !worker.is_stopped() {
            worker.send(Msg::Timeline(TimelineMsg {
                lanes: answer.map(Arc::new),
                listing: order.listing,
            }));
        }
    })
}

/// `None` without calls, or when nobody wants it any more.
fn answer(worker: &Worker<'_>, order: &Order) -> Option<Lanes> {
    let index = worker.opened.index();
    let stretches = match &order.stretches {
        Some(stretches) if stretches.calls == index.len() => Arc::clone(stretches),
        _ => Arc::new(Stretches::of(&index, &|| worker.is_stopped())?),
    };
    let whole = stretches.whole(&index)?;
    let question = Question {
        span: order.span.unwrap_or(whole),
        columns: order.columns,
    };
    let reading = worker.opened.reading();
    let trace = reading.trace();
    let verdicts = worker.opened.verdicts();
    let mut maker = Maker {
        question,
        trace,
        reading: &reading,
        verdicts: &verdicts,
        streams: Streams::of(trace.schema()),
        threads: HashMap::new(),
        lanes: Vec::new(),
        enqueuing: Vec::new(),
        calls: 0,
    };
    let finished = stretches.visit(&index, &question.span, &mut |seq, row| {
        if order.listing_has(seq) {
            maker.add(seq, row);
        }
        !(seq.is_multiple_of(1 << 16) && worker.is_stopped())
    });
    if !finished {
        return None;
    }
    let streams_left_out = maker.enqueuing.len() > MOST_READ;
    if !streams_left_out {
        maker.add_streams(&index, order.objects.as_deref(), &|| worker.is_stopped());
    }
    let mut lanes = maker.lanes;
    // Stable: threads keep the order in which they appear, and so do streams.
    lanes.sort_by_key(|lane| lane.is_stream);
    Some(Lanes {
        question,
        whole,
        lanes,
        calls: maker.calls,
        streams_left_out,
        stretches,
    })
}

impl Order {
    fn listing_has(&self, seq: u64) -> bool {
        match &self.listing {
            Listing::All(_) => true,
            listing => listing.has(seq),
        }
    }
}

struct Maker<'a> {
    reading: &'a Reading<'a>,
    question: Question,
    trace: &'a Trace,
    verdicts: &'a Verdicts,
    streams: Streams,
    threads: HashMap<(ProcessId, u32), usize>,
    lanes: Vec<Lane>,
    /// Calls in the span that put work on a stream.
    enqueuing: Vec<u64>,
    calls: u64,
}

impl Maker<'_> {
    fn add(&mut self, seq: u64, row: &Row) {
        self.calls += 1;
        if self.streams.word(row.function).is_some() && self.enqueuing.len() <= MOST_READ {
            self.enqueuing.push(seq);
        }
        let key = (row.process, row.thread.0);
        let place = match self.threads.get(&key) {
            Some(&place) => place,
            None if self.lanes.len() < MOST_LANES => {
                let name = thread_name(self.trace, row);
                self.lanes.push(self.new_lane(name, false));
                self.threads.insert(key, self.lanes.len() - 1);
                self.lanes.len() - 1
            }
            None => return,
        };
        let verdict = self.verdicts.on(self.trace.schema(), seq, row);
        self.lanes[place].add(&self.question, (seq, row), verdict);
    }

    fn new_lane(&self, name: String, is_stream: bool) -> Lane {
        Lane {
            name,
            is_stream,
            cells: vec![Cell::default(); self.question.columns.into()],
            bars: Some(Vec::new()),
            calls: 0,
        }
    }

    fn add_streams(&mut self, index: &Index, objects: Option<&Objects>, stop: &dyn Fn() -> bool) {
        let mut lanes: HashMap<(ProcessId, u64), usize> = HashMap::new();
        let numbers = std::mem::take(&mut self.enqueuing);
        self.reading.calls(numbers, |call| {
            if stop() {
                return std::ops::ControlFlow::Break(());
            }
            let word = self.streams.word(call.function);
            let handle = word.and_then(|word| call.args.get(word)).copied();
            if let (Some(handle), Some(row)) = (handle, index.row(call.seq)) {
                let key = (call.process, handle);
                let place = match lanes.get(&key) {
                    Some(&place) => Some(place),
                    None if self.lanes.len() < MOST_LANES => {
                        let name = stream_name(call, handle, objects);
                        self.lanes.push(self.new_lane(name, true));
                        lanes.insert(key, self.lanes.len() - 1);
                        Some(self.lanes.len() - 1)
                    }
                    None => None,
                };
                if let Some(place) = place {
                    let verdict = self.verdicts.on(self.trace.schema(), call.seq, &row);
                    self.lanes[place].add(&self.question, (call.seq, &row), verdict);
                }
            }
            std::ops::ControlFlow::Continue(())
        });
    }
}

fn thread_name(trace: &Trace, row: &Row) -> String {
    use cutape_analysis::printable::push_printable;
    let mut name = String::new();
    let several = trace.processes().len() > 1;
    if let Some(entry) = trace.process(row.process).filter(|_| several) {
        name.push_str(&format!("{}/", entry.process.pid));
    }
    match trace.thread(row.thread) {
        Some(thread) => {
            name.push_str(&format!("{} ", thread.tid));
            push_printable(&mut name, &thread.name);
        }
        None => name.push_str("unknown thread"),
    }
    name
}

fn stream_name(call: &Call, handle: u64, objects: Option<&Objects>) -> String {
    match handle {
        0 => return "default stream".to_owned(),
        1 => return "legacy stream".to_owned(),
        2 => return "per-thread stream".to_owned(),
        _ => {}
    }
    let found = objects.and_then(|objects| {
        let (id, _) = objects.find(call.process, ObjectKind::Stream, handle, call.seq)?;
        Some(objects.get(id)?.label().to_string())
    });
    found.unwrap_or_else(|| format!("stream {handle:#x}"))
}

impl Lane {
    /// `call` is number and row.
    fn add(&mut self, question: &Question, call: (u64, &Row), verdict: Verdict) {
        let (seq, row) = call;
        let Question { span, columns } = *question;
        let end_ns = end_ns(row).min(span.until_ns);
        let begin_ns = row.begin_ns.max(span.from_ns);
        let from = span.column(begin_ns, columns);
        let last = span.column(end_ns, columns).max(from);
        self.calls += 1;
        for column in from..=last {
            let Some(cell) = self.cells.get_mut(usize::from(column)) else {
                break;
            };
            let from_ns = span.begin_of(column, columns).max(begin_ns);
            let until_ns = span.begin_of(column + 1, columns).min(end_ns);
            cell.busy_ns += until_ns.saturating_sub(from_ns);
            cell.worst = worse(cell.worst, verdict);
            cell.calls += u32::from(column == from && row.begin_ns >= span.from_ns);
            if cell.seq == 0 {
                cell.seq = seq;
            }
        }
        if let Some(bars) = &mut self.bars {
            if bars.len() < BARS_A_COLUMN * usize::from(columns) {
                bars.push(Bar {
                    seq,
                    from,
                    until: last + 1,
                    function: row.function,
                    verdict,
                });
            } else {
                self.bars = None;
            }
        }
    }
}

fn worse(one: Verdict, other: Verdict) -> Verdict {
    let rank = |verdict| match verdict {
        Verdict::Fine => 0,
        Verdict::Benign => 1,
        Verdict::InFlight => 2,
        Verdict::Failed => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// Where functions have the stream that they put work on: place of the argument word.
struct Streams(Vec<Option<usize>>);

impl Streams {
    fn of(schema: &TraceSchema) -> Self {
        let word = |function: &cutape_cuda_api::Function| {
            let param = function.effects.iter().find_map(|effect| match effect {
                Effect::Enqueues(param) => Some(usize::from(*param)),
                _ => None,
            })?;
            let params = &function.signature.as_ref()?.params;
            Some(
                params
                    .get(..param)?
                    .iter()
                    .map(|param| words(schema, param))
                    .sum(),
            )
        };
        Self(schema.functions().iter().map(word).collect())
    }

    fn word(&self, function: FunctionId) -> Option<usize> {
        *self.0.get(function.0 as usize)?
    }
}

/// Argument words of a parameter: one, or one for each 8 bytes of a structure passed by value.
fn words(schema: &TraceSchema, param: &Param) -> usize {
    let Type::Named(name) = &param.ty else {
        return 1;
    };
    let definition = schema.type_named(name);
    let structure = definition
        .filter(|definition| matches!(definition.kind, TypeKind::Struct(_) | TypeKind::Union(_)));
    match structure {
        Some(definition) if param.direction == Direction::Value => {
            (definition.size as usize).div_ceil(8).max(1)
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_trace_format::call::ThreadId;

    fn row(begin_ns: u64, duration_ns: Option<u64>) -> Row {
        Row {
            process: ProcessId(0),
            thread: ThreadId(0),
            function: FunctionId(0),
            begin_ns,
            duration_ns,
            returned: duration_ns.map(|_| 0),
        }
    }

    #[test]
    fn calls_fill_the_columns_that_they_take() {
        let question = Question {
            span: Span::new(1000, 2000),
            columns: 10,
        };
        let mut lane = Lane {
            cells: vec![Cell::default(); 10],
            bars: Some(Vec::new()),
            ..Lane::default()
        };
        lane.add(&question, (7, &row(900, Some(250))), Verdict::Fine);
        lane.add(&question, (8, &row(1500, Some(10))), Verdict::Failed);
        lane.add(&question, (9, &row(1900, None)), Verdict::InFlight);
        let busy: Vec<u64> = lane.cells.iter().map(|cell| cell.busy_ns).collect();
        assert_eq!(busy, [100, 50, 0, 0, 0, 10, 0, 0, 0, 100]);
        assert_eq!(lane.cells[0].calls, 0, "it began before");
        assert_eq!((lane.cells[0].seq, lane.cells[1].seq), (7, 7));
        assert_eq!(
            (lane.cells[5].worst, lane.cells[5].calls),
            (Verdict::Failed, 1)
        );
        let bars: Vec<_> = lane
            .bars
            .iter()
            .flatten()
            .map(|bar| (bar.seq, bar.from, bar.until))
            .collect();
        assert_eq!(bars, [(7, 0, 2), (8, 5, 6), (9, 9, 10)]);
        for seq in 10..100 {
            lane.add(&question, (seq, &row(1500, Some(1))), Verdict::Fine);
        }
        assert_eq!(lane.bars, None, "too many to be drawn one by one");
        assert_eq!(lane.cells[5].worst, Verdict::Failed);
    }
}
