//! The shortest way from an exported symbol to the real driver and back, for functions whose arguments are just words, one of which may
//! lead to a structure.
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

use cutape_trace_format::ring::{RingHeader, capture_word};

use crate::fork_page::{ForkPage, PAGE};
use crate::frame::Frame;
use crate::hook::{HEADER_WORDS, Hook};
use crate::payload_switch::{COPIED_DATA, KERNEL_ARGUMENTS};
use crate::record::AHEAD;
use crate::returned::{self, returned_answer, returned_code};
use crate::thread::ThreadState;
use crate::trampoline::{self, FRAME_BYTES, launch, plain, plain_copy, plain_in};

/// One routine: for `words` argument words, and `more` words of the record that `copy` writes behind them. `look` may send the call
/// the `general` way before anything has happened, `keep` puts registers into the frame, `returned` is what runs after the call. What
/// the texts mention besides comes at the end.
macro_rules! straight {
    (
        $name:ident, words: $words:expr, more: $more:expr, look: $look:expr, copy: $copy:expr, keep: $keep:expr,
        returned: $returned:path, general: $general:path $(, $operand:ident = $kind:ident $value:expr)* $(,)?
    ) => {
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
                $look,
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
                ".irp line, 0, 64, 128, 192, 256", // up to the longest record, 9 + MAX_STRUCTURE_BYTES / 8 words
                ".if {bytes} > \\line",
                "prefetchw [rcx + {ahead} + \\line]",
                ".endif",
                ".endr",
                ".if {words} > 2",
                "mov [rcx + 40], rdx",
                ".endif",
                "mov rdx, [r11 + {begin_word}]",
                ".if {more} > 0",
                "add rdx, {more}",
                ".endif",
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
                $copy,
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
                more = const $more,
                bytes = const 8 * (HEADER_WORDS + $words + $more),
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
                $($operand = $kind $value,)*
            )
        }
    };
}

/// Nothing to look at after the call but the code that it returned.
macro_rules! scalars {
    ($name:ident, $words:literal) => {
        straight!($name, words: $words, more: 0, look: "", copy: "", keep: "", returned: returned_code, general: plain);
    };
}

/// There is: what out-pointers lead to, or a result of more than 32 bits.
macro_rules! answers {
    ($name:ident, $words:literal, $returned:path) => {
        straight!(
            $name, words: $words, more: 0, look: "", copy: "",
            keep: "mov [rbp - {frame} + {regs}], rdi
                   mov [rbp - {frame} + {regs} + 8], rsi
                   mov [rbp - {frame} + {regs} + 32], r8
                   mov [rbp - {frame} + {regs} + 40], r9",
            returned: $returned, general: plain,
        );
    };
}

/// Sends the call the general way if the recording wants what belongs to it besides.
macro_rules! unless_wanted {
    () => {
        "cmp byte ptr [rip + {switch}], 0
         jne 9f"
    };
}

/// Like scalars, unless the recording wants kernel arguments.
macro_rules! launches {
    ($name:ident, $words:literal, $general:path) => {
        straight!(
            $name, words: $words, more: 0, look: unless_wanted!(), copy: "", keep: "",
            returned: returned_code, general: $general, switch = sym KERNEL_ARGUMENTS,
        );
    };
}

/// Like scalars, unless the recording wants copied data, which the driver has written only after the call.
macro_rules! copies {
    ($name:ident, $words:literal) => {
        straight!(
            $name, words: $words, more: 0, look: unless_wanted!(), copy: "", keep: "",
            returned: returned_code, general: plain, switch = sym COPIED_DATA,
        );
    };
}

/// Sends the call the general way unless the structure lies on the program's stack, between our frame and the stack's end, where
/// everything is mapped. A fiber or a signal stack is not the thread's stack.
macro_rules! on_stack {
    ($pointer:literal) => {
        concat!(
            "cmp ",
            $pointer,
            ", rbp
             jb 9f
             cmp rbp, fs:[r10 + {stack_start}]
             jb 9f
             mov rax, ",
            $pointer,
            "
             add rax, {structure}
             jc 9f
             cmp rax, fs:[r10 + {stack_end}]
             ja 9f"
        )
    };
}

/// Copies the structure behind its header word, and a word at a time: the program has stored its fields a moment ago, and a wider load
/// would have to wait until those stores have left the store buffer. Its last bytes get a load of their own.
macro_rules! copy_structure {
    ($kept:literal) => {
        concat!(
            "mov rdx, ", $kept, "
             movabs rax, {capture}
             mov [rcx + 24 + 8 * {words}], rax
             .irp index, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
             .if {structure} / 8 > \\index
             mov rax, [rdx + 8 * \\index]
             mov [rcx + 32 + 8 * {words} + 8 * \\index], rax
             .endif
             .endr
             .if {structure} % 8 == 4
             mov eax, [rdx + {structure} - 4]
             mov [rcx + 32 + 8 * {words} + {structure} - 4], rax
             .endif"
        )
    };
}

/// Words go in and one of them leads to a structure. `pointer` is its register, `kept` where it is once the record's head is written.
macro_rules! structure {
    (
        $name:ident, words: $words:literal, param: $param:literal, bytes: $bytes:literal, pointer: $pointer:literal, kept: $kept:literal,
        look: $look:expr, general: $general:path $(, $operand:ident = $kind:ident $value:expr)* $(,)?
    ) => {
        straight!(
            $name, words: $words, more: 1 + usize::div_ceil($bytes, 8),
            look: concat!(on_stack!($pointer), "\n", $look), copy: copy_structure!($kept), keep: "",
            returned: returned_code, general: $general,
            structure = const $bytes,
            capture = const capture_word($param, 0, $bytes),
            stack_start = const offset_of!(ThreadState, stack_start),
            stack_end = const offset_of!(ThreadState, stack_end),
            $($operand = $kind $value,)*
        );
    };
}

/// A structure goes in, and nothing else belongs to the call.
macro_rules! structures {
    ($name:ident, $words:literal, $param:literal, $bytes:literal, $pointer:literal, $kept:literal) => {
        structure!(
            $name, words: $words, param: $param, bytes: $bytes, pointer: $pointer, kept: $kept, look: "", general: plain_in,
        );
    };
}

/// The descriptor of a copy goes in, and the recording doesn't want the data.
macro_rules! copy_structures {
    ($name:ident, $words:literal, $param:literal, $bytes:literal, $pointer:literal, $kept:literal) => {
        structure!(
            $name, words: $words, param: $param, bytes: $bytes, pointer: $pointer, kept: $kept,
            look: unless_wanted!(), general: plain_copy, switch = sym COPIED_DATA,
        );
    };
}

/// The configuration of a launch goes in, it has no attributes, and the recording doesn't want the kernel's arguments.
macro_rules! launch_structures {
    (
        $name:ident, $words:literal, $param:literal, $bytes:literal, $pointer:literal, $kept:literal,
        attributes: $attributes:literal, count: $count:literal
    ) => {
        structure!(
            $name, words: $words, param: $param, bytes: $bytes, pointer: $pointer, kept: $kept,
            look: concat!(
                unless_wanted!(), "
                cmp dword ptr [", $pointer, " + {count}], 0
                je 2f
                cmp qword ptr [", $pointer, " + {attributes}], 0
                jne 9f
                2:"
            ),
            general: launch, switch = sym KERNEL_ARGUMENTS, attributes = const $attributes, count = const $count,
        );
    };
}

// One line for each routine that an export names.
include!(concat!(env!("OUT_DIR"), "/straight.rs"));
