//! A trace from somewhere else names files and holds stacks: nothing in it may hang or crash who reads it.

use std::fs;
use std::path::{Path, PathBuf};

use cutape_call_stack::{MAX_FRAMES, ProgramFiles};
use cutape_trace_format::block::file_header;
use cutape_trace_format::call::ProcessId;
use cutape_trace_format::code::CodeFile;
use cutape_trace_format::code_reader::{CodeReader, LoadedFiles};
use cutape_trace_format::metadata::{Libraries, Library, Process};
use cutape_trace_format::stack_memory::StackMemory;
use cutape_trace_format::trace::Trace;

/// Later than any file of these tests.
const MUCH_LATER_NS: u64 = 1 << 62;

/// Numbers that are as good as any.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn own_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn asked(path: &Path, offsets: &[u64]) -> usize {
    let file = CodeFile {
        path: path.to_str().unwrap().to_owned(),
        build_id: Vec::new(),
    };
    let names = ProgramFiles::of_recording(Some(MUCH_LATER_NS)).symbols(&file, offsets);
    assert_eq!(names.len(), offsets.len());
    names.into_iter().flatten().count()
}

#[test]
fn what_is_no_program_file_has_no_names_and_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let text = folder.path().join("text");
    fs::write(&text, "#!/bin/sh\n").unwrap();
    for path in [
        &pipe,
        &text,
        folder.path(),
        Path::new("/dev/zero"),
        Path::new("/nowhere"),
    ] {
        assert_eq!(asked(path, &[0, 1, u64::MAX]), 0, "{}", path.display());
    }
}

#[test]
fn a_program_file_with_damage_anywhere_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    let whole = fs::read(own_program()).unwrap();
    let offsets: Vec<u64> = (0..whole.len() as u64).step_by(4999).collect();
    assert!(asked(&own_program(), &offsets) > 10);
    for length in [
        0,
        1,
        16,
        63,
        64,
        65,
        200,
        4096,
        whole.len() / 2,
        whole.len() - 1,
    ] {
        fs::write(&path, &whole[..length]).unwrap();
        asked(&path, &offsets);
    }
    let mut numbers = Numbers(4711);
    for round in 0..40 {
        let mut damaged = whole.clone();
        // The header, the segments, and the sections' headers at the end of the file.
        for _ in 0..20 {
            let from_end = damaged.len() - 3000;
            let start = if round % 2 == 0 { 0 } else { from_end };
            let at = start + (numbers.next() % 1000) as usize;
            damaged[at] = numbers.next() as u8;
        }
        fs::write(&path, &damaged).unwrap();
        asked(&path, &offsets);
    }
}

/// A recording folder of a process into which this program is mapped, as the kernel would, at an address.
fn mapped_at(folder: &Path, start: u64, program: &Path) -> Trace {
    let process = folder.join("1-1-0");
    fs::create_dir(&process).unwrap();
    let bytes = fs::metadata(program).unwrap().len();
    let library = Library {
        path: program.to_str().unwrap().to_owned(),
        start,
        end: start + bytes,
        ..Library::default()
    };
    let libraries = Libraries {
        libraries: vec![library],
        ..Libraries::default()
    };
    let mut blocks = file_header().to_vec();
    blocks.extend(Process::default().to_block().unwrap());
    blocks.extend(libraries.to_block().unwrap());
    fs::write(process.join("blocks"), blocks).unwrap();
    Trace::open(folder).unwrap()
}

#[test]
fn a_stack_of_anything_ends() {
    let folder = tempfile::tempdir().unwrap();
    let start = 0x7000_0000_0000;
    let trace = mapped_at(folder.path(), start, &own_program());
    let loaded = LoadedFiles {
        trace: &trace,
        process: ProcessId(0),
        at_ns: 0,
    };
    let bytes = fs::metadata(own_program()).unwrap().len();
    let mut files = ProgramFiles::of_recording(Some(MUCH_LATER_NS));
    let mut numbers = Numbers(815);
    let pointer = 0x7fff_0000_0000u64;
    for round in 0..3000 {
        // Addresses in the program, pointers into the stack, and anything.
        let mut word = || match numbers.next() % 4 {
            0 => pointer + numbers.next() % 4096,
            1 => numbers.next(),
            _ => start + numbers.next() % bytes,
        };
        let memory = StackMemory {
            stack_pointer: if round % 10 == 0 { word() } else { pointer },
            frame_pointer: word(),
            bytes: (0..512).flat_map(|_| word().to_le_bytes()).collect(),
        };
        let found = files.unwind(&loaded, word(), &memory);
        assert!(found.len() <= MAX_FRAMES);
    }
    // No memory at all, and one that begins where addresses end.
    for stack_pointer in [0, u64::MAX, u64::MAX - 8] {
        let memory = StackMemory {
            stack_pointer,
            frame_pointer: stack_pointer,
            bytes: vec![0xff; 64],
        };
        assert!(files.unwind(&loaded, start + 0x1000, &memory).len() <= MAX_FRAMES);
        assert!(files.unwind(&loaded, u64::MAX, &memory).is_empty());
        assert!(files.unwind(&loaded, 0, &memory).is_empty());
    }
}
