//! Which recorded contexts are primary contexts, and of which device.
//!
//! libcudart asks the export table CUDART_INTERFACE for them and makes them current before any recorded call has answered them. So what
//! a later `cuDevicePrimaryCtxRetain` answers must be known beforehand.

use cutape_trace_format::call::{Call, FunctionId, ProcessId};
use cutape_trace_format::trace::Trace;
use serde::{Deserialize, Serialize};

/// The function that asks for export tables; without it there is nothing to know beforehand.
const TABLES: &str = "cuGetExportTable";
/// `CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)`.
const RETAIN: &str = "cuDevicePrimaryCtxRetain";
/// Devices times processes; a trace that has more is not of this world.
const MAX_CONTEXTS: usize = 1 << 16;

/// A primary context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimaryContext {
    /// Its recorded handle.
    pub handle: u64,
    /// The device.
    pub device: i32,
    /// The first call that retained it.
    pub retained_by: u64,
}

/// Primary contexts of a trace's processes.
#[derive(Debug, Default)]
pub struct PrimaryContexts(Vec<(ProcessId, PrimaryContext)>);

impl PrimaryContexts {
    /// Reads the trace up to a call. Only traces of programs that ask for export tables are read.
    pub fn of(trace: &Trace, until: u64) -> Self {
        let mut contexts = Self::default();
        let schema = trace.schema();
        if let (Some(_), Some(retain)) = (schema.find(TABLES), schema.find(RETAIN)) {
            contexts.read(trace, retain, until);
        }
        contexts
    }

    fn read(&mut self, trace: &Trace, retain: FunctionId, until: u64) {
        let mut calls = trace.calls();
        let mut call = Call::default();
        loop {
            match calls.read_next(&mut call) {
                Ok(true) if call.seq > until || self.0.len() >= MAX_CONTEXTS => return,
                Ok(true) if call.function == retain && call.returned == Some(0) => self.add(&call),
                Ok(false) => return,
                // Damage is told when the calls are played.
                Ok(true) | Err(_) => {}
            }
        }
    }

    fn add(&mut self, call: &Call) {
        let context = call
            .capture(0, true)
            .and_then(|capture| <[u8; 8]>::try_from(capture.bytes).ok())
            .map(u64::from_le_bytes);
        if let (Some(context), Some(&device)) = (context, call.args.get(1)) {
            let is_known = |(process, known): &(ProcessId, PrimaryContext)| {
                *process == call.process && known.handle == context
            };
            if !self.0.iter().any(is_known) {
                let context = PrimaryContext {
                    handle: context,
                    device: device as i32,
                    retained_by: call.seq,
                };
                self.0.push((call.process, context));
            }
        }
    }

    /// The contexts of a process.
    pub fn of_process(&self, process: ProcessId) -> Vec<PrimaryContext> {
        let own = self.0.iter().filter(|(of, _)| *of == process);
        own.map(|(_, context)| *context).collect()
    }
}
