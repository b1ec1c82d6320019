//! Which function an address lies in, by the symbol tables of a program file.
//!
//! A function has an address only if its symbol says that it is that long: the nearest symbol before an address of a library without
//! its table of all symbols is somebody else.

use std::path::PathBuf;

use cutape_trace_format::code_reader::NamedCode;
use object::Endianness;
use object::elf::{
    FileHeader64, SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB, STB_LOCAL, STT_FUNC, STT_GNU_IFUNC,
    SectionType,
};
use object::read::elf::{FileHeader, Sym};

use crate::demangle::readable;
use crate::program_file::ProgramFile;

/// Where distributions put the symbols that they strip from their files, by build id.
const DEBUG_FOLDER: &str = "/usr/lib/debug/.build-id";

/// The functions that return addresses lie in, given as offsets in the file that rise.
pub fn functions_at(program: &ProgramFile, offsets: &[u64]) -> Vec<Option<NamedCode>> {
    let mut wanted: Vec<Wanted> = (0..)
        .zip(offsets)
        .filter_map(|(place, &offset)| {
            // A return address is behind the call, which may be the function's last instruction.
            let call = program.address_of(offset.checked_sub(1)?)?;
            Some(Wanted {
                place,
                call,
                best: None,
                name: Vec::new(),
            })
        })
        .collect();
    wanted.sort_unstable_by_key(|wanted| wanted.call);
    let of_all = look_in(program, SHT_SYMTAB, &mut wanted)
        || stripped_part(program).is_some_and(|part| look_in(&part, SHT_SYMTAB, &mut wanted));
    if !of_all {
        look_in(program, SHT_DYNSYM, &mut wanted);
    }
    let mut names = vec![None; offsets.len()];
    for found in wanted {
        if let Some(best) = found.best {
            names[found.place] = Some(NamedCode {
                name: readable(&found.name),
                distance: (found.call - best.start) + 1,
            });
        }
    }
    names
}

/// An address whose function is looked for.
struct Wanted {
    /// In the list of addresses.
    place: usize,
    /// The last byte of the call, before relocation.
    call: u64,
    best: Option<Candidate>,
    name: Vec<u8>,
}

/// A function that has the address; the larger one is the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    start: u64,
    /// Names that others may use before those that only their file knows.
    global: bool,
}

/// The file with what was stripped from this one, if it is installed.
fn stripped_part(program: &ProgramFile) -> Option<ProgramFile> {
    let build_id = program.build_id()?;
    let (first, rest) = build_id.split_first()?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = PathBuf::from(DEBUG_FOLDER).join(format!("{first:02x}/{rest}.debug"));
    let part = ProgramFile::open_any(&path)?;
    (part.build_id()? == build_id).then_some(part)
}

/// Goes through a table once; false if there is none with anything in it.
fn look_in(program: &ProgramFile, table: SectionType, wanted: &mut [Wanted]) -> bool {
    let data = program.data();
    let Ok(header) = FileHeader64::<Endianness>::parse(&data) else {
        return false;
    };
    let Ok(endian) = header.endian() else {
        return false;
    };
    let sections = header.sections(endian, &data);
    let Ok(symbols) = sections.and_then(|sections| sections.symbols(endian, &data, table)) else {
        return false;
    };
    for symbol in symbols.iter() {
        let is_function = matches!(symbol.st_type(), STT_FUNC | STT_GNU_IFUNC)
            && symbol.st_shndx(endian) != SHN_UNDEF;
        let start = symbol.st_value(endian);
        let end = start.saturating_add(symbol.st_size(endian));
        if !is_function || start == end {
            continue;
        }
        let candidate = Candidate {
            start,
            global: symbol.st_bind() != STB_LOCAL,
        };
        let first = wanted.partition_point(|wanted| wanted.call < start);
        for wanted in wanted[first..]
            .iter_mut()
            .take_while(|wanted| wanted.call < end)
        {
            if wanted.best.is_none_or(|best| best < candidate)
                && let Ok(name) = symbol.name(endian, symbols.strings())
                && !name.is_empty()
            {
                wanted.best = Some(candidate);
                wanted.name = name.to_vec();
            }
        }
    }
    !symbols.is_empty()
}
