//! The libraries that belong to this command, found where it is installed.

use std::env;
use std::path::{Path, PathBuf};

/// The library that records.
pub const INTERPOSER: &str = "libcutape_interposer.so";
/// The simulated driver.
pub const SIMULATOR: &str = "libcutape_sim.so";

/// Where `name` is: beside the command, as cargo builds it, or in `../lib/cutape`, as packages install it.
///
/// # Errors
/// Where it was looked for.
pub fn find(name: &str) -> Result<PathBuf, String> {
    let command = env::current_exe()
        .map_err(|error| format!("could not find out where cutape itself is: {error}"))?;
    let folder = command.parent().unwrap_or(Path::new("/"));
    let places = [folder.join(name), folder.join("../lib/cutape").join(name)];
    places
        .iter()
        .find(|place| place.is_file())
        .cloned()
        .ok_or_else(|| {
            format!(
                "expected {name} beside {} or in ../lib/cutape, found it in neither; \
             `cargo build --workspace` (with --release if that is what you run) makes it",
                command.display()
            )
        })
}
