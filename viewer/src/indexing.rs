//! Finding out about a trace while the first lines are already on the screen: its index, which calls failed, its objects.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutape_analysis::doctor::Diagnosis;
use cutape_analysis::index::Index;
use cutape_analysis::objects::{ObjectTracker, Objects};
use cutape_trace_format::call::Call;

use crate::live::{await_file, follow};
use crate::msg::Msg;
use crate::opened::Reading;
use crate::verdict::{Judging, Verdicts};
use crate::workers::{Job, Slot, Worker};

/// How often the beginning is shown while the rest is being indexed.
const SHOW: Duration = Duration::from_millis(100);
/// Calls between looking whether to stop.
const LOOK: u64 = 1 << 14;

/// The job that indexes the trace, judges its calls, finds its objects and what went wrong. A recording that is going on is followed to its end first.
pub fn index_job() -> Job {
    Job::new(Slot::Index, |worker: &Worker<'_>| {
        if worker.opened.reading().is_followed() {
            follow(worker);
            return;
        }
        let reading = worker.opened.reading();
        let index = match reading.trace().is_sealed() {
            true => index_file(worker, &reading),
            false => index_folder(worker, &reading),
        };
        if worker.is_stopped() {
            return;
        }
        let index = Arc::new(index);
        show(worker, Arc::clone(&index), true);
        if let Some(verdicts) = judge(worker, &reading, &index) {
            let verdicts = Arc::new(verdicts);
            worker.opened.set_verdicts(Arc::clone(&verdicts));
            worker.send(Msg::Judged(verdicts));
        }
        if let Some(objects) = find_objects(worker, &reading, index.len()) {
            let objects = Arc::new(objects);
            worker.opened.set_objects(Arc::clone(&objects));
            worker.send(Msg::Objects(objects));
        }
        let watch = |_| match worker.is_stopped() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        if let Some(diagnosis) = Diagnosis::watched(reading.trace(), &[], watch) {
            let diagnosis = Arc::new(diagnosis);
            worker.opened.set_diagnosis(Arc::clone(&diagnosis));
            worker.send(Msg::Diagnosed(diagnosis));
        }
        let becomes_a_file = !reading.trace().is_sealed() && reading.trace().exit().is_some();
        drop(reading);
        if becomes_a_file && worker.opened.was_followed() {
            await_file(worker);
        }
    })
}

fn index_file(worker: &Worker<'_>, reading: &Reading<'_>) -> Index {
    let mut shown = Instant::now();
    Index::build(reading.trace(), &mut |index| {
        if worker.is_stopped() {
            return ControlFlow::Break(());
        }
        if shown.elapsed() >= SHOW {
            shown = Instant::now();
            show(worker, Arc::new(index.clone()), false);
        }
        ControlFlow::Continue(())
    })
}

/// The calls of a folder are kept, too: it can be read from the beginning only.
fn index_folder(worker: &Worker<'_>, reading: &Reading<'_>) -> Index {
    let mut index = Index::default();
    let mut shown = Instant::now();
    let (mut calls, mut call) = (reading.trace().calls(), Call::default());
    loop {
        match calls.read_next(&mut call) {
            Ok(true) => {
                worker.opened.keeping().push(&call);
                index.push(&call);
            }
            Ok(false) => return index,
            Err(_) => {}
        }
        if call.seq.is_multiple_of(LOOK) && worker.is_stopped() {
            return index;
        }
        if shown.elapsed() >= SHOW {
            shown = Instant::now();
            show(worker, Arc::new(index.clone()), false);
        }
    }
}

pub(crate) fn show(worker: &Worker<'_>, index: Arc<Index>, complete: bool) {
    worker.opened.set_index(Arc::clone(&index));
    worker.send(Msg::Indexed { index, complete });
}

fn judge(worker: &Worker<'_>, reading: &Reading<'_>, index: &Index) -> Option<Verdicts> {
    let mut judging = Judging::default();
    for (seq, row) in index.rows_from(1) {
        if seq.is_multiple_of(LOOK) && worker.is_stopped() {
            return None;
        }
        judging.add(reading.trace().schema(), seq, &row);
    }
    Some(judging.verdicts(reading))
}

fn find_objects(worker: &Worker<'_>, reading: &Reading<'_>, calls: u64) -> Option<Objects> {
    let mut tracker = ObjectTracker::default();
    reading.calls(1..=calls, |call| {
        tracker.observe(reading.trace().schema(), call);
        match call.seq.is_multiple_of(LOOK) && worker.is_stopped() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    (!worker.is_stopped()).then(|| tracker.finish())
}
