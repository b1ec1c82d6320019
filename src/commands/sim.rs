//! `cutape sim`: run a command on the simulated GPU.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use cutape_cuda_api::{Api, Library};

use crate::child;
use crate::driver::{Driver, DriverChoice};
use crate::front;
use crate::message::{self, OWN_FAILURE};
use crate::simulator::Simulator;

/// Run a command on the simulated GPU; nothing is recorded
///
/// The command finds a libcuda.so.1 and a libnvidia-ml.so.1 that behave as a driver with a GPU does: devices, contexts, memory and
/// copies are real to it; kernels are accepted and not computed.
#[derive(Args)]
#[command(after_help = "Examples:
  cutape sim -- ./program
  cutape sim --profile a100 -- python3 app.py
  cutape sim --profile ./my-gpu.toml -- ./program
  cutape sim --profiles")]
pub struct Arguments {
    /// Which GPU: a profile's name or a TOML file (docs/profiles.md)
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,

    /// List the profiles that are part of cutape, and run nothing
    #[arg(long, conflicts_with_all = ["profile", "list", "command"])]
    profiles: bool,

    /// List the functions of the driver API and NVML, each with `implemented` or with what it answers instead, and run nothing
    #[arg(long, conflicts_with_all = ["profile", "command"])]
    list: bool,

    /// The command and its arguments
    #[arg(
        required_unless_present_any = ["profiles", "list"],
        trailing_var_arg = true,
        value_name = "CMD"
    )]
    command: Vec<OsString>,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    let list = match (arguments.profiles, arguments.list) {
        (true, _) => Some(Simulator::installed().and_then(|simulator| profiles(&simulator))),
        (_, true) => Some(Simulator::installed().and_then(|simulator| functions(&simulator))),
        _ => None,
    };
    match list {
        Some(Ok(text)) => show(&text),
        Some(Err(error)) => message::fail(OWN_FAILURE, error),
        None => run_command(arguments),
    }
}

fn run_command(arguments: Arguments) -> ExitCode {
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
    let library_path = front::library_path(&front::for_simulation(&driver)?)?;
    let mut environment = vec![("LD_LIBRARY_PATH".into(), library_path)];
    environment.extend(
        driver
            .environment
            .into_iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    Ok(environment)
}

/// The profiles: the working ones first, then the broken ones.
fn profiles(simulator: &Simulator) -> Result<String, String> {
    let all = simulator.profiles()?;
    let width = all.iter().map(|one| one.name.len()).max().unwrap_or(0);
    let part = |heading: &str, broken: bool| {
        let lines: String = all
            .iter()
            .filter(|one| one.is_broken == broken)
            .map(|one| format!("  {:width$}  {}\n", one.name, one.summary))
            .collect();
        format!("{heading}\n{lines}")
    };
    Ok(part("Drivers that work:", false) + "\n" + &part("Drivers with something wrong:", true))
}

/// Every function of the API table with what the simulated driver makes of it.
fn functions(simulator: &Simulator) -> Result<String, String> {
    let implemented = simulator.implemented()?;
    let functions = Api::get().functions();
    let width = functions
        .iter()
        .map(|function| function.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for function in functions {
        let answer = match (
            implemented.contains(function.name.as_str()),
            function.library,
        ) {
            (true, _) => "implemented",
            (false, Library::Cuda) => "answers CUDA_ERROR_NOT_SUPPORTED",
            (false, Library::Nvml) => "answers NVML_ERROR_NOT_SUPPORTED",
        };
        text += &format!("{:width$}  {answer}\n", function.name);
    }
    let count = functions
        .iter()
        .filter(|function| implemented.contains(function.name.as_str()))
        .count();
    Ok(text + &format!("{count} of {} functions are implemented\n", functions.len()))
}

/// Prints to the end or until nobody reads any more.
fn show(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            message::fail(OWN_FAILURE, format!("can't write the list: {error}"))
        }
        _ => ExitCode::SUCCESS,
    }
}
