//! What follows from what: a call that fails because an earlier one did is told beneath that one.

use std::collections::HashMap;

use cutape_cuda_api::Function;
use cutape_trace_format::call::ThreadId;

use crate::divergence::Divergence;
use crate::judge::{Roots, sets_current};
use crate::verdict::Verdict;

/// Functions without which nothing works, by base name.
const STARTS: [&str; 4] = ["cuInit", "nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags"];
/// The function that tells how many devices there are, by base name.
const COUNT: &str = "cuDeviceGetCount";
/// `CUDA_ERROR_INVALID_DEVICE`.
const INVALID_DEVICE: u32 = 101;
/// `CUDA_ERROR_INVALID_CONTEXT`.
const INVALID_CONTEXT: u32 = 201;
/// Errors that a context never recovers from, so that every later call fails with them: cuda.h says so of each.
const LASTING: [u32; 12] = [214, 220, 700, 702, 710, 714, 715, 716, 717, 718, 719, 721];
/// Calls whose cause is kept.
const MAX_ROOTS: usize = 1 << 20;

/// What has gone wrong so far in a process.
#[derive(Debug, Default)]
pub struct Causes {
    /// The call that should have started the driver.
    start: Option<u64>,
    /// The call that should have told how many devices there are.
    devices: Option<u64>,
    /// By thread: the call without which it has no current context.
    contexts: HashMap<ThreadId, u64>,
    /// By code: the first call that failed with it.
    lasting: HashMap<u32, u64>,
    roots: Roots,
}

impl Causes {
    /// The first cause of the divergence of a call.
    pub fn root(&self, seq: u64) -> u64 {
        self.roots.get(&seq).copied().unwrap_or(seq)
    }

    /// The thread has a current context.
    pub fn context_is_set(&mut self, thread: ThreadId) {
        self.contexts.remove(&thread);
    }

    /// What a divergence follows from; `code` is that of a failure.
    pub fn of_failure(&self, thread: ThreadId, code: Option<u32>) -> Option<u64> {
        if self.start.is_some() {
            return self.start;
        }
        if let Some(&first) = code.and_then(|code| self.lasting.get(&code)) {
            return Some(first);
        }
        let context = self.contexts.get(&thread).copied();
        match code {
            Some(INVALID_DEVICE) if self.devices.is_some() => self.devices,
            None | Some(INVALID_CONTEXT) => context,
            Some(_) => None,
        }
    }

    /// A divergence was found.
    pub fn observe(
        &mut self,
        thread: ThreadId,
        function: Option<&Function>,
        divergence: &Divergence,
    ) {
        let seq = divergence.call.seq;
        let root = divergence.cause.unwrap_or(seq);
        if root != seq && self.roots.len() < MAX_ROOTS {
            self.roots.insert(seq, root);
        }
        let is_count = function.is_some_and(|function| function.base == COUNT);
        if is_count && !divergence.recorded.is_failure() {
            self.devices.get_or_insert(root);
        }
        let has_failed = matches!(
            divergence.verdict,
            Verdict::Regressed | Verdict::MissingSymbol | Verdict::Skipped
        );
        let worked_before = !divergence.recorded.is_failure();
        let Some(function) = function.filter(|_| has_failed && worked_before) else {
            return;
        };
        if STARTS.contains(&function.base.as_str()) {
            self.start.get_or_insert(root);
        }
        if sets_current(function) {
            self.contexts.entry(thread).or_insert(root);
        }
        let code = divergence
            .replayed
            .as_ref()
            .and_then(|answer| answer.code_number());
        if let Some(code) = code.filter(|code| LASTING.contains(code)) {
            self.lasting.entry(code).or_insert(root);
        }
    }
}
