//! Keeping the stack of a call in its record: of calls that failed, or of those that `--stacks` chose.
//!
//! Only a piece of memory and two registers are kept; sealing makes a call stack of them. Nothing is allocated here, and no lock taken: a
//! signal handler may have made the call.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use cutape_trace_format::capture_number::STACK_MEMORY;
use cutape_trace_format::ring::{CAPTURE_OUT, MAX_CAPTURE, capture_word};
use cutape_trace_format::stack_memory::{MAX_STACK_BYTES, REGISTER_BYTES};

use crate::frame::Frame;
use crate::function_set::FunctionSet;
use crate::memory::{self, PAGE};
use crate::proc_address;
use crate::process::Process;
use crate::record::Record;
use crate::settings::StackMode;
use crate::thread::ThreadState;

/// Places that are told apart: a function, who called it, and what it answered. Those that find no room have no stack.
const SITES_IN_ALL: usize = 4096;
/// Steps from the place where one should be.
const PROBES: usize = 16;
/// Stacks of one place, of calls that failed.
const OF_FAILURES: u32 = 16;
/// The same, of calls that were asked for.
const OF_CHOSEN: u32 = 256;
/// Stacks of one process.
const IN_ALL: u32 = 4096;
/// The first stack of a place, and those that were asked for, may fill a ring up to one part in so many.
const MOST_OF_RING: u64 = 2;
/// Further ones are kept only while the ring is nearly empty, so that they never make the recorder write sooner or want a larger ring.
const LITTLE_OF_RING: u64 = 8;
/// CUDA_ERROR_NOT_READY, the usual answer to a question.
pub const NOT_READY: u32 = 600;

/// How many stacks were kept, by place. Not on the heap: a program at the end of its memory must not notice.
static SITES: Sites = Sites::new();

/// See [`SITES`].
struct Sites {
    /// The recording that counts: a forked child's counts anew.
    epoch: AtomicU64,
    keys: [AtomicU64; SITES_IN_ALL],
    counts: [AtomicU32; SITES_IN_ALL],
    taken: AtomicU32,
}

impl Sites {
    const fn new() -> Self {
        Self {
            epoch: AtomicU64::new(0),
            keys: [const { AtomicU64::new(0) }; SITES_IN_ALL],
            counts: [const { AtomicU32::new(0) }; SITES_IN_ALL],
            taken: AtomicU32::new(0),
        }
    }

    /// How many stacks of a place came before this one; `None` where there were enough.
    fn admit(&self, epoch: u64, key: u64, most: u32) -> Option<u32> {
        self.begin_anew_in(epoch);
        let key = key.max(1);
        let first = key as usize % SITES_IN_ALL;
        let places = (0..PROBES).map(|step| (first + step) % SITES_IN_ALL);
        for place in places {
            let found = &self.keys[place];
            let before = found.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed);
            if before.is_ok() || before == Err(key) {
                let count = &self.counts[place];
                if count.load(Ordering::Relaxed) >= most {
                    return None;
                }
                let nth = count.fetch_add(1, Ordering::Relaxed);
                let admitted = nth < most
                    && self.taken.load(Ordering::Relaxed) < IN_ALL
                    && self.taken.fetch_add(1, Ordering::Relaxed) < IN_ALL;
                return admitted.then_some(nth);
            }
        }
        None
    }

    /// A thread that comes while another clears counts a stack too many or too few.
    fn begin_anew_in(&self, epoch: u64) {
        if self.epoch.load(Ordering::Relaxed) == epoch
            || self.epoch.swap(epoch, Ordering::Relaxed) == epoch
        {
            return;
        }
        for (key, count) in self.keys.iter().zip(&self.counts) {
            key.store(0, Ordering::Relaxed);
            count.store(0, Ordering::Relaxed);
        }
        self.taken.store(0, Ordering::Relaxed);
    }
}

/// Whether each call of a function has its stack kept, by `CUTAPE_STACKED`; such functions take the slow way.
pub fn is_chosen(id: u32) -> bool {
    static CHOSEN: OnceLock<FunctionSet> = OnceLock::new();
    CHOSEN
        .get_or_init(|| FunctionSet::of_variable("CUTAPE_STACKED"))
        .has(id)
}

/// The stack of a call that has returned, if it is to be kept.
pub struct Stack {
    pointer: usize,
    frame_pointer: u64,
    bytes: usize,
    /// It is the thread's own, and all of it is mapped.
    is_surely_there: bool,
}

impl Stack {
    /// The stack of a call whose end is about to be recorded.
    ///
    /// # Safety
    /// `thread` is the calling thread's state, and has a ring.
    #[inline(never)]
    pub unsafe fn wanted(frame: &Frame, thread: *const ThreadState) -> Option<Self> {
        let hook = frame.hook;
        // What is no code has not failed.
        if hook.wide_return {
            return None;
        }
        let process = Process::get()?;
        let code = frame.result[0] as u32;
        let most = match process.settings().stacks {
            StackMode::None => return None,
            StackMode::Kept if is_chosen(hook.id()) => OF_CHOSEN,
            // Clients look up more functions than any one driver has.
            StackMode::Kept if proc_address::is_look_up(hook) => return None,
            StackMode::Kept if code == 0 || code == NOT_READY => return None,
            StackMode::Kept => OF_FAILURES,
        };
        let key = mixed(frame.caller(), u64::from(hook.id()) << 32 | u64::from(code));
        // SAFETY: the caller's promise.
        let stack = unsafe { Self::of(frame, thread) };
        if stack.bytes == 0 {
            return None;
        }
        // What finds no room has had its turn: a loop that fails is looked at so many times, and no more.
        let nth = SITES.admit(process.epoch(), key, most)?;
        let share = if nth == 0 || most == OF_CHOSEN {
            MOST_OF_RING
        } else {
            LITTLE_OF_RING
        };
        // SAFETY: the caller's promise.
        let has_room = unsafe { process.has_room_in(share, thread, stack.words() as u64 * 8) };
        has_room.then_some(stack)
    }

