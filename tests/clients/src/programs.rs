//! Our own client programs, built when a test asks for them.
//!
//! Each is built once per change of its source into the target folder; two tests that ask at once build it twice and the last one wins,
//! which does no harm because the finished file is renamed into place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// What programs are compiled with: warnings are errors, because a client that is wrong itself proves nothing.
const C_FLAGS: [&str; 7] = [
    "-std=gnu11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pthread",
];

/// Why a program could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The compiler can't be started.
    #[error("{compiler}: expected it in PATH to build {source_file}, {error}")]
    NoCompiler {
        /// Its name.
        compiler: String,
        /// What was to be built.
        source_file: String,
        /// Why it did not start.
        error: io::Error,
    },
    /// It refused the program.
    #[error("{compiler} does not build {source_file}:\n{output}")]
    Refused {
        /// Its name.
        compiler: String,
        /// What was to be built.
        source_file: String,
        /// What it printed.
        output: String,
    },
    /// The result can't be put in place.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong with it.
        error: io::Error,
    },
}

/// The folder of the sources.
pub fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Builds `NAME.c` and gives the program's path.
pub fn c_program(name: &str) -> Result<PathBuf, BuildError> {
    build(&format!("{name}.c"), name, |source, out| {
        let mut command = Command::new("cc");
        command
            .args(C_FLAGS)
            .arg(source)
            .arg("-o")
            .arg(out)
            .arg("-ldl");
        command
    })
}

/// Builds `NAME.c` linked to the driver, as `-lcuda` does: DT_NEEDED libcuda.so.1, resolved when the program starts.
pub fn linked_c_program(name: &str) -> Result<PathBuf, BuildError> {
    let stub = build_library("libcuda_stub", "stub/libcuda.so")?;
    let folder = stub.parent().unwrap_or(Path::new(".")).to_owned();
    build(&format!("{name}.c"), name, |source, out| {
        let mut command = Command::new("cc");
        command.args(C_FLAGS).arg(source).arg("-o").arg(out);
        command.arg("-L").arg(&folder).args(["-lcuda", "-ldl"]);
        command
    })
}

/// Builds `NAME.c` as a driver library and gives the folder in which it is `libcuda.so.1`.
pub fn driver_library(name: &str) -> Result<PathBuf, BuildError> {
    let mut library = build_library(name, &format!("{name}/libcuda.so.1"))?;
    library.pop();
    Ok(library)
}

fn build_library(name: &str, output: &str) -> Result<PathBuf, BuildError> {
    build(&format!("{name}.c"), output, |source, out| {
        let mut command = Command::new("cc");
        command
            .args(C_FLAGS)
            .args(["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"]);
        command.arg(source).arg("-o").arg(out).arg("-ldl");
        command
    })
}

/// Builds `NAME.go`. Go comes from the system; where it is absent this is [`BuildError::NoCompiler`], a reason to skip.
pub fn go_program(name: &str) -> Result<PathBuf, BuildError> {
    build(
        &format!("{name}.go"),
        &format!("{name}-go"),
        |source, out| {
            let mut command = Command::new("go");
            command.args(["build", "-o"]).arg(out).arg(source);
            command.env("GO111MODULE", "off").env("CGO_ENABLED", "1");
            command.env("GOCACHE", output_folder().join("go-cache"));
            command
        },
    )
}

/// The path of `NAME.py`, to be run with [`crate::python::interpreter`].
pub fn python_script(name: &str) -> PathBuf {
    sources().join(format!("{name}.py"))
}

/// `test-clients` in the target folder, whichever package's test asks. A relative CARGO_TARGET_DIR is relative to a folder that a test
/// does not know, so it is not followed.
fn output_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target
        .filter(|target| target.is_absolute())
        .unwrap_or_else(|| sources().join("../../target"));
    target.join("test-clients")
}

/// Runs a compiler on one source file unless its output is newer than every source.
fn build(
    source: &str,
    output: &str,
    command: impl Fn(&Path, &Path) -> Command,
) -> Result<PathBuf, BuildError> {
    static BUILDS: AtomicU32 = AtomicU32::new(0);
    let source_path = sources().join(source);
    let place = output_folder().join(output);
    if is_newer_than_sources(&place) {
        return Ok(place);
    }
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| BuildError::File { path, error }
    };
    let folder = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(at(folder))?;
    let number = BUILDS.fetch_add(1, Ordering::Relaxed);
    let staged = place.with_extension(format!("{}-{number}", std::process::id()));
    run(command(&source_path, &staged), source)?;
    fs::rename(&staged, &place).map_err(at(&place))?;
    Ok(place)
}

fn run(mut command: Command, source: &str) -> Result<(), BuildError> {
    let compiler = command.get_program().to_string_lossy().into_owned();
    let source_file = source.to_owned();
    let output = command.output().map_err(|error| BuildError::NoCompiler {
        compiler: compiler.clone(),
        source_file: source_file.clone(),
        error,
    })?;
    match output.status.success() {
        true => Ok(()),
        false => Err(BuildError::Refused {
            compiler,
            source_file,
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
    }
}

/// Whether a built file is younger than every C, Go and header file beside the sources; they are few, so no dependencies are tracked.
fn is_newer_than_sources(built: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let Ok(built) = modified(built) else {
        return false;
    };
    let newest = fs::read_dir(sources()).ok().and_then(|entries| {
        let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let code = files.filter(|path| {
            path.extension()
                .is_some_and(|e| e == "c" || e == "h" || e == "go")
        });
        code.filter_map(|path| modified(&path).ok()).max()
    });
    newest.unwrap_or(SystemTime::UNIX_EPOCH) < built
}
