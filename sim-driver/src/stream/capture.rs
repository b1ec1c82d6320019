//! Capture: work given to a stream becomes nodes of a graph instead of being done. A capture begins on one stream and spreads to
//! others through events; what would cross its boundary is an error, and makes the whole capture invalid.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;

use super::{Stream, StreamKind};
use crate::abi::{CUgraphEdgeData, CUgraphNode};
use crate::context::Context;
use crate::driver;
use crate::graph::{Edge, Graph, Operation};
use crate::status::{Answer, CuError};

/// `CUstreamCaptureMode`.
pub const GLOBAL: u32 = 0;
pub const RELAXED: u32 = 2;

/// A capture from its begin to its end.
pub struct Capture {
    /// What `cuStreamGetCaptureInfo` answers.
    pub id: u64,
    pub graph: Arc<Graph>,
    mode: u32,
    thread: ThreadId,
    /// The id of the stream that it began on.
    origin: u64,
    context_id: u64,
    /// Whether the graph was there before, and stays if the capture fails.
    has_given_graph: bool,
    is_invalid: AtomicBool,
    streams: Mutex<Vec<Weak<Stream>>>,
}

/// What a stream has to do with a capture.
pub struct Part {
    pub capture: Arc<Capture>,
    /// What its next node comes after.
    pub leaves: Vec<Edge>,
    /// The lists that `cuStreamGetCaptureInfo` pointed to: they stay until the next call about the stream.
    pub shown: (Vec<CUgraphNode>, Vec<CUgraphEdgeData>),
}

/// A point in a capture, as an event keeps it.
#[derive(Clone)]
pub struct CapturedPoint {
    capture: Weak<Capture>,
    leaves: Vec<Edge>,
}

/// How many captures are going on; nearly always none, which makes the checks of every other call cheap.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);
static CAPTURES: Mutex<Vec<Arc<Capture>>> = Mutex::new(Vec::new());
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

thread_local!(static MODE: std::cell::Cell<u32> = const { std::cell::Cell::new(GLOBAL) });

/// Sets how strictly captures forbid the calling thread unsafe calls; returns how it was.
pub fn exchange_mode(new: u32) -> u32 {
    MODE.try_with(|mode| mode.replace(new)).unwrap_or(GLOBAL)
}

/// Refuses what is no mode.
pub fn check_mode(mode: u32) -> Answer {
    if mode > RELAXED {
        Err(CuError::INVALID_VALUE)
    } else {
        Ok(())
    }
}

