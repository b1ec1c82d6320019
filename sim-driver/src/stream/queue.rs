//! Work in order. As long as nothing is waiting, work is done on the caller's thread at once; what must wait (a host function, work
//! behind one, work behind an event) goes to a worker thread that lives until the queue is empty.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// Something to do.
pub type Work = Box<dyn FnOnce() + Send>;

/// A point in a queue: everything up to some piece of work.
#[derive(Clone)]
pub struct Ticket {
    queue: Arc<Queue>,
    number: u64,
}

impl Ticket {
    /// Whether that point has been reached.
    pub fn is_done(&self) -> bool {
        self.queue.state().completed >= self.number
    }

    /// Waits until it is.
    pub fn wait(&self) {
        let mut state = self.queue.state();
        while state.completed < self.number {
            state = self
                .queue
                .progress
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The queues of a context, for the order between the legacy default stream and the others.
#[derive(Default)]
pub struct Group {
    /// Pieces of work, over all queues, that were not done at once and are not done yet.
    waiting: AtomicUsize,
    queues: Mutex<Vec<Weak<Queue>>>,
}

impl Group {
    /// All living queues.
    pub fn queues(&self) -> Vec<Arc<Queue>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| queue.strong_count() > 0);
        queues.iter().filter_map(Weak::upgrade).collect()
    }

    /// Waits for all work that was given so far.
    pub fn wait(&self) {
        if self.has_waiting() {
            for queue in self.queues() {
                queue.tail().wait();
            }
        }
    }

    /// Whether any queue may have unfinished work.
    pub fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }
}

/// Where a piece of work is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the caller's thread if nothing is ahead of it.
    Anywhere,
    /// Never on the caller's thread.
    Worker,
}

/// One stream's work.
pub struct Queue {
    group: Arc<Group>,
    /// Whether it keeps order with the legacy default stream.
    pub is_blocking: bool,
    state: Mutex<State>,
    progress: Condvar,
}

#[derive(Default)]
struct State {
    given: u64,
    completed: u64,
    /// Whether a thread is doing work now: the worker, or a caller.
    is_running: bool,
    jobs: VecDeque<Job>,
}

struct Job {
    after: Vec<Ticket>,
    work: Work,
}

impl Queue {
    /// An empty queue of the group.
    pub fn new(group: &Arc<Group>, is_blocking: bool) -> Arc<Self> {
        let queue = Arc::new(Self {
            group: Arc::clone(group),
            is_blocking,
            state: Mutex::default(),
            progress: Condvar::new(),
        });
        group
            .queues
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::downgrade(&queue));
        queue
    }

    /// Does the work, or has it done after what is ahead and after the tickets. Returns the point behind it.
    pub fn submit(
        self: &Arc<Self>,
        mut after: Vec<Ticket>,
        place: Place,
        work: impl FnOnce() + Send + 'static,
    ) -> Ticket {
        after.retain(|ticket| !ticket.is_done());
        let mut state = self.state();
        state.given += 1;
        let ticket = Ticket {
            queue: Arc::clone(self),
            number: state.given,
        };
        if place == Place::Anywhere
            && after.is_empty()
            && !state.is_running
            && state.jobs.is_empty()
        {
            state.is_running = true;
            drop(state);
            work();
            self.finish_inline();
        } else {
            self.group.waiting.fetch_add(1, Ordering::AcqRel);
            state.jobs.push_back(Job {
                after,
                work: Box::new(work),
            });
            // A caller that is running work now starts the worker when it is done.
            if !state.is_running {
                self.start_worker(state);
            }
        }
        ticket
    }

    /// The point behind everything given so far.
    pub fn tail(self: &Arc<Self>) -> Ticket {
        Ticket {
            queue: Arc::clone(self),
            number: self.state().given,
        }
    }

    /// Whether everything given is done.
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        state.completed == state.given
    }

    fn finish_inline(self: &Arc<Self>) {
        let mut state = self.state();
        state.completed += 1;
        state.is_running = false;
        if state.jobs.is_empty() {
            drop(state);
        } else {
            self.start_worker(state);
        }
        self.progress.notify_all();
    }

    fn start_worker(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.is_running = true;
        drop(state);
        let queue = Arc::clone(self);
        let builder = std::thread::Builder::new().name("cuda-sim".to_owned());
        if with_signals_blocked(|| builder.spawn(move || queue.work_off())).is_err() {
            // No thread can be had (RLIMIT_NPROC): late is better than never, so the caller does what waits.
            self.work_off();
        }
    }

    /// The worker's life: one job after another until none is left.
    fn work_off(self: &Arc<Self>) {
        loop {
            let job = {
                let mut state = self.state();
                match state.jobs.pop_front() {
                    Some(job) => job,
                    None => {
                        state.is_running = false;
                        return;
                    }
                }
            };
            for ticket in &job.after {
                ticket.wait();
            }
            (job.work)();
            self.state().completed += 1;
            self.group.waiting.fetch_sub(1, Ordering::AcqRel);
            self.progress.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads inherit the signal mask: the program's signals must not land on a thread that it does not know of.
pub fn with_signals_blocked<R>(start: impl FnOnce() -> R) -> R {
    // SAFETY: the sets are local and initialised by the calls; the mask is put back before returning.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let result = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}
