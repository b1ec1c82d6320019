//! The open trace, as the workers see it. The thread that draws never touches it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cutape_analysis::doctor::Diagnosis;
use cutape_analysis::following::Following;
use cutape_analysis::index::Index;
use cutape_analysis::objects::Objects;
use cutape_trace_format::block_source::OpenError;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::filtering::LiveChoice;
use crate::kept_calls::KeptCalls;
use crate::verdict::Verdicts;

/// Where names come from, and calls.
#[derive(Debug)]
pub enum Source {
    /// A sealed file, or a folder whose processes have ended.
    Trace(Box<Trace>),
    /// A recording that is going on.
    Following(Box<Following>),
}

impl Source {
    /// Opens a trace. A folder in which a process runs is followed; so is any folder, if that is wished.
    ///
    /// # Errors
    /// It can't be read.
    pub fn open(path: &Path, follow: bool) -> Result<Self, OpenError> {
        if follow && path.is_dir() {
            return Ok(Self::Following(Box::new(Following::open(path)?)));
        }
        let trace = Trace::open(path)?;
        if trace.is_live() && !trace.is_sealed() {
            return Ok(Self::Following(Box::new(Following::open(path)?)));
        }
        Ok(Self::Trace(Box::new(trace)))
    }

    /// What names are known from.
    pub fn trace(&self) -> &Trace {
        match self {
            Self::Trace(trace) => trace,
            Self::Following(following) => following.trace(),
        }
    }

    /// Whether it is a recording that is going on.
    pub fn is_followed(&self) -> bool {
        matches!(self, Self::Following(_))
    }
}

/// What workers share.
#[derive(Debug)]
pub struct Opened {
    source: RwLock<Source>,
    /// The calls of a folder.
    kept: RwLock<KeptCalls>,
    known: Mutex<Known>,
    /// What the filter chose of a recording that goes on.
    choice: Mutex<Option<LiveChoice>>,
    /// It was a recording that went on, and has ended since.
    was_followed: AtomicBool,
    /// The trace to compare with.
    other: Mutex<Option<Arc<Trace>>>,
}

/// What has been found out.
#[derive(Clone, Debug, Default)]
struct Known {
    index: Arc<Index>,
    verdicts: Arc<Verdicts>,
    objects: Option<Arc<Objects>>,
    diagnosis: Option<Arc<Diagnosis>>,
}

impl Opened {
    /// Takes a trace, of which nothing is known.
    pub fn new(source: Source) -> Self {
        Self {
            source: RwLock::new(source),
            kept: RwLock::default(),
            known: Mutex::default(),
            choice: Mutex::default(),
            was_followed: AtomicBool::default(),
            other: Mutex::default(),
        }
    }

    /// The trace, to be read from.
    pub fn reading(&self) -> Reading<'_> {
        // A worker that panicked while it read left the trace as it was.
        Reading {
            source: self.source.read().unwrap_or_else(PoisonError::into_inner),
            kept: &self.kept,
        }
    }

    /// The trace, to be changed. Nobody reads meanwhile.
    pub(crate) fn changing(&self) -> RwLockWriteGuard<'_, Source> {
        self.source.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls of a folder, to be added to.
    pub(crate) fn keeping(&self) -> RwLockWriteGuard<'_, KeptCalls> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another trace takes the place of this one; what was known no longer holds.
    pub(crate) fn replace(&self, source: Source) {
        *self.changing() = source;
        *self.keeping() = KeptCalls::default();
        *self.known() = Known::default();
        self.set_choice(None);
    }

    /// Whether it was a recording that went on, and has ended since.
    pub(crate) fn was_followed(&self) -> bool {
        self.was_followed.load(Ordering::Relaxed)
    }

    /// The recording has ended.
    pub(crate) fn set_was_followed(&self) {
        self.was_followed.store(true, Ordering::Relaxed);
    }

    /// What the filter chose of a recording that goes on, to be gone on with.
    pub(crate) fn take_choice(&self) -> Option<LiveChoice> {
        self.choice
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// The filter has chosen.
    pub(crate) fn set_choice(&self, choice: Option<LiveChoice>) {
        *self.choice.lock().unwrap_or_else(PoisonError::into_inner) = choice;
    }

    /// The trace to compare with, if there is one.
    pub fn other(&self) -> Option<Arc<Trace>> {
        let other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        other.clone()
    }

    /// Compares with this trace from now on.
    pub fn set_other(&self, trace: Arc<Trace>) {
        *self.other.lock().unwrap_or_else(PoisonError::into_inner) = Some(trace);
    }

    /// What went wrong in the trace, once that is known.
    pub fn diagnosis(&self) -> Option<Arc<Diagnosis>> {
        self.known().diagnosis.clone()
    }

    /// It is known what went wrong.
    pub fn set_diagnosis(&self, diagnosis: Arc<Diagnosis>) {
        self.known().diagnosis = Some(diagnosis);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls that are indexed.
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.known().index)
    }

    /// More calls are indexed.
    pub fn set_index(&self, index: Arc<Index>) {
        self.known().index = index;
    }

    /// Which calls failed.
    pub fn verdicts(&self) -> Arc<Verdicts> {
        Arc::clone(&self.known().verdicts)
    }

    /// It is known which calls failed.
    pub fn set_verdicts(&self, verdicts: Arc<Verdicts>) {
        self.known().verdicts = verdicts;
    }

    /// The objects of the trace, once they are known.
    pub fn objects(&self) -> Option<Arc<Objects>> {
        self.known().objects.clone()
    }

    /// The objects of the trace are known.
    pub fn set_objects(&self, objects: Arc<Objects>) {
        self.known().objects = Some(objects);
    }
}

/// Calls read over to reach one that is wanted, rather than to start anew at its block.
const READ_OVER: u64 = 8192;

/// A trace that is being read.
#[derive(Debug)]
pub struct Reading<'a> {
    source: RwLockReadGuard<'a, Source>,
    kept: &'a RwLock<KeptCalls>,
}

impl Reading<'_> {
    /// The trace: its names, not its calls.
    pub fn trace(&self) -> &Trace {
        self.source.trace()
    }

    /// Whether it is a recording that is going on.
    pub fn is_followed(&self) -> bool {
        self.source.is_followed()
    }

    /// Shows the calls of these numbers, which rise. Numbers whose calls can't be read are passed over.
    pub fn calls(
        &self,
        numbers: impl IntoIterator<Item = u64>,
        visit: impl FnMut(&Call) -> ControlFlow<()>,
    ) {
        if self.trace().is_sealed() {
            read_sealed(self.trace(), numbers, visit);
        } else {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            kept.read(numbers, visit);
        }
    }
}

fn read_sealed(
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
