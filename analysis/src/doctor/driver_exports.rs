//! What programs find in the driver library, as the recording noted it.

use std::collections::{HashMap, HashSet};

use cutape_trace_format::call::ProcessId;
use cutape_trace_format::trace::Trace;

/// The driver's exported functions. Traces recorded without `cutape record`, or by an older one, don't say.
#[derive(Debug, Default)]
pub struct DriverExports {
    names: HashSet<String>,
    by_offset: HashMap<u64, Vec<String>>,
}

impl DriverExports {
    /// As a trace has them.
    pub fn of(trace: &Trace) -> Self {
        let mut exports = Self::default();
        let listed = trace
            .recording()
            .map_or(&[][..], |recording| &recording.driver_exports);
        for (name, offset) in listed {
            exports.names.insert(name.clone());
            exports
                .by_offset
                .entry(*offset)
                .or_default()
                .push(name.clone());
        }
        exports
    }

    /// Whether the trace says what the driver exports.
    pub fn are_known(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether the driver exports a function; not so if that isn't known.
    pub fn have(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether it is known that the driver does not export a function.
    pub fn lack(&self, name: &str) -> bool {
        self.are_known() && !self.have(name)
    }

    /// The exported functions at an address of a process: several names may stand for one function. Empty where it is not known.
    pub fn at(&self, trace: &Trace, process: ProcessId, address: u64, at_ns: u64) -> &[String] {
        if self.by_offset.is_empty() {
            return &[];
        }
        let driver = trace
            .process(process)
            .map_or("", |entry| entry.process.driver.as_str());
        trace
            .module_at(process, address, at_ns)
            .filter(|(library, _)| library.path == driver)
            .and_then(|(_, offset)| self.by_offset.get(&offset))
            .map_or(&[], Vec::as_slice)
    }
}