    /// # Safety
    /// `thread` is the calling thread's state.
    unsafe fn of(frame: &Frame, thread: *const ThreadState) -> Self {
        // The return address is gone when the call has returned.
        let pointer = frame.stack() as usize;
        // SAFETY: the caller's promise.
        let (start, end) = unsafe { ((*thread).stack_start, (*thread).stack_end) };
        let is_surely_there = (start..end).contains(&pointer);
        let bytes = match is_surely_there {
            true => (end - pointer).min(MAX_STACK_BYTES),
            // A coroutine, or a signal handler on a stack of its own: nobody says where that ends.
            false => readable(pointer),
        };
        Self {
            pointer,
            frame_pointer: frame.frame_pointer(),
            bytes: bytes & !7,
            is_surely_there,
        }
    }

    /// Words that it takes in a record.
    pub fn words(&self) -> usize {
        let bytes = REGISTER_BYTES + self.bytes;
        bytes.div_ceil(MAX_CAPTURE) + bytes / 8
    }

    /// Copies it into the record.
    ///
    /// # Safety
    /// The record has [`Self::words`] words left.
    pub unsafe fn write(&self, record: &mut Record) {
        let first = self.bytes.min(MAX_CAPTURE - REGISTER_BYTES);
        let head = |bytes: usize| capture_word(STACK_MEMORY, CAPTURE_OUT, bytes as u32);
        // SAFETY: the caller's promise; as many words are written as were counted.
        unsafe {
            record.put(head(REGISTER_BYTES + first));
            record.put(self.pointer as u64);
            record.put(self.frame_pointer);
            self.copy(0, first, record);
            if self.bytes > first {
                record.put(head(self.bytes - first));
                self.copy(first, self.bytes - first, record);
            }
        }
    }

    /// Copies so many bytes from a place on.
    ///
    /// # Safety
    /// The record has as many left.
    unsafe fn copy(&self, place: usize, bytes: usize, record: &mut Record) {
        let from = self.pointer + place;
        // SAFETY: the caller's promise. The thread's own stack is mapped up to its end; other memory is read with care.
        unsafe {
            if self.is_surely_there {
                record.put_bytes(ptr::with_exposed_provenance(from), bytes);
                return;
            }
            let room = record.room(bytes / 8).cast::<u8>();
            // What has gone meanwhile stays 0.
            memory::read(from, std::slice::from_raw_parts_mut(room, bytes));
        }
    }
}

/// Bytes that can be read from an address on, page by page.
fn readable(start: usize) -> usize {
    let mut end = start;
    while end - start < MAX_STACK_BYTES {
        let mut byte = [0];
        if !memory::read(end, &mut byte) {
            break;
        }
        let Some(next) = (end / PAGE + 1).checked_mul(PAGE) else {
            break;
        };
        end = next;
    }
    (end - start).min(MAX_STACK_BYTES)
}

/// Two words as one that is different for different ones, as good as ever.
fn mixed(one: u64, other: u64) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut word = one.wrapping_mul(ODD) ^ other;
    word = (word ^ word >> 32).wrapping_mul(ODD);
    word ^ word >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_so_many_stacks_and_another_one_its_own() {
        let sites = Sites::new();
        let kept_in = |epoch, key| {
            let kept = (0..100).filter(|_| sites.admit(epoch, key, OF_FAILURES).is_some());
            kept.count()
        };
        let kept = |key| kept_in(1, key);
        assert_eq!((kept(5), kept(5), kept(6)), (16, 0, 16));
        // The same slot.
        assert_eq!(kept(5 + SITES_IN_ALL as u64), 16);
        // A forked child.
        assert_eq!(kept_in(2, 5), 16);
    }

    #[test]
    fn no_process_has_stacks_without_end() {
        let sites = Sites::new();
        let kept = (1..100_000).filter(|&key| sites.admit(1, mixed(key, 3), OF_FAILURES).is_some());
        let kept = kept.count();
        assert!(kept <= IN_ALL as usize && kept > SITES_IN_ALL / 2, "{kept}");
    }

    #[test]
    fn reading_ends_where_nothing_is_mapped() {
        // SAFETY: fresh memory of our own, unmapped in part and as a whole by us only.
        unsafe {
            let bytes = 3 * PAGE;
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let base = libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0);
            assert_ne!(base, libc::MAP_FAILED);
            libc::munmap(base.wrapping_byte_add(2 * PAGE), PAGE);
            assert_eq!(readable(base as usize + 64), 2 * PAGE - 64);
            libc::munmap(base, 2 * PAGE);
            assert_eq!(readable(base as usize), 0);
        }
    }
}
