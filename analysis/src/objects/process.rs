//! What a process's words stand for at one moment: handles, addresses, current contexts.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use cutape_trace_format::call::ThreadId;

use super::kind::Kind;
use super::object::{Ending, ObjectId};
use super::ranges::{Range, Ranges};
use super::store::Store;
use crate::word_hash::WordMap;

/// Contexts that a thread has pushed; more than any program does.
const MAX_CURRENT: usize = 256;
/// Creations in progress that a word is looked for in.
const MAX_SEARCHED: usize = 64;

/// One process, as it stands at the call that is being read.
#[derive(Debug, Default)]
pub(super) struct ProcessState {
    /// The newest object of each word, also when it is gone.
    by_word: WordMap<(Kind, u64), ObjectId>,
    ranges: Ranges,
    /// Current contexts of each thread, the last one is current.
    current: WordMap<ThreadId, Vec<ObjectId>>,
    /// The primary context by device.
    pub primary: HashMap<u64, ObjectId>,
    /// What calls are creating that have not returned yet.
    pending: BinaryHeap<Reverse<Pending>>,
}

/// An object whose creating call returns at that time: other threads may use the word for an older object until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pending {
    end_ns: u64,
    object: ObjectId,
    word: u64,
    seq: u64,
}

/// What a word stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub object: ObjectId,
    /// Bytes from the object's first address.
    pub offset: u64,
}

impl ProcessState {
    /// Lets the creations take effect that were complete by that time.
    pub fn settle(&mut self, now_ns: u64, store: &mut Store) {
        while let Some(&Reverse(pending)) = self.pending.peek() {
            if pending.end_ns > now_ns {
                break;
            }
            self.pending.pop();
            self.publish(pending, store);
        }
    }

    fn publish(&mut self, pending: Pending, store: &mut Store) {
        let Pending {
            object, word, seq, ..
        } = pending;
        let (kind, bytes) = (store.get(object).kind, store.get(object).bytes());
        let replaced = if kind.is_memory() {
            self.ranges.insert(Range::new(word, bytes, object))
        } else {
            self.by_word
                .insert((kind, word), object)
                .into_iter()
                .collect()
        };
        for old in replaced.into_iter().filter(|&old| old != object) {
            store.end(old, seq, Ending::Replaced);
        }
    }

    /// Notes that a call creates an object, or finds another address of one.
    pub fn create(&mut self, object: ObjectId, word: u64, (seq, end_ns): (u64, u64)) {
        self.pending.push(Reverse(Pending {
            end_ns,
            object,
            word,
            seq,
        }));
    }

    /// Notes an object that was there all the time.
    pub fn discover(&mut self, object: ObjectId, word: u64, seq: u64, store: &mut Store) {
        let pending = Pending {
            end_ns: 0,
            object,
            word,
            seq,
        };
        self.publish(pending, store);
    }

    /// What a word stands for: the newest object, alive or not. For addresses, any kind of memory.
    pub fn find(&self, kind: Kind, word: u64, store: &Store) -> Option<Found> {
        if kind.is_memory() {
            let range = self.ranges.at(word)?;
            return Some(Found {
                object: range.object,
                offset: word - range.start,
            });
        }
        let own = self.find_exact(kind, word, store);
        let alive = |found: &Found| store.get(found.object).is_alive();
        let stand_in = kind.stand_in().filter(|_| !own.as_ref().is_some_and(alive));
        stand_in
            .and_then(|kind| self.find_exact(kind, word, store))
            .or(own)
    }

    fn find_exact(&self, kind: Kind, word: u64, store: &Store) -> Option<Found> {
        let known = self.by_word.get(&(kind, word)).copied();
        // Clocks of two processors differ by a little, so a use may seem to come before the creation's end.
        let mut pending = self.pending.iter().take(MAX_SEARCHED);
        let created = |Reverse(pending): &&Reverse<Pending>| {
            pending.word == word && store.get(pending.object).kind == kind
        };
        let object = known.or_else(|| pending.find(created).map(|Reverse(new)| new.object))?;
        Some(Found { object, offset: 0 })
    }

    /// The context that is current to a thread, as far as was seen.
    pub fn current(&self, thread: ThreadId) -> Option<ObjectId> {
        self.current.get(&thread)?.last().copied()
    }

    /// Makes a context current in place of the thread's current one; none takes that away.
    pub fn set_current(&mut self, thread: ThreadId, context: Option<ObjectId>) {
        let stack = self.current.entry(thread).or_default();
        stack.pop();
        stack.extend(context);
    }

    /// Makes a context current before the thread's current one.
    pub fn push_current(&mut self, thread: ThreadId, context: ObjectId) {
        let stack = self.current.entry(thread).or_default();
        if stack.len() < MAX_CURRENT {
            stack.push(context);
        }
    }

    /// Takes the thread's current context away.
    pub fn pop_current(&mut self, thread: ThreadId) {
        if let Some(stack) = self.current.get_mut(&thread) {
            stack.pop();
        }
    }
}
