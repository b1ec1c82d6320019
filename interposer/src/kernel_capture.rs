//! The arguments of a kernel launch: a layout and a buffer, see [`cutape_trace_format::kernel_arguments`].

use cutape_trace_format::kernel_arguments::{ArgumentForm, KernelLayout};
use cutape_trace_format::ring::MAX_ARGUMENTS;

use crate::capture::{Gathered, Phase, Reader};
use crate::kernel_table::{Entry, layout_of};
use crate::process::Process;
use crate::recording;

/// Words of an `extra` list that are looked at; there are two names with a value each, and an end.
const EXTRA_WORDS: usize = 8;
/// CU_LAUNCH_PARAM_END, ..._BUFFER_POINTER, ..._BUFFER_SIZE of cuda.h.
const END: u64 = 0;
const BUFFER_POINTER: u64 = 1;
const BUFFER_SIZE: u64 = 2;

/// One kernel as a program launches it.
#[derive(Clone, Copy)]
pub struct Launch {
    /// `CUfunction` or `CUkernel`.
    pub handle: u64,
    /// `kernelParams`, or 0.
    pub params: u64,
    /// `extra`, or 0.
    pub extra: u64,
}

/// Adds the arguments of a launch. `what` is the number of its captures and the launch.
pub fn gather(
    gathered: &mut Gathered,
    reader: &Reader<'_>,
    process: &'static Process,
    what: (u8, Launch),
) {
    let (number, launch) = what;
    if launch.params == 0 && launch.extra == 0 {
        return;
    }
    let known = match process.kernels().find(launch.handle) {
        Entry::Known(known) => Some(known),
        Entry::Unknown => None,
        // SAFETY: the state is the calling thread's.
        Entry::Unasked(_) => unsafe {
            recording::aside(reader.thread, || layout_of(process, launch.handle)).flatten()
        },
    };
    // How many pointers there are is part of the layout.
    if known.is_none() && launch.params != 0 {
        return;
    }
    let unknown = KernelLayout::UNKNOWN;
    let layout = known.map_or(&unknown, |known| &known.layout);
    let (form, buffer, whole) = if launch.params != 0 {
        let (buffer, whole) = read_params(reader, launch.params, layout);
        (ArgumentForm::Pointers, buffer, whole)
    } else {
        let (buffer, whole) = read_extra(reader, launch.extra).unwrap_or_default();
        (ArgumentForm::Buffer, buffer, whole)
    };
    let places = layout.to_bytes(form);
    let bytes = places.len() as u64;
    gathered.add(number, Phase::In, places, bytes);
    gathered.add(number, Phase::In, buffer, whole);
}

/// The buffer that the parameters form, up to the first that can't be read, and how long it should be.
fn read_params(reader: &Reader<'_>, params: u64, layout: &KernelLayout) -> (Vec<u8>, u64) {
    let whole = layout.buffer_bytes();
    let mut pointers = vec![0; 8 * layout.params.len()];
    if !reader.read(params as usize, &mut pointers) {
        return (Vec::new(), whole as u64);
    }
    let mut buffer = vec![0; whole.min(MAX_ARGUMENTS)];
    for (place, pointer) in layout.params.iter().zip(pointers.chunks_exact(8)) {
        let pointer = pointer
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | usize::from(byte));
        let start = usize::from(place.offset);
        let end = start + usize::from(place.size);
        let Some(to) = buffer.get_mut(start..end) else {
            continue;
        };
        if !reader.read(pointer, to) {
            buffer.truncate(start);
            break;
        }
    }
    (buffer, whole as u64)
}

/// The buffer that `extra` names.
fn read_extra(reader: &Reader<'_>, extra: u64) -> Option<(Vec<u8>, u64)> {
    let word = |at: u64| {
        let mut word = [0; 8];
        reader
            .read(at as usize, &mut word)
            .then(|| u64::from_le_bytes(word))
    };
    let (mut at, mut bytes) = (None, None);
    for step in 0..EXTRA_WORDS as u64 / 2 {
        let name = word(extra.wrapping_add(16 * step))?;
        if name == END {
            break;
        }
        let value = word(extra.wrapping_add(16 * step + 8))?;
        match name {
            BUFFER_POINTER => at = Some(value),
            BUFFER_SIZE => bytes = Some(word(value)?),
            _ => return None,
        }
    }
    let (at, bytes) = (at?, bytes?);
    let mut buffer = vec![0; bytes.min(MAX_ARGUMENTS as u64) as usize];
    reader
        .read(at as usize, &mut buffer)
        .then_some((buffer, bytes))
}
