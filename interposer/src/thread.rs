//! A thread's own state, reached without a call.
//!
//! `thread_local!` in a shared library goes through `__tls_get_addr`, may allocate, and aborts the process when a late call comes
//! from a destructor. This block lies in the library's static TLS and its offset is fixed when the library is loaded
//! (initial-exec), so reaching it is two instructions, safe in signal handlers and in destructors.

use std::arch::{asm, global_asm};
use std::ptr;
use std::sync::atomic::Ordering;

use cutape_trace_format::ring::RingHeader;

use crate::clock;
use crate::ring_file::Ring;

/// Bytes of the block; a library loaded by `dlopen` may take up to 1,664.
const BYTES: usize = 128;

global_asm!(
    ".pushsection .tbss,\"awT\",@nobits",
    ".p2align 6",
    ".globl cutape_thread_state",
    ".hidden cutape_thread_state",
    ".type cutape_thread_state,@object",
    ".size cutape_thread_state,{bytes}",
    "cutape_thread_state:",
    ".zero {bytes}",
    ".popsection",
    bytes = const BYTES,
);

/// What the hot path needs of its thread. All zero in a new thread, which sends its first call to the slow path.
#[repr(C, align(64))]
pub struct ThreadState {
    /// [`crate::fork_page::ForkPage::epoch`] when the ring was taken; another value there means that the ring isn't ours any more.
    pub epoch: u64,
    /// Position after the last reserved record. Beyond the ring's `head` while a record is being written.
    pub reserved: u64,
    /// Reserving beyond it takes the slow path.
    pub limit: u64,
    /// The same for the fast path, which knows no clock but the time stamp counter; 0 where there is none.
    pub fast_limit: u64,
    /// First byte of the ring's data.
    pub data: *mut u8,
    /// Capacity of the ring minus one.
    pub mask: u64,
    /// The ring's shared header.
    pub header: *const RingHeader,
    /// The ring's number in the upper 16 bits, as a call id wants it.
    pub id_base: u64,
    /// Set while the slow path runs: a call made from inside it passes unrecorded.
    pub busy: u64,
    /// The ring as this process knows it; null without one.
    pub ring: *const Ring,
    /// Lowest address of the thread's stack, as far as it may grow.
    pub stack_start: usize,
    /// End of the thread's stack: memory between a frame on it and here can be read.
    pub stack_end: usize,
    /// Number of the thread in its process, from 1; 0 before it has one.
    pub ordinal: u64,
    _padding: u64,
}

const _: () = assert!(size_of::<ThreadState>() == BYTES);

impl ThreadState {
    /// The calling thread's state. The pointer is valid as long as the thread runs.
    #[inline(always)]
    pub fn current() -> *mut Self {
        let state: *mut Self;
        // SAFETY: the symbol is defined above in .tbss; the first word at fs is the thread control block's own address (psABI).
        unsafe {
            asm!(
                "mov {state}, qword ptr [rip + cutape_thread_state@GOTTPOFF]",
                "add {state}, qword ptr fs:[0]",
                state = out(reg) state,
                options(pure, readonly, nostack),
            );
        }
        state
    }

    /// Sets the position beyond which the slow path is taken.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
        self.fast_limit = if clock::uses_tsc() { limit } else { 0 };
    }

    /// Publishes all that is reserved. A handler that comes between looking and storing leaves its record to us, so look again.
    ///
    /// # Safety
    /// `thread` is the calling thread's state with a ring, and every reserved record is written.
    #[inline(always)]
    pub unsafe fn publish(thread: *mut Self) {
        // SAFETY: the caller's promises.
        unsafe {
            loop {
                let reserved = (&raw const (*thread).reserved).read_volatile();
                (*(*thread).header).head.store(reserved, Ordering::Release);
                if (&raw const (*thread).reserved).read_volatile() == reserved {
                    return;
                }
            }
        }
    }

    /// Lets go of the ring; the next call takes the slow path.
    ///
    /// # Safety
    /// `state` is the calling thread's.
    pub unsafe fn forget_ring(state: *mut Self) {
        // SAFETY: the caller's promise; nobody else reads a thread's state.
        unsafe {
            (*state).epoch = 0;
            (*state).reserved = 0;
            (*state).limit = 0;
            (*state).fast_limit = 0;
            (*state).ring = ptr::null();
            (*state).header = ptr::null();
        }
    }
}
