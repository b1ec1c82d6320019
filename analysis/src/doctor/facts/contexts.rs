//! Which device a thread's current context is on.

use std::collections::HashMap;

use cutape_trace_format::call::ThreadId;

/// Contexts and threads kept of a process; beyond, calls are taken for the first device's.
const MAX_KEPT: usize = 1 << 14;

/// Contexts by handle, and each thread's current one.
#[derive(Clone, Debug, Default)]
pub struct Contexts {
    device_of: HashMap<u64, i32>,
    current: HashMap<ThreadId, u64>,
}

impl Contexts {
    /// A context was retained or created on a device.
    pub fn made(&mut self, context: u64, device: i32) {
        if self.device_of.len() < MAX_KEPT || self.device_of.contains_key(&context) {
            self.device_of.insert(context, device);
        }
    }

    /// A context became a thread's current one; 0 is none.
    pub fn made_current(&mut self, thread: ThreadId, context: u64) {
        if self.current.len() < MAX_KEPT || self.current.contains_key(&thread) {
            self.current.insert(thread, context);
        }
    }

    /// The device that a thread's calls are about, if it is known.
    pub fn device(&self, thread: ThreadId) -> Option<i32> {
        self.device_of.get(self.current.get(&thread)?).copied()
    }
}