fn captures() -> Vec<Arc<Capture>> {
    if ACTIVE.load(Ordering::Acquire) == 0 {
        return Vec::new();
    }
    CAPTURES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Refuses a call that could hang or go wrong while something is captured, such as `cuMemAlloc`, where the modes of the captures and
/// of the calling thread (`cuThreadExchangeStreamCaptureMode`) forbid it. The captures that forbid it become invalid.
pub fn unsafe_call() -> Answer {
    if ACTIVE.load(Ordering::Acquire) == 0 {
        return Ok(());
    }
    let own_mode = MODE.try_with(std::cell::Cell::get).unwrap_or(GLOBAL);
    if own_mode == RELAXED {
        return Ok(());
    }
    let thread = std::thread::current().id();
    let forbids = |capture: &Arc<Capture>| {
        let is_own = capture.thread == thread && capture.mode != RELAXED;
        is_own || own_mode == GLOBAL && capture.mode == GLOBAL
    };
    refuse(captures().into_iter().filter(forbids))
}

/// Refuses a call that waits for a whole context while something is captured in it.
pub fn waits_for_context(context: &Context) -> Answer {
    let is_here = |capture: &Arc<Capture>| capture.context_id == context.id;
    refuse(captures().into_iter().filter(is_here))?;
    unsafe_call()
}

fn refuse(captures: impl Iterator<Item = Arc<Capture>>) -> Answer {
    let mut answer = Ok(());
    for capture in captures {
        capture.invalidate();
        answer = Err(CuError::STREAM_CAPTURE_UNSUPPORTED);
    }
    answer
}

/// Ends all captures of a context that is ending.
pub fn end_captures_of(context: &Context) {
    for capture in captures() {
        if capture.context_id == context.id {
            capture.finish();
            capture.discard();
        }
    }
}

impl Capture {
    /// Begins to capture a stream, into a graph of the program's or into a new one.
    pub fn begin(
        stream: &Arc<Stream>,
        mode: u32,
        given: Option<(Arc<Graph>, Vec<Edge>)>,
    ) -> Answer {
        check_mode(mode)?;
        if stream.kind == StreamKind::Legacy {
            return Err(CuError::STREAM_CAPTURE_UNSUPPORTED);
        }
        let mut part = stream.part();
        if part.is_some() {
            return Err(CuError::ILLEGAL_STATE);
        }
        let has_given_graph = given.is_some();
        let (graph, leaves) = match given {
            Some(given) => given,
            None => (Graph::create(driver::started()?, false)?, Vec::new()),
        };
        let capture = Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            graph,
            mode,
            thread: std::thread::current().id(),
            origin: stream.id,
            context_id: stream.context_id,
            has_given_graph,
            is_invalid: AtomicBool::new(false),
            streams: Mutex::new(vec![Arc::downgrade(stream)]),
        });
        *part = Some(Part::new(&capture, leaves));
        CAPTURES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(capture);
        ACTIVE.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Ends the capture of a stream; the graph on success.
    ///
    /// # Errors
    /// `ILLEGAL_STATE` if the stream is not captured; `WRONG_THREAD`, `UNMATCHED`, `INVALIDATED` and `UNJOINED` as their texts say.
    pub fn end(stream: &Stream) -> Result<Arc<Graph>, CuError> {
        let part = stream.part();
        let capture = match part.as_ref() {
            Some(part) => Arc::clone(&part.capture),
            None => return Err(CuError::ILLEGAL_STATE),
        };
        drop(part);
        if capture.mode != RELAXED && capture.thread != std::thread::current().id() {
            return Err(CuError::STREAM_CAPTURE_WRONG_THREAD);
        }
        if capture.origin != stream.id {
            capture.invalidate();
            return Err(CuError::STREAM_CAPTURE_UNMATCHED);
        }
        let ends = capture.finish();
        let failure = if capture.is_invalid() {
            Some(CuError::STREAM_CAPTURE_INVALIDATED)
        } else if !capture.is_joined(&ends) {
            Some(CuError::STREAM_CAPTURE_UNJOINED)
        } else {
            None
        };
        match failure {
            Some(error) => {
                capture.discard();
                Err(error)
            }
            None => Ok(Arc::clone(&capture.graph)),
        }
    }

    /// Whether an error has spoilt it.
    pub fn is_invalid(&self) -> bool {
        self.is_invalid.load(Ordering::Acquire)
    }

    /// An error spoils it: all that is left to do is to end it.
    pub fn invalidate(&self) {
        self.is_invalid.store(true, Ordering::Release);
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Weak<Stream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn living_streams(&self) -> Vec<Arc<Stream>> {
        self.streams().iter().filter_map(Weak::upgrade).collect()
    }

    /// Lets go of all its streams. Returns the leaves of the stream that it began on, and all others'.
    fn finish(self: &Arc<Self>) -> (Vec<Edge>, Vec<Edge>) {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for stream in self.living_streams() {
            let leaves = stream
                .part()
                .take()
                .map_or_else(Vec::new, |part| part.leaves);
            if stream.id == self.origin {
                own = leaves;
            } else {
                others.extend(leaves);
            }
        }
        let mut captures = CAPTURES.lock().unwrap_or_else(PoisonError::into_inner);
        let before = captures.len();
        captures.retain(|capture| !Arc::ptr_eq(capture, self));
        ACTIVE.fetch_sub(before - captures.len(), Ordering::AcqRel);
        (own, others)
    }

    /// Whether the stream that it began on comes after everything that other streams did.
    fn is_joined(&self, (own, others): &(Vec<Edge>, Vec<Edge>)) -> bool {
        let before = self.graph.content().with_ancestors(own);
        others.iter().all(|edge| before.contains(&edge.from))
    }

    fn discard(&self) {
        if let Ok(driver) = driver::started()
            && !self.has_given_graph
        {
            self.graph.end(driver);
        }
    }
}

impl Part {
    fn new(capture: &Arc<Capture>, leaves: Vec<Edge>) -> Self {
        Self {
            capture: Arc::clone(capture),
            leaves,
            shown: (Vec::new(), Vec::new()),
        }
    }

    fn check_valid(&self) -> Answer {
        if self.capture.is_invalid() {
            Err(CuError::STREAM_CAPTURE_INVALIDATED)
        } else {
            Ok(())
        }
    }

    /// What follows comes after these, too.
    pub fn add_leaves(&mut self, leaves: &[Edge]) {
        for leaf in leaves {
            if !self.leaves.contains(leaf) {
                self.leaves.push(*leaf);
            }
        }
    }
}

impl CapturedPoint {
    /// Asking about a point that is never reached by itself is an error, and spoils the capture.
    pub fn refuse(&self) -> CuError {
        if let Some(capture) = self.capture.upgrade() {
            capture.invalidate();
        }
        CuError::CAPTURED_EVENT
    }
}

impl Stream {
    /// What it has to do with a capture.
    pub fn part(&self) -> MutexGuard<'_, Option<Part>> {
        self.part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether work given to it becomes nodes.
    pub fn is_capturing(&self) -> bool {
        ACTIVE.load(Ordering::Acquire) > 0 && self.part().is_some()
    }

    /// Adds work as a node if the stream is captured; says whether it did.
    ///
    /// # Errors
    /// `INVALIDATED` if an error has spoilt the capture, `IMPLICIT` as [`Stream::check_legacy`].
    pub fn is_captured(
        &self,
        context: &Context,
        operation: impl FnOnce() -> Operation,
    ) -> Result<bool, CuError> {
        if ACTIVE.load(Ordering::Acquire) == 0 {
            return Ok(false);
        }
        let mut part = self.part();
        let Some(part) = part.as_mut() else {
            self.check_legacy(context)?;
            return Ok(false);
        };
        part.check_valid()?;
        let graph = &part.capture.graph;
        let (from, _) = graph.add(driver::started()?, operation(), part.leaves.clone())?;
        part.leaves = vec![Edge {
            from,
            data: CUgraphEdgeData::default(),
        }];
        Ok(true)
    }

    /// Refuses what cannot become a node, such as waiting for the stream. The capture becomes invalid.
    pub fn refuse_capture(&self, context: &Context) -> Answer {
        if ACTIVE.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        match self.part().as_ref() {
            Some(part) => {
                part.check_valid()?;
                part.capture.invalidate();
                Err(CuError::STREAM_CAPTURE_UNSUPPORTED)
            }
            None => self.check_legacy(context),
        }
    }

    /// Work in the legacy default stream would have to wait for all blocking streams, so it may not be given while one is captured.
    fn check_legacy(&self, context: &Context) -> Answer {
        let conflicts = self.conflicting_captures(context);
        conflicts.iter().for_each(|capture| capture.invalidate());
        if conflicts.is_empty() {
            Ok(())
        } else {
            Err(CuError::STREAM_CAPTURE_IMPLICIT)
        }
    }

    /// For the legacy default stream: the captures of blocking streams of the context.
    pub fn conflicting_captures(&self, context: &Context) -> Vec<Arc<Capture>> {
        if self.kind != StreamKind::Legacy {
            return Vec::new();
        }
        let conflicts = |capture: &Arc<Capture>| {
            let streams = capture.living_streams();
            capture.context_id == context.id
                && streams.iter().any(|stream| stream.queue.is_blocking)
        };
        captures().into_iter().filter(conflicts).collect()
    }

    /// The point that the capture of the stream has reached; nothing if it is not captured.
    pub fn captured_point(&self) -> Result<Option<CapturedPoint>, CuError> {
        if ACTIVE.load(Ordering::Acquire) == 0 {
            return Ok(None);
        }
        let part = self.part();
        let Some(part) = part.as_ref() else {
            return Ok(None);
        };
        part.check_valid()?;
        Ok(Some(CapturedPoint {
            capture: Arc::downgrade(&part.capture),
            leaves: part.leaves.clone(),
        }))
    }

    /// Makes what follows in the stream come after a point of a capture: the stream becomes part of it.
    ///
    /// # Errors
    /// `CAPTURED_EVENT` if the capture has ended, `MERGE` if the stream is part of another one, `IMPLICIT` for the legacy stream.
    pub fn join(self: &Arc<Self>, point: &CapturedPoint) -> Answer {
        let capture = point.capture.upgrade().ok_or(CuError::CAPTURED_EVENT)?;
        if capture.is_invalid() {
            return Err(CuError::STREAM_CAPTURE_INVALIDATED);
        }
        if self.kind == StreamKind::Legacy {
            capture.invalidate();
            return Err(CuError::STREAM_CAPTURE_IMPLICIT);
        }
        let mut part = self.part();
        match part.as_mut() {
            Some(own) if Arc::ptr_eq(&own.capture, &capture) => own.add_leaves(&point.leaves),
            Some(other) => {
                other.capture.invalidate();
                capture.invalidate();
                return Err(CuError::STREAM_CAPTURE_MERGE);
            }
            None => {
                *part = Some(Part::new(&capture, point.leaves.clone()));
                capture.streams().push(Arc::downgrade(self));
            }
        }
        Ok(())
    }

    /// Work outside of the capture that the stream would have to wait for spoils it.
    pub fn refuse_isolation(&self) -> Answer {
        match self.part().as_ref() {
            Some(part) => {
                part.capture.invalidate();
                Err(CuError::STREAM_CAPTURE_ISOLATION)
            }
            None => Ok(()),
        }
    }

    /// The stream is being destroyed: its capture cannot succeed any more, and ends with the stream that it began on.
    pub fn abandon_capture(&self) {
        let Some(part) = self.part().take() else {
            return;
        };
        part.capture.invalidate();
        if part.capture.origin == self.id {
            part.capture.finish();
            part.capture.discard();
        }
    }
}
