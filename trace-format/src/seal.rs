//! Making one file of a recording folder.
//!
//! The order keeps a trace there whatever happens: the file is written under a name of its own beside the target and forced to disk, then
//! it takes the target's place in one step, then the folder is removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::block::{BuildError, Kind};
use crate::block_source::{Damage, OpenError};
use crate::call::Call;
use crate::code_reader::{CodeReader, NoFiles};
use crate::exchange::exchange;
use crate::metadata::{Libraries, Note, Process, note};
use crate::sealed_writer::{SealedWriter, WriteError};
use crate::trace::Trace;

/// How far sealing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealProgress {
    /// Calls written.
    pub calls: u64,
    /// Calls in all.
    pub of: u64,
}

/// What to do where there is a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealOptions {
    /// Seal what is there of a recording whose processes are still running.
    pub allow_live: bool,
    /// Replace a file that is at the target.
    pub overwrite: bool,
}

/// What was sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Calls in the file.
    pub calls: u64,
    /// Length of the file.
    pub bytes: u64,
    /// Calls of the folder that were not to be kept.
    pub left_out: u64,
    /// What could not be read. Each is a note in the file.
    pub damages: Vec<Damage>,
}

/// A recording was not sealed. The folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The folder can't be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is one file already.
    #[error("{}: this trace is sealed already", path.display())]
    AlreadySealed {
        /// The file.
        path: PathBuf,
    },
    /// Its processes are still running.
    #[error("{}: the recording is still being made by process {pid}: wait for its end, or seal what is there so far by force", path.display())]
    Live {
        /// The folder.
        path: PathBuf,
        /// A process that is still there.
        pid: u32,
    },
    /// Something else is at the target.
    #[error("{}: a file of that name exists; choose another name or allow to overwrite it", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The operating system says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// A block could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Seals a recording folder into the file `out`, which may be the folder's own path: the file then takes its place and the folder is
/// removed. Otherwise the folder stays.
pub fn seal(
    folder: &Path,
    out: &Path,
    options: SealOptions,
    progress: &mut dyn FnMut(SealProgress),
) -> Result<Sealed, SealError> {
    let manner = Manner {
        options,
        keep: &mut KeepAll,
        code: &mut NoFiles,
    };
    seal_some(folder, out, manner, progress)
}

/// How a recording is sealed.
pub struct Manner<'a> {
    /// What to do where there is a choice.
    pub options: SealOptions,
    /// Which calls are kept.
    pub keep: &'a mut dyn Keep,
    /// What code addresses are called.
    pub code: &'a mut dyn CodeReader,
}

/// Which calls of a recording get into the file.
pub trait Keep {
    /// Whether to keep the next call. Calls come in the order of their numbers.
    fn keeps(&mut self, trace: &Trace, call: &Call) -> bool;

    /// By what calls are left out, for people. Not asked where none was.
    fn reason(&self) -> String;
}

/// Keeps all calls.
pub struct KeepAll;

impl Keep for KeepAll {
    fn keeps(&mut self, _: &Trace, _: &Call) -> bool {
        true
    }

    fn reason(&self) -> String {
        String::new()
    }
}

/// [`seal`], with the names of callers and call stacks, and leaves calls out. The file notes how many, and by what.
pub fn seal_some(
    folder: &Path,
    out: &Path,
    manner: Manner<'_>,
    progress: &mut dyn FnMut(SealProgress),
) -> Result<Sealed, SealError> {
    let options = manner.options;
    let trace = Trace::open(folder)?;
    if trace.is_sealed() {
        return Err(SealError::AlreadySealed {
            path: folder.to_owned(),
        });
    }
    if let Some(alive) = trace
        .processes()
        .iter()
        .find(|process| process.alive && !options.allow_live)
    {
        return Err(SealError::Live {
            path: folder.to_owned(),
            pid: alive.process.pid,
        });
    }
    let in_place = is_same(folder, out);
    if !in_place && !options.overwrite && out.symlink_metadata().is_ok() {
        return Err(SealError::Exists {
            path: out.to_owned(),
        });
    }
    let partial = beside(out, "sealing");
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| SealError::Io { path, source }
    };
    // A file of that name is what an earlier attempt left behind when it was killed.
    remove_if_there(&partial).map_err(at(&partial))?;
    let result = write(&trace, &partial, manner, progress);
    let sealed = match result {
        Ok(sealed) => sealed,
        Err(error) => {
            let _ = fs::remove_file(&partial);
            return Err(match error {
                WriteError::Io(source) => SealError::Io {
                    path: partial,
                    source,
                },
                WriteError::Build(error) => error.into(),
            });
        }
    };
    drop(trace);
    put_in_place(&partial, out, in_place).map_err(at(out))?;
    Ok(sealed)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// A name in the same folder, so that a rename does not copy.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    path.with_file_name(name)
}

