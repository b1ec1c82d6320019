//! The playing process: loads the driver under test and makes the recorded calls.
//!
//! It has no file and no pipe of its own once the driver is loaded, and it trusts nobody: not the trace, whose addresses never reach the
//! driver, and not the driver, which may end the process in any call. What it writes before and after each call is in shared memory.

mod answers;
mod arena;
mod arguments;
mod callbacks;
mod copied;
mod driver;
mod found_function;
mod handles;
mod host_memory;
mod image_file;
mod instructions;
mod kernel;
mod later_copies;
mod player;
mod refusal;
mod relocate;
mod rows;
mod world;

pub use found_function::WRONG_NAME;
pub use instructions::Instructions;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::wire::board::{Board, stage};
use crate::wire::futex;
use crate::worker::driver::Driver;
use crate::worker::player::Player;
use crate::worker::world::World;

/// Stack of a playing thread; drivers expect what the system gives by default.
const STACK_BYTES: usize = 8 << 20;

/// Plays what comes in the shared memory of that inherited descriptor, until the process is ended from outside.
///
/// # Errors
/// The descriptor is not that of such memory.
pub fn run(descriptor: i32) -> std::io::Result<()> {
    let board = Arc::new(Board::inherited(descriptor)?);
    die_with_parent();
    callbacks::count_on(&board);
    let Some(instructions) = board
        .instructions()
        .and_then(|bytes| Instructions::read(&bytes))
    else {
        board.leave_message("the instructions can't be read", stage::BROKEN);
        return Ok(());
    };
    board
        .control()
        .stage
        .store(stage::LOADING, Ordering::Release);
    let driver = match Driver::load(&instructions) {
        Ok(driver) => driver,
        Err(why) => {
            board.leave_message(&why, stage::NOT_LOADED);
            return Ok(());
        }
    };
    match World::new(board.clone(), instructions, driver) {
        Ok(world) => start_threads(&board, &Arc::new(world)),
        Err(error) => {
            let why = format!("no memory for the host sides of copies: {error}");
            board.leave_message(&why, stage::BROKEN);
            return Ok(());
        }
    }
    Ok(())
}

/// Starts a thread for each that the judge announces.
fn start_threads(board: &Arc<Board>, world: &Arc<World>) {
    let control = board.control();
    control.stage.store(stage::PLAYING, Ordering::Release);
    let mut started = 0;
    loop {
        futex::wait_until(&control.threads, &control.sleepers, |threads| {
            threads != started
        });
        let number = started as usize;
        let thread = std::thread::Builder::new()
            .name(format!("replay-{number}"))
            .stack_size(STACK_BYTES);
        let world = world.clone();
        let spawned = thread.spawn(move || match Player::new(world.clone(), number) {
            Ok(player) => player.play_all(),
            Err(error) => {
                let why = format!("no memory for the arguments of thread {number}: {error}");
                world.board.leave_message(&why, stage::BROKEN);
            }
        });
        if let Err(error) = spawned {
            let why = format!("thread {number} can't be started: {error}");
            board.leave_message(&why, stage::BROKEN);
            return;
        }
        started += 1;
    }
}

/// Whoever judges may be killed; a driver that hangs must not stay behind.
fn die_with_parent() {
    // SAFETY: sets an attribute of this process.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}
