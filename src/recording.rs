//! The folder of a recording that `cutape record` starts, and its end.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use cutape_trace_format::block::file_header;
use cutape_trace_format::metadata::{Exit, Recording};
use cutape_trace_format::seal::{SealOptions, Sealed};
use cutape_trace_format::trace::Trace;

use crate::filtering;
use crate::process_end;

/// Processes that outlive the command by less than this still get into the sealed trace.
const GRACE: Duration = Duration::from_millis(500);

/// How a recording ended.
pub struct Ended {
    /// How the program ended.
    pub status: ExitStatus,
    /// What went wrong afterwards, for people.
    pub troubles: Vec<String>,
}

/// A recording in progress.
pub struct RecordingFolder {
    path: PathBuf,
    metadata: File,
}

impl RecordingFolder {
    /// Makes the folder. With `force` an existing trace makes way; anything else of that name never does.
    ///
    /// # Errors
    /// The name is taken, or the folder can't be written.
    pub fn create(path: &Path, force: bool, recording: &Recording) -> Result<Self, String> {
        make_way(path, force)?;
        let could_not =
            |error: io::Error| format!("could not make the trace {}: {error}", path.display());
        DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(could_not)?;
        let mut bytes = file_header().to_vec();
        bytes.extend(recording.to_block().map_err(|error| error.to_string())?);
        let create = || {
            let mut file = OpenOptions::new()
                .append(true)
                .create_new(true)
                .mode(0o600)
                .open(path.join("recording"))?;
            file.write_all(&bytes)?;
            Ok(file)
        };
        let metadata = create().map_err(|error| {
            let _ = fs::remove_dir_all(path);
            could_not(error)
        })?;
        Ok(Self {
            path: path.to_owned(),
            metadata,
        })
    }

    /// Notes how the command ended.
    ///
    /// # Errors
    /// The folder is gone or the disk is full.
    pub fn note_end(&mut self, status: ExitStatus, at_ns: u64) -> Result<(), String> {
        let exit = Exit {
            code: status.code(),
            signal: status.signal(),
            at_ns,
        };
        let block = exit.to_block().map_err(|error| error.to_string())?;
        self.metadata
            .write_all(&block)
            .map_err(|error| format!("could not note in the trace how the program ended: {error}"))
    }

    /// Makes one file of the folder, unless processes of the recording are still running.
    ///
    /// # Errors
    /// Why it stays a folder, which is as good a trace.
    pub fn seal(self, progress: &mut dyn FnMut(u64, u64)) -> Result<Sealed, String> {
        self.await_stragglers();
        filtering::seal(&self.path, &self.path, SealOptions::default(), &mut |at| {
            progress(at.calls, at.of)
        })
        .map_err(|error| {
            format!(
                "{error}; the recording stays a folder, which all commands read and `cutape seal` makes one file of"
            )
        })
    }

    /// Takes the folder away again, when the command could not even be started.
    pub fn discard(self) {
        let _ = fs::remove_dir_all(&self.path);
    }

    fn await_stragglers(&self) {
        let Ok(trace) = Trace::open(&self.path) else {
            return;
        };
        let end = Instant::now() + GRACE;
        for process in trace.processes().iter().filter(|process| process.alive) {
            process_end::wait(
                process.process.pid,
                end.saturating_duration_since(Instant::now()),
            );
        }
    }
}

fn make_way(path: &Path, force: bool) -> Result<(), String> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !force {
        return Err(format!(
            "{} exists; choose another name with -o, or --force to replace it",
            path.display()
        ));
    }
    let removed = if metadata.is_dir() {
        if Trace::open(path).is_err() {
            return Err(format!(
                "{} is a folder and not a recording: it is not replaced",
                path.display()
            ));
        }
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.map_err(|error| format!("could not replace {}: {error}", path.display()))
}
