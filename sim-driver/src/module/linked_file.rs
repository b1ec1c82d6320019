//! The file that the linker makes: a cubin (ELF) with one section of ours, which holds the inputs one after the other, each behind its length.

use cutape_module_image::elf::{Bytes, HEADER_BYTES, MACHINE_CUDA, MAGIC, SECTION_HEADER_BYTES};

/// Names of the sections: none, the names, the inputs.
const NAMES: &[u8] = b"\0.shstrtab\0.cutape.linked\0";
const NAME_OF_NAMES: u32 = 1;
const NAME_OF_INPUTS: u32 = 11;
const SECTIONS: u16 = 3;
/// Types of sections.
const PROGRAM_DATA: u32 = 1;
const STRING_TABLE: u32 = 3;
/// Executable file.
const TYPE: u16 = 2;
const LENGTH_BYTES: usize = 8;
/// Where the inputs begin.
const INPUTS_AT: usize = HEADER_BYTES + NAMES.len().next_multiple_of(8);
/// The inputs begin so.
const MARK: &[u8; 8] = b"cutapeLK";

/// A file of these inputs for an architecture (10 x major + minor).
pub fn of_inputs(inputs: &[Vec<u8>], architecture: u32) -> Vec<u8> {
    let mut content = MARK.to_vec();
    for input in inputs {
        content.extend((input.len() as u64).to_le_bytes());
        content.extend(input);
    }
    let table_at = (INPUTS_AT + content.len()).next_multiple_of(8);
    let mut file = header(table_at, architecture);
    file.extend(NAMES);
    file.resize(INPUTS_AT, 0);
    let bytes = content.len();
    file.extend(content);
    file.resize(table_at, 0);
    for section in [
        [0; 4],
        [
            NAME_OF_NAMES as usize,
            STRING_TABLE as usize,
            HEADER_BYTES,
            NAMES.len(),
        ],
        [
            NAME_OF_INPUTS as usize,
            PROGRAM_DATA as usize,
            INPUTS_AT,
            bytes,
        ],
    ] {
        file.extend(section_header(section));
    }
    file
}

/// Name, type, where it begins, bytes.
fn section_header([name, kind, offset, bytes]: [usize; 4]) -> [u8; SECTION_HEADER_BYTES] {
    let mut header = [0; SECTION_HEADER_BYTES];
    header[0..4].copy_from_slice(&(name as u32).to_le_bytes());
    header[4..8].copy_from_slice(&(kind as u32).to_le_bytes());
    header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
    header[32..40].copy_from_slice(&(bytes as u64).to_le_bytes());
    header[48] = 8;
    header
}

fn header(table_at: usize, architecture: u32) -> Vec<u8> {
    const CLASS_64_LITTLE_VERSION_1: [u8; 3] = [2, 1, 1];
    let mut header = vec![0; HEADER_BYTES];
    header[0..4].copy_from_slice(&MAGIC);
    header[4..7].copy_from_slice(&CLASS_64_LITTLE_VERSION_1);
    let mut set_u16 =
        |at: usize, value: u16| header[at..at + 2].copy_from_slice(&value.to_le_bytes());
    set_u16(16, TYPE);
    set_u16(18, MACHINE_CUDA);
    set_u16(20, 1);
    set_u16(52, HEADER_BYTES as u16);
    set_u16(58, SECTION_HEADER_BYTES as u16);
    set_u16(60, SECTIONS);
    set_u16(62, 1);
    header[40..48].copy_from_slice(&(table_at as u64).to_le_bytes());
    header[48..52].copy_from_slice(&architecture.to_le_bytes());
    header
}

/// The inputs of a file that was made here; `None` for any other.
pub fn inputs<'a>(file: &Bytes<'a>) -> Option<Vec<&'a [u8]>> {
    if file.part(0, MAGIC.len())? != MAGIC {
        return None;
    }
    let table = usize::try_from(u64::from_le_bytes(file.part(40, 8)?.try_into().ok()?)).ok()?;
    let section = file.part(
        table.checked_add(2 * SECTION_HEADER_BYTES)?,
        SECTION_HEADER_BYTES,
    )?;
    let bytes = usize::try_from(u64::from_le_bytes(section[32..40].try_into().ok()?)).ok()?;
    let content = file.part(INPUTS_AT, bytes)?;
    let mut rest = content.strip_prefix(MARK)?;
    let mut inputs = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(LENGTH_BYTES)?;
        let length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
        let (input, after) = after.split_at_checked(length)?;
        inputs.push(input);
        rest = after;
    }
    Some(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_module_image::elf;

    #[test]
    fn inputs_come_back_and_the_file_knows_its_length() {
        let wanted = vec![b"one".to_vec(), Vec::new(), b".version 7.0".to_vec()];
        let file = of_inputs(&wanted, 90);
        let found = inputs(&Bytes(&file)).expect("a file of ours");
        assert_eq!(found, wanted);
        let bytes = elf::bytes_of(&file[..HEADER_BYTES], |offset, bytes| {
            &file[offset..offset + bytes]
        });
        assert_eq!(bytes, file.len());
    }

    #[test]
    fn a_damaged_file_is_none_of_ours() {
        let file = of_inputs(&[b"one".to_vec()], 90);
        for end in 0..file.len() {
            assert_eq!(inputs(&Bytes(&file[..end])), None);
        }
        let mut longer = file;
        longer[INPUTS_AT + MARK.len()] = 4;
        assert_eq!(inputs(&Bytes(&longer)), None);
    }
}
