//! The same calls traced with LTTng-UST, for comparison.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::{Samples, output_of};
use crate::error::BenchError;
use crate::workbench::{Driver, Workbench};

const SESSION: &str = "cutape-bench";

/// A session daemon of our own and a library with tracepoints.
pub struct Lttng {
    library: PathBuf,
    folder: PathBuf,
    daemon: u32,
}

impl Lttng {
    /// Starts the daemon and builds the library. `Err` says what is missing.
    ///
    /// # Errors
    /// LTTng is not installed, or does not work here.
    pub fn set_up(bench: &Workbench) -> Result<Self, BenchError> {
        let folder = bench.folder().join("lttng");
        fs::create_dir_all(&folder).map_err(BenchError::file(&folder))?;
        let library = folder.join("liblttng_wrapper.so");
        let driver = format!("-DDRIVER_PATH=\"{}\"", bench.driver(Driver::Idle).display());
        let arguments = ["-shared", "-fPIC", "-I.", &driver, "lttng_wrapper.c", "-o"];
        bench.compile(&arguments, &library, &["-llttng-ust", "-ldl"])?;
        let pid_file = folder.join("sessiond.pid");
        let mut start = Command::new("lttng-sessiond");
        start
            .args(["--daemonize", "--no-kernel", "--pidfile"])
            .arg(&pid_file)
            .env("LTTNG_HOME", &folder);
        output_of(&mut start)?;
        let pid = fs::read_to_string(&pid_file).map_err(BenchError::file(&pid_file))?;
        let daemon = pid
            .trim()
            .parse()
            .map_err(|_| BenchError::Output { line: pid.clone() })?;
        Ok(Self {
            library,
            folder,
            daemon,
        })
    }

    /// The version, as `lttng` gives it.
    pub fn version() -> Option<String> {
        let text = output_of(Command::new("lttng").arg("--version")).ok()?;
        // "lttng (LTTng Trace Control) 2.13.9 - Nordicité"
        let digit = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        Some(
            text.split_whitespace()
                .find(digit)
                .unwrap_or("of unknown version")
                .to_owned(),
        )
    }

    /// Traces what the library does in `run`.
    ///
    /// # Errors
    /// The session can't be made, `run` fails, or LTTng threw events away.
    pub fn trace(
        &self,
        run: impl FnOnce(&Path) -> Result<Samples, BenchError>,
    ) -> Result<Samples, BenchError> {
        let output = format!("--output={}", self.folder.join("trace").display());
        self.lttng(&["create", SESSION, &output])?;
        let started = self
            .lttng(&[
                "enable-channel",
                "--userspace",
                "--subbuf-size=8M",
                "--num-subbuf=8",
                "calls",
            ])
            .and_then(|_| {
                self.lttng(&[
                    "enable-event",
                    "--userspace",
                    "--channel=calls",
                    "cutape_bench:*",
                ])
            })
            .and_then(|_| self.lttng(&["start"]));
        let samples = started.and_then(|_| run(&self.library));
        let stopped = self.lttng(&["stop"]);
        self.lttng(&["destroy", SESSION])?;
        let said = stopped?;
        let trace = self.folder.join("trace");
        fs::remove_dir_all(&trace).map_err(BenchError::file(&trace))?;
        if said.contains("discarded") {
            return Err(BenchError::Output { line: said });
        }
        samples
    }

    fn lttng(&self, arguments: &[&str]) -> Result<String, BenchError> {
        let mut command = Command::new("lttng");
        output_of(command.args(arguments).env("LTTNG_HOME", &self.folder))
    }
}

impl Drop for Lttng {
    fn drop(&mut self) {
        // The daemon that we started, by its process id; it takes its consumers with it.
        let _ = output_of(Command::new("kill").arg(self.daemon.to_string()));
    }
}
