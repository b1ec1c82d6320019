//! Arguments of kernels: the recorded buffer, in which words that are recorded device pointers become those of here.

use cutape_trace_format::capture_number::KERNEL_ARGUMENTS;
use cutape_trace_format::kernel_arguments::{LAYOUT_HEADER_BYTES, LAYOUT_PARAM_BYTES};

use crate::skip::SkipReason;
use crate::worker::handles::Known;
use crate::worker::refusal::Refusal;
use crate::worker::relocate::{Relocator, number_at};

/// What `extra` says: the buffer follows, its size follows, the end.
const BUFFER_POINTER: u64 = 1;
const BUFFER_SIZE: u64 = 2;
const END: u64 = 0;

/// Memory with the arguments: a pointer to each, or, as `extra`, one buffer.
///
/// Kernels take device pointers among numbers, and nobody says which is which. So every aligned word of 8 bytes that points into memory
/// that was allocated when the kernel was recorded is taken for such a pointer.
///
/// # Errors
/// The arguments are not on record, or an allocation that they point into failed here.
pub fn params(relocator: &Relocator<'_>, is_extra: bool) -> Result<u64, Refusal> {
    let number = KERNEL_ARGUMENTS | relocator.param;
    let captures = || {
        let all = relocator.message.captures();
        all.filter(|capture| capture.param == number && !capture.out)
    };
    // Of a launch on several devices, each item has two captures. If some are missing, nobody knows whose.
    let (item, items) = relocator.item;
    if items > 1 && captures().count() != 2 * items {
        return Err(SkipReason::NoKernelArguments.into());
    }
    let mut captures = captures().skip(2 * item);
    let (layout, buffer) = captures
        .next()
        .zip(captures.next())
        .ok_or(SkipReason::NoKernelArguments)?;
    let places = layout
        .bytes
        .get(LAYOUT_HEADER_BYTES..)
        .unwrap_or_default()
        .chunks_exact(LAYOUT_PARAM_BYTES);
    let is_known = layout.bytes.first().is_some_and(|&origin| origin != 0);
    // A buffer goes as it is, whatever lies in it.
    if !(is_known || is_extra) || buffer.full.is_some() {
        return Err(SkipReason::NoKernelArguments.into());
    }
    let copy = relocator.arena.take(buffer.bytes.len())?;
    copy.write(buffer.bytes);
    for word in copy.content().as_chunks_mut::<8>().0 {
        match relocator.handles.address(u64::from_le_bytes(*word)) {
            Known::Here(address) => *word = address.to_le_bytes(),
            Known::Missing(cause) => return Err(Refusal::consequence_of(cause)),
            Known::Unknown => {}
        }
    }
    if is_extra {
        return extra(relocator, copy.address(), buffer.bytes.len() as u64);
    }
    let pointers = relocator.arena.take(places.len() * 8)?;
    for (pointer, place) in pointers
        .content()
        .as_chunks_mut::<8>()
        .0
        .iter_mut()
        .zip(places)
    {
        let offset = number_at(place, 0, 2).unwrap_or(0);
        let size = number_at(place, 2, 2).unwrap_or(0);
        if offset + size > buffer.bytes.len() as u64 {
            return Err(SkipReason::NoKernelArguments.into());
        }
        *pointer = (copy.address() + offset).to_le_bytes();
    }
    Ok(pointers.address())
}

fn extra(relocator: &Relocator<'_>, buffer: u64, bytes: u64) -> Result<u64, Refusal> {
    let size = relocator.arena.take(8)?;
    size.write(&bytes.to_le_bytes());
    let words = [BUFFER_POINTER, buffer, BUFFER_SIZE, size.address(), END];
    let list = relocator.arena.take(words.len() * 8)?;
    list.write(&words.map(u64::to_le_bytes).concat());
    Ok(list.address())
}
