//! The program files that a recording names, opened as they are asked for.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cutape_trace_format::call::ProcessId;
use cutape_trace_format::code::CodeFile;
use cutape_trace_format::code_reader::{CodeReader, LoadedFiles, NamedCode};
use cutape_trace_format::metadata::Library;
use cutape_trace_format::stack_memory::StackMemory;

use crate::program_file::ProgramFile;
use crate::symbols::functions_at;
use crate::unwinding::ProcessFiles;

/// Files that are open at once.
const MAX_OPEN: usize = 512;

/// Names functions and walks through stacks by the files of this machine.
#[derive(Default)]
pub struct ProgramFiles {
    opened: Opened,
    processes: HashMap<ProcessId, ProcessFiles>,
}

/// Files that were opened, or could not be.
#[derive(Default)]
pub struct Opened {
    recorded_at: Option<SystemTime>,
    files: HashMap<CodeFile, Option<Rc<ProgramFile>>>,
}

impl ProgramFiles {
    /// For a recording that started at `start_realtime_ns`, nanoseconds since 1970: a file without a build id is believed only if it was
    /// there by then.
    pub fn of_recording(start_realtime_ns: Option<u64>) -> Self {
        let recorded_at = start_realtime_ns.map(|ns| UNIX_EPOCH + Duration::from_nanos(ns));
        Self {
            opened: Opened {
                recorded_at,
                files: HashMap::new(),
            },
            processes: HashMap::new(),
        }
    }
}

impl Opened {
    /// The file that is mapped, if it is still there.
    pub fn file(&mut self, library: &Library) -> Option<Rc<ProgramFile>> {
        self.open(&CodeFile {
            path: library.path.clone(),
            build_id: library.build_id.clone(),
        })
    }

    fn open(&mut self, file: &CodeFile) -> Option<Rc<ProgramFile>> {
        if let Some(known) = self.files.get(file) {
            return known.clone();
        }
        if self.files.len() >= MAX_OPEN {
            self.files.clear();
        }
        let opened = ProgramFile::open(file, self.recorded_at).map(Rc::new);
        self.files.insert(file.clone(), opened.clone());
        opened
    }
}

impl CodeReader for ProgramFiles {
    fn unwind(&mut self, loaded: &LoadedFiles<'_>, caller: u64, stack: &StackMemory) -> Vec<u64> {
        let process = self.processes.entry(loaded.process).or_default();
        process.walk(&mut self.opened, loaded, caller, stack)
    }

    fn symbols(&mut self, file: &CodeFile, offsets: &[u64]) -> Vec<Option<NamedCode>> {
        match self.opened.open(file) {
            Some(program) => functions_at(&program, offsets),
            None => vec![None; offsets.len()],
        }
    }
}
