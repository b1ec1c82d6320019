//! The process that `cutape replay` plays calls in. Nobody else starts it.

use std::process::ExitCode;

use clap::Args;

use crate::message;
use crate::reading::TROUBLE;

/// The subcommand's name.
pub const NAME: &str = "replay-player";

/// Play calls that come in shared memory; started by `cutape replay`
#[derive(Args)]
pub struct Arguments {
    /// The memory's inherited descriptor
    descriptor: i32,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    match cutape_replayer::worker::run(arguments.descriptor) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => message::fail(
            TROUBLE,
            format!("{NAME} is a part of `cutape replay` and is started by it: {error}"),
        ),
    }
}
