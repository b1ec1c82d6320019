//! `cutape sim`: run a command on the simulated GPU.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::child;
use crate::driver::{Driver, DriverChoice};
use crate::front;
use crate::message::{self, OWN_FAILURE};

/// Run a command on the simulated GPU; nothing is recorded
///
/// The command finds a libcuda.so.1 and a libnvidia-ml.so.1 that behave as a driver with a GPU does: devices, contexts, memory and
/// copies are real to it; kernels are accepted and not computed.
#[derive(Args)]
#[command(after_help = "Examples:
  cutape sim -- ./program
  cutape sim --profile a100 -- python3 app.py
  cutape sim --profile ./my-gpu.toml -- ./program")]
pub struct Arguments {
    /// Which GPU: a profile's name or a TOML file (docs/profiles.md)
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    let environment = match environment(arguments.profile) {
        Ok(environment) => environment,
        Err(error) => return message::fail(OWN_FAILURE, error),
    };
    match child::run(&arguments.command, &environment) {
        Ok(status) => child::end_as(status),
        Err(error) => child::could_not_start(&arguments.command[0], &error),
    }
}

fn environment(profile: Option<String>) -> Result<Vec<(OsString, OsString)>, String> {
    let driver = Driver::find(Some(&DriverChoice::Simulated(profile)))?;
    let library_path = front::library_path(&front::for_simulation()?)?;
    let mut environment = vec![("LD_LIBRARY_PATH".into(), library_path)];
    environment.extend(
        driver
            .environment
            .into_iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    Ok(environment)
}
