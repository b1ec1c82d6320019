//! Functions that stand in for those of the recorded program.
//!
//! What the program's functions called inside a call is played inside it as well, if the driver calls back on the same thread.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use crate::plan::Stub;
use crate::wire::board::Board;
use crate::worker::player::Player;

/// What our functions are given; it leads nowhere.
pub const USER_DATA: u64 = 0xca11_bac0;

/// Where it is counted how often the driver called one of them.
static BOARD: OnceLock<Arc<Board>> = OnceLock::new();

thread_local! {
    /// The player whose call is going on in this thread.
    static PLAYING: Cell<*const Player> = const { Cell::new(ptr::null()) };
}

/// Runs a call of the player's that may call back.
pub fn during<T>(player: &Player, call: impl FnOnce() -> T) -> T {
    let outer = PLAYING.replace(player);
    let answer = call();
    PLAYING.set(outer);
    answer
}

/// Counts on that board from now on.
pub fn count_on(board: &Arc<Board>) {
    BOARD.get_or_init(|| board.clone());
}

/// The address of the function that stands in.
pub fn address(stub: Stub) -> u64 {
    let function = match stub {
        Stub::HostFunction => return host_function_address(),
        Stub::StreamCallback => stream_callback as *const (),
        Stub::BlockSizeToSharedMemory => shared_memory as *const (),
    };
    function.addr() as u64
}

/// The address of the stand-in for host functions.
pub fn host_function_address() -> u64 {
    (host_function as *const ()).addr() as u64
}

fn called() {
    if let Some(board) = BOARD.get() {
        board.control().called_back.fetch_add(1, Ordering::Relaxed);
    }
    let player = PLAYING.get();
    if !player.is_null() {
        // SAFETY: set by `during`, which runs further up on this thread's stack, and whose borrow lasts until it returns.
        unsafe { &*player }.play_nested();
    }
}

extern "C" fn host_function(_user_data: *mut c_void) {
    called();
}

extern "C" fn stream_callback(_stream: *mut c_void, _status: u32, _user_data: *mut c_void) {
    called();
}

extern "C" fn shared_memory(_block_size: i32) -> usize {
    called();
    0
}
