//! Events: points in streams, with the time at which they were reached.

mod ipc;
mod shared_point;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::abi::{CUevent, CUstream};
use crate::boundary::Out;
use crate::context::{Context, current};
use crate::driver::{self, Driver};
use crate::graph::Operation;
use crate::status::{Answer, CuError};
use crate::stream::{CapturedPoint, Place, Queue, Stream, Ticket, resolve, unsafe_call};
use crate::surface::DefaultStream;

pub use ipc::{cuIpcGetEventHandle, cuIpcOpenEventHandle};
use shared_point::SharedPoint;

/// `CUevent_flags`: blocking wait 1, no timing 2, for other processes 4.
const ALL_FLAGS: u32 = 7;
const DISABLE_TIMING: u32 = 2;
const INTERPROCESS: u32 = 4;
/// `CU_EVENT_RECORD_EXTERNAL`, which means something in capture only.
const RECORD_EXTERNAL: u32 = 1;

/// An event.
pub struct Event {
    pub handle: CUevent,
    pub context_id: u64,
    flags: u32,
    recorded: Mutex<Option<Point>>,
    /// What other processes know of it, too, if it is an event for them.
    shared: Option<Arc<SharedPoint>>,
}

/// What an event was last recorded as.
#[derive(Clone)]
enum Point {
    Reached(Recorded),
    /// In a stream that was captured: an edge of a graph, which is never reached by itself.
    Captured(CapturedPoint),
}

/// The last point that was recorded.
#[derive(Clone)]
struct Recorded {
    tickets: Vec<Ticket>,
    /// Nanoseconds of the monotonic clock; 0 until the point is reached.
    reached_ns: Arc<AtomicU64>,
}

impl Event {
    /// Records the point behind all work of a stream.
    pub fn record(&self, context: &Context, stream: &Stream) {
        let (reached_ns, reach) = self.announce();
        let tickets = vec![stream.submit(context, reach)];
        self.set(Recorded {
            tickets,
            reached_ns,
        });
    }

    /// The clock of a new point, and what is to be done when it is reached.
    fn announce(&self) -> (Arc<AtomicU64>, impl FnOnce() + Send + 'static) {
        let reached_ns = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&reached_ns);
        let shared = self
            .shared
            .as_ref()
            .map(|shared| (Arc::clone(shared), shared.announce()));
        let reach = move || {
            clock.store(monotonic_ns(), Ordering::Release);
            if let Some((shared, number)) = shared {
                shared.reach(number);
            }
        };
        (reached_ns, reach)
    }

    /// Records the point behind all work of a context.
    pub fn record_after_all(&self, context: &Context) {
        let tickets: Vec<Ticket> = context
            .group
            .queues()
            .iter()
            .map(|queue| queue.tail())
            .collect();
        let (reached_ns, reach) = self.announce();
        let tickets = vec![
            context
                .legacy
                .submit_after(context, tickets, Place::Anywhere, reach),
        ];
        self.set(Recorded {
            tickets,
            reached_ns,
        });
    }

    /// Makes later work of a queue wait for the recorded point. An event that was never recorded holds nothing back.
    pub fn hold_back(&self, queue: &Arc<Queue>) {
        if let Some(shared) = &self.shared {
            let number = shared.announced();
            if !shared.has_reached(number) {
                let shared = Arc::clone(shared);
                queue.submit(Vec::new(), Place::Worker, move || shared.wait(number));
            }
            return;
        }
        if let Some(Point::Reached(recorded)) = self.last()
            && !recorded.is_done()
        {
            queue.submit(recorded.tickets, Place::Anywhere, || ());
        }
    }

    /// Where in a capture it was last recorded, if that was in one.
    pub fn captured_point(&self) -> Option<CapturedPoint> {
        match self.last() {
            Some(Point::Captured(point)) => Some(point),
            _ => None,
        }
    }

    /// Whether its last point has been reached, in whichever process it was recorded.
    fn is_reached(&self) -> Result<bool, CuError> {
        let recorded = self.reachable()?;
        Ok(match &self.shared {
            Some(shared) => shared.has_reached(shared.announced()),
            None => recorded.is_none_or(|recorded| recorded.is_done()),
        })
    }

    /// Waits until it has been.
    fn wait(&self) -> Answer {
        let recorded = self.reachable()?;
        match &self.shared {
            Some(shared) => shared.wait(shared.announced()),
            None => recorded
                .iter()
                .flat_map(|recorded| &recorded.tickets)
                .for_each(Ticket::wait),
        }
        Ok(())
    }

    /// The last recorded point for calls that ask whether it was reached.
    fn reachable(&self) -> Result<Option<Recorded>, CuError> {
        match self.last() {
            Some(Point::Captured(point)) => Err(point.refuse()),
            Some(Point::Reached(recorded)) => Ok(Some(recorded)),
            None => Ok(None),
        }
    }

    fn set(&self, recorded: Recorded) {
        self.set_point(Point::Reached(recorded));
    }

    fn set_point(&self, point: Point) {
        *self.recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(point);
    }

    fn last(&self) -> Option<Point> {
        self.recorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Recorded {
    fn is_done(&self) -> bool {
        self.tickets.iter().all(Ticket::is_done)
    }
}

/// The living event of a handle.
pub fn find(driver: &Driver, handle: CUevent) -> Result<Arc<Event>, CuError> {
    driver.events.get(handle.0).ok_or(CuError::INVALID_HANDLE)
}

/// The living event of a handle; NULL is refused before anything else, as 535 does.
fn find_first(handle: CUevent) -> Result<Arc<Event>, CuError> {
    if handle.is_null() {
        return Err(CuError::INVALID_HANDLE);
    }
    find(driver::started()?, handle)
}

/// A new event that was never recorded here.
fn insert(
    driver: &Driver,
    context: &Context,
    flags: u32,
    shared: Option<SharedPoint>,
) -> Result<CUevent, CuError> {
    let make = |handle| Event {
        handle: CUevent(handle),
        context_id: context.id,
        flags,
        recorded: Mutex::default(),
        shared: shared.map(Arc::new),
    };
    let event = driver.events.insert(make).ok_or(CuError::OUT_OF_MEMORY)?;
    Ok(event.handle)
}

fn monotonic_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes the local structure.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

pub fn cuEventCreate(phEvent: Out<CUevent>, Flags: u32) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let place = phEvent.required()?;
    let needs_no_timing = Flags & INTERPROCESS != 0 && Flags & DISABLE_TIMING == 0;
    if Flags & !ALL_FLAGS != 0 || needs_no_timing {
        return Err(CuError::INVALID_VALUE);
    }
    let shared = if Flags & INTERPROCESS == 0 {
        None
    } else {
        Some(SharedPoint::make().ok_or(CuError::OUT_OF_MEMORY)?)
    };
    place.set(insert(driver, &context, Flags, shared)?);
    Ok(())
}

