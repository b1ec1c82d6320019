//! The record that names a function which the table doesn't know.

use crate::fork_page::{NOT_STARTED, fork_page};
use crate::process::Purpose;
use crate::record::Record;
use crate::recording;
use crate::thread::ThreadState;
use cutape_trace_format::ring::{Word0, kind};
use std::sync::atomic::Ordering;

/// Longest name that is recorded.
const NAME_LIMIT: usize = 1024;

/// Says in the calling thread's ring that function `id` is called `name`.
pub fn write(id: u32, name: &[u8]) {
    let name = &name[..name.len().min(NAME_LIMIT)];
    let words = 2 + name.len().div_ceil(8);
    let thread = ThreadState::current();
    // SAFETY: the state is the calling thread's; exactly the reserved words are written.
    unsafe {
        let epoch = fork_page().epoch.load(Ordering::Relaxed);
        if ((*thread).epoch != epoch || epoch == NOT_STARTED) && !recording::enter(thread) {
            return;
        }
        if let Some(mut record) = Record::reserve(thread, words, Purpose::Begin) {
            record.put(Word0::new(words, kind::FUNCTION, 0, id).0);
            record.put(name.len() as u64);
            record.put_bytes(name.as_ptr(), name.len());
            record.commit();
        }
    }
}
