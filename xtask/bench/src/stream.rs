//! How much room a recording takes, on calls like a PyTorch training loop's with latencies like a driver's.

use crate::error::BenchError;
use crate::trace_check::BytesPerCall;
use crate::workbench::{Driver, Workbench};

/// Calls to record.
pub const CALLS: &str = "1000000";

/// Records the stream and looks at the files.
///
/// # Errors
/// The client fails, or a call is missing.
pub fn measure(bench: &Workbench) -> Result<BytesPerCall, BenchError> {
    let (samples, recording) = bench.record(Driver::Working, &["stream", CALLS])?;
    let made = samples.count("calls")?;
    recording.expect_calls(made)?;
    recording.bytes_per_call(made)
}
