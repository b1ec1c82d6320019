//! What the commands that read traces have in common with each other and with `head`, `grep` and `strace`.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use cutape_trace_format::block_source::{Damage, OpenError};
use cutape_trace_format::trace::Trace;

use crate::message;

/// Exit code when a command can't do what it was asked, or only in part.
pub const TROUBLE: u8 = 2;
/// Damage is listed up to here; `cutape verify` lists all.
const MAX_WARNINGS: usize = 10;

/// Lets a closed pipe end the process by SIGPIPE, silently, as it ends `strace`; Rust starts programs with the signal ignored.
pub fn die_of_closed_pipe() {
    // SAFETY: SIG_DFL is no handler; no other thread has been started by the commands that call this.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Opens a trace.
///
/// # Errors
/// The exit code, when the message is out.
pub fn open(path: &Path) -> Result<Trace, ExitCode> {
    Trace::open(path).map_err(|error| refuse(path, &error))
}

/// Says why a trace can't be opened, and what to do about it.
pub fn refuse(path: &Path, error: &OpenError) -> ExitCode {
    let hint = match error {
        OpenError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            suggestion(path)
        }
        OpenError::Io { source, .. } if source.raw_os_error() == Some(libc::ESPIPE) => {
            "; a trace is read from many places: expected a file or a folder, found a pipe"
                .to_owned()
        }
        OpenError::NotATrace { path } if path.is_dir() => {
            "; the folder has neither a file `recording` nor the folder of a process".to_owned()
        }
        OpenError::NotATrace { path } if is_empty(path) => {
            "; the file is empty: was the disk full when it was written?".to_owned()
        }
        _ => String::new(),
    };
    message::fail(TROUBLE, format!("{error}{hint}"))
}

fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() == 0)
}

/// `record -o NAME` makes NAME.cutape, so NAME alone is an easy mistake.
fn suggestion(path: &Path) -> String {
    let mut longer = path.as_os_str().to_owned();
    longer.push(".cutape");
    if Path::new(&longer).exists() {
        format!("; did you mean {}?", Path::new(&longer).display())
    } else {
        String::new()
    }
}

/// What went wrong while a trace was read, said at most ten times.
#[derive(Default)]
pub struct Warnings {
    count: u64,
}

impl Warnings {
    /// Warns of damage that was met when the trace was opened.
    pub fn of(trace: &Trace) -> Self {
        let mut warnings = Self::default();
        trace
            .damages()
            .iter()
            .for_each(|damage| warnings.warn(damage));
        warnings
    }

    /// Warns of one thing.
    pub fn warn(&mut self, damage: &Damage) {
        self.count += 1;
        if self.count <= MAX_WARNINGS as u64 {
            message::say(format!("warning: {damage}"));
        }
    }

    /// Whether there was anything to warn of.
    pub fn any(&self) -> bool {
        self.count > 0
    }

    /// Says how much more there was and what to do; `TROUBLE` if there was anything.
    pub fn exit_code(&self) -> ExitCode {
        self.exit_code_or(ExitCode::SUCCESS)
    }

    /// The same for a command whose answer is an exit code: damage goes before it.
    pub fn exit_code_or(&self, answer: ExitCode) -> ExitCode {
        if self.count == 0 {
            return answer;
        }
        if self.count > MAX_WARNINGS as u64 {
            message::say(format!(
                "warning: {} more",
                self.count - MAX_WARNINGS as u64
            ));
        }
        message::say(
            "the trace is damaged: what is shown is intact, and not all there was; `cutape verify` lists what is lost",
        );
        ExitCode::from(TROUBLE)
    }
}

/// Writes text to standard output at once.
///
/// # Errors
/// The exit code, when the message is out. A closed pipe has none.
pub fn print(text: &str) -> Result<(), ExitCode> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(cannot_write)
}

/// Says that standard output can't be written to.
pub fn cannot_write(error: impl Display) -> ExitCode {
    message::fail(TROUBLE, format!("standard output: {error}"))
}
