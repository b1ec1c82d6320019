//! The build id of a mapped file, read from memory: the file on disk may be another one by now.

use crate::memory;

/// Longer build ids are none that a linker makes.
const MAX_BYTES: usize = 64;
/// Program headers that are looked at.
const MAX_SEGMENTS: usize = 64;
/// Bytes of notes that are looked at in one segment.
const MAX_NOTE_BYTES: usize = 2048;
/// Sizes and places of elf(5), 64 bits.
const HEADER_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;
const PT_LOAD: u64 = 1;
const PT_NOTE: u64 = 4;
const NT_GNU_BUILD_ID: u64 = 3;

/// The build id of the file whose first byte is mapped at an address; empty where it has none, or memory can't be asked for safely.
pub fn build_id(start: u64) -> Vec<u8> {
    find(start).unwrap_or_default()
}

fn find(start: u64) -> Option<Vec<u8>> {
    let mut room = [0; HEADER_BYTES];
    let header = bytes_at(start, &mut room)?;
    if !header.starts_with(b"\x7fELF\x02\x01") || number(header, 54, 2)? != SEGMENT_BYTES as u64 {
        return None;
    }
    let count = (number(header, 56, 2)? as usize).min(MAX_SEGMENTS);
    let table = start.checked_add(number(header, 32, 8)?)?;
    let mut room = [0; MAX_SEGMENTS * SEGMENT_BYTES];
    let segments = bytes_at(table, &mut room[..count * SEGMENT_BYTES])?;
    let segments = || segments.chunks_exact(SEGMENT_BYTES);
    let is_kind = |segment: &&[u8], kind| number(segment, 0, 4) == Some(kind);
    let address = |segment: &[u8]| number(segment, 16, 8);
    let first = segments().find(|segment| is_kind(segment, PT_LOAD))?;
    let bias = start.wrapping_sub(address(first)?.wrapping_sub(number(first, 8, 8)?));
    segments()
        .filter(|segment| is_kind(segment, PT_NOTE))
        .find_map(|segment| {
            let at = bias.wrapping_add(address(segment)?);
            let bytes = (number(segment, 40, 8)? as usize).min(MAX_NOTE_BYTES);
            let mut room = [0; MAX_NOTE_BYTES];
            in_notes(bytes_at(at, &mut room[..bytes])?)
        })
}

/// Notes are three words (lengths of name and content, kind), then the name and the content, each filled up to whole words.
fn in_notes(mut notes: &[u8]) -> Option<Vec<u8>> {
    const WORD: usize = 4;
    loop {
        let name_bytes = number(notes, 0, WORD)? as usize;
        let bytes = number(notes, 4, WORD)? as usize;
        let kind = number(notes, 8, WORD)?;
        let content = 12usize.checked_add(name_bytes.checked_next_multiple_of(WORD)?)?;
        let end = content.checked_add(bytes)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..12 + 4)? == b"GNU\0" && bytes <= MAX_BYTES {
            return notes.get(content..end).map(<[u8]>::to_vec);
        }
        notes = notes.get(end.checked_next_multiple_of(WORD)?..)?;
    }
}

fn bytes_at(address: u64, room: &mut [u8]) -> Option<&[u8]> {
    memory::read(usize::try_from(address).ok()?, room).then_some(room)
}

/// The unsigned number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |value, &byte| value << 8 | u64::from(byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u32, content: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for number in [name.len() as u32, content.len() as u32, kind] {
            note.extend(number.to_le_bytes());
        }
        for part in [name, content] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn it_is_found_behind_other_notes() {
        let mut notes = note(b"GNU\0", 5, &[1; 16]);
        notes.extend(note(b"stapsdt\0", 3, &[2; 5]));
        notes.extend(note(b"GNU\0", 3, &[7; 20]));
        assert_eq!(in_notes(&notes), Some(vec![7; 20]));
        for cut in 0..notes.len() {
            assert_eq!(in_notes(&notes[..cut]), None, "{cut}");
        }
        assert_eq!(in_notes(&[0xff; 64]), None);
    }

    #[test]
    fn memory_that_is_no_program_has_none() {
        let zeros = [0u8; 128];
        assert!(build_id(&raw const zeros as u64).is_empty());
        assert!(build_id(1 << 12).is_empty());
        assert!(build_id(u64::MAX - 7).is_empty());
    }
}
