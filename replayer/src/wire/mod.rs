//! What the judging process and the playing process share: one piece of memory, and nothing else.
//!
//! The driver under test may close descriptors, corrupt the heap, hang or leave. So the player needs no file and no pipe once it runs:
//! calls come to it, and answers go back, through memory that was mapped before the driver was loaded. What it says is read with care:
//! the driver may have written over it.
//!
//! The memory: a page that says how far things are ([`board::Control`]), a line and a queue for each thread, the plans, and chunks. A
//! chunk holds slots, one for a call ([`slot`]), in the order in which the calls began. A chunk is used again when all its slots are done
//! and judged, whatever other chunks wait for.

pub mod board;
pub mod futex;
pub mod images;
pub mod shared_memory;
pub mod slot;
