//! What happens when the real function has returned to one of our routines.
//!
//! Each routine here is jumped to, with the frame pointer of the routine that made the call and the function's result where the
//! function left it, and returns to the program.

use std::arch::naked_asm;
use std::mem::offset_of;

use cutape_trace_format::ring::{CAPTURE_OUT, RingHeader, Word0, kind};

use crate::call::{end, end_at};
use crate::call_stack::NOT_READY;
use crate::fork_page::{ForkPage, PAGE};
use crate::frame::Frame;
use crate::hook::HEADER_WORDS;
use crate::payload_switch::COPIED_DATA;
use crate::record::AHEAD;
use crate::thread::ThreadState;
use crate::trampoline::FRAME_BYTES;

/// First half of the first word of an END record with so many words behind its header; the result is the other half.
const fn end_word(more: usize) -> u32 {
    Word0::new(HEADER_WORDS + more, kind::END, 0, 0).0 as u32
}

/// A routine for calls that have an integer result of up to 32 bits, and `more` words of the record that `copy` writes behind the
/// header. It does what [`end`] does with half the instructions when all is as usual, that is, the ring that has the call's begin is
/// still this process's and there is room in it; `look` sends the call the general way, too, if it failed: then there may be more to record.
/// `late` stands before that way.
///
/// A thread that let go of its ring inside the call, or got another one, needs no look of its own: without a ring there is no room,
/// and the end may lie in another ring than the begin.
macro_rules! returned {
    (
        $(#[$doc:meta])* $name:ident, more: $more:expr, look: $look:expr, copy: $copy:expr, late: $late:expr
        $(, $operand:ident = $kind:ident $value:expr)* $(,)?
    ) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// Reached only by a jump, with the caller's [`Frame`] right below rbp.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                ".cfi_def_cfa rbp, 16",
                ".cfi_offset rbp, -16",
                "mov r8, rax",
                "rdtsc",
                "shl rdx, 32",
                "or rdx, rax",
                "mov r10, qword ptr [rip + cutape_thread_state@GOTTPOFF]",
                "mov rax, [rip + {page}]",
                "mov rax, [rax + {page_epoch}]",
                "cmp rax, [rbp - {frame} + {frame_epoch}]",
                "jne 8f",
                $look,
                "mov rax, fs:[r10 + {reserved}]",
                "add rax, {end_bytes}",
                "cmp rax, fs:[r10 + {fast_limit}]",
                "ja 8f",
                // r9: position of the record. rcx: where it lies.
                "mov r9d, {end_bytes}",
                "xadd fs:[r10 + {reserved}], r9",
                "mov rcx, fs:[r10 + {mask}]",
                "and rcx, r9",
                "add rcx, fs:[r10 + {data}]",
                "prefetchw [rcx + {ahead}]",
                "mov rdi, [rbp - {frame} + {call}]",
                "mov dword ptr [rcx], {end_word}",
                "mov [rcx + 4], r8d",
                "mov [rcx + 8], rdx",
                "mov [rcx + 16], rdi",
                $copy,
                // Publish, unless this record lies inside another.
                "mov rcx, fs:[r10 + {header}]",
                "cmp r9, [rcx + {head}]",
                "jne 6f",
                "5:",
                "mov rax, fs:[r10 + {reserved}]",
                "mov [rcx + {head}], rax",
                "cmp fs:[r10 + {reserved}], rax",
                "jne 5b",
                "6:",
                "mov rax, r8",
                "leave",
                ".cfi_remember_state",
                ".cfi_def_cfa rsp, 8",
                ".cfi_restore rbp",
                "ret",
                ".cfi_restore_state",
                $late,
                "8:",
                "mov [rbp - {frame} + {result}], r8",
                "lea rdi, [rbp - {frame}]",
                "mov rsi, rdx",
                "call {end_at}",
                "mov rax, [rbp - {frame} + {result}]",
                "leave",
                ".cfi_def_cfa rsp, 8",
                ".cfi_restore rbp",
                "ret",
                ".cfi_endproc",
                frame = const FRAME_BYTES,
                call = const offset_of!(Frame, call),
                result = const offset_of!(Frame, result),
                frame_epoch = const offset_of!(Frame, epoch),
                page = sym PAGE,
                page_epoch = const offset_of!(ForkPage, epoch),
                reserved = const offset_of!(ThreadState, reserved),
                fast_limit = const offset_of!(ThreadState, fast_limit),
                data = const offset_of!(ThreadState, data),
                mask = const offset_of!(ThreadState, mask),
                header = const offset_of!(ThreadState, header),
                head = const offset_of!(RingHeader, head),
                ahead = const AHEAD,
                end_bytes = const 8 * (HEADER_WORDS + $more),
                end_word = const end_word($more),
                end_at = sym end_at,
                $($operand = $kind $value,)*
            )
        }
    };
}

