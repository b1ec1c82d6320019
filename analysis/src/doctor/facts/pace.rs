//! How long the driver takes to answer questions that need no work.

/// Mean time a call above which a start-up of [`START_UP_CALLS`] calls misses Ollama's 3 seconds for a refresh, nanoseconds.
pub const REFRESH_LIMIT_NS: u64 = 6_000_000;
/// The same for its 30 seconds for the first discovery.
pub const BOOTSTRAP_LIMIT_NS: u64 = 65_000_000;
/// Calls that are no look-ups in one start-up of GGML's backend, with one device.
pub const START_UP_CALLS: u64 = 155;
/// Questions that are timed: those of a process's start.
const MOST_TIMED: u64 = 400;
/// With fewer, one interruption decides.
const LEAST_TIMED: u64 = 8;

/// The first questions of a process that need no work of the GPU.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// How many were timed.
    pub calls: u64,
    /// The time they took, nanoseconds.
    pub total_ns: u64,
    /// Those that took more than half of what the limit allows.
    slow: u64,
    /// The slowest: its number and time.
    pub slowest: (u64, u64),
}

impl Pace {
    /// Takes in a question that was answered.
    pub fn add(&mut self, seq: u64, duration_ns: u64) {
        if self.calls >= MOST_TIMED {
            return;
        }
        self.calls += 1;
        self.total_ns = self.total_ns.saturating_add(duration_ns);
        self.slow += u64::from(duration_ns > REFRESH_LIMIT_NS / 2);
        if duration_ns > self.slowest.1 {
            self.slowest = (seq, duration_ns);
        }
    }

    /// The mean time of a question, if it is beyond Ollama's limits. A machine that is busy makes some calls slow; a slow way to the GPU
    /// makes most of them slow.
    pub fn too_slow_ns(&self) -> Option<u64> {
        let mean = self.total_ns.checked_div(self.calls)?;
        (self.calls >= LEAST_TIMED && mean > REFRESH_LIMIT_NS && self.slow * 2 > self.calls)
            .then_some(mean)
    }
}