/// Writes the whole file and forces it to disk.
fn write(
    trace: &Trace,
    path: &Path,
    manner: Manner<'_>,
    progress: &mut dyn FnMut(SealProgress),
) -> Result<Sealed, WriteError> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let Manner { keep, code, .. } = manner;
    let mut writer = SealedWriter::new(trace, code, BufWriter::with_capacity(1 << 20, file))?;
    if let Some(recording) = &trace.recording {
        writer.block(Kind::Recording, recording)?;
    }
    for (number, entry) in (0..).zip(&trace.processes) {
        writer.block(
            Kind::Process,
            &Process {
                number: Some(number),
                ..entry.process.clone()
            },
        )?;
        for libraries in &entry.libraries {
            writer.block(
                Kind::Libraries,
                &Libraries {
                    process: Some(number),
                    ..libraries.clone()
                },
            )?;
        }
    }
    let mut damages = trace.damages.clone();
    let of = trace.call_count();
    let mut calls = trace.calls();
    let mut call = Call::default();
    let mut left_out = 0;
    loop {
        match calls.read_next(&mut call) {
            Ok(false) => break,
            Ok(true) if !keep.keeps(trace, &call) => left_out += 1,
            Ok(true) => {
                if writer.call(&call)? {
                    progress(SealProgress {
                        calls: writer.calls_written(),
                        of,
                    });
                }
            }
            Err(damage) => damages.push(damage),
        }
    }
    for (hash, bytes) in trace.payloads().list() {
        if let Err(error) = writer.payload(&hash, bytes)? {
            damages.push(Damage {
                path: trace.path.clone(),
                offset: 0,
                bytes,
                problem: error.to_string(),
                lost_calls: None,
            });
        }
    }
    damages.extend_from_slice(trace.payloads().damages());
    for note in &trace.notes {
        writer.block(Kind::Note, note)?;
    }
    for damage in &damages {
        let count = damage.lost_calls.unwrap_or(0);
        let note = Note {
            kind: note::DAMAGED.to_owned(),
            text: damage.to_string(),
            count,
            ..Note::default()
        };
        writer.block(Kind::Note, &note)?;
    }
    if left_out > 0 {
        let note = Note {
            kind: note::LEFT_OUT.to_owned(),
            text: keep.reason(),
            count: left_out,
            ..Note::default()
        };
        writer.block(Kind::Note, &note)?;
    }
    if let Some(exit) = &trace.exit {
        writer.block(Kind::Exit, exit)?;
    }
    let written = writer.calls_written();
    let (out, bytes) = writer.finish()?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    progress(SealProgress { calls: written, of });
    Ok(Sealed {
        calls: written,
        bytes,
        left_out,
        damages,
    })
}

/// Lets the finished file take the target's place. In place, the folder is removed only after that is on disk.
fn put_in_place(partial: &Path, out: &Path, in_place: bool) -> io::Result<()> {
    if !in_place {
        fs::rename(partial, out)?;
        return sync_parent(out);
    }
    let folder = match exchange(partial, out) {
        Ok(()) => partial.to_owned(),
        // A file system without exchange: for a moment only the other two names are there.
        Err(_) => {
            let aside = beside(out, "folder");
            fs::rename(out, &aside)?;
            if let Err(error) = fs::rename(partial, out) {
                fs::rename(&aside, out)?;
                return Err(error);
            }
            aside
        }
    };
    sync_parent(out)?;
    fs::remove_dir_all(folder)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
