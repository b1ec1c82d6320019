//! Following a recording that is going on, until it ends and is a trace like any other.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cutape_analysis::following::Batch;
use cutape_analysis::index::{Index, Row};
use cutape_trace_format::block_source::OpenError;

use crate::facts::Facts;
use crate::indexing::show;
use crate::msg::Msg;
use crate::opened::Source;
use crate::verdict::Judging;
use crate::workers::Worker;

/// How often the recording is looked at; the traced process writes blocks about every 10 ms when it is busy.
const LOOK: Duration = Duration::from_millis(100);
/// Looks in a row that may fail.
const MOST_FAILURES: u32 = 50;
/// Over how long calls a second are counted.
const RATE_OVER: Duration = Duration::from_secs(1);

/// Calls a second, counted over the last second or so.
struct Rate {
    since: Instant,
    calls: u64,
    shown: u64,
}

impl Rate {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            calls: 0,
            shown: 0,
        }
    }

    fn add(&mut self, calls: u64) {
        self.calls += calls;
        let over = self.since.elapsed();
        if over >= RATE_OVER {
            self.shown = (self.calls as f64 / over.as_secs_f64()).round() as u64;
            (self.since, self.calls) = (Instant::now(), 0);
        }
    }
}

/// Follows the recording to its end, then asks for what it has become.
pub fn follow(worker: &Worker<'_>) {
    let mut index = Index::default();
    let mut judging = Judging::default();
    let mut rate = Rate::new();
    let mut failures = 0;
    while !worker.is_stopped() {
        let batch = match poll(worker) {
            Ok(batch) => batch,
            // The folder is gone for a moment before the file is in its place.
            Err(_) if failures < MOST_FAILURES => {
                failures += 1;
                thread::sleep(LOOK);
                continue;
            }
            Err(error) => {
                worker.send(Msg::Say(format!(
                    "the recording can't be followed: {error}"
                )));
                return;
            }
        };
        failures = 0;
        if batch.new_trace || batch.ended {
            reopen(worker);
            return;
        }
        rate.add(batch.calls.len() as u64);
        take_in(worker, &batch, (&mut index, &mut judging));
        tell(worker, rate.shown);
        if !batch.more {
            thread::sleep(LOOK);
        }
    }
}

fn poll(worker: &Worker<'_>) -> Result<Batch, OpenError> {
    let mut source = worker.opened.changing();
    let path = source.trace().path().to_owned();
    match &mut *source {
        // It has become a file, which is read as such.
        Source::Following(_) if path.is_file() => Ok(Batch {
            new_trace: true,
            ..Batch::default()
        }),
        Source::Following(following) => following.poll(),
        Source::Trace(_) => Ok(Batch {
            ended: true,
            ..Batch::default()
        }),
    }
}

fn take_in(worker: &Worker<'_>, batch: &Batch, known: (&mut Index, &mut Judging)) {
    let (index, judging) = known;
    if batch.calls.is_empty() {
        return;
    }
    let reading = worker.opened.reading();
    let schema = reading.trace().schema();
    {
        let mut kept = worker.opened.keeping();
        for call in &batch.calls {
            kept.push(call);
            index.push(call);
            judging.add(schema, call.seq, &Row::from(call));
        }
    }
    let verdicts = Arc::new(judging.verdicts(&reading));
    worker.opened.set_verdicts(Arc::clone(&verdicts));
    show(worker, Arc::new(index.clone()), false);
    worker.send(Msg::Judged(verdicts));
}

fn tell(worker: &Worker<'_>, rate: u64) {
    let reading = worker.opened.reading();
    let mut facts = Facts::of(reading.trace());
    facts.live = true;
    facts.rate = rate;
    worker.send(Msg::Facts(Arc::new(facts)));
}

/// Opens what the recording has become.
fn reopen(worker: &Worker<'_>) {
    let path = worker.opened.reading().trace().path().to_owned();
    match cutape_trace_format::trace::Trace::open(&path) {
        Ok(trace) => {
            let facts = Facts::of(&trace);
            worker.opened.replace(Source::Trace(Box::new(trace)));
            worker.send(Msg::Ended(Arc::new(facts)));
        }
        Err(error) => worker.send(Msg::Say(format!("the recording has ended: {error}"))),
    }
}
