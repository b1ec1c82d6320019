//! Events: points in streams, with the time at which they were reached.

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
        let reached_ns = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&reached_ns);
        let ticket = stream.submit(context, move || {
            clock.store(monotonic_ns(), Ordering::Release)
        });
        self.set(Recorded {
            tickets: vec![ticket],
            reached_ns,
        });
    }

    /// Records the point behind all work of a context.
    pub fn record_after_all(&self, context: &Context) {
        let tickets: Vec<Ticket> = context
            .group
            .queues()
            .iter()
            .map(|queue| queue.tail())
            .collect();
        let reached_ns = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&reached_ns);
        let place = Place::Anywhere;
        let ticket = context
            .legacy
            .submit_after(context, tickets, place, move || {
                clock.store(monotonic_ns(), Ordering::Release)
            });
        self.set(Recorded {
            tickets: vec![ticket],
            reached_ns,
        });
    }

    /// Makes later work of a queue wait for the recorded point. An event that was never recorded holds nothing back.
    pub fn hold_back(&self, queue: &Arc<Queue>) {
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
    let make = |handle| Event {
        handle: CUevent(handle),
        context_id: context.id,
        flags: Flags,
        recorded: Mutex::default(),
    };
    place.set(
        driver
            .events
            .insert(make)
            .ok_or(CuError::OUT_OF_MEMORY)?
            .handle,
    );
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
    match event.reachable()? {
        Some(recorded) if !recorded.is_done() => Err(CuError::NOT_READY),
        _ => Ok(()),
    }
}

pub fn cuEventSynchronize(hEvent: CUevent) -> Answer {
    let event = find_first(hEvent)?;
    if let Some(recorded) = event.reachable()? {
        recorded.tickets.iter().for_each(Ticket::wait);
    }
    Ok(())
}

pub fn cuEventElapsedTime(pMilliseconds: Out<f32>, hStart: CUevent, hEnd: CUevent) -> Answer {
    let (start, end) = (find_first(hStart)?, find_first(hEnd)?);
    let place = pMilliseconds.required()?;
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
