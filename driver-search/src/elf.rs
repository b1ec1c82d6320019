//! Reading a library's exported symbols, and making a copy of a library that exports fewer.
//!
//! The interposer exports every function that any driver is known to have. A program that asks for one its driver lacks must be told
//! that it isn't there, so the copy of the interposer that a recording uses has those symbols struck out.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use object::elf::{FileHeader64, PT_LOAD, STT_FUNC, STT_GNU_IFUNC, STT_OBJECT, Sym64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, SymbolIndex};

/// Why a library's symbols can't be had.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// The file can't be read.
    #[error("could not read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: std::io::Error,
    },
    /// Not a shared library for this machine.
    #[error("{path} is not a 64-bit x86 shared library: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A library file in memory.
pub struct Library {
    path: PathBuf,
    bytes: Vec<u8>,
    symbols: Vec<Symbol>,
}

struct Symbol {
    name: String,
    /// Where the symbol's entry lies in the file.
    entry_offset: usize,
    /// Where what it names lies in the file; `None` for what is only made room for in memory.
    file_offset: Option<u64>,
}

impl Library {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It can't be read, or is not an x86-64 shared library.
    pub fn read(path: &Path) -> Result<Self, ElfError> {
        let bytes = fs::read(path).map_err(|error| ElfError::Read {
            path: path.to_owned(),
            error,
        })?;
        let symbols = exported(&bytes).map_err(|reason| ElfError::Format {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            symbols,
        })
    }

    /// Names of the functions and variables that the library exports, as `nm -D --defined-only` lists them.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.symbols.iter().map(|symbol| symbol.name.as_str())
    }

    /// The exports that are in the file, each with its offset there: an address in a process, by the map of what is loaded, is an offset
    /// in a file.
    pub fn offsets(&self) -> impl Iterator<Item = (&str, u64)> {
        self.symbols
            .iter()
            .filter_map(|symbol| Some((symbol.name.as_str(), symbol.file_offset?)))
    }

    /// The library's bytes without the exports that `keep` refuses: the loader passes over an entry without value and section, so a
    /// look-up goes on as if the name weren't there. Code and hash tables stay as they are.
    pub fn without(&self, keep: impl Fn(&str) -> bool) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for symbol in self.symbols.iter().filter(|symbol| !keep(&symbol.name)) {
            let entry = &mut bytes[symbol.entry_offset..][..size_of::<Sym64<Endianness>>()];
            // st_shndx, st_value and st_size; name, binding and visibility stay, so that hash chains still compare.
            entry[6..].fill(0);
        }
        bytes
    }

    /// The exports of `real` that this library lacks.
    pub fn lacks<'a>(&self, real: &'a Self) -> Vec<&'a str> {
        let own: HashSet<&str> = self.exports().collect();
        real.exports().filter(|name| !own.contains(name)).collect()
    }

    /// Where the library was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn exported(bytes: &[u8]) -> Result<Vec<Symbol>, String> {
    let text = |error: object::Error| error.to_string();
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(text)?;
    let endian = header.endian().map_err(text)?;
    if header.e_machine.get(endian) != object::elf::EM_X86_64
        || header.e_type.get(endian) != object::elf::ET_DYN
    {
        return Err("its header names another machine or kind of file".to_owned());
    }
    let sections = header.sections(endian, bytes).map_err(text)?;
    let (section, table) = sections
        .enumerate()
        .find(|(_, section)| section.sh_type(endian) == object::elf::SHT_DYNSYM)
        .ok_or("it has no dynamic symbol table")?;
    let start = table.sh_offset(endian) as usize;
    let symbols = sections
        .symbols(endian, bytes, object::elf::SHT_DYNSYM)
        .map_err(text)?;
    if symbols.section() != section {
        return Err("it has more than one dynamic symbol table".to_owned());
    }
    let segments = header.program_headers(endian, bytes).map_err(text)?;
    let in_file = |address: u64| {
        let loaded = segments
            .iter()
            .filter(|segment| segment.p_type(endian) == PT_LOAD);
        loaded.into_iter().find_map(|segment| {
            let within = address.checked_sub(segment.p_vaddr(endian))?;
            (within < segment.p_filesz(endian))
                .then(|| segment.p_offset(endian).checked_add(within))?
        })
    };
    let mut found = Vec::new();
    for (SymbolIndex(index), symbol) in symbols.enumerate() {
        let is_thing = matches!(symbol.st_type(), STT_FUNC | STT_OBJECT | STT_GNU_IFUNC);
        if is_thing
            && symbol.st_shndx(endian) != object::elf::SHN_UNDEF
            && symbol.st_bind() != object::elf::STB_LOCAL
        {
            let name = symbol.name(endian, symbols.strings()).map_err(text)?;
            let entry_offset = start + index * size_of::<Sym64<Endianness>>();
            found.push(Symbol {
                name: String::from_utf8_lossy(name).into_owned(),
                entry_offset,
                file_offset: in_file(symbol.st_value(endian)),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::{CStr, CString};
    use std::process::Command;

    /// A library that exports `one`, `two` and the variable `three`.
    fn library(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("cutape-elf-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (source, library) = (folder.join("lib.c"), folder.join("lib.so"));
        fs::write(&source, "int one(void){return 1;} int two(void){return 2;} int three=3; static int four(void){return 4;} int (*five)(void)=four;").unwrap();
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source)
            .status()
            .unwrap();
        assert!(status.success());
        library
    }

    fn finds(library: &Path, name: &CStr) -> bool {
        let path = CString::new(library.to_str().unwrap()).unwrap();
        // SAFETY: the library has no constructors; the handle is used for look-ups only.
        unsafe {
            let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
            assert!(!handle.is_null());
            !libc::dlsym(handle, name.as_ptr()).is_null()
        }
    }

    #[test]
    fn lists_what_a_library_exports() {
        let library = Library::read(&library("list")).unwrap();
        let names: HashSet<&str> = library.exports().collect();
        assert!(
            ["one", "two", "three", "five"]
                .iter()
                .all(|name| names.contains(name)),
            "{names:?}"
        );
        assert!(!names.contains("four"));
    }

    #[test]
    fn an_export_s_offset_is_where_its_bytes_lie_in_the_file() {
        let library = Library::read(&library("offsets")).unwrap();
        let (_, three) = library
            .offsets()
            .find(|&(name, _)| name == "three")
            .unwrap();
        assert_eq!(library.bytes[three as usize..][..4], 3i32.to_le_bytes());
    }

    #[test]
    fn a_symbol_struck_out_is_not_found_by_the_loader_and_the_others_are() {
        let path = library("strike");
        let copy = path.with_file_name("copy.so");
        fs::write(
            &copy,
            Library::read(&path).unwrap().without(|name| name != "two"),
        )
        .unwrap();
        assert!(finds(&copy, c"one") && finds(&copy, c"three") && !finds(&copy, c"two"));
        assert!(finds(&path, c"two"));
        assert_eq!(
            Library::read(&copy)
                .unwrap()
                .lacks(&Library::read(&path).unwrap()),
            ["two"]
        );
    }

    #[test]
    fn what_is_no_library_is_refused_with_its_name() {
        let path = std::env::temp_dir().join(format!("cutape-elf-{}-text", std::process::id()));
        fs::write(&path, "hello").unwrap();
        let error = Library::read(&path).err().unwrap().to_string();
        assert!(
            error.contains("is not a 64-bit x86 shared library"),
            "{error}"
        );
    }
}
