//! What is measured and what it is measured with: the interposer as users get it, and small C programs built on the spot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::{Samples, output_of};
use crate::error::BenchError;
use crate::trace_check::Recording;

/// Everything built, in a folder of its own that is removed at the end.
pub struct Workbench {
    folder: PathBuf,
    interposer: PathBuf,
    idle_driver: PathBuf,
    working_driver: PathBuf,
    client: PathBuf,
}

/// Which driver stands behind the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Does nothing at all.
    Idle,
    /// Takes its time, as a real one does.
    Working,
}

const CFLAGS: [&str; 3] = ["-O2", "-Wall", "-Wextra"];

impl Workbench {
    /// Builds the interposer's release build and the C programs.
    ///
    /// # Errors
    /// cargo or cc fails, or files can't be written.
    pub fn set_up() -> Result<Self, BenchError> {
        let release = release_folder()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "cutape-interposer",
        ]);
        output_of(build.current_dir(workspace()))?;
        let folder = release.join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(BenchError::file(&folder))?;
        let bench = Self {
            interposer: release.join("libcutape_interposer.so"),
            idle_driver: folder.join("libidle_driver.so"),
            working_driver: folder.join("libworking_driver.so"),
            client: folder.join("client"),
            folder,
        };
        let idle = ["-shared", "-fPIC", "idle_driver.c", "-o"];
        bench.compile(&idle, &bench.idle_driver, &[])?;
        bench.compile(&idle, &bench.working_driver, &["-DWORKING"])?;
        bench.compile(&["client.c", "-o"], &bench.client, &["-lpthread", "-ldl"])?;
        Ok(bench)
    }

    /// Compiles one of the C programs in this package's `c` folder.
    ///
    /// # Errors
    /// There is no compiler, or it refuses.
    pub fn compile(
        &self,
        arguments: &[&str],
        output: &Path,
        more: &[&str],
    ) -> Result<(), BenchError> {
        let mut compiler = Command::new("cc");
        compiler
            .current_dir(sources())
            .args(CFLAGS)
            .args(arguments)
            .arg(output)
            .args(more);
        output_of(&mut compiler).map(drop)
    }

    /// Folder for what is built or recorded.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds the command's release build.
    ///
    /// # Errors
    /// cargo fails.
    pub fn command_line(&self) -> Result<PathBuf, BenchError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--release", "--quiet", "--package", "cutape"]);
        output_of(build.current_dir(workspace()))?;
        Ok(release_folder()?.join("cutape"))
    }

    /// Path of a driver.
    pub fn driver(&self, driver: Driver) -> &Path {
        match driver {
            Driver::Idle => &self.idle_driver,
            Driver::Working => &self.working_driver,
        }
    }

    /// Runs the client on a library that stands before a driver.
    ///
    /// # Errors
    /// It fails, or prints something unexpected.
    pub fn measure(
        &self,
        library: &Path,
        driver: Driver,
        mode: &[&str],
    ) -> Result<Samples, BenchError> {
        Samples::parse(&output_of(&mut self.command(library, driver, mode))?)
    }

    /// Runs the client with the interposer recording to a fresh folder, nothing but arguments and results.
    ///
    /// # Errors
    /// As for [`Self::measure`].
    pub fn record(
        &self,
        driver: Driver,
        mode: &[&str],
    ) -> Result<(Samples, Recording), BenchError> {
        self.record_with("none", driver, mode)
    }

    /// The same with this much of payload.
    ///
    /// # Errors
    /// As for [`Self::measure`].
    pub fn record_with(
        &self,
        payload: &str,
        driver: Driver,
        mode: &[&str],
    ) -> Result<(Samples, Recording), BenchError> {
        let recording = Recording::new(self.folder.join("recording"))?;
        let mut client = self.command(&self.interposer, driver, mode);
        client
            .env("CUTAPE_PAYLOAD", payload)
            .env("CUTAPE_OUT", recording.path())
            .env("CUTAPE_DRIVER", self.driver(driver));
        let samples = Samples::parse(&output_of(&mut client)?)?;
        Ok((samples, recording))
    }

    fn command(&self, library: &Path, driver: Driver, mode: &[&str]) -> Command {
        let mut client = Command::new(&self.client);
        client.arg(library).arg(self.driver(driver)).args(mode);
        client
    }
}

impl Drop for Workbench {
    fn drop(&mut self) {
        // What is left is in the build folder, where `cargo clean` finds it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder with Cargo.lock.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/c"))
}

/// Where cargo put this program, and puts the interposer.
fn release_folder() -> Result<PathBuf, BenchError> {
    let program = std::env::current_exe().map_err(BenchError::file("this program"))?;
    Ok(program.parent().unwrap_or(Path::new("/")).to_owned())
}
