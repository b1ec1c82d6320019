//! Cubins: ELF files whose sections hold machine code (`.text.NAME`), its constants, shared memory and facts (`.nv.info.NAME`).
//! Where the layout is not in the ELF standard, it is as NVIDIA's `cuobjdump -elf` shows it.

use std::collections::BTreeMap;

use crate::cubin_info;
use crate::image::{GlobalImage, Image, ImageError, KernelImage, Target};

/// How a 64-bit ELF file begins.
pub const MAGIC: [u8; 4] = *b"\x7fELF";
/// The same as a number.
pub const MAGIC_WORD: u32 = u32::from_le_bytes(MAGIC);
/// Bytes of the file's header.
pub const HEADER_BYTES: usize = 64;

/// The machine that a cubin says it is for.
pub const MACHINE_CUDA: u16 = 190;
/// Bytes of a section's header.
pub const SECTION_HEADER_BYTES: usize = 64;
const SYMBOL_BYTES: usize = 24;

const SECTION_SYMBOLS: u32 = 2;
const SECTION_NO_BITS: u32 = 8;
const SYMBOL_OBJECT: u8 = 1;
const SYMBOL_FUNCTION: u8 = 2;
/// In a symbol's `st_other`: the function can be launched.
const IS_ENTRY: u8 = 0x10;
/// From this ELF ABI version on (CUDA 13), the architecture lies in the second byte of the flags.
const ABI_WITH_SHIFTED_FLAGS: u8 = 8;

/// Where this section is (from compute capability 9 on), the shared memory of each kernel begins with what the system keeps for itself.
/// It is no part of what a kernel asks for (measured with ptxas 13.4: 48 bytes in the source are 1072 in the cubin).
const SYSTEM_SHARED_SECTION: &str = ".nv.shared.reserved.0";
const SYSTEM_SHARED_BYTES: u32 = 1024;

/// A reader that knows its bounds.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// That many bytes from an offset on.
    pub fn part(&self, offset: usize, bytes: usize) -> Option<&'a [u8]> {
        self.0.get(offset..offset.checked_add(bytes)?)
    }

    /// A number of 2 bytes.
    pub fn u16(&self, offset: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.part(offset, 2)?.try_into().ok()?))
    }

    /// A number of 4 bytes.
    pub fn u32(&self, offset: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.part(offset, 4)?.try_into().ok()?))
    }

    fn u64(&self, offset: usize) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.part(offset, 8)?.try_into().ok()?)).ok()
    }

    /// The text up to the next NUL.
    fn text(&self, offset: usize) -> Option<&'a str> {
        let rest = self.0.get(offset..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }
}

/// A section.
#[derive(Clone, Copy)]
struct Section<'a> {
    name: &'a str,
    kind: u32,
    offset: usize,
    bytes: usize,
    link: usize,
    info: u32,
}

/// How long a file is, by its headers. `more(offset, bytes)` shows a part of it.
pub fn bytes_of<'a>(header: &'a [u8], more: impl Fn(usize, usize) -> &'a [u8]) -> usize {
    let head = Bytes(header);
    if architecture(&head).is_none() {
        // Not a cubin after all: nothing in it can be trusted, and its header is enough to refuse it.
        return HEADER_BYTES;
    }
    let (Some(program), Some(table)) = (head.u64(32), head.u64(40)) else {
        return HEADER_BYTES;
    };
    let (Some(programs), Some(sections)) = (head.u16(56), head.u16(60)) else {
        return HEADER_BYTES;
    };
    let table_bytes = usize::from(sections) * SECTION_HEADER_BYTES;
    let mut end = HEADER_BYTES
        .max(table + table_bytes)
        .max(program + usize::from(programs) * 56);
    let sections = Bytes(more(table, table_bytes));
    for section in (0..table_bytes).step_by(SECTION_HEADER_BYTES) {
        let place = (
            sections.u32(section + 4),
            sections.u64(section + 24),
            sections.u64(section + 32),
        );
        if let (Some(kind), Some(offset), Some(bytes)) = place
            && kind != SECTION_NO_BITS
        {
            end = end.max(offset.saturating_add(bytes));
        }
    }
    end
}

