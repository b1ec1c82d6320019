//! The tables that the build script generates: a hook and an exported symbol for each function of the API table.

use std::arch::naked_asm;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr};

use crate::hook::{
    Capture, Count, Detail, Extent, Hook, Library, Place, SPECIAL_AFTER, SPECIAL_BEFORE,
    SPECIAL_DATA, SPECIAL_UNLOADS,
};
use crate::more::{
    Belonging, Content, CopyBox, Kernel, KernelPlace, Kernels, More, NOTHING_MORE, Number,
    OrderKind, OrderOf, Payload, RegionPlace, Regions, StreamWord, UsedFunction, When,
};
use crate::{straight, trampoline};

/// Bytes between two hooks, for the exports' address arithmetic.
const HOOK_BYTES: usize = size_of::<Hook>();

include!(concat!(env!("OUT_DIR"), "/hooks.rs"));

macro_rules! stub {
    ($(#[$attribute:meta])* $visibility:vis $name:ident, $table:ident, $index:literal, $trampoline:path) => {
        $(#[$attribute])*
        #[unsafe(naked)]
        #[allow(non_snake_case, missing_docs)]
        $visibility unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "endbr64",
                "lea r11, [rip + {hooks} + {offset}]",
                "jmp {trampoline}",
                ".cfi_endproc",
                hooks = sym $table,
                offset = const $index * HOOK_BYTES,
                trampoline = sym $trampoline,
            )
        }
    };
}

macro_rules! export {
    ($name:ident, $table:ident, $index:literal, $trampoline:path) => {
        stub!(#[unsafe(no_mangle)] pub $name, $table, $index, $trampoline);
    };
}

macro_rules! dynamic {
    ($name:ident, $table:ident, $index:literal, $trampoline:path) => {
        stub!($name, $table, $index, $trampoline);
    };
}

/// A variable that debuggers look for by name. It holds zeros, as in a driver that no debugger has attached to.
macro_rules! object {
    ($name:ident, $bytes:literal) => {
        #[unsafe(no_mangle)]
        #[allow(non_upper_case_globals, missing_docs)]
        pub static mut $name: [u8; $bytes] = [0; $bytes];
    };
}

include!(concat!(env!("OUT_DIR"), "/exports.rs"));

/// A function that `cuGetProcAddress` may mean by a base name.
pub struct Name {
    /// What is asked for, `cuMemGetInfo`.
    pub base: &'static str,
    /// Its NULL stream is the thread's own.
    pub per_thread: bool,
    /// First CUDA version that means this function.
    pub since: u32,
    /// Index into [`HOOKS`].
    pub hook: usize,
}

include!(concat!(env!("OUT_DIR"), "/names.rs"));
