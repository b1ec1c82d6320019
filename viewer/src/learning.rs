//! What a recording shows while it goes on: each call is taken in once; objects and diagnosis are told now and then, as often as they are cheap.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutape_analysis::doctor::{Diagnosing, Diagnosis};
use cutape_analysis::index::{Index, Row};
use cutape_analysis::objects::{ObjectTracker, Objects};
use cutape_trace_format::call::Call;

use crate::indexing::show;
use crate::msg::Msg;
use crate::naming::Naming;
use crate::opened::Reading;
use crate::verdict::Judging;
use crate::workers::Worker;

/// Objects and diagnosis are told no more often.
const TELL: Duration = Duration::from_millis(250);
/// Telling takes at most one part in so many of the time.
const SHARE: u32 = 10;

/// What is known so far.
#[derive(Default)]
pub struct Learning {
    index: Index,
    judging: Judging,
    tracker: ObjectTracker,
    /// There from the first call on.
    diagnosing: Option<Diagnosing>,
    /// Calls came since objects and diagnosis were told.
    is_untold: bool,
    /// When they were told, and how long that took.
    told: Option<(Instant, Duration)>,
}

impl Learning {
    /// Takes in the calls that came.
    pub fn take_in(&mut self, worker: &Worker<'_>, calls: &[Call]) {
        if calls.is_empty() {
            return;
        }
        let reading = worker.opened.reading();
        let trace = reading.trace();
        let diagnosing = self
            .diagnosing
            .get_or_insert_with(|| Diagnosing::new(trace));
        {
            let mut kept = worker.opened.keeping();
            for call in calls {
                kept.push(call);
                self.index.push(call);
                self.judging.add(trace.schema(), call.seq, &Row::from(call));
                self.tracker.observe(trace.schema(), call);
                diagnosing.add(trace, call);
            }
        }
        self.is_untold = true;
        let verdicts = Arc::new(self.judging.verdicts(&reading));
        worker.opened.set_verdicts(Arc::clone(&verdicts));
        show(worker, Arc::new(self.index.clone()), false);
        worker.send(Msg::Judged(verdicts));
    }

    /// Tells objects and diagnosis, if there is something new and it is time.
    pub fn tell(&mut self, worker: &Worker<'_>) {
        let is_time = self
            .told
            .is_none_or(|(at, took)| at.elapsed() >= TELL.max(took * SHARE));
        let Some(diagnosing) = self
            .diagnosing
            .as_ref()
            .filter(|_| self.is_untold && is_time)
        else {
            return;
        };
        let began = Instant::now();
        let objects = Arc::new(self.tracker.objects());
        worker.opened.set_objects(Arc::clone(&objects));
        worker.send(Msg::Objects(Arc::clone(&objects)));
        let reading = worker.opened.reading();
        let diagnosis = Arc::new(diagnose(diagnosing, &reading, &objects));
        worker.opened.set_diagnosis(Arc::clone(&diagnosis));
        worker.send(Msg::Diagnosed(diagnosis));
        self.is_untold = false;
        self.told = Some((Instant::now(), began.elapsed()));
    }
}

/// The evidence comes from the calls that are kept: their numbers are those of the list.
fn diagnose(diagnosing: &Diagnosing, reading: &Reading<'_>, objects: &Arc<Objects>) -> Diagnosis {
    let trace = reading.trace();
    let mut naming = Naming::new(Some(Arc::clone(objects)));
    diagnosing.diagnosis(trace, &[], &mut |numbers| {
        let mut found = Vec::new();
        reading.calls(numbers.iter().copied(), |call| {
            found.push((call.clone(), naming.names(trace.schema(), call)));
            ControlFlow::Continue(())
        });
        found
    })
}