/// Reads a cubin.
pub fn read(file: &[u8], target: Target) -> Result<Image, ImageError> {
    let bytes = Bytes(file);
    let architecture = architecture(&bytes).ok_or(ImageError::Unrecognized)?;
    if !target.runs_binary(architecture) {
        return Err(ImageError::WrongArchitecture);
    }
    let sections = sections(&bytes).ok_or(ImageError::Unrecognized)?;
    let symbols = sections
        .iter()
        .find(|section| section.kind == SECTION_SYMBOLS);
    let mut image = Image::default();
    let Some(symbols) = symbols else {
        return Ok(image);
    };
    let facts = sections.iter().find(|section| section.name == ".nv.info");
    let facts = facts.and_then(|section| bytes.part(section.offset, section.bytes));
    let cubin = Cubin {
        names: sections.get(symbols.link).ok_or(ImageError::Unrecognized)?,
        facts: cubin_info::of_functions(&Bytes(facts.unwrap_or_default())),
        system_shared_bytes: sections
            .iter()
            .find(|section| section.name == SYSTEM_SHARED_SECTION)
            .map_or(0, |_| SYSTEM_SHARED_BYTES),
        bytes,
        sections: &sections,
        architecture,
    };
    for number in 0..symbols.bytes / SYMBOL_BYTES {
        let read = cubin
            .symbol(number, symbols.offset + number * SYMBOL_BYTES)
            .ok_or(ImageError::Unrecognized)?;
        match read {
            Symbol::Kernel(kernel) => image.kernels.push(kernel),
            Symbol::Global(global) => image.globals.push(global),
            Symbol::Other => {}
        }
    }
    Ok(image)
}

/// 10 x major + minor of a cubin's architecture; `None` if the file is no cubin.
fn architecture(bytes: &Bytes) -> Option<u32> {
    const CLASS_64_LITTLE: [u8; 2] = [2, 1];
    let is_cubin = bytes.part(4, 2)? == CLASS_64_LITTLE && bytes.u16(18)? == MACHINE_CUDA;
    let flags = bytes.u32(48)?;
    let is_shifted = bytes.part(8, 1)?[0] >= ABI_WITH_SHIFTED_FLAGS;
    is_cubin.then_some(if is_shifted {
        flags >> 8 & 0xff
    } else {
        flags & 0xff
    })
}

fn sections<'a>(bytes: &Bytes<'a>) -> Option<Vec<Section<'a>>> {
    let (table, count) = (bytes.u64(40)?, usize::from(bytes.u16(60)?));
    let header = |number: usize| table.checked_add(number.checked_mul(SECTION_HEADER_BYTES)?);
    let names = bytes.u64(header(usize::from(bytes.u16(62)?))?.checked_add(24)?)?;
    (0..count)
        .map(|number| {
            let at = header(number)?;
            bytes.part(at, SECTION_HEADER_BYTES)?;
            let section = Section {
                name: bytes.text(names.checked_add(bytes.u32(at)? as usize)?)?,
                kind: bytes.u32(at + 4)?,
                offset: bytes.u64(at + 24)?,
                bytes: bytes.u64(at + 32)?,
                link: bytes.u32(at + 40)? as usize,
                info: bytes.u32(at + 44)?,
            };
            if section.kind != SECTION_NO_BITS {
                bytes.part(section.offset, section.bytes)?;
            }
            Some(section)
        })
        .collect()
}

enum Symbol {
    Kernel(KernelImage),
    Global(GlobalImage),
    Other,
}

/// What is needed to make sense of a symbol.
struct Cubin<'a> {
    bytes: Bytes<'a>,
    sections: &'a [Section<'a>],
    /// The symbols' names.
    names: &'a Section<'a>,
    /// Facts of functions, by the number of their symbol.
    facts: BTreeMap<u32, cubin_info::FunctionFacts>,
    /// How much of each kernel's shared memory is the system's.
    system_shared_bytes: u32,
    /// 10 x major + minor.
    architecture: u32,
}