pub fn cuEventDestroy(hEvent: CUevent) -> Answer {
    cuEventDestroy_v2(hEvent)
}

pub fn cuEventDestroy_v2(hEvent: CUevent) -> Answer {
    let event = find_first(hEvent)?;
    driver::started()?.events.remove(event.handle.0);
    Ok(())
}

pub fn cuEventRecord(default_stream: DefaultStream, hEvent: CUevent, hStream: CUstream) -> Answer {
    cuEventRecordWithFlags(default_stream, hEvent, hStream, 0)
}

pub fn cuEventRecordWithFlags(
    default_stream: DefaultStream,
    hEvent: CUevent,
    hStream: CUstream,
    flags: u32,
) -> Answer {
    let driver = driver::started()?;
    let (context, stream) = resolve(default_stream, hStream)?;
    let event = find(driver, hEvent)?;
    if flags & !RECORD_EXTERNAL != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    // An event belongs to a context, and its stream must be of the same one.
    if event.context_id != stream.context_id {
        return Err(CuError::INVALID_HANDLE);
    }
    if let Some(point) = stream.captured_point()? {
        // Inside a capture only the external form is a node; the plain one is an edge to come.
        if flags == RECORD_EXTERNAL {
            stream.is_captured(&context, || Operation::RecordEvent(hEvent))?;
        } else {
            event.set_point(Point::Captured(point));
        }
        return Ok(());
    }
    stream.refuse_capture(&context)?;
    event.record(&context, &stream);
    Ok(())
}

pub fn cuEventQuery(hEvent: CUevent) -> Answer {
    let event = find_first(hEvent)?;
    unsafe_call()?;
    if event.is_reached()? {
        Ok(())
    } else {
        Err(CuError::NOT_READY)
    }
}

pub fn cuEventSynchronize(hEvent: CUevent) -> Answer {
    find_first(hEvent)?.wait()
}

pub fn cuEventElapsedTime(pMilliseconds: Out<f32>, hStart: CUevent, hEnd: CUevent) -> Answer {
    // Measured on 535: a place that is NULL is told like an event that is.
    let place = pMilliseconds
        .required()
        .map_err(|_| CuError::INVALID_HANDLE)?;
    let (start, end) = (find_first(hStart)?, find_first(hEnd)?);
    let timed = |event: &Event| {
        let recorded = event
            .reachable()?
            .filter(|_| event.flags & DISABLE_TIMING == 0)
            .ok_or(CuError::INVALID_HANDLE)?;
        if recorded.is_done() {
            Ok(recorded.reached_ns.load(Ordering::Acquire))
        } else {
            Err(CuError::NOT_READY)
        }
    };
    let (start_ns, end_ns) = (timed(&start)?, timed(&end)?);
    place.set((end_ns as i64 - start_ns as i64) as f32 / 1e6);
    Ok(())
}

pub fn cuEventElapsedTime_v2(pMilliseconds: Out<f32>, hStart: CUevent, hEnd: CUevent) -> Answer {
    cuEventElapsedTime(pMilliseconds, hStart, hEnd)
}
