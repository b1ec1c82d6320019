//! The open trace, as the workers see it. The thread that draws never touches it.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use cutape_analysis::index::Index;
use cutape_analysis::objects::Objects;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::verdict::Verdicts;

/// What workers share.
#[derive(Debug)]
pub struct Opened {
    trace: RwLock<Trace>,
    /// Rows of the calls that were indexed so far.
    index: Mutex<Arc<Index>>,
    verdicts: Mutex<Arc<Verdicts>>,
    objects: Mutex<Option<Arc<Objects>>>,
}

impl Opened {
    /// Takes a trace, of which nothing is indexed.
    pub fn new(trace: Trace) -> Self {
        Self {
            trace: RwLock::new(trace),
            index: Mutex::default(),
            verdicts: Mutex::default(),
            objects: Mutex::default(),
        }
    }

    /// The trace.
    pub fn trace(&self) -> RwLockReadGuard<'_, Trace> {
        // A worker that panicked while it read left the trace as it was.
        self.trace.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls that are indexed.
    pub fn index(&self) -> Arc<Index> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&index)
    }

    /// More calls are indexed.
    pub fn set_index(&self, index: Arc<Index>) {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = index;
    }

    /// Which calls failed.
    pub fn verdicts(&self) -> Arc<Verdicts> {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&verdicts)
    }

    /// It is known which calls failed.
    pub fn set_verdicts(&self, verdicts: Arc<Verdicts>) {
        *self.verdicts.lock().unwrap_or_else(PoisonError::into_inner) = verdicts;
    }
}

impl Opened {
    /// The objects of the trace, once they are known.
    pub fn objects(&self) -> Option<Arc<Objects>> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.clone()
    }

    /// The objects of the trace are known.
    pub fn set_objects(&self, objects: Arc<Objects>) {
        *self.objects.lock().unwrap_or_else(PoisonError::into_inner) = Some(objects);
    }
}

/// Calls read over to reach one that is wanted, rather than to start anew at its block.
const READ_OVER: u64 = 8192;

/// Reads the calls of these numbers, which rise, and shows each to `visit`. Numbers whose calls can't be read are passed over.
pub fn read_calls(
    trace: &Trace,
    numbers: impl IntoIterator<Item = u64>,
    mut visit: impl FnMut(&Call) -> ControlFlow<()>,
) {
    let mut calls = trace.calls_from(1);
    let mut call = Call::default();
    let mut at = None;
    for number in numbers {
        if at.is_none_or(|at| number > at + READ_OVER) {
            calls = trace.calls_from(number);
            call.seq = number.saturating_sub(1);
        }
        while call.seq < number {
            match calls.read_next(&mut call) {
                Ok(true) => {}
                Ok(false) => return,
                // The calls of a damaged block have numbers that are passed over.
                Err(_) => continue,
            }
        }
        at = Some(call.seq);
        if call.seq == number && visit(&call).is_break() {
            return;
        }
    }
}
