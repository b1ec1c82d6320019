//! The threads that read, decode and count, so that the thread that draws never waits.
//!
//! Work is a [`Job`]: a closure that is given a [`Worker`] and answers by messages. A job has a [`Slot`]; a new job in a slot takes the place
//! of the one that is there, which is told to stop.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::msg::Msg;
use crate::opened::Opened;

/// Names of our threads begin so; the panic hook leaves these to [`catch_unwind`].
pub const THREAD_NAME: &str = "cutape-worker";

/// What a job is for. There is one job at a time of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Building the index, and what is counted from it.
    Index,
    /// Rows of the list of calls.
    Rows,
    /// Details of one call.
    Details,
    /// Looking for loops in the list of calls.
    Folds,
    /// Looking for a call of some kind, or for a text.
    Find,
    /// Choosing the calls that match a filter.
    Filter,
    /// Comparing with a second trace.
    Comparison,
    /// Finding all objects.
    Objects,
    /// Putting objects into order.
    ObjectOrder,
    /// Lanes of the time line.
    Timeline,
    /// Counting calls.
    Stats,
    /// Something to be copied.
    Copy,
    /// Remembering settings.
    Settings,
}

/// Which thread does a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Done within milliseconds: what is on the screen.
    Quick,
    /// May take a while: what was asked for.
    Long,
    /// May take a while: what is done without being asked for.
    Background,
}

impl Slot {
    /// The thread that does its jobs.
    fn lane(self) -> Lane {
        match self {
            Self::Rows | Self::Details | Self::Copy | Self::Settings => Lane::Quick,
            Self::Comparison
            | Self::Folds
            | Self::Find
            | Self::Filter
            | Self::ObjectOrder
            | Self::Objects
            | Self::Stats
            | Self::Timeline => Lane::Long,
            Self::Index => Lane::Background,
        }
    }
}

/// Something to do.
pub struct Job {
    /// What it is for.
    pub slot: Slot,
    work: Box<dyn FnOnce(&Worker<'_>) + Send>,
}

impl Job {
    /// A job.
    pub fn new(slot: Slot, work: impl FnOnce(&Worker<'_>) + Send + 'static) -> Self {
        Self {
            slot,
            work: Box::new(work),
        }
    }

    /// Does it here and now.
    pub fn run(self, worker: &Worker<'_>) {
        (self.work)(worker);
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Job")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

/// What a job works with.
#[derive(Debug)]
pub struct Worker<'a> {
    /// The trace.
    pub opened: &'a Opened,
    stop: &'a AtomicBool,
    messages: &'a Sender<Msg>,
}

impl<'a> Worker<'a> {
    /// What a job works with.
    pub fn new(opened: &'a Opened, stop: &'a AtomicBool, messages: &'a Sender<Msg>) -> Self {
        Self {
            opened,
            stop,
            messages,
        }
    }

    /// Whether nobody wants the answer any more.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Answers. What is sent by a job that was told to stop is dropped.
    pub fn send(&self, message: Msg) {
        if !self.is_stopped() {
            // Nobody listens any more when the viewer ends.
            let _ = self.messages.send(message);
        }
    }
}

/// A job on its way to a thread.
type Order = (Job, Arc<AtomicBool>);

/// The threads.
#[derive(Debug)]
pub struct Workers {
    quick: Sender<Order>,
    long: Sender<Order>,
    background: Sender<Order>,
    current: HashMap<Slot, Arc<AtomicBool>>,
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(opened: &Arc<Opened>, messages: &Sender<Msg>) -> std::io::Result<Self> {
        let lane = |name: &str| -> std::io::Result<Sender<Order>> {
            let (sender, orders) = unbounded();
            let (opened, messages) = (Arc::clone(opened), messages.clone());
            thread::Builder::new()
                .name(format!("{THREAD_NAME}-{name}"))
                .spawn(move || serve(&orders, &opened, &messages))?;
            Ok(sender)
        };
        Ok(Self {
            quick: lane("quick")?,
            long: lane("long")?,
            background: lane("background")?,
            current: HashMap::new(),
        })
    }

    /// Gives a job to a thread; the one that was in its slot is told to stop.
    pub fn give(&mut self, job: Job) {
        let stop = Arc::new(AtomicBool::new(false));
        if let Some(before) = self.current.insert(job.slot, Arc::clone(&stop)) {
            before.store(true, Ordering::Relaxed);
        }
        let lane = match job.slot.lane() {
            Lane::Quick => &self.quick,
            Lane::Long => &self.long,
            Lane::Background => &self.background,
        };
        // A thread lives as long as its sender.
        let _ = lane.send((job, stop));
    }

    /// Tells the job in a slot to stop.
    pub fn stop(&mut self, slot: Slot) {
        if let Some(job) = self.current.remove(&slot) {
            job.store(true, Ordering::Relaxed);
        }
    }

    /// Tells all jobs to stop.
    pub fn stop_all(&mut self) {
        self.current
            .drain()
            .for_each(|(_, stop)| stop.store(true, Ordering::Relaxed));
    }
}

fn serve(orders: &Receiver<Order>, opened: &Opened, messages: &Sender<Msg>) {
    for (job, stop) in orders {
        let worker = Worker::new(opened, &stop, messages);
        if worker.is_stopped() {
            continue;
        }
        let slot = job.slot;
        let result = catch_unwind(AssertUnwindSafe(|| job.run(&worker)));
        if let Err(panic) = result {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no reason given");
            worker.send(Msg::JobFailed {
                slot,
                why: text.to_owned(),
            });
        }
    }
}
