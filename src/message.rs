//! What the command says on standard error, and how it ends.

use std::fmt::Display;
use std::process::ExitCode;

/// Exit code of `record` and `sim` when cutape itself fails.
pub const OWN_FAILURE: u8 = 125;
/// Exit code when the command was found and can't be run.
pub const CANNOT_RUN: u8 = 126;
/// Exit code when the command was not found.
pub const NOT_FOUND: u8 = 127;

/// Says `cutape: TEXT` on standard error.
pub fn say(text: impl Display) {
    eprintln!("cutape: {text}");
}

/// Says why, and ends with `code`.
pub fn fail(code: u8, why: impl Display) -> ExitCode {
    say(why);
    ExitCode::from(code)
}
