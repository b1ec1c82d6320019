//! The shortest way from an exported symbol to the real driver and back, for functions whose arguments are just words.
//!
//! [`crate::trampoline`] serves any function and leaves the recording to [`begin`](crate::call::begin) and
//! [`end`](crate::call::end). Here each number of arguments has a routine of its own that writes the records from where the
//! arguments are: no loop, no copy in between, half the instructions. Where two rdtsc take 14.5 ns, recording a call with three
//! arguments adds 18.8 ns this way and 22.6 ns the other.
//!
//! The routines do what `begin` and `end` do, in the same order: compare epochs, look for room, reserve with one `xadd`, write,
//! publish. [`crate::record`] says why that is safe with signals, fork and kill. Whatever is out of the ordinary goes to the general way before
//! anything has happened.

use std::arch::naked_asm;
use std::mem::offset_of;

use cutape_trace_format::ring::RingHeader;

use crate::fork_page::{ForkPage, PAGE};
use crate::frame::Frame;
use crate::hook::{HEADER_WORDS, Hook};
use crate::payload_switch::{COPIED_DATA, KERNEL_ARGUMENTS};
use crate::record::AHEAD;
use crate::returned::{returned_answer, returned_code};
use crate::thread::ThreadState;
use crate::trampoline::{FRAME_BYTES, launch, plain};

/// The routine for so many argument words; $keep puts registers into the frame, $returned is what runs after the call.
macro_rules! straight {
    ($name:ident, $words:literal, $keep:literal, $returned:path) => {
        straight!($name, $words, $keep, $returned, plain);
    };
    ($name:ident, $words:literal, $keep:literal, $returned:path, $general:path $(, $look:literal, $switch:path)?) => {
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
                // fs:[r10]: the thread's state. Is the function known, the ring ours, and room in it?
                "mov r10, qword ptr [rip + cutape_thread_state@GOTTPOFF]",
                "cmp qword ptr [r11 + {real}], 0",
                "je 9f",
                $($look,)?
                "mov rax, [rip + {page}]",
                "mov rax, [rax + {page_epoch}]",
                "cmp rax, fs:[r10 + {epoch}]",
                "jne 9f",
                "mov [rbp - {frame} + {frame_epoch}], rax",
                "mov rax, fs:[r10 + {reserved}]",
                "add rax, {bytes}",
                "cmp rax, fs:[r10 + {fast_limit}]",
                "ja 9f",
                // What the routine needs registers for goes into the frame.
                "mov [rbp - {frame} + {regs} + 16], rdx",
                "mov [rbp - {frame} + {regs} + 24], rcx",
                "mov [rbp - {frame} + {hook}], r11",
                // rax: position of the record. rcx: where it lies.
                "mov eax, {bytes}",
                "xadd fs:[r10 + {reserved}], rax",
                "mov rcx, fs:[r10 + {mask}]",
                "and rcx, rax",
                "add rcx, fs:[r10 + {data}]",
                "prefetchw [rcx + {ahead}]",
                ".if {bytes} > 64",
                "prefetchw [rcx + {ahead} + 64]",
                ".endif",
                ".if {words} > 2",
                "mov [rcx + 40], rdx",
                ".endif",
                "mov rdx, [r11 + {begin_word}]",
                "mov r11, rax",
                "or rax, fs:[r10 + {id_base}]",
                "mov [rcx], rdx",
                "mov rdx, [rbp + 8]",
                "mov [rbp - {frame} + {call}], rax",
                "mov [rcx + 16], rdx",
                ".if {words} > 0",
                "mov [rcx + 24], rdi",
                ".endif",
                ".if {words} > 1",
                "mov [rcx + 32], rsi",
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
                "mov rcx, fs:[r10 + {header}]",
                "cmp r11, [rcx + {head}]",
                "jne 4f",
                "3:",
                "mov rax, fs:[r10 + {reserved}]",
                "mov [rcx + {head}], rax",
                "cmp fs:[r10 + {reserved}], rax",
                "jne 3b",
                "4:",
                "mov r11, [rbp - {frame} + {hook}]",
                "mov rdx, [rbp - {frame} + {regs} + 16]",
                "mov rcx, [rbp - {frame} + {regs} + 24]",
                $keep,
                "call qword ptr [r11 + {real}]",
                "jmp {returned}",
                // Not here: as if the export had named the general way.
                "9:",
                ".cfi_def_cfa rbp, 16",
                "leave",
                ".cfi_def_cfa rsp, 8",
                ".cfi_restore rbp",
                "jmp {general}",
                ".cfi_endproc",
                words = const $words,
                bytes = const 8 * (HEADER_WORDS + $words),
                ahead = const AHEAD,
                frame = const FRAME_BYTES,
                regs = const offset_of!(Frame, registers),
                hook = const offset_of!(Frame, hook),
                call = const offset_of!(Frame, call),
                frame_epoch = const offset_of!(Frame, epoch),
                real = const offset_of!(Hook, real),
                begin_word = const offset_of!(Hook, begin),
                page = sym PAGE,
                page_epoch = const offset_of!(ForkPage, epoch),
                epoch = const offset_of!(ThreadState, epoch),
                reserved = const offset_of!(ThreadState, reserved),
                fast_limit = const offset_of!(ThreadState, fast_limit),
                data = const offset_of!(ThreadState, data),
                mask = const offset_of!(ThreadState, mask),
                header = const offset_of!(ThreadState, header),
                id_base = const offset_of!(ThreadState, id_base),
                head = const offset_of!(RingHeader, head),
                general = sym $general,
                returned = sym $returned,
                $(switch = sym $switch,)?
            )
        }
    };
}

/// Nothing to look at after the call but the code that it returned.
macro_rules! scalars {
    ($name:ident, $words:literal) => {
        straight!($name, $words, "", returned_code);
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
             mov [rbp - {frame} + {regs} + 40], r9",
            returned_answer
        );
    };
}

/// Like scalars, unless the recording wants what belongs to the call besides: then as if the export had named the general way.
macro_rules! unless {
    ($name:ident, $words:literal, $general:path, $switch:path) => {
        straight!(
            $name,
            $words,
            "",
            returned_code,
            $general,
            "cmp byte ptr [rip + {switch}], 0
             jne 9f",
            $switch
        );
    };
}

macro_rules! launches {
    ($name:ident, $words:literal) => {
        unless!($name, $words, launch, KERNEL_ARGUMENTS);
    };
}

macro_rules! copies {
    ($name:ident, $words:literal) => {
        // What the driver has written is looked at after the call.
        unless!($name, $words, plain, COPIED_DATA);
    };
}

// One line for each routine that an export names.
include!(concat!(env!("OUT_DIR"), "/straight.rs"));
