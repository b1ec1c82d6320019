//! A trace as a whole, as rules look at it when all calls are read.

use cutape_trace_format::call::ProcessId;
use cutape_trace_format::trace::{ProcessEntry, Trace};

use super::client::Client;
use super::driver_exports::DriverExports;
use super::facts::ProcessFacts;

/// All that is known when the last call is read.
pub struct Story<'a> {
    /// The trace.
    pub trace: &'a Trace,
    /// What the driver exports, if the trace says it.
    pub exports: &'a DriverExports,
    /// What each process did, in the trace's order.
    pub processes: &'a [ProcessFacts],
    /// What each process is, in the same order.
    pub clients: &'a [Client],
}

impl Story<'_> {
    /// What the trace says of a process.
    pub fn entry(&self, process: ProcessId) -> Option<&ProcessEntry> {
        self.trace.process(process)
    }

    /// All calls of all processes.
    pub fn calls(&self) -> u64 {
        self.processes.iter().map(|facts| facts.calls).sum()
    }

    /// The end of the recorded program; where that was not seen, of the last call on record. CLOCK_MONOTONIC nanoseconds.
    pub fn end_ns(&self) -> u64 {
        let last = self.processes.iter().map(|facts| facts.last_ns).max();
        self.trace
            .exit()
            .map_or(0, |exit| exit.at_ns)
            .max(last.unwrap_or(0))
    }
}
