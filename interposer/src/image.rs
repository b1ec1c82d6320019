//! How long a module image is that a program passes by its address alone.

use cutape_trace_format::payload::{PayloadKind, PayloadState};

use crate::memory::{self, PAGE};

/// Magic number of the structure that compilers put around a fat binary; its third word is the fat binary's address.
const WRAPPER_MAGIC: u32 = 0x4662_43b1;
/// Magic number of a fat binary's header: then 2 bytes of version, 2 of header length, 8 of length behind the header.
const FATBIN_MAGIC: u32 = 0xba55_ed50;
/// Section header type of sections that take no room in the file.
const NOBITS: u32 = 8;
/// No PTX is longer.
const MAX_TEXT_BYTES: u64 = 512 << 20;

/// An image in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it is.
    pub at: usize,
    /// How long it is.
    pub bytes: u64,
    /// What it is.
    pub kind: PayloadKind,
}

/// Finds the image at an address.
///
/// # Errors
/// It can't be read, or nothing says how long it is.
pub fn find(at: usize) -> Result<Image, PayloadState> {
    let magic: [u8; 4] = read(at)?;
    match u32::from_le_bytes(magic) {
        WRAPPER_MAGIC => {
            let fatbin: [u8; 8] = read(at.wrapping_add(8))?;
            let fatbin = u64::from_le_bytes(fatbin) as usize;
            fat_binary(fatbin)
        }
        FATBIN_MAGIC => fat_binary(at),
        _ if &magic == b"\x7fELF" => elf(at),
        _ if is_text(magic[0]) => text(at),
        _ => Err(PayloadState::UnknownLength),
    }
}

fn read<const N: usize>(at: usize) -> Result<[u8; N], PayloadState> {
    let mut bytes = [0; N];
    if memory::read(at, &mut bytes) {
        Ok(bytes)
    } else {
        Err(PayloadState::Unreadable)
    }
}

fn fat_binary(at: usize) -> Result<Image, PayloadState> {
    let header: [u8; 16] = read(at)?;
    let [a, b, c, d, _, _, e, f, length @ ..] = header;
    if u32::from_le_bytes([a, b, c, d]) != FATBIN_MAGIC {
        return Err(PayloadState::UnknownLength);
    }
    let bytes = u64::from_le_bytes(length).checked_add(u16::from_le_bytes([e, f]).into());
    Ok(Image {
        at,
        bytes: bytes.ok_or(PayloadState::UnknownLength)?,
        kind: PayloadKind::Fatbin,
    })
}

/// An ELF file ends where its last section, segment or table of them does.
fn elf(at: usize) -> Result<Image, PayloadState> {
    let header: [u8; 64] = read(at)?;
    let tables = [
        // Offset, entry size and number of the segments, then the place of offset and length in an entry; the same for sections.
        (
            number(&header, 32, 8),
            number(&header, 54, 2),
            number(&header, 56, 2),
            (8, 32),
        ),
        (
            number(&header, 40, 8),
            number(&header, 58, 2),
            number(&header, 60, 2),
            (24, 32),
        ),
    ];
    let mut end = 64;
    for (place, (offset, entry_bytes, count, fields)) in tables.into_iter().enumerate() {
        end = end.max(offset.saturating_add(entry_bytes * count));
        if entry_bytes < 40 {
            continue;
        }
        for entry in 0..count {
            let entry_at = offset.wrapping_add(entry * entry_bytes) as usize;
            let entry: [u8; 40] = read(at.wrapping_add(entry_at))?;
            let is_section = place == 1;
            if is_section && number(&entry, 4, 4) == u64::from(NOBITS) {
                continue;
            }
            let (start, length) = (number(&entry, fields.0, 8), number(&entry, fields.1, 8));
            end = end.max(start.saturating_add(length));
        }
    }
    Ok(Image {
        at,
        bytes: end,
        kind: PayloadKind::Elf,
    })
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes[at..at + length].iter().rev();
    bytes.fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

/// Text ends with a NUL. It is read page by page, because what lies behind the NUL may not be mapped.
fn text(at: usize) -> Result<Image, PayloadState> {
    let mut page = [0; PAGE];
    let mut bytes = 0u64;
    while bytes < MAX_TEXT_BYTES {
        let from = at.wrapping_add(bytes as usize);
        let step = PAGE - from % PAGE;
        if !memory::read(from, &mut page[..step]) {
            return Err(PayloadState::Unreadable);
        }
        if let Some(end) = page[..step].iter().position(|&byte| byte == 0) {
            bytes += end as u64;
            return Ok(Image {
                at,
                bytes,
                kind: PayloadKind::Ptx,
            });
        }
        bytes += step as u64;
    }
    Err(PayloadState::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(bytes: &[u8]) -> Result<Image, PayloadState> {
        find(bytes.as_ptr() as usize)
    }

    fn fatbin(length: u64) -> Vec<u8> {
        let mut bytes = FATBIN_MAGIC.to_le_bytes().to_vec();
        bytes.extend([1, 0, 16, 0]);
        bytes.extend(length.to_le_bytes());
        bytes.resize(16 + length as usize, 7);
        bytes
    }

    #[test]
    fn a_fat_binary_is_found_by_itself_and_in_its_wrapper() {
        let content = fatbin(100);
        let at = content.as_ptr() as usize;
        let image = find_in(&content).unwrap();
        assert_eq!((image.at, image.bytes), (at, 116));
        let mut wrapper = WRAPPER_MAGIC.to_le_bytes().to_vec();
        wrapper.extend(1u32.to_le_bytes());
        wrapper.extend((at as u64).to_le_bytes());
        wrapper.extend([0; 8]);
        assert_eq!(find_in(&wrapper), Ok(image));
    }

    #[test]
    fn an_elf_file_ends_with_its_last_section() {
        let mut file = vec![0u8; 500];
        file[..4].copy_from_slice(b"\x7fELF");
        file[40] = 64; // section headers at 64,
        file[58] = 64; // 64 bytes each,
        file[60] = 2; // two of them.
        let section = |file: &mut Vec<u8>, at: usize, kind: u8, offset: u16, size: u16| {
            file[at + 4] = kind;
            file[at + 24..at + 26].copy_from_slice(&offset.to_le_bytes());
            file[at + 32..at + 34].copy_from_slice(&size.to_le_bytes());
        };
        section(&mut file, 64, 1, 200, 250);
        section(&mut file, 128, NOBITS as u8, 450, 10_000);
        assert_eq!(find_in(&file).unwrap().bytes, 450);
    }

    #[test]
    fn text_ends_with_its_nul() {
        let mut source = b".version 8.0\n".repeat(1000);
        source.push(0);
        let image = find_in(&source).unwrap();
        assert_eq!((image.bytes, image.kind), (13_000, PayloadKind::Ptx));
    }

    #[test]
    fn what_is_no_image_is_not_guessed_at() {
        assert_eq!(find(16), Err(PayloadState::Unreadable));
        assert_eq!(find_in(&[1, 2, 3, 4]), Err(PayloadState::UnknownLength));
    }
}
