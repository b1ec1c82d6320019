//! Plays the calls of one process of a trace: feeds a player, watches over it, and hands what it answers to the judge.

mod chunks;
mod culprit;
mod feed;
mod order;
mod player_process;
mod process;
mod round;
mod round_end;
mod watch;

pub use player_process::{PlayerCommand, largest_resident_bytes, processor_ns};
pub use process::{Session, play};
