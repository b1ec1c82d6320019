//! Building the index of a trace, judging its calls and finding its objects, while the first lines are already on the screen.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutape_analysis::index::Index;
use cutape_analysis::objects::Objects;

use crate::msg::Msg;
use crate::verdict::Verdicts;
use crate::workers::{Job, Slot, Worker};

/// How often the beginning is shown while the rest is being indexed.
const SHOW: Duration = Duration::from_millis(100);

/// The job that indexes the trace, then judges its calls, then finds its objects.
pub fn index_job() -> Job {
    Job::new(Slot::Index, |worker: &Worker<'_>| {
        let trace = worker.opened.trace();
        let mut shown = Instant::now();
        let index = Index::build(&trace, &mut |index| {
            if worker.is_stopped() {
                return ControlFlow::Break(());
            }
            if shown.elapsed() >= SHOW {
                shown = Instant::now();
                show(worker, Arc::new(index.clone()), false);
            }
            ControlFlow::Continue(())
        });
        if worker.is_stopped() {
            return;
        }
        let index = Arc::new(index);
        show(worker, Arc::clone(&index), true);
        if let Some(verdicts) = Verdicts::of(&trace, &index, &|| worker.is_stopped()) {
            let verdicts = Arc::new(verdicts);
            worker.opened.set_verdicts(Arc::clone(&verdicts));
            worker.send(Msg::Judged(verdicts));
        }
        let objects = Arc::new(Objects::of(&trace, |_| {}));
        worker.opened.set_objects(Arc::clone(&objects));
        worker.send(Msg::Objects(objects));
    })
}

fn show(worker: &Worker<'_>, index: Arc<Index>, complete: bool) {
    worker.opened.set_index(Arc::clone(&index));
    worker.send(Msg::Indexed { index, complete });
}
