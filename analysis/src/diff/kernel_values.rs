//! What a kernel was given: values, and addresses in memory that is known. Nobody says what is which, nor what lies in a structure.

use cutape_trace_format::kernel_arguments::KernelArgument;

use crate::objects::Reference;

/// Words from here to there look like addresses of a process under Linux: programs, libraries, heaps and stacks lie above.
const ADDRESSES: std::ops::Range<u64> = 1 << 44..1 << 47;

/// A part of an argument, at most eight bytes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// An address in known memory.
    Object(Reference),
    /// What looks like an address, of nothing that is known: it differs from run to run.
    Address,
    /// A value.
    Value(u64),
}

/// What a word in a parameter, or behind it, refers to.
pub(crate) fn reference(references: &[Reference], param: u8, word: u64) -> Option<Reference> {
    let is_it = |reference: &&Reference| reference.param == param && reference.word == word;
    references.iter().find(is_it).copied()
}

/// The parts of an argument; nothing where it was not captured. `find` says which object a word is an address in.
pub(crate) fn parts(
    argument: &KernelArgument,
    find: impl Fn(u64) -> Option<Reference>,
) -> Option<impl Iterator<Item = Part>> {
    let bytes = argument.bytes.as_deref()?;
    Some(bytes.chunks(8).map(move |piece| {
        let value = piece.iter().rev();
        let value = value.fold(0, |word, &byte| word << 8 | u64::from(byte));
        match find(value).filter(|_| piece.len() == 8) {
            Some(reference) => Part::Object(reference),
            None if piece.len() == 8 && ADDRESSES.contains(&value) => Part::Address,
            None => Part::Value(value),
        }
    }))
}
