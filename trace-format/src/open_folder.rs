//! Opening a recording folder.

use std::fs;
use std::path::Path;

use crate::block::Kind;
use crate::block_source::{BlockSource, Damage, OpenError, Step};
use crate::call::ProcessId;
use crate::metadata::Process;
use crate::payloads::PAYLOAD_FILE;
use crate::process_folder::{ProcessFolder, ProcessKey};
use crate::schema::Schema;
use crate::trace::{CallsRef, ProcessEntry, Trace};

/// Name of the file with the Recording and Exit blocks.
pub const RECORDING_FILE: &str = "recording";
/// Name of the file with the Schema block.
pub const SCHEMA_FILE: &str = "schema";

/// Opens a recording folder.
pub(crate) fn open(path: &Path) -> Result<Trace, OpenError> {
    let mut trace = Trace {
        path: path.to_owned(),
        ..Trace::default()
    };
    let has_recording = read_top_level(&mut trace, RECORDING_FILE)?;
    let has_schema = read_top_level(&mut trace, SCHEMA_FILE)?;
    let processes = process_folders(path)?;
    if !has_recording && !has_schema && processes.is_empty() {
        return Err(OpenError::NotATrace {
            path: path.to_owned(),
        });
    }
    for key in processes {
        let folder = ProcessFolder::open(&path.join(key.folder_name()), &key)?;
        add_process(&mut trace, &key, folder);
        let payload = path.join(key.folder_name()).join(PAYLOAD_FILE);
        trace.payload_files.push(payload);
    }
    trace.order_calls();
    Ok(trace)
}

/// Sub-folders of processes, in the order in which the processes started.
pub(crate) fn process_folders(path: &Path) -> Result<Vec<ProcessKey>, OpenError> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(path).map_err(OpenError::io(path))? {
        let entry = entry.map_err(OpenError::io(path))?;
        if let Some(key) = entry.file_name().to_str().and_then(ProcessKey::parse)
            && entry.path().is_dir()
        {
            keys.push(key);
        }
    }
    keys.sort_unstable();
    Ok(keys)
}

/// Reads the file `recording` or `schema`; false if it is not there.
pub(crate) fn read_top_level(trace: &mut Trace, name: &str) -> Result<bool, OpenError> {
    let path = trace.path.join(name);
    let source = match BlockSource::open(&path) {
        Ok(source) => source,
        Err(OpenError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(false);
        }
        Err(error @ OpenError::NotATrace { .. }) => {
            let problem = error.to_string();
            trace.damages.push(Damage {
                path,
                offset: 0,
                bytes: 0,
                problem,
                lost_calls: None,
            });
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    let mut steps = source.steps(source.start(), source.length()?);
    while let Some(step) = steps.advance()? {
        let (offset, bytes, problem) = match step {
            Step::Block {
                offset,
                header,
                raw,
            } => match add_top_level(trace, header.kind, &raw) {
                Ok(()) => continue,
                Err(problem) => (offset, header.total_bytes(), problem.to_string()),
            },
            Step::Damage {
                offset,
                bytes,
                problem,
                ..
            } => (offset, bytes, problem.to_string()),
        };
        trace.damages.push(Damage {
            path: path.clone(),
            offset,
            bytes,
            problem,
            lost_calls: None,
        });
    }
    Ok(true)
}

/// Takes in a Recording, Exit or Schema block. Of two Exit blocks the last counts.
pub(crate) fn add_top_level(
    trace: &mut Trace,
    kind: u8,
    raw: &[u8],
) -> Result<(), rmp_serde::decode::Error> {
    match Kind::from_number(kind) {
        Some(Kind::Recording) => trace.recording = Some(rmp_serde::from_slice(raw)?),
        Some(Kind::Exit) => trace.exit = Some(rmp_serde::from_slice(raw)?),
        Some(Kind::Schema) => trace.schema.add(rmp_serde::from_slice::<Schema>(raw)?),
        _ => {}
    }
    Ok(())
}

/// What a folder's name says of its process.
pub(crate) fn process_of(key: &ProcessKey) -> Process {
    Process {
        pid: key.pid,
        start_time: key.start_time,
        incarnation: key.incarnation,
        unit_ns: 1,
        ..Process::default()
    }
}

fn add_process(trace: &mut Trace, key: &ProcessKey, folder: ProcessFolder) {
    let id = ProcessId(trace.processes.len() as u32);
    let first_source = trace.sources.len() as u32;
    trace.processes.push(ProcessEntry {
        process: folder.process.unwrap_or_else(|| process_of(key)),
        libraries: folder.libraries,
        alive: folder.alive,
        late: folder.late,
        late_blocks: folder
            .late_blocks
            .into_iter()
            .map(|(source, offset)| (first_source + source as u32, offset))
            .collect(),
        ..ProcessEntry::default()
    });
    for thread in folder.threads {
        trace.add_thread(id, thread);
    }
    for (number, name) in folder.functions {
        trace.add_function(id, number, &name);
    }
    trace.notes.extend(folder.notes.into_iter().map(|mut note| {
        note.process = Some(id.0);
        note
    }));
    trace
        .calls
        .extend(folder.calls.into_iter().map(|calls| CallsRef {
            source: first_source + calls.source as u32,
            offset: calls.offset,
            rows: calls.rows,
            first_begin_ns: calls.first_begin_ns,
            process: Some(id),
            calls_before: 0,
        }));
    trace.sources.extend(folder.sources);
    trace.damages.extend(folder.damages);
}
