//! Whether threads that call at once slow each other down.

use crate::client::{Samples, median, minimum};
use crate::error::BenchError;
use crate::workbench::{Driver, Workbench};

/// Threads that call at once.
pub const THREADS: &str = "4";
const REPEATS: &str = "15";
const CALLS: &str = "250000";

/// CPU time of a call, nanoseconds, medians. CPU time leaves out what threads wait for a core, which is not the recorder's doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threads {
    /// One thread.
    pub alone_ns: f64,
    /// All threads, the mean of them.
    pub together_ns: f64,
    /// How much longer a call takes with the others, after taking out how much longer two rdtsc take with others: that is the cores'.
    pub slow_down: f64,
    /// The same of the least times.
    pub slow_down_min: f64,
}

/// Times bursts of one thread and of several.
///
/// # Errors
/// The client fails, or the trace is not complete.
pub fn measure(bench: &Workbench) -> Result<Threads, BenchError> {
    let (samples, recording) = bench.record(Driver::Idle, &["threads", REPEATS, CALLS, THREADS])?;
    recording.expect_calls(samples.count("calls")?)?;
    slow_down(&samples)
}

fn slow_down(samples: &Samples) -> Result<Threads, BenchError> {
    let [alone, together] = [
        samples.named("wrapped.alone")?,
        samples.named("wrapped.together")?,
    ];
    let [floor_alone, floor_together] = [
        samples.named("floor.alone")?,
        samples.named("floor.together")?,
    ];
    let factor = |of: fn(&[f64]) -> f64| {
        let cores = (of(floor_together) / of(floor_alone)).max(1.0);
        of(together) / of(alone) / cores
    };
    Ok(Threads {
        alone_ns: median(alone),
        together_ns: median(together),
        slow_down: factor(median),
        slow_down_min: factor(minimum),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cores_explain_is_taken_out() {
        let text = "floor.alone 10\nfloor.together 15\nwrapped.alone 20\nwrapped.together 36";
        let threads = slow_down(&Samples::parse(text).unwrap()).unwrap();
        assert_eq!(threads.slow_down, 1.2);
    }

    #[test]
    fn a_floor_that_got_faster_explains_nothing() {
        let text = "floor.alone 10\nfloor.together 5\nwrapped.alone 20\nwrapped.together 20";
        let threads = slow_down(&Samples::parse(text).unwrap()).unwrap();
        assert_eq!(threads.slow_down, 1.0);
    }
}
