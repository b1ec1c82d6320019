//! How long work takes, and how much of processors it takes: on a machine that others use, too, the second is the steadier one.

use std::fs;
use std::time::{Duration, Instant};

/// Steps of a second in which Linux counts a process's time for /proc, on every architecture that we know.
const TICKS_PER_SECOND: u32 = 100;
/// Place of the time in user mode among the fields behind the name; that in the kernel follows.
const USER_TIME: usize = 11;

/// What work cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// From begin to end.
    pub time: Duration,
    /// Of all processors together, in steps of 10 ms.
    pub processors: Duration,
}

/// The clocks at one moment.
pub struct Clocks {
    time: Instant,
    processors: Duration,
}

impl Clocks {
    /// Now.
    pub fn now() -> Self {
        Self {
            time: Instant::now(),
            processors: processor_time(),
        }
    }

    /// What it cost since then.
    pub fn since(&self) -> Cost {
        Cost {
            time: self.time.elapsed(),
            processors: processor_time().saturating_sub(self.processors),
        }
    }
}

/// Time that all threads of this process had a processor.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default();
    let fields = fields.split_whitespace().skip(USER_TIME).take(2);
    let ticks: u32 = fields.filter_map(|field| field.parse::<u32>().ok()).sum();
    Duration::from_secs(1) * ticks / TICKS_PER_SECOND
}
