//! Images come as an address without a length: how many bytes belong to one is in its own headers.

use std::ffi::{CStr, c_void};

use cutape_module_image::{elf, fatbin};

/// The bytes of the image at the address, copied. Nothing for NULL.
pub fn copy(image: *const c_void) -> Option<Vec<u8>> {
    if image.is_null() {
        return None;
    }
    let begin = image.cast::<u8>();
    // SAFETY: `cuModuleLoadData` and its like take the address of an image; the shortest one is a NUL, so one byte is there, and each
    // further byte of the four is read only if the ones before are not NUL.
    let magic = unsafe { first_bytes(begin) };
    let bytes = match magic {
        Some(fatbin::WRAPPER_MAGIC) => {
            // SAFETY: the wrapper of a fat binary has 24 bytes, with the address of the fat binary in the second eight.
            return copy(unsafe { begin.add(8).cast::<*const c_void>().read_unaligned() });
        }
        Some(fatbin::MAGIC) => {
            // SAFETY: a fat binary has at least its header.
            fatbin::bytes_of(unsafe { std::slice::from_raw_parts(begin, fatbin::HEADER_BYTES) })
        }
        Some(elf::MAGIC_WORD) => {
            // SAFETY: a cubin has at least its header.
            let header = unsafe { std::slice::from_raw_parts(begin, elf::HEADER_BYTES) };
            elf::bytes_of(header, |offset, bytes| {
                // SAFETY: the section headers are part of the image that the header describes.
                unsafe { std::slice::from_raw_parts(begin.add(offset), bytes) }
            })
        }
        // SAFETY: anything else is text, which ends with a NUL.
        _ => unsafe { CStr::from_ptr(begin.cast()) }.count_bytes(),
    };
    // SAFETY: the image's own headers, or its NUL, say that it has that many bytes.
    Some(unsafe { std::slice::from_raw_parts(begin, bytes) }.to_vec())
}

/// The first four bytes as a number; `None` if there is a NUL among the first three.
///
/// # Safety
/// Bytes up to and including the first NUL, or four bytes, must be readable.
unsafe fn first_bytes(begin: *const u8) -> Option<u32> {
    let mut word = 0u32;
    for place in 0..4 {
        // SAFETY: no NUL came before this byte, so it is readable by the caller's promise.
        let byte = unsafe { begin.add(place).read() };
        word |= u32::from(byte) << (8 * place);
        if byte == 0 && place < 3 {
            return None;
        }
    }
    Some(word)
}
