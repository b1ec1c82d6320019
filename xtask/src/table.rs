//! `cargo xtask table`: the table generator, a program of its own so that the other chores build without a C parser.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Write cuda-api's table from NVIDIA's headers; `cargo xtask table --help` lists its options
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Options of the generator
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

/// Runs the generator; gives its exit code.
pub fn run(args: &Args) -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut generator = Command::new(cargo);
    generator.args(["run", "--quiet", "--package", "cutape-table-gen", "--"]);
    match generator.args(&args.arguments).status() {
        // A generator killed by a signal has no code.
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
