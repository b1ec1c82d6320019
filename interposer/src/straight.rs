//! The shortest way from an exported symbol to the real driver and back, for functions whose arguments are just words.
//!
//! [`crate::trampoline`] serves any function and leaves the recording to [`begin`](crate::call::begin) and
//! [`end`](crate::call::end). Here each number of arguments has a routine of its own that writes the records from where the
//! arguments are: no loop, no copy in between, half the instructions. Two rdtsc take 14.5 ns on the machine where this was measured; a
//! call with three arguments costs 18.5 ns this way and 22.5 ns the other.
//!
//! The routines do what `begin` and `end` do, in the same order: compare epochs, look for room, reserve with one `xadd`, write,
//! publish. `call.rs` says why that is safe with signals, fork and kill. Whatever is out of the ordinary goes to the general way before
//! anything has happened.

use std::arch::naked_asm;
use std::mem::offset_of;

use cutape_trace_format::ring::{RingHeader, Word0, kind};

use crate::call::{Frame, end, end_at};
use crate::fork_page::{ForkPage, PAGE};
use crate::hook::{HEADER_WORDS, Hook};
use crate::thread::ThreadState;
use crate::trampoline::{FRAME_BYTES, plain};

/// Bytes of an END record.
const END_BYTES: usize = 8 * HEADER_WORDS;
/// Its first word, without the result.
const END_WORD: u64 = Word0::new(HEADER_WORDS, kind::END, 0, 0).0;
/// How far ahead the ring's memory is asked for; see [`crate::call::Record`].
const AHEAD: usize = 1024;

/// `straight!(NAME, WORDS, AFTER)`: the routine for WORDS argument words; AFTER is what follows the real function's return.
macro_rules! straight {
    ($name:ident, $words:literal, $after:expr) => {
        /// See the module.
        ///
        /// # Safety
        /// Reached only by a jump from an export, with the address of its hook in r11 and the program's arguments in place.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "push rbp",
                ".cfi_def_cfa_offset 16",
                ".cfi_offset rbp, -16",
                "mov rbp, rsp",
                ".cfi_def_cfa_register rbp",
                "sub rsp, {frame}",
                // r10: the thread's state. Is the function known, the ring ours, and room in it?
                "mov r10, qword ptr [rip + cutape_thread_state@GOTTPOFF]",
                "add r10, qword ptr fs:[0]",
                "cmp qword ptr [r11 + {real}], 0",
                "je 9f",
                "mov rax, [rip + {page}]",
                "mov rax, [rax + {page_epoch}]",
                "cmp rax, [r10 + {epoch}]",
                "jne 9f",
                "mov [rbp - {frame} + {frame_epoch}], rax",
                "mov rax, [r10 + {reserved}]",
                "add rax, {bytes}",
                "cmp rax, [r10 + {fast_limit}]",
                "ja 9f",
                // What the routine needs registers for goes into the frame.
                "mov [rbp - {frame} + {regs} + 16], rdx",
                "mov [rbp - {frame} + {regs} + 24], rcx",
                "mov [rbp - {frame} + {hook}], r11",
                "mov rdx, [r11 + {begin_word}]",
                // r11: position of the record. rcx: where it lies.
                "mov r11d, {bytes}",
                "xadd [r10 + {reserved}], r11",
                "mov rcx, [r10 + {mask}]",
                "and rcx, r11",
                "add rcx, [r10 + {data}]",
                "mov rax, [r10 + {id_base}]",
                "or rax, r11",
                "mov [rbp - {frame} + {call}], rax",
                "prefetchw [rcx + {ahead}]",
                ".if {bytes} > 64",
                "prefetchw [rcx + {ahead} + 64]",
                ".endif",
                "mov rax, [rbp + 8]",
                "mov [rcx], rdx",
                "mov [rcx + 16], rax",
                ".if {words} > 0",
                "mov [rcx + 24], rdi",
                ".endif",
                ".if {words} > 1",
                "mov [rcx + 32], rsi",
                ".endif",
                ".if {words} > 2",
                "mov rax, [rbp - {frame} + {regs} + 16]",
                "mov [rcx + 40], rax",
                ".endif",
                ".if {words} > 3",
                "mov rax, [rbp - {frame} + {regs} + 24]",
                "mov [rcx + 48], rax",
                ".endif",
                ".if {words} > 4",
                "mov [rcx + 56], r8",
                ".endif",
                ".if {words} > 5",
                "mov [rcx + 64], r9",
                ".endif",
                // The real function gets copies of the caller's stack arguments.
                ".if {words} > 6 && {words} % 2",
                "sub rsp, 8",
                ".endif",
                ".irp index, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0", // MAX_STRAIGHT_WORDS of the build script - 6
                ".if {words} - 6 > \\index",
                "mov rax, [rbp + 16 + 8 * \\index]",
                "mov [rcx + 72 + 8 * \\index], rax",
                "push rax",
                ".endif",
                ".endr",
                "rdtsc",
                "shl rdx, 32",
                "or rdx, rax",
                "mov [rcx + 8], rdx",
                // Publish, unless this record lies inside another.
                "cmp r11, [r10 + {published}]",
                "jne 4f",
                "3:",
                "mov rax, [r10 + {reserved}]",
                "mov rcx, [r10 + {header}]",
                "mov [r10 + {published}], rax",
                "mov [rcx + {head}], rax",
                "cmp [r10 + {reserved}], rax",
                "jne 3b",
                "4:",
                "mov r11, [rbp - {frame} + {hook}]",
                "mov rdx, [rbp - {frame} + {regs} + 16]",
                "mov rcx, [rbp - {frame} + {regs} + 24]",
                $after,
                // Not here: as if the export had named the general way.
                "9:",
                ".cfi_def_cfa rbp, 16",
                "leave",
                ".cfi_def_cfa rsp, 8",
                ".cfi_restore rbp",
                "jmp {plain}",
                ".cfi_endproc",
                words = const $words,
                bytes = const 8 * (HEADER_WORDS + $words),
                ahead = const AHEAD,
                frame = const FRAME_BYTES,
                regs = const offset_of!(Frame, registers),
                hook = const offset_of!(Frame, hook),
                call = const offset_of!(Frame, call),
                result = const offset_of!(Frame, result),
                frame_epoch = const offset_of!(Frame, epoch),
                real = const offset_of!(Hook, real),
                begin_word = const offset_of!(Hook, begin),
                page = sym PAGE,
                page_epoch = const offset_of!(ForkPage, epoch),
                epoch = const offset_of!(ThreadState, epoch),
                reserved = const offset_of!(ThreadState, reserved),
                published = const offset_of!(ThreadState, published),
                fast_limit = const offset_of!(ThreadState, fast_limit),
                data = const offset_of!(ThreadState, data),
                mask = const offset_of!(ThreadState, mask),
                header = const offset_of!(ThreadState, header),
                id_base = const offset_of!(ThreadState, id_base),
                head = const offset_of!(RingHeader, head),
                end_bytes = const END_BYTES,
                end_word = const END_WORD,
                plain = sym plain,
                end = sym end,
                end_at = sym end_at,
            )
        }
    };
}

