//! `/etc/ld.so.cache`: where `ldconfig` wrote down which file has which soname.
//!
//! Layout from glibc's `sysdeps/generic/dl-cache.h`: the "new" format, either from the start of the file or, behind an old-format
//! part, at the next multiple of 8. Offsets of strings count from the start of the new format's header.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const NEW_HEADER_BYTES: usize = 48;
const NEW_ENTRY_BYTES: usize = 24;
const OLD_HEADER_BYTES: usize = 16;
const OLD_ENTRY_BYTES: usize = 12;
/// `FLAG_ELF_LIBC6 | FLAG_X8664_LIB64`.
const X86_64_LIBC6: u32 = 0x0303;

/// The files that the cache names for `soname`, in the cache's order; none if the cache is absent or not understood, as the
/// loader itself would then go on with its default folders.
pub(crate) fn lookup(cache: &Path, soname: &str) -> Vec<PathBuf> {
    std::fs::read(cache)
        .ok()
        .and_then(|bytes| entries(&bytes, soname))
        .unwrap_or_default()
}

fn entries(bytes: &[u8], soname: &str) -> Option<Vec<PathBuf>> {
    let bytes = new_format(bytes)?;
    let count = read_u32(bytes, NEW_MAGIC.len())? as usize;
    let table = bytes.get(NEW_HEADER_BYTES..)?;
    let mut found = Vec::new();
    for entry in table.chunks_exact(NEW_ENTRY_BYTES).take(count) {
        let fits = read_u32(entry, 0)? == X86_64_LIBC6
            && c_string(bytes, read_u32(entry, 4)?)? == soname.as_bytes();
        if fits {
            found.push(PathBuf::from(OsStr::from_bytes(c_string(
                bytes,
                read_u32(entry, 8)?,
            )?)));
        }
    }
    Some(found)
}

fn new_format(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.starts_with(NEW_MAGIC) {
        return Some(bytes);
    }
    if !bytes.starts_with(OLD_MAGIC) {
        return None;
    }
    let count = read_u32(bytes, 12)? as usize;
    let end = OLD_HEADER_BYTES.checked_add(count.checked_mul(OLD_ENTRY_BYTES)?)?;
    let new = bytes.get(end.checked_next_multiple_of(8)?..)?;
    new.starts_with(NEW_MAGIC).then_some(new)
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at.checked_add(4)?)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn c_string(bytes: &[u8], at: u32) -> Option<&[u8]> {
    let rest = bytes.get(at as usize..)?;
    rest.iter().position(|&b| b == 0).map(|end| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_with(libraries: &[(&str, &str, u32)]) -> Vec<u8> {
        let mut strings = Vec::new();
        let start = NEW_HEADER_BYTES + libraries.len() * NEW_ENTRY_BYTES;
        let mut text = |s: &str| {
            let at = start + strings.len();
            strings.extend_from_slice(s.as_bytes());
            strings.push(0);
            at as u32
        };
        let mut table = Vec::new();
        for (soname, path, flags) in libraries {
            for word in [*flags, text(soname), text(path), 0, 0, 0] {
                table.extend_from_slice(&word.to_le_bytes());
            }
        }
        let mut bytes = NEW_MAGIC.to_vec();
        bytes.extend_from_slice(&(libraries.len() as u32).to_le_bytes());
        bytes.resize(NEW_HEADER_BYTES, 0);
        bytes.extend(table);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn finds_the_library_of_this_architecture_only() {
        let bytes = cache_with(&[
            ("libcuda.so.1", "/lib32/libcuda.so.1", 0x0003),
            ("libcuda.so.1", "/lib64/libcuda.so.1", X86_64_LIBC6),
            ("libother.so", "/lib64/libother.so", X86_64_LIBC6),
        ]);
        assert_eq!(
            entries(&bytes, "libcuda.so.1"),
            Some(vec![PathBuf::from("/lib64/libcuda.so.1")])
        );
        assert_eq!(entries(&bytes, "libnone.so"), Some(vec![]));
    }

    #[test]
    fn reads_the_new_format_behind_an_old_one() {
        let mut bytes = OLD_MAGIC.to_vec();
        bytes.resize(12, 0);
        bytes.extend_from_slice(&1u32.to_le_bytes());
        bytes.resize(OLD_HEADER_BYTES + OLD_ENTRY_BYTES, 0);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(cache_with(&[(
            "libcuda.so.1",
            "/a/libcuda.so.1",
            X86_64_LIBC6,
        )]));
        assert_eq!(
            entries(&bytes, "libcuda.so.1"),
            Some(vec![PathBuf::from("/a/libcuda.so.1")])
        );
    }

    #[test]
    fn a_damaged_cache_names_nothing() {
        let bytes = cache_with(&[("libcuda.so.1", "/a/libcuda.so.1", X86_64_LIBC6)]);
        for end in 0..bytes.len() {
            let _ = entries(&bytes[..end], "libcuda.so.1");
        }
        assert_eq!(entries(b"not a cache", "libcuda.so.1"), None);
    }

    #[test]
    fn this_machine_s_cache_knows_the_c_library() {
        let found = lookup(Path::new("/etc/ld.so.cache"), "libc.so.6");
        assert!(found.iter().any(|path| path.exists()), "{found:?}");
    }
}
