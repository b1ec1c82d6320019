//! The subcommands, one file each.

pub mod completions;
pub mod diff;
pub mod doctor;
pub mod env;
pub mod export;
pub mod info;
pub mod print;
pub mod record;
pub mod replay;
pub mod replay_player;
pub mod seal;
pub mod sim;
pub mod stats;
pub mod trim;
pub mod verify;
pub mod view;
