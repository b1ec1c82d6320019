//! Streams: order of work, and the calls about them.

mod attributes;
mod calls;
mod capture;
mod capture_calls;
mod host_function;
mod memory_op;
mod queue;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub use attributes::*;
pub use calls::*;
pub use capture::{CapturedPoint, end_captures_of, unsafe_call, waits_for_context};
pub use capture_calls::*;
pub use host_function::*;
pub use memory_op::*;
pub use queue::{Group, Place, Queue, Ticket, with_signals_blocked};

use crate::abi::{CUcontext, CUstream};
use crate::context::{Context, current, per_thread_stream};
use crate::driver;
use crate::status::CuError;
use crate::surface::DefaultStream;

/// The handles that stand for the default streams.
pub const LEGACY: CUstream = CUstream(1);
/// The calling thread's own default stream.
pub const PER_THREAD: CUstream = CUstream(2);

/// `CU_STREAM_NON_BLOCKING`.
pub const NON_BLOCKING: u32 = 1;

/// What sort of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// The context's legacy default stream: all blocking streams keep order with it.
    Legacy,
    /// A thread's own default stream.
    PerThread,
    /// Made by `cuStreamCreate`.
    Created,
}

/// A stream.
pub struct Stream {
    pub handle: CUstream,
    pub kind: StreamKind,
    pub context: CUcontext,
    pub context_id: u64,
    /// What `cuStreamGetId` answers.
    pub id: u64,
    pub flags: u32,
    pub priority: i32,
    pub queue: Arc<Queue>,
    group: Arc<Group>,
    attributes: Mutex<attributes::Attributes>,
    part: Mutex<Option<capture::Part>>,
    /// Its green context is gone.
    is_detached: AtomicBool,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Stream {
    /// One of the default streams of a context.
    pub fn default_of(
        kind: StreamKind,
        context: CUcontext,
        context_id: u64,
        group: &Arc<Group>,
    ) -> Self {
        let handle = if kind == StreamKind::Legacy {
            LEGACY
        } else {
            PER_THREAD
        };
        Self {
            handle,
            kind,
            context,
            context_id,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            flags: 0,
            priority: 0,
            queue: Queue::new(group, true),
            group: Arc::clone(group),
            attributes: Mutex::default(),
            part: Mutex::default(),
            is_detached: AtomicBool::new(false),
        }
    }

    /// A stream that the program asks for.
    pub fn created(handle: CUstream, context: &Context, flags: u32, priority: i32) -> Self {
        let made = Self::default_of(
            StreamKind::Created,
            context.handle,
            context.id,
            &context.group,
        );
        let queue = if flags & NON_BLOCKING != 0 {
            Queue::new(&context.group, false)
        } else {
            Arc::clone(&made.queue)
        };
        Self {
            handle,
            flags,
            priority,
            queue,
            ..made
        }
    }

    /// Its green context goes: nothing more is taken, and what was being captured is lost.
    pub fn detach(&self) {
        self.is_detached.store(true, Ordering::Release);
        self.abandon_capture();
    }

    /// Does work in the stream's order, at once where nothing is ahead.
    pub fn submit(&self, context: &Context, work: impl FnOnce() + Send + 'static) -> Ticket {
        self.submit_after(context, Vec::new(), Place::Anywhere, work)
    }

    /// The same, also after the given points, and where the caller says.
    pub fn submit_after(
        &self,
        context: &Context,
        mut after: Vec<Ticket>,
        place: Place,
        work: impl FnOnce() + Send + 'static,
    ) -> Ticket {
        after.extend(self.order_between_streams(context));
        self.queue.submit(after, place, work)
    }

    /// Whether all its work is done, and all work that it keeps order with.
    pub fn is_idle(&self) -> bool {
        !self.group.has_waiting() || self.queue.is_idle()
    }

    /// What the legacy default stream and the blocking streams owe each other.
    fn order_between_streams(&self, context: &Context) -> Vec<Ticket> {
        if !self.queue.is_blocking || !self.group.has_waiting() || self.context_id != context.id {
            return Vec::new();
        }
        match self.kind {
            StreamKind::Legacy => {
                let others = self.group.queues().into_iter();
                others
                    .filter(|queue| queue.is_blocking && !Arc::ptr_eq(queue, &self.queue))
                    .map(|queue| queue.tail())
                    .collect()
            }
            _ => vec![context.legacy.queue.tail()],
        }
    }
}

/// The stream that a handle means in the current context, and that context.
///
/// # Errors
/// As [`current`], `INVALID_HANDLE` for what is no living stream, and `STREAM_DETACHED` for one whose green context is gone.
pub fn resolve(
    default_stream: DefaultStream,
    handle: CUstream,
) -> Result<(Arc<Context>, Arc<Stream>), CuError> {
    let context = current()?;
    let stream = match (handle, default_stream) {
        (CUstream(0), DefaultStream::Legacy) | (LEGACY, _) => Arc::clone(&context.legacy),
        (CUstream(0), DefaultStream::PerThread) | (PER_THREAD, _) => per_thread_stream(&context),
        _ => {
            let stream = driver::started()?.streams.get(handle.0);
            let stream = stream.ok_or(CuError::INVALID_HANDLE)?;
            if stream.is_detached.load(Ordering::Acquire) {
                return Err(CuError::STREAM_DETACHED);
            }
            stream
        }
    };
    Ok((context, stream))
}
