//! Fat binaries: a header, then entries that each hold a cubin or PTX text for one architecture, often compressed. The layout is not
//! documented by NVIDIA; it is the one that public readers of it (such as `cuobjdump`'s output and ZLUDA's notes) agree on.

use std::borrow::Cow;

use crate::image::{Image, ImageError, Target};
use crate::{elf, lz4, ptx};

/// How the structure begins that programs register, with the address of the fat binary in it.
pub const WRAPPER_MAGIC: u32 = 0x4662_43b1;
/// How a fat binary begins.
pub const MAGIC: u32 = 0xba55_ed50;
/// Bytes of its header.
pub const HEADER_BYTES: usize = 16;

const KIND_PTX: u16 = 1;
const KIND_CUBIN: u16 = 2;
const ENTRY_BYTES: usize = 64;
const FLAG_LZ4: u64 = 0x2000;
const FLAG_ZSTD: u64 = 0x8000;

/// One entry.
struct Entry<'a> {
    kind: u16,
    architecture: u32,
    content: &'a [u8],
    flags: u64,
    unpacked_bytes: usize,
}

/// How long a fat binary is, by its header.
pub fn bytes_of(header: &[u8]) -> usize {
    let header_bytes = number(header, 6, 2).unwrap_or(0);
    let content_bytes = number(header, 8, 8).unwrap_or(0);
    HEADER_BYTES
        .max(usize::try_from(header_bytes.saturating_add(content_bytes)).unwrap_or(HEADER_BYTES))
}

/// Reads the entry that suits the GPU best: machine code for the nearest architecture, else the newest PTX that can be compiled.
pub fn read(bytes: &[u8], target: Target) -> Result<Image, ImageError> {
    let entries = entries(bytes).ok_or(ImageError::Unrecognized)?;
    let best = |kind: u16, fits: &dyn Fn(u32) -> bool| {
        entries
            .iter()
            .filter(|entry| entry.kind == kind && fits(entry.architecture))
            .max_by_key(|entry| entry.architecture)
    };
    if let Some(entry) = best(KIND_CUBIN, &|architecture| target.runs_binary(architecture)) {
        return elf::read(&unpack(entry)?, target);
    }
    let entry = best(KIND_PTX, &|architecture| target.compiles_ptx(architecture))
        .ok_or(ImageError::WrongArchitecture)?;
    ptx::read(&unpack(entry)?, target)
}

fn unpack<'a>(entry: &Entry<'a>) -> Result<Cow<'a, [u8]>, ImageError> {
    if entry.flags & FLAG_LZ4 != 0 {
        return lz4::unpack(entry.content, entry.unpacked_bytes)
            .map(Cow::Owned)
            .ok_or(ImageError::Unrecognized);
    }
    if entry.flags & FLAG_ZSTD != 0 {
        return zstd::bulk::decompress(entry.content, entry.unpacked_bytes)
            .map(Cow::Owned)
            .map_err(|_| ImageError::Unrecognized);
    }
    Ok(Cow::Borrowed(entry.content))
}

fn entries(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    let end = bytes_of(bytes.get(..HEADER_BYTES)?).min(bytes.len());
    let mut at = usize::try_from(number(bytes, 6, 2)?).ok()?;
    let mut entries = Vec::new();
    while at < end {
        let head = bytes.get(at..at + ENTRY_BYTES)?;
        let header_bytes = usize::try_from(number(head, 4, 4)?).ok()?;
        let content_bytes = usize::try_from(number(head, 8, 8)?).ok()?;
        let begin = at.checked_add(header_bytes)?;
        let content = bytes.get(begin..begin.checked_add(content_bytes)?)?;
        let packed_bytes = usize::try_from(number(head, 16, 4)?).ok()?;
        let flags = number(head, 40, 8)?;
        let is_packed = flags & (FLAG_LZ4 | FLAG_ZSTD) != 0;
        entries.push(Entry {
            kind: number(head, 0, 2)? as u16,
            architecture: number(head, 28, 4)? as u32,
            content: if is_packed && packed_bytes > 0 {
                content.get(..packed_bytes)?
            } else {
                content
            },
            flags,
            unpacked_bytes: usize::try_from(number(head, 56, 8)?).ok()?,
        });
        at = begin.checked_add(content_bytes)?;
        if header_bytes == 0 {
            return None;
        }
    }
    Some(entries)
}

