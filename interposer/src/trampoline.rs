//! From an exported symbol to the real driver and back.
//!
//! Every export is two instructions that name its [`Hook`](crate::hook::Hook) and jump here. One routine serves them all: it lays the
//! integer registers out as the first six words of the argument list, lets [`begin`](crate::call::begin) put the call on record,
//! calls the real function with exactly what the program passed, and has the answer recorded and returned by [`crate::returned`].
//! Nothing is held across the call. The return address stays where it was, so backtraces and shadow stacks work.

use std::arch::naked_asm;
use std::mem::offset_of;

use crate::call::begin;
use crate::frame::Frame;
use crate::launch::{begin_launch, begin_launch_of_words};
use crate::returned::{returned_answer, returned_anything, returned_code, returned_copy};

/// Bytes of [`Frame`] below the saved frame pointer; a multiple of 16.
pub const FRAME_BYTES: usize = size_of::<Frame>();
/// The wide routine keeps the eight vector registers, and room for the vector return value, below the frame.
const VECTOR_BYTES: usize = 8 * 16;

const _: () = assert!(FRAME_BYTES.is_multiple_of(16));

macro_rules! trampoline {
    ($(#[$doc:meta])* $name:ident, $save_vectors:literal, $load_vectors:literal, $returned:path) => {
        trampoline!($(#[$doc])* $name, $save_vectors, $load_vectors, $returned, begin);
    };
    ($(#[$doc:meta])* $name:ident, $save_vectors:literal, $load_vectors:literal, $returned:path, $begin:path) => {
        $(#[$doc])*
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
                "sub rsp, {frame} + {vectors}",
                "mov [rbp - {frame} + {regs}], rdi",
                "mov [rbp - {frame} + {regs} + 8], rsi",
                "mov [rbp - {frame} + {regs} + 16], rdx",
                "mov [rbp - {frame} + {regs} + 24], rcx",
                "mov [rbp - {frame} + {regs} + 32], r8",
                "mov [rbp - {frame} + {regs} + 40], r9",
                "mov [rbp - {frame} + {hook}], r11",
                "mov [rbp - {frame} + {result}], rax",
                $save_vectors,
                "lea rdi, [rbp - {frame}]",
                "call {begin}",
                "mov r11, rax",
                "mov r10d, edx",
                // Words of the caller's stack that the function takes: an even number, pushed last word first.
                "sub r10d, 1",
                "js 5f",
                "jz 3f",
                "2:",
                "push qword ptr [rbp + r10 * 8 + 8]",
                "sub r10d, 1",
                "jnz 2b",
                "3:",
                $load_vectors,
                "mov rdi, [rbp - {frame} + {regs}]",
                "mov rsi, [rbp - {frame} + {regs} + 8]",
                "mov rdx, [rbp - {frame} + {regs} + 16]",
                "mov rcx, [rbp - {frame} + {regs} + 24]",
                "mov r8, [rbp - {frame} + {regs} + 32]",
                "mov r9, [rbp - {frame} + {regs} + 40]",
                "call r11",
                "jmp {returned}",
                // Not recorded: as if nobody stood between.
                "5:",
                $load_vectors,
                "mov rdi, [rbp - {frame} + {regs}]",
                "mov rsi, [rbp - {frame} + {regs} + 8]",
                "mov rdx, [rbp - {frame} + {regs} + 16]",
                "mov rcx, [rbp - {frame} + {regs} + 24]",
                "mov r8, [rbp - {frame} + {regs} + 32]",
                "mov r9, [rbp - {frame} + {regs} + 40]",
                "leave",
                ".cfi_def_cfa rsp, 8",
                "jmp r11",
                ".cfi_endproc",
                frame = const FRAME_BYTES,
                vectors = const VECTOR_BYTES,
                regs = const offset_of!(Frame, registers),
                hook = const offset_of!(Frame, hook),
                result = const offset_of!(Frame, result),
                begin = sym $begin,
                returned = sym $returned,
            )
        }
    };
}

trampoline!(
    /// For functions whose arguments and result are integers and pointers: all but a few.
    plain, "", "", returned_answer
);

trampoline!(
    /// The same where nothing but a code comes back.
    plain_in, "", "", returned_code
);

trampoline!(
    /// The same, unless the recording wants to look at what the driver has copied.
    plain_copy, "", "", returned_copy
);

trampoline!(
    /// For launches of kernels, whose arguments are looked for.
    launch, "", "", returned_code, begin_launch
);

/// For launches that take words only: how many, which names the kernel, which points to the arguments.
macro_rules! launch_of_words {
    ($name:ident, $words:literal, $function:literal, $params:literal) => {
        trampoline!(
            /// See the macro.
            $name,
            "",
            "",
            returned_code,
            begin_launch_of_words::<$words, $function, $params>
        );
    };
}

// One line for each shape of such launches.
include!(concat!(env!("OUT_DIR"), "/launches.rs"));

trampoline!(
    /// For functions with floating-point arguments and for those whose prototype nobody knows: vector registers are kept, too, and
    /// the number of them that a variadic function finds in al.
    wide,
    "movups [rbp - {frame} - 16], xmm0
     movups [rbp - {frame} - 32], xmm1
     movups [rbp - {frame} - 48], xmm2
     movups [rbp - {frame} - 64], xmm3
     movups [rbp - {frame} - 80], xmm4
     movups [rbp - {frame} - 96], xmm5
     movups [rbp - {frame} - 112], xmm6
     movups [rbp - {frame} - 128], xmm7",
    "movups xmm0, [rbp - {frame} - 16]
     movups xmm1, [rbp - {frame} - 32]
     movups xmm2, [rbp - {frame} - 48]
     movups xmm3, [rbp - {frame} - 64]
     movups xmm4, [rbp - {frame} - 80]
     movups xmm5, [rbp - {frame} - 96]
     movups xmm6, [rbp - {frame} - 112]
     movups xmm7, [rbp - {frame} - 128]
     mov rax, [rbp - {frame} + {result}]",
    returned_anything
);
