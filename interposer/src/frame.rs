//! A call's frame on the program's stack: what the entry routines keep of it.

use std::ptr;

use cutape_trace_format::ring::CallId;

use crate::hook::{Hook, Place};

/// Integer registers that carry arguments.
pub const REGISTERS: usize = 6;

/// What the trampoline keeps of a call on the program's stack. The saved frame pointer, the return address and the caller's stack
/// arguments follow it in memory.
#[repr(C, align(16))]
pub struct Frame {
    /// rdi, rsi, rdx, rcx, r8, r9.
    pub registers: [u64; REGISTERS],
    /// The function called.
    pub hook: &'static Hook,
    /// Names the call in the trace; meaningful while `epoch` is not 0.
    pub call: CallId,
    /// rax and rdx as the real function left them.
    pub result: [u64; 2],
    /// The recording that has the call's begin; 0 for none.
    pub epoch: u64,
    /// Rules that hit the call, where `epoch` says that some may.
    pub rules: u64,
}

impl Frame {
    /// Where the program called from.
    pub fn caller(&self) -> u64 {
        // SAFETY: the trampoline placed the frame right below the saved frame pointer, which lies below the return address.
        unsafe { *ptr::from_ref(self).add(1).cast::<u64>().add(1) }
    }

    /// The caller's frame pointer.
    pub fn frame_pointer(&self) -> u64 {
        // SAFETY: the trampoline placed the frame right below the saved frame pointer.
        unsafe { *ptr::from_ref(self).add(1).cast::<u64>() }
    }

    /// The caller's stack arguments.
    pub fn stack(&self) -> *const u64 {
        // SAFETY: as for `caller`; the result is only an address.
        unsafe { ptr::from_ref(self).add(1).cast::<u64>().add(2) }
    }

    /// Recorded argument word `index`.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        if self.hook.placed {
            self.word_at(self.hook.detail.places[index])
        } else if index < REGISTERS {
            self.registers[index]
        } else {
            // SAFETY: `arg_words` of the hook comes from the prototype, so the caller passed this word on the stack.
            unsafe { *self.stack().add(index - REGISTERS) }
        }
    }

    /// The same of a function whose words are the integer registers in order, followed by the stack in order.
    #[inline(always)]
    pub fn straight_word(&self, index: u8) -> u64 {
        let index = usize::from(index);
        match self.registers.get(index) {
            Some(&word) => word,
            // SAFETY: as in `word`.
            None => unsafe { *self.stack().add(index - REGISTERS) },
        }
    }

    fn word_at(&self, place: Place) -> u64 {
        match place {
            Place::Register(n) => self.registers[usize::from(n)],
            // SAFETY: the wide trampoline, which serves hooks with places, stored xmm0.. downwards below the frame.
            Place::Vector(n) => unsafe {
                *ptr::from_ref(self)
                    .cast::<u64>()
                    .sub(2 * (usize::from(n) + 1))
            },
            // SAFETY: the place was computed from the prototype.
            Place::Stack(n) => unsafe { *self.stack().add(usize::from(n)) },
        }
    }
}
