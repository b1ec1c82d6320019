//! An executable or a shared library on disk: where its pieces are in memory, and reading them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use cutape_trace_format::code::CodeFile;
use object::Endianness;
use object::elf::{
    EM_X86_64, FileHeader64, NT_GNU_BUILD_ID, PF_X, PT_LOAD, SHF_COMPRESSED, SHT_NOBITS,
};
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

/// No section is larger that is read at once.
const MAX_SECTION_BYTES: u64 = 512 << 20;
/// Files are looked into up to this length.
const MAX_FILE_BYTES: u64 = 16 << 30;

/// A program file that is surely the one that was mapped.
pub struct ProgramFile {
    file: File,
    length: u64,
    segments: Vec<Segment>,
    sections: Vec<Section>,
}

/// A piece of the file that is mapped.
struct Segment {
    offset: u64,
    address: u64,
    bytes: u64,
    executable: bool,
}

/// A section that is in the file as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    name: String,
    /// Where it is in memory, before relocation.
    pub address: u64,
    offset: u64,
    /// Its length.
    pub bytes: u64,
}

impl ProgramFile {
    /// Opens the file that a trace names. `None` if it can't be read, or is another one than was mapped: by its build id, or, where it has
    /// none, because it was written after `recorded_at`.
    pub fn open(wanted: &CodeFile, recorded_at: Option<SystemTime>) -> Option<Self> {
        let program = Self::open_any(Path::new(&wanted.path))?;
        let is_same = match wanted.build_id.is_empty() {
            false => program.build_id()? == wanted.build_id,
            true => program.is_older_than(recorded_at?),
        };
        is_same.then_some(program)
    }

    /// Opens a file by its path alone.
    pub fn open_any(path: &Path) -> Option<Self> {
        // Opening a pipe would wait for its other end.
        let metadata = std::fs::metadata(path).ok()?;
        if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
            return None;
        }
        let file = File::open(path).ok()?;
        let mut program = Self {
            length: metadata.len(),
            file,
            segments: Vec::new(),
            sections: Vec::new(),
        };
        program.read_layout()?;
        Some(program)
    }

    fn is_older_than(&self, time: SystemTime) -> bool {
        let written = self
            .file
            .metadata()
            .and_then(|metadata| metadata.modified());
        written.is_ok_and(|written| written <= time)
    }

    fn read_layout(&mut self) -> Option<()> {
        let data = ReadCache::new(&self.file);
        let header = FileHeader64::<Endianness>::parse(&data).ok()?;
        let endian = header.endian().ok()?;
        if header.e_machine(endian) != EM_X86_64 {
            return None;
        }
        for segment in header.program_headers(endian, &data).ok()? {
            if segment.p_type(endian) == PT_LOAD {
                self.segments.push(Segment {
                    offset: segment.p_offset(endian),
                    address: segment.p_vaddr(endian),
                    bytes: segment.p_filesz(endian),
                    executable: segment.p_flags(endian).contains(PF_X),
                });
            }
        }
        // A library whose section headers were cut off still has its segments.
        let Ok(sections) = header.sections(endian, &data) else {
            return Some(());
        };
        for section in sections.iter() {
            let flags = section.sh_flags(endian);
            let is_plain = section.sh_type(endian) != SHT_NOBITS && !flags.contains(SHF_COMPRESSED);
            let name = sections.section_name(endian, section).unwrap_or_default();
            if is_plain {
                self.sections.push(Section {
                    name: String::from_utf8_lossy(name).into_owned(),
                    address: section.sh_addr(endian),
                    offset: section.sh_offset(endian),
                    bytes: section.sh_size(endian),
                });
            }
        }
        Some(())
    }

    /// The GNU build id.
    pub fn build_id(&self) -> Option<Vec<u8>> {
        let data = self.data();
        let header = FileHeader64::<Endianness>::parse(&data).ok()?;
        let endian = header.endian().ok()?;
        let segments = header.program_headers(endian, &data).ok()?.iter();
        let mut notes = segments.filter_map(|segment| segment.notes(endian, &data).ok()?);
        notes.find_map(|mut notes| {
            while let Ok(Some(note)) = notes.next() {
                if note.name() == b"GNU" && note.n_type(endian) == NT_GNU_BUILD_ID {
                    return Some(note.desc().to_vec());
                }
            }
            None
        })
    }

    /// The file for the parser; what it has read is gone with this.
    pub fn data(&self) -> ReadCache<&File> {
        ReadCache::new(&self.file)
    }

    /// Where an offset of the file is in memory, before relocation, if there is code.
    pub fn address_of(&self, offset: u64) -> Option<u64> {
        let mut code = self.segments.iter().filter(|segment| segment.executable);
        code.find_map(|segment| {
            let within = offset.checked_sub(segment.offset)?;
            (within < segment.bytes).then(|| segment.address.checked_add(within))?
        })
    }

    /// A section by name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// What is in a section.
    pub fn content(&self, section: &Section) -> Option<Arc<[u8]>> {
        if section.bytes > MAX_SECTION_BYTES {
            return None;
        }
        self.bytes(section.offset, section.bytes).map(Arc::from)
    }

    /// Bytes of the file; `None` unless all of them are in it.
    pub fn bytes(&self, offset: u64, bytes: u64) -> Option<Vec<u8>> {
        if offset.checked_add(bytes)? > self.length {
            return None;
        }
        let mut content = vec![0; usize::try_from(bytes).ok()?];
        self.file.read_exact_at(&mut content, offset).ok()?;
        Some(content)
    }
}
