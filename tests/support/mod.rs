//! Running the `cutape` command on client programs, and looking at what it recorded.

// Each file of tests is a program of its own and uses a part of this.
#![allow(dead_code, unused_imports)]

mod built_libraries;
mod diagnosed;
pub mod exports;
mod process;
mod recorded;
pub mod terminal;
pub mod trace_processor;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cutape_test_clients::programs;

pub use diagnosed::Diagnosed;
pub use process::{End, Finished, Running, finish, start};
pub use recorded::{Recorded, SeenCall};

/// The `cutape` command with its libraries built, in an environment of its own.
pub fn cutape(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    built_libraries::build();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutape"));
    command.args(arguments);
    in_own_environment(command)
}

/// A program in the same environment, to be run without cutape.
pub fn program(path: impl AsRef<OsStr>) -> Command {
    in_own_environment(Command::new(path))
}

/// Nothing of the user's environment decides which driver is found, and nothing is written into the user's cache.
fn in_own_environment(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CUTAPE_") && text != "CUTAPE_PYTHON"
            || text.starts_with("CUDA_")
            || text.starts_with("LD_")
        {
            command.env_remove(&name);
        }
    }
    command.env("XDG_CACHE_HOME", cache_folder());
    command.stdin(Stdio::null());
    command
}

/// A library that lies beside the command.
pub fn library(name: &str) -> PathBuf {
    built_libraries::build();
    Path::new(env!("CARGO_BIN_EXE_cutape")).with_file_name(name)
}

/// Where these tests let cutape put its fronts.
pub fn cache_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// A C program of tests/clients.
pub fn client(name: &str) -> PathBuf {
    programs::c_program(name).unwrap()
}

/// `cutape record -o TRACE --driver DRIVER -- PROGRAM ARGUMENTS...`.
pub fn record(
    trace: &Path,
    driver: impl AsRef<OsStr>,
    program: &Path,
    arguments: &[&str],
) -> Command {
    let mut command = cutape(["record", "-o"]);
    command.arg(trace).arg("--driver").arg(driver).arg("--");
    command.arg(program).args(arguments);
    command
}

/// The environment that `cutape env` prints for these options, as name and value.
pub fn environment_of(options: &[&OsStr]) -> Vec<(String, String)> {
    let printed = finish(cutape(["env", "--format", "file"]).args(options));
    assert_eq!(printed.end, End::Code(0), "{}", printed.stderr);
    let pair = |line: &str| {
        let (name, value) = line.split_once('=').expect("NAME=VALUE");
        (name.to_owned(), value.to_owned())
    };
    printed.stdout.lines().map(pair).collect()
}

/// A program run twice on the simulated driver, without cutape's recording and with it.
pub struct Compared {
    /// The run that was recorded.
    pub recorded: Finished,
    /// What was recorded.
    pub trace: Recorded,
}

/// Runs a program on the simulated GPU alone and recorded; fails unless it prints and ends the same.
pub fn compare_on_simulated_gpu(program: &Path, arguments: &[&str]) -> Compared {
    compare_on_profile("h100", |command| {
        command.arg(program).args(arguments);
    })
}

/// The same on the simulated driver of a profile; `add_program` adds the program, its arguments and its environment to a command.
pub fn compare_on_profile(profile: &str, add_program: impl Fn(&mut Command)) -> Compared {
    let (alone, compared) = alone_and_recorded(profile, add_program);
    compared.recorded.assert_same_as(&alone);
    compared
}

/// The same for a program that does not print the same each time: the run alone, and the other one.
pub fn alone_and_recorded(
    profile: &str,
    add_program: impl Fn(&mut Command),
) -> (Finished, Compared) {
    let mut alone = cutape(["sim", "--profile", profile, "--"]);
    add_program(&mut alone);
    let alone = finish(&mut alone);
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("trace.cutape");
    let mut recorded = cutape(["record", "--driver", &format!("sim:{profile}"), "-o"]);
    recorded.arg(&path).arg("--");
    add_program(&mut recorded);
    let recorded = finish(&mut recorded);
    let trace = Recorded::open(&path);
    (alone, Compared { recorded, trace })
}
