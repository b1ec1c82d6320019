//! `cargo xtask probe-profile`: a profile of the simulated GPU from what a driver answers.

mod driver_library;
mod gpu;
mod profile_text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use driver_library::DriverLibrary;
use gpu::ProbedGpu;

/// Write a profile of the simulated GPU from what a driver answers: its name, memory, attributes, versions, sensors
///
/// The GPU's UUID goes into the profile as well; change it there if it is nobody else's business.
///
/// Exit code: 0 the profile is written, 1 the driver or the file could not be used.
#[derive(clap::Args)]
pub struct Args {
    /// The driver to ask: a library file, sim or sim:PROFILE. Without it, the libcuda.so.1 that the loader finds
    #[arg(long, value_name = "PATH|sim[:PROFILE]")]
    driver: Option<String>,
    /// Which GPU, by its number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    device: i32,
    /// Where the profile goes; without it, to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Asks the driver and writes the profile; gives the exit code.
pub fn run(args: &Args) -> ExitCode {
    let written = probe(args).and_then(|text| write(args.output.as_deref(), &text));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe-profile: {error}");
            ExitCode::FAILURE
        }
    }
}

fn probe(args: &Args) -> Result<String, String> {
    let (cuda, nvml) = match args.driver.as_deref() {
        None => (
            PathBuf::from("libcuda.so.1"),
            PathBuf::from("libnvidia-ml.so.1"),
        ),
        Some(choice) => match choice.strip_prefix("sim") {
            Some(rest) if rest.is_empty() || rest.starts_with(':') => {
                let library = simulator(rest.strip_prefix(':'))?;
                (library.clone(), library)
            }
            _ => {
                let path = Path::new(choice);
                (path.to_owned(), path.with_file_name("libnvidia-ml.so.1"))
            }
        },
    };
    let cuda = DriverLibrary::load(&cuda)?;
    // A driver without NVML beside it is a driver all the same.
    let nvml = DriverLibrary::load(&nvml).ok();
    ProbedGpu::ask(&cuda, nvml.as_ref(), args.device).map(|gpu| profile_text::write(&gpu))
}

/// Builds the simulated driver beside this program, and lets it be that of the profile.
fn simulator(profile: Option<&str>) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("where xtask is: {error}"))?;
    let folder = own.parent().unwrap_or(Path::new("/"));
    let cargo_profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "cutape-sim-driver"])
        .args(["--profile", cargo_profile, "--target-dir"])
        .arg(folder.parent().unwrap_or(folder))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .map_err(|error| format!("expected to run cargo, {error}"))?;
    if !status.success() {
        return Err(format!("the simulated driver can't be built: {status}"));
    }
    if let Some(profile) = profile {
        // SAFETY: this process has one thread, and nothing of it has looked at the variable.
        unsafe { std::env::set_var("CUTAPE_SIM_PROFILE", profile) };
    }
    Ok(folder.join("libcutape_sim.so"))
}

fn write(path: Option<&Path>, text: &str) -> Result<(), String> {
    match path {
        Some(path) => {
            std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
        }
        None => std::io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| format!("standard output: {error}")),
    }
}
