//! What a recording says before its first call: the schema, and whose calls these are.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use cutape_driver_search::loaded_file;
use cutape_trace_format::block::file_header;
use cutape_trace_format::clock::AnchorReading;
use cutape_trace_format::metadata::{ENVIRONMENT_KEPT, Note, Process, note};
use cutape_trace_format::payloads::PAYLOAD_FILE;

use crate::clock;
use crate::failure::Failure;
use crate::held_file::{HeldFile, within_size_limit};
use crate::injection;
use crate::load_map::LoadMap;
use crate::real_driver;

/// The file `schema`, made by the build script.
static SCHEMA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schema.file"));

/// Puts the schema into the recording's folder unless another process has. It appears whole or not at all.
///
/// # Errors
/// The folder can't be written.
pub fn write_schema(recording: &Path) -> Result<(), Failure> {
    let path = recording.join("schema");
    if path.exists() {
        return Ok(());
    }
    let draft = recording.join(format!("schema.{}", std::process::id()));
    let write = || -> io::Result<()> {
        within_size_limit(SCHEMA.len() as u64)?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(SCHEMA)?;
        fs::rename(&draft, &path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&draft);
        Failure::file("write the schema", &path, error)
    })
}

/// Starts the process's blocks: who it is, and what is loaded.
///
/// # Errors
/// As for [`HeldFile::create`] and [`HeldFile::append`].
pub fn write_blocks(
    folder: &Path,
    anchor: AnchorReading,
    unit_ns: u32,
) -> Result<HeldFile, Failure> {
    let mut bytes = file_header().to_vec();
    let process = describe_process(folder, anchor, unit_ns);
    bytes.extend(
        process
            .to_block()
            .map_err(|error| Failure::Bug(error.to_string()))?,
    );
    LoadMap::default().write_news(&mut bytes);
    let notes = filter_note().into_iter().chain(stacks_note());
    for note in notes.chain(rule_notes()) {
        let block = note.to_block();
        bytes.extend(block.map_err(|error| Failure::Bug(error.to_string()))?);
    }
    let mut file = HeldFile::create(&folder.join("blocks"), "write the blocks")?;
    file.append(&bytes)?;
    Ok(file)
}

/// `CUTAPE_FILTER`: the recording's filter. Sealing applies what the interposer can't, so the trace must say it.
fn filter_note() -> Option<Note> {
    let text = std::env::var("CUTAPE_FILTER").ok()?;
    (!text.is_empty()).then(|| Note {
        kind: note::FILTER.to_owned(),
        text,
        ..Note::default()
    })
}

/// `CUTAPE_STACKS`, where it is a filter: sealing applies it to calls one by one.
fn stacks_note() -> Option<Note> {
    let text = std::env::var("CUTAPE_STACKS").ok()?;
    (!["", "failed", "none"].contains(&text.as_str())).then(|| Note {
        kind: note::STACKS.to_owned(),
        text,
        ..Note::default()
    })
}

/// The rules by which the recording changes what calls do, each with its number from 1.
fn rule_notes() -> impl Iterator<Item = Note> {
    (1..).zip(injection::options()).map(|(count, text)| Note {
        kind: note::INJECTION.to_owned(),
        text,
        count,
        ..Note::default()
    })
}

fn describe_process(folder: &Path, anchor: AnchorReading, unit_ns: u32) -> Process {
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut parts = name.split('-').map(|part| part.parse().unwrap_or(0));
    let (_, start_time, incarnation) = (
        parts.next(),
        parts.next().unwrap_or(0),
        parts.next().unwrap_or(0),
    );
    let program = fs::read_link("/proc/self/exe")
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default();
    let command = fs::read("/proc/self/cmdline").unwrap_or_default();
    let command = command.strip_suffix(b"\0").unwrap_or(&command);
    Process {
        pid: std::process::id(),
        // SAFETY: getppid only returns a number.
        parent_pid: unsafe { libc::getppid() } as u32,
        start_time,
        incarnation: incarnation as u32,
        program,
        command: command
            .split(|&byte| byte == 0)
            .map(|part| OsStr::from_bytes(part).to_string_lossy().into_owned())
            .collect(),
        driver: real_driver::expected_path()
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default(),
        recorder: own_path(),
        anchor,
        ticks_are_tsc: clock::uses_tsc(),
        unit_ns,
        environment: environment(),
        ..Process::default()
    }
}

/// Our own file, as /proc/self/maps names it.
fn own_path() -> String {
    static OWN: u8 = 0;
    let path = loaded_file(&raw const OWN as usize).and_then(|path| fs::canonicalize(path).ok());
    path.map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The environment as it is now: programs change it before they start CUDA.
fn environment() -> Vec<(String, String)> {
    let value =
        |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    ENVIRONMENT_KEPT
        .iter()
        .filter_map(|&name| Some((name.to_owned(), value(name)?)))
        .collect()
}

/// Bytes of all blocks and payloads in a recording so far.
pub fn recorded_bytes(recording: &Path) -> u64 {
    let folders = fs::read_dir(recording).into_iter().flatten().flatten();
    folders
        .flat_map(|folder| ["blocks", PAYLOAD_FILE].map(|file| folder.path().join(file)))
        .filter_map(|file| fs::metadata(file).ok())
        .map(|file| file.len())
        .sum()
}
