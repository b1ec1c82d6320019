//! The library that takes the place of `libcuda.so.1` and `libnvidia-ml.so.1` and records every call.
//!
//! A call's way: an exported symbol ([`hooks`]) names its hook and jumps to an entry routine, [`straight`] for most functions and the
//! [`trampoline`] for the rest; [`call`] puts it on [`record`] in the thread's ring; the real function runs; `call` records the answer.
//! All that is slow (starting, attaching threads, waiting for room) is in [`recording`] and [`process`]; the [`flusher`] turns rings into
//! blocks.
//!
//! Before the first call the library only loads the real one, as the program would have; it makes no thread, no file, no handler. It
//! never unloads. Whatever goes wrong on its side ends the recording and not the program.

// Nothing here is public but the exported symbols; the documentation is for those who work on it.
#![allow(rustdoc::private_intra_doc_links)]

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!(
    "cutape's interposer is written for x86-64 Linux: its entry code follows that calling convention"
);

mod belongings;
mod build_id;
mod call;
mod call_stack;
mod capture;
mod clock;
mod complaint;
mod content;
mod driver_state;
mod failure;
mod fixed_capture;
mod flusher;
mod fork_page;
mod frame;
mod function_name;
mod function_record;
mod function_set;
mod futex;
mod held_file;
mod hook;
mod hooks;
mod image;
mod image_layouts;
mod injected_call;
mod injection;
mod introduction;
mod kernel_capture;
mod kernel_layout;
mod kernel_table;
mod last_thread;
mod later_copies;
mod launch;
mod load_map;
mod loading;
mod memory;
mod more;
mod own_stack;
mod payload_store;
mod payload_switch;
mod pointer_memory;
mod proc_address;
mod process;
mod real_driver;
mod record;
mod recording;
mod returned;
mod ring_file;
mod settings;
mod stack;
mod straight;
mod thread;
mod thread_exit;
mod thread_record;
mod trampoline;
mod unrecorded;
mod withheld;
