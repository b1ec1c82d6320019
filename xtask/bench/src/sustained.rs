//! How many calls a second can be recorded for as long as one likes, with nothing lost.

use crate::client::{median, minimum};
use crate::error::BenchError;
use crate::workbench::{Driver, Workbench};

/// Threads that call.
pub const THREADS: &str = "2";
/// Calls of each.
pub const CALLS_EACH: &str = "16000000";
const RUNS: usize = 3;

/// Which calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Only calls with three scalar arguments.
    Scalars3,
    /// Calls with 1, 3 and 11 scalar arguments and with an out-parameter in turn.
    Mixed,
}

/// One mix of calls, sustained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls a second from the first to the last, all threads together; median of the runs.
    pub median: f64,
    /// The best run.
    pub best: f64,
    /// Time that threads waited for room in their rings in the median run, as a share of theirs.
    pub waited_share: f64,
    /// CPU time that the recorder's own thread takes for a call, nanoseconds: with a core to itself it keeps up with one call in that
    /// time, however busy the machine was during the run.
    pub recorder_ns: f64,
}

/// Makes the calls, and finds every one of them in the trace.
///
/// # Errors
/// The client fails, or a call is missing.
pub fn measure(bench: &Workbench, mix: Mix) -> Result<Rate, BenchError> {
    let name = match mix {
        Mix::Scalars3 => "scalars3",
        Mix::Mixed => "mix",
    };
    let (mut seconds_a_call, mut waited, mut recorder) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (samples, recording) =
            bench.record(Driver::Idle, &["sustained", name, THREADS, CALLS_EACH])?;
        let waited_ns = recording.expect_calls(samples.count("calls")?)?;
        let wall_ns = samples.named("wall_ns")?[0];
        recorder.push(samples.named("recorder_ns")?[0]);
        seconds_a_call.push(wall_ns * 1e-9 / samples.named("rate_calls")?[0]);
        waited.push(waited_ns as f64 / (wall_ns * THREADS.parse::<f64>().unwrap_or(1.0)));
    }
    Ok(Rate {
        median: 1.0 / median(&seconds_a_call),
        best: 1.0 / minimum(&seconds_a_call),
        waited_share: median(&waited),
        recorder_ns: median(&recorder),
    })
}