/// A number of that many bytes.
fn number(bytes: &[u8], at: usize, count: usize) -> Option<u64> {
    let part = bytes.get(at..at + count)?;
    Some(
        part.iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const H100: Target = Target {
        capability: 90,
        newest_ptx: 95,
    };

    fn ptx_text(architecture: u32, kernel: &str) -> Vec<u8> {
        format!(".version 8.0\n.target sm_{architecture}\n.address_size 64\n.visible .entry {kernel}()\n{{\nret;\n}}\n").into_bytes()
    }

    fn fat(parts: &[(u16, u32, u64, Vec<u8>, usize)]) -> Vec<u8> {
        let mut content = Vec::new();
        for (kind, architecture, flags, bytes, unpacked) in parts {
            let mut head = vec![0; ENTRY_BYTES];
            head[..2].copy_from_slice(&kind.to_le_bytes());
            head[4..8].copy_from_slice(&(ENTRY_BYTES as u32).to_le_bytes());
            head[8..16].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
            head[16..20].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
            head[28..32].copy_from_slice(&architecture.to_le_bytes());
            head[40..48].copy_from_slice(&flags.to_le_bytes());
            head[56..64].copy_from_slice(&(*unpacked as u64).to_le_bytes());
            content.extend(head);
            content.extend(bytes);
        }
        let mut file = MAGIC.to_le_bytes().to_vec();
        file.extend(1u16.to_le_bytes());
        file.extend((HEADER_BYTES as u16).to_le_bytes());
        file.extend((content.len() as u64).to_le_bytes());
        file.extend(content);
        file
    }

    fn kernel_of(file: &[u8], target: Target) -> Result<String, ImageError> {
        read(file, target).map(|image| image.kernels[0].name.clone())
    }

    #[test]
    fn the_newest_ptx_that_the_gpu_can_run_is_taken() {
        let part =
            |architecture, kernel| (KIND_PTX, architecture, 0, ptx_text(architecture, kernel), 0);
        let file = fat(&[part(70, "old"), part(90, "fits"), part(100, "too_new")]);
        assert_eq!(kernel_of(&file, H100).as_deref(), Ok("fits"));
        assert_eq!(
            kernel_of(
                &file,
                Target {
                    capability: 80,
                    ..H100
                }
            )
            .as_deref(),
            Ok("old")
        );
        assert_eq!(
            kernel_of(
                &file,
                Target {
                    capability: 60,
                    ..H100
                }
            ),
            Err(ImageError::WrongArchitecture)
        );
    }

    #[test]
    fn compressed_entries_are_unpacked() {
        let text = ptx_text(80, "packed");
        // One LZ4 sequence of literals only.
        let mut block = vec![0xf0];
        let mut left = text.len() - 15;
        while left >= 255 {
            block.push(255);
            left -= 255;
        }
        block.push(left as u8);
        block.extend(&text);
        let packed = zstd::bulk::compress(&text, 1).unwrap();
        let lz4_file = fat(&[(KIND_PTX, 80, FLAG_LZ4, block, text.len())]);
        let zstd_file = fat(&[(KIND_PTX, 80, FLAG_ZSTD, packed, text.len())]);
        assert_eq!(kernel_of(&lz4_file, H100).as_deref(), Ok("packed"));
        assert_eq!(kernel_of(&zstd_file, H100).as_deref(), Ok("packed"));
    }

    #[test]
    fn a_damaged_one_is_refused_wherever_it_is_cut() {
        let file = fat(&[(KIND_PTX, 80, 0, ptx_text(80, "kernel"), 0)]);
        for end in HEADER_BYTES + 1..file.len() - 1 {
            assert!(read(&file[..end], H100).is_err(), "cut at {end}");
        }
    }
}
