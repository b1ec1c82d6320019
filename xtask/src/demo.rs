//! `cargo xtask demo`: the story that cutape was made for, told with the real commands on the simulated driver.
//!
//! A program that starts up as GGML's CUDA backend does runs on a driver whose cuMemGetInfo fails, and falls back to the CPU without
//! a word. It is recorded, the trace shows why, and doctor says it. Then the same on the repaired driver.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use cutape_test_clients::programs::{self, BuildError};

/// Tell the seed's story end to end: a program falls silently back to the CPU, and a recording shows which call made it
#[derive(clap::Args)]
pub struct Args {}

/// What keeps the demo from being told.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{command} can't be started: {error}")]
    NotStarted { command: String, error: io::Error },
    #[error("{command} ended with {status}, which the story does not expect")]
    Failed { command: String, status: String },
    #[error(transparent)]
    Client(#[from] BuildError),
    #[error("{path}: {error}", path = path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error("the trace {trace} does not show {expected:?}; the demo's story is not true")]
    Untrue { trace: String, expected: String },
}

/// Tells the story.
pub fn run(_: &Args) -> ExitCode {
    match tell() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The call that matters, on the driver that fails and on the one that works.
const FAILING: &str = "cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)";
const WORKING: &str =
    "cuMemGetInfo_v2(free=83751862272 (78 GiB), total=85899345920 (80 GiB)) = CUDA_SUCCESS (0)";

/// Exit code of `cutape replay` when the driver does not conform.
const DIVERGES: i32 = 1;

/// Exit code of `cutape doctor` when it found something.
const FINDINGS: i32 = 1;

fn tell() -> Result<(), DemoError> {
    say(
        "Building cutape, the library that records, the simulated driver, and a client that starts up as GGML does.",
    );
    build()?;
    let stage = Stage::new()?;
    say(
        "A user's shim forwards CUDA calls to a remote GPU. PyTorch works on it. Ollama runs on the CPU and doesn't say why.\n\
         The profile shim-uninitialized behaves as that shim. The program's own output is one line:",
    );
    stage.act(&[
        "sim",
        "--profile",
        "shim-uninitialized",
        "--",
        "./ggml_startup",
    ])?;
    say("The same, recorded:");
    stage.act(&[
        "record",
        "--force",
        "-o",
        "broken",
        "--driver",
        "sim:shim-uninitialized",
        "--",
        "./ggml_startup",
    ])?;
    say("What it asked the driver, and what the driver answered:");
    stage.act(&["print", "broken.cutape"])?;
    stage.show_call("broken.cutape", FAILING, "That is the call that matters. GGML takes it for a GPU without memory, and gives up on it without a message:")?;
    say(
        "Nobody has to know that: doctor says what went wrong, what the program makes of it, and what to try.",
    );
    stage.act_to_the_end(&["doctor", "broken.cutape"], FINDINGS)?;
    say(
        "The shim is repaired: it answers from known values when its server can't. The profile shim-fixed behaves like that.",
    );
    stage.act(&[
        "record",
        "--force",
        "-o",
        "fixed",
        "--driver",
        "sim:shim-fixed",
        "--",
        "./ggml_startup",
    ])?;
    stage.show_call("fixed.cutape", WORKING, "The same call there:")?;
    say("And doctor has nothing to say, but what GGML decides now:");
    stage.act(&["doctor", "fixed.cutape"])?;
    say(
        "Was that all? The recording of the broken shim, played again on the repaired one, call by call:",
    );
    stage.act(&["replay", "broken.cutape", "--driver", "sim:shim-fixed"])?;
    say(
        "From now on CI plays the good recording on every build. Had somebody put the old code back, the build would fail:",
    );
    stage.act_to_the_end(
        &[
            "replay",
            "fixed.cutape",
            "--driver",
            "sim:shim-uninitialized",
            "--junit",
            "replay.xml",
        ],
        DIVERGES,
    )?;
    say(&format!(
        "The traces are in {}; `cutape stats`, `cutape info`, `cutape view` and `cutape print --format jsonl` read them.",
        stage.folder.display()
    ));
    Ok(())
}

fn say(text: &str) {
    println!("\n# {}", text.replace('\n', "\n# "));
}

fn build() -> Result<(), DemoError> {
    let packages =
        ["cutape", "cutape-interposer", "cutape-sim-driver"].map(|package| ["--package", package]);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet"])
        .args(packages.as_flattened())
        .current_dir(workspace());
    let status = cargo.status().map_err(|error| DemoError::NotStarted {
        command: "cargo build".to_owned(),
        error,
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(DemoError::Failed {
            command: "cargo build".to_owned(),
            status: status.to_string(),
        })
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Where the commands run: a folder of its own with the client in it.
struct Stage {
    folder: PathBuf,
    cutape: PathBuf,
}

impl Stage {
    fn new() -> Result<Self, DemoError> {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || workspace().join("target"),
            |folder| workspace().join(folder),
        );
        let folder = target.join("demo");
        let client = programs::c_program("ggml_startup")?;
        let place = |error| DemoError::Folder {
            path: folder.clone(),
            error,
        };
        std::fs::create_dir_all(&folder).map_err(place)?;
        std::fs::copy(&client, folder.join("ggml_startup")).map_err(place)?;
        Ok(Self {
            cutape: target.join("debug/cutape"),
            folder,
        })
    }

    /// Shows the command line and runs it, its output going where ours goes.
    fn act(&self, arguments: &[&str]) -> Result<(), DemoError> {
        self.act_to_the_end(arguments, 0)
    }

    /// The same for a command that has to end with this exit code.
    fn act_to_the_end(&self, arguments: &[&str], code: i32) -> Result<(), DemoError> {
        println!("$ cutape {}", arguments.join(" "));
        let status = self
            .command(arguments)
            .status()
            .map_err(|error| self.not_started(error))?;
        if status.code() == Some(code) {
            Ok(())
        } else {
            Err(DemoError::Failed {
                command: arguments.join(" "),
                status: status.to_string(),
            })
        }
    }

    /// Shows the one line of a trace that the story is about; it must be there.
    fn show_call(&self, trace: &str, call: &str, introduction: &str) -> Result<(), DemoError> {
        let Output { stdout, .. } = self
            .command(&["print", trace])
            .output()
            .map_err(|error| self.not_started(error))?;
        let text = String::from_utf8_lossy(&stdout);
        let untrue = || DemoError::Untrue {
            trace: trace.to_owned(),
            expected: call.to_owned(),
        };
        let line = text
            .lines()
            .find(|line| line.contains(call))
            .ok_or_else(untrue)?;
        say(introduction);
        println!("{}", line.trim_end());
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cutape);
        command.args(arguments).current_dir(&self.folder);
        command
    }

    fn not_started(&self, error: io::Error) -> DemoError {
        DemoError::NotStarted {
            command: self.cutape.display().to_string(),
            error,
        }
    }
}
