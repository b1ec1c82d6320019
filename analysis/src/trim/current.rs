//! Which calls made the contexts current that threads work in.

use std::collections::{BTreeSet, HashMap};

use cutape_trace_format::call::ThreadId;

use super::shaping::CurrentStep;

/// Contexts that a thread has pushed; more than any program does.
const MAX_DEPTH: usize = 256;

/// One context that is current, or was before others were pushed.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The call that made it so.
    seq: u64,
    /// A call that may be kept relies on it.
    relied_on: bool,
}

#[derive(Debug, Default)]
struct Thread {
    stack: Vec<Entry>,
    /// Calls that changed what is current since a wanted call last saw it.
    changes: Vec<u64>,
    /// A wanted call of this thread has been seen.
    started: bool,
}

/// The current contexts of all threads, by the calls that made them so.
#[derive(Debug, Default)]
pub(super) struct CurrentCalls {
    threads: HashMap<ThreadId, Thread>,
    /// For a push that kept calls rely on, the call that took it back.
    taken_back: HashMap<u64, u64>,
}

impl CurrentCalls {
    /// Takes in a call that changes what is current to its thread.
    pub fn step(&mut self, thread: ThreadId, step: CurrentStep, seq: u64, to_nothing: bool) {
        let thread = self.threads.entry(thread).or_default();
        if thread.started {
            thread.changes.push(seq);
        }
        if step != CurrentStep::Pushes
            && let Some(old) = thread.stack.pop()
            && step == CurrentStep::Pops
            && old.relied_on
        {
            self.taken_back.insert(old.seq, seq);
        }
        let stays = step != CurrentStep::Pops && !to_nothing;
        if stays && thread.stack.len() < MAX_DEPTH {
            thread.stack.push(Entry {
                seq,
                relied_on: false,
            });
        }
    }

    /// The call that made the thread's context current, 0 if none did: a call that may be kept relies on it.
    pub fn rely(&mut self, thread: ThreadId) -> u64 {
        let top = self
            .threads
            .get_mut(&thread)
            .and_then(|thread| thread.stack.last_mut());
        top.map_or(0, |entry| {
            entry.relied_on = true;
            entry.seq
        })
    }

    /// The calls that a wanted call of the thread needs to find the context that it found: at the first one the whole stack, then what
    /// changed since the one before.
    pub fn needed(&mut self, thread: ThreadId) -> Vec<u64> {
        let thread = self.threads.entry(thread).or_default();
        if thread.started {
            return std::mem::take(&mut thread.changes);
        }
        thread.started = true;
        thread
            .stack
            .iter_mut()
            .map(|entry| {
                entry.relied_on = true;
                entry.seq
            })
            .collect()
    }

    /// The calls that take back what these made current.
    pub fn taken_back<'s>(&'s self, kept: &'s BTreeSet<u64>) -> impl Iterator<Item = u64> + 's {
        kept.iter()
            .filter_map(|seq| self.taken_back.get(seq).copied())
    }
}
