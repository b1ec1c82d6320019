//! `cargo xtask bench`: measurements, a program of their own, because a release build takes a while and no other chore needs it.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Measure the project against what it promises; `cargo xtask bench --help` lists what can be measured
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// What to measure, and its options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

/// Runs the measurements; gives their exit code.
pub fn run(args: &Args) -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut bench = Command::new(cargo);
    bench.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "cutape-bench",
        "--",
    ]);
    match bench.args(&args.arguments).status() {
        // A program killed by a signal has no code.
        Ok(status) => ExitCode::from(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
        ),
        Err(error) => {
            eprintln!("xtask: expected to run cargo, {error}");
            ExitCode::FAILURE
        }
    }
}
