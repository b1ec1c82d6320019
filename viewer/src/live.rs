//! Following a recording that is going on, until it ends and is a trace like any other.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cutape_analysis::following::Batch;
use cutape_trace_format::block_source::OpenError;
use cutape_trace_format::trace::Trace;

use crate::facts::Facts;
use crate::learning::Learning;
use crate::msg::Msg;
use crate::opened::Source;
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
    let mut learning = Learning::default();
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
        learning.take_in(worker, &batch.calls);
        learning.tell(worker);
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

fn tell(worker: &Worker<'_>, rate: u64) {
    let reading = worker.opened.reading();
    let mut facts = Facts::of(reading.trace());
    facts.live = true;
    facts.rate = rate;
    worker.send(Msg::Facts(Arc::new(facts)));
}

/// Waits for the file that `cutape record` makes of the folder when the program has ended, and reads that.
pub fn await_file(worker: &Worker<'_>) {
    let path = worker.opened.reading().trace().path().to_owned();
    while !worker.is_stopped() {
        if path.is_file() {
            reopen(worker);
            return;
        }
        thread::sleep(LOOK);
    }
}

/// Opens what the recording has become. The file takes the folder's place while it is being looked at, so that more than one look may be needed.
fn reopen(worker: &Worker<'_>) {
    let path = worker.opened.reading().trace().path().to_owned();
    let mut failures = 0;
    while !worker.is_stopped() {
        match Trace::open(&path) {
            Ok(trace) => {
                let facts = Facts::of(&trace);
                worker.opened.set_was_followed();
                worker.opened.replace(Source::Trace(Box::new(trace)));
                worker.send(Msg::Ended(Arc::new(facts)));
                return;
            }
            Err(_) if failures < MOST_FAILURES => {
                failures += 1;
                thread::sleep(LOOK);
            }
            Err(error) => {
                worker.send(Msg::Say(format!("the recording has ended: {error}")));
                return;
            }
        }
    }
}
