//! The record that introduces a thread in a ring.

use cutape_trace_format::ring::{Word0, kind};

use crate::clock;
use crate::thread::ThreadState;

/// Length of a thread's name with its NUL (TASK_COMM_LEN).
const NAME_BYTES: usize = 16;
const WORDS: usize = 3 + NAME_BYTES / 8;
/// Room that the record takes.
pub const BYTES: u64 = WORDS as u64 * 8;

/// Writes it at the start of the thread's part of the ring, where [`BYTES`] are free.
pub fn write(thread: &mut ThreadState) {
    let mut name = [0u64; NAME_BYTES / 8];
    // SAFETY: PR_GET_NAME writes 16 bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    // SAFETY: gettid only returns a number.
    let tid = unsafe { libc::gettid() } as u32;
    let record = [
        Word0::new(WORDS, kind::THREAD, 0, tid).0,
        clock::ticks(),
        thread.ordinal - 1,
        name[0],
        name[1],
    ];
    // SAFETY: the ring's data is mapped twice in a row, so the record is contiguous; its header is mapped.
    unsafe {
        let at = thread
            .data
            .add((thread.reserved & thread.mask) as usize)
            .cast::<[u64; WORDS]>();
        at.write_unaligned(record);
        thread.reserved += BYTES;
        ThreadState::publish(thread);
    }
}