impl Cubin<'_> {
    /// The symbol of that number, which lies at `at`.
    fn symbol(&self, number: usize, at: usize) -> Option<Symbol> {
        let bytes = &self.bytes;
        let name = bytes.text(self.names.offset.checked_add(bytes.u32(at)? as usize)?)?;
        let (info, other) = (bytes.part(at + 4, 1)?[0], bytes.part(at + 5, 1)?[0]);
        let section = self.sections.get(usize::from(bytes.u16(at + 6)?));
        let (value, size) = (bytes.u64(at + 8)?, bytes.u64(at + 16)?);
        Some(match (info & 0xf, section) {
            (SYMBOL_FUNCTION, Some(_)) if other & IS_ENTRY != 0 => {
                Symbol::Kernel(self.kernel(name, number as u32)?)
            }
            (SYMBOL_OBJECT, Some(section))
                if section.name.starts_with(".nv.global") || section.name == ".nv.constant3" =>
            {
                let initial = match section.kind {
                    SECTION_NO_BITS => Vec::new(),
                    _ => bytes
                        .part(section.offset.checked_add(value)?, size)?
                        .to_vec(),
                };
                Symbol::Global(GlobalImage {
                    name: name.to_owned(),
                    bytes: size as u64,
                    initial,
                })
            }
            _ => Symbol::Other,
        })
    }

    fn kernel(&self, name: &str, symbol: u32) -> Option<KernelImage> {
        let find = |prefix: &str| {
            self.sections
                .iter()
                .find(|section| section.name.strip_prefix(prefix) == Some(name))
        };
        let size = |prefix: &str| find(prefix).map_or(0, |section| section.bytes as u32);
        let facts = self.facts.get(&symbol).copied().unwrap_or_default();
        // Cubins before CUDA 13 also have it here, those for newer GPUs only among the facts.
        let in_section = find(".text.").map_or(0, |section| section.info >> 24);
        let mut kernel = KernelImage {
            name: name.to_owned(),
            shared_bytes: size(".nv.shared.").saturating_sub(self.system_shared_bytes),
            constant_bytes: size(".nv.constant2."),
            local_bytes: facts.frame_bytes,
            registers: facts.registers.max(in_section),
            ptx_version: self.architecture,
            binary_version: self.architecture,
            ..KernelImage::default()
        };
        if let Some(info) = find(".nv.info.") {
            let info = Bytes(self.bytes.part(info.offset, info.bytes)?);
            cubin_info::add_to_kernel(&info, &mut kernel);
        }
        Some(kernel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H100: Target = Target {
        capability: 90,
        newest_ptx: 95,
    };

    /// A small cubin: a kernel with two parameters, a device function, and an initialised global.
    pub fn cubin(flags: u32) -> Vec<u8> {
        let names = b"\0.text.add\0.nv.info.add\0.nv.global.init\0.symtab\0.strtab\0.nv.shared.add\0add\0helper\0table\0";
        let name = |text: &str| {
            names
                .windows(text.len())
                .position(|part| part == text.as_bytes())
                .unwrap() as u32
        };
        let mut info = Vec::new();
        for (number, offset, size) in [(1u16, 8u16, 4u32), (0, 0, 8)] {
            info.extend([4, 0x17, 12, 0, 0, 0, 0, 0]);
            info.extend(number.to_le_bytes());
            info.extend(offset.to_le_bytes());
            info.extend((size << 18).to_le_bytes());
        }
        let symbol = |text: &str, kind: u8, other: u8, section: u16, size: u64| {
            let mut bytes = name(text).to_le_bytes().to_vec();
            bytes.extend([0x10 | kind, other]);
            bytes.extend(section.to_le_bytes());
            bytes.extend(0u64.to_le_bytes());
            bytes.extend(size.to_le_bytes());
            bytes
        };
        let symbols = [
            symbol("add\0helper", SYMBOL_FUNCTION, IS_ENTRY, 1, 16),
            symbol("helper", SYMBOL_FUNCTION, 0, 1, 16),
            symbol("table", SYMBOL_OBJECT, 0, 3, 4),
        ]
        .concat();
        let parts: [(&str, u32, &[u8], u32, u32); 6] = [
            (".text.add", 1, &[0; 16], 0, 24 << 24),
            (".nv.info.add", 1, &info, 0, 0),
            (".nv.global.init", 1, &[1, 2, 3, 4], 0, 0),
            (".symtab", SECTION_SYMBOLS, &symbols, 5, 0),
            (".strtab", 3, names, 0, 0),
            (".nv.shared.add", SECTION_NO_BITS, &[0; 512], 0, 0),
        ];
        let mut file = vec![0; HEADER_BYTES];
        let mut headers = vec![0; SECTION_HEADER_BYTES];
        for (part, kind, content, link, extra) in parts {
            let mut header = name(part).to_le_bytes().to_vec();
            header.extend(kind.to_le_bytes());
            header.extend([0; 16]);
            header.extend((file.len() as u64).to_le_bytes());
            header.extend((content.len() as u64).to_le_bytes());
            header.extend(link.to_le_bytes());
            header.extend(extra.to_le_bytes());
            header.extend([0; 16]);
            headers.extend(header);
            if kind != SECTION_NO_BITS {
                file.extend(content);
            }
        }
        file[..4].copy_from_slice(&MAGIC);
        file[4..6].copy_from_slice(&[2, 1]);
        file[18..20].copy_from_slice(&MACHINE_CUDA.to_le_bytes());
        let table = file.len() as u64;
        file[40..48].copy_from_slice(&table.to_le_bytes());
        file[48..52].copy_from_slice(&flags.to_le_bytes());
        file[60..62].copy_from_slice(&7u16.to_le_bytes());
        file[62..64].copy_from_slice(&5u16.to_le_bytes());
        file.extend(headers);
        file
    }

    #[test]
    fn a_cubin_tells_kernels_with_their_parameters_and_globals_with_their_values() {
        let image = read(&cubin(90), H100).unwrap();
        assert_eq!(image.kernels.len(), 1);
        let kernel = &image.kernels[0];
        assert_eq!(
            (kernel.name.as_str(), kernel.registers, kernel.shared_bytes),
            ("add", 24, 512)
        );
        assert_eq!(kernel.params, [(0, 8), (8, 4)]);
        assert_eq!(
            image.globals,
            [GlobalImage {
                name: "table".to_owned(),
                bytes: 4,
                initial: vec![1, 2, 3, 4]
            }]
        );
    }

    #[test]
    fn the_length_comes_from_the_headers() {
        let file = cubin(90);
        let mut longer = file.clone();
        longer.extend([0xaa; 100]);
        assert_eq!(
            bytes_of(&longer[..HEADER_BYTES], |offset, bytes| &longer
                [offset..offset + bytes]),
            file.len()
        );
    }

    #[test]
    fn another_major_architecture_or_a_later_minor_one_cannot_run() {
        assert_eq!(read(&cubin(80), H100), Err(ImageError::WrongArchitecture));
        assert_eq!(
            read(
                &cubin(89),
                Target {
                    capability: 80,
                    newest_ptx: 95
                }
            ),
            Err(ImageError::WrongArchitecture)
        );
        assert!(
            read(
                &cubin(80),
                Target {
                    capability: 86,
                    newest_ptx: 95
                }
            )
            .is_ok()
        );
    }

    #[test]
    fn a_damaged_cubin_is_refused_and_never_read_past_its_end() {
        let file = cubin(90);
        for end in 0..file.len() {
            assert_eq!(
                read(&file[..end], H100),
                Err(ImageError::Unrecognized),
                "cut at {end}"
            );
        }
        for place in 0..file.len() {
            let mut damaged = file.clone();
            damaged[place] ^= 0xff;
            let _ = read(&damaged, H100);
        }
    }
}