/// Nothing to look at after the call but the code that it returned.
macro_rules! scalars {
    ($name:ident, $words:literal) => {
        straight!(
            $name,
            $words,
            "call qword ptr [r11 + {real}]
             mov r8, rax
             rdtsc
             shl rdx, 32
             or rdx, rax
             mov r10, qword ptr [rip + cutape_thread_state@GOTTPOFF]
             add r10, qword ptr fs:[0]
             mov rax, [rip + {page}]
             mov rax, [rax + {page_epoch}]
             cmp rax, [r10 + {epoch}]
             jne 8f
             cmp rax, [rbp - {frame} + {frame_epoch}]
             jne 8f
             mov rax, [r10 + {reserved}]
             add rax, {end_bytes}
             cmp rax, [r10 + {fast_limit}]
             ja 8f
             mov r9d, {end_bytes}
             xadd [r10 + {reserved}], r9
             mov rcx, [r10 + {mask}]
             and rcx, r9
             add rcx, [r10 + {data}]
             prefetchw [rcx + {ahead}]
             mov rsi, r8
             shl rsi, 32
             or rsi, {end_word}
             mov rdi, [rbp - {frame} + {call}]
             mov [rcx], rsi
             mov [rcx + 8], rdx
             mov [rcx + 16], rdi
             cmp r9, [r10 + {published}]
             jne 6f
             5:
             mov rax, [r10 + {reserved}]
             mov rcx, [r10 + {header}]
             mov [r10 + {published}], rax
             mov [rcx + {head}], rax
             cmp [r10 + {reserved}], rax
             jne 5b
             6:
             mov rax, r8
             leave
             .cfi_def_cfa rsp, 8
             .cfi_restore rbp
             ret
             8:
             .cfi_def_cfa rbp, 16
             .cfi_offset rbp, -16
             mov [rbp - {frame} + {result}], r8
             lea rdi, [rbp - {frame}]
             mov rsi, rdx
             call {end_at}
             mov rax, [rbp - {frame} + {result}]
             leave
             .cfi_def_cfa rsp, 8
             .cfi_restore rbp
             ret
             .cfi_def_cfa rbp, 16
             .cfi_offset rbp, -16
             # {end}"
        );
    };
}

/// There is: what out-pointers lead to, or a result of more than 32 bits.
macro_rules! answers {
    ($name:ident, $words:literal) => {
        straight!(
            $name,
            $words,
            "mov [rbp - {frame} + {regs}], rdi
             mov [rbp - {frame} + {regs} + 8], rsi
             mov [rbp - {frame} + {regs} + 32], r8
             mov [rbp - {frame} + {regs} + 40], r9
             call qword ptr [r11 + {real}]
             mov [rbp - {frame} + {result}], rax
             mov [rbp - {frame} + {result} + 8], rdx
             lea rdi, [rbp - {frame}]
             call {end}
             mov rax, [rbp - {frame} + {result}]
             mov rdx, [rbp - {frame} + {result} + 8]
             leave
             .cfi_def_cfa rsp, 8
             .cfi_restore rbp
             ret
             .cfi_def_cfa rbp, 16
             .cfi_offset rbp, -16
             # {end_at} {end_bytes} {end_word}"
        );
    };
}

// One line for each routine that an export names.
include!(concat!(env!("OUT_DIR"), "/straight.rs"));