returned!(
    /// The call has a code, and nothing else. Programs that wait ask again and again, so the answer that something is not ready yet has the
    /// short way, too.
    returned_code, more: 0,
    look: "test r8d, r8d
           jnz 7f
           3:",
    copy: "",
    late: "7:
           cmp r8d, {not_ready}
           je 3b",
    not_ready = const NOT_READY,
);

/// The call has a code, and numbers behind pointers in registers: for each the number of its parameter, its size, the word that has the
/// pointer, and how it is loaded. After success the driver has written behind those that aren't NULL; all else goes the general way.
macro_rules! numbers {
    ($name:ident, $(($param:literal, $bytes:literal, $word:literal, $load:literal)),+) => {
        returned!(
            /// See `numbers`. The frame has the arguments.
            $name, more: $(number_words!($param) +)+ 0,
            look: concat!(
                "test r8d, r8d
                 jnz 8f",
                $("
                 cmp qword ptr [rbp - {frame} + {regs} + 8 * ", $word, "], 0
                 je 8f",)+
            ),
            // r9 is the record's position, r8 the code, rdx was written already.
            copy: concat!(
                $("
                 mov rdi, [rbp - {frame} + {regs} + 8 * ", $word, "]
                 movabs rsi, ", $param, " << 32 | {out} | ", $bytes, "
                 mov [rcx + 24], rsi
                 ", $load, "
                 mov [rcx + 32], rsi
                 add rcx, 16",)+
            ),
            late: "",
            regs = const offset_of!(Frame, registers),
            out = const CAPTURE_OUT,
        );
    };
}

/// Words of the record that a number takes.
macro_rules! number_words {
    ($param:literal) => {
        2
    };
}

// One line for each combination of numbers that functions have.
include!(concat!(env!("OUT_DIR"), "/numbers.rs"));

/// The call has an integer result, and perhaps out-parameters.
///
/// # Safety
/// Reached only by a jump, with the caller's [`Frame`] right below rbp, which has the arguments.
#[unsafe(naked)]
pub unsafe extern "C" fn returned_answer() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa rbp, 16",
        ".cfi_offset rbp, -16",
        "mov [rbp - {frame} + {result}], rax",
        "mov [rbp - {frame} + {result} + 8], rdx",
        "lea rdi, [rbp - {frame}]",
        "call {end}",
        "mov rax, [rbp - {frame} + {result}]",
        "mov rdx, [rbp - {frame} + {result} + 8]",
        "leave",
        ".cfi_def_cfa rsp, 8",
        ".cfi_restore rbp",
        "ret",
        ".cfi_endproc",
        frame = const FRAME_BYTES,
        result = const offset_of!(Frame, result),
        end = sym end,
    )
}

/// [`returned_code`], or [`returned_answer`] where the recording wants to look at what the driver has copied.
///
/// # Safety
/// As for [`returned_code`].
#[unsafe(naked)]
pub unsafe extern "C" fn returned_copy() {
    naked_asm!(
        "cmp byte ptr [rip + {switch}], 0",
        "je {code}",
        "jmp {answer}",
        switch = sym COPIED_DATA,
        code = sym returned_code,
        answer = sym returned_answer,
    )
}

/// The call may have a floating-point result.
///
/// # Safety
/// As for [`returned_answer`]; 32 bytes below the frame are free.
#[unsafe(naked)]
pub unsafe extern "C" fn returned_anything() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa rbp, 16",
        ".cfi_offset rbp, -16",
        "mov [rbp - {frame} + {result}], rax",
        "mov [rbp - {frame} + {result} + 8], rdx",
        "movups [rbp - {frame} - 16], xmm0",
        "movups [rbp - {frame} - 32], xmm1",
        "lea rdi, [rbp - {frame}]",
        "call {end}",
        "mov rax, [rbp - {frame} + {result}]",
        "mov rdx, [rbp - {frame} + {result} + 8]",
        "movups xmm0, [rbp - {frame} - 16]",
        "movups xmm1, [rbp - {frame} - 32]",
        "leave",
        ".cfi_def_cfa rsp, 8",
        ".cfi_restore rbp",
        "ret",
        ".cfi_endproc",
        frame = const FRAME_BYTES,
        result = const offset_of!(Frame, result),
        end = sym end,
    )
}
