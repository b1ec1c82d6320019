//! What sealing asks of program files: names of functions, and the way through a stack.

use crate::call::{Call, ProcessId};
use crate::code::{Code, CodeFile};
use crate::metadata::Library;
use crate::stack_memory::StackMemory;
use crate::trace::Trace;

/// Looks into program files.
pub trait CodeReader {
    /// Whether the stack of a call is kept, if it has one. Asked of each call, in the order of their numbers.
    fn wants_stack(&mut self, trace: &Trace, call: &Call) -> bool {
        let _ = (trace, call);
        true
    }

    /// The addresses that the functions on a stack return to, the innermost first. The call itself returns to `caller`, which is not among
    /// them. What is not sure is left out.
    fn unwind(&mut self, loaded: &LoadedFiles<'_>, caller: u64, stack: &StackMemory) -> Vec<u64>;

    /// The functions that return addresses lie in, given as offsets in a file that rise.
    fn symbols(&mut self, file: &CodeFile, offsets: &[u64]) -> Vec<Option<NamedCode>>;
}

/// A function by name, and how far behind its first byte an address lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCode {
    /// The function's name.
    pub name: String,
    /// Bytes.
    pub distance: u64,
}

/// What was mapped into a process at a time.
#[derive(Clone, Copy, Debug)]
pub struct LoadedFiles<'t> {
    /// The trace that says so.
    pub trace: &'t Trace,
    /// The process.
    pub process: ProcessId,
    /// CLOCK_MONOTONIC, nanoseconds.
    pub at_ns: u64,
}

impl<'t> LoadedFiles<'t> {
    /// The file mapped at an address, and the offset in it.
    pub fn at(&self, address: u64) -> Option<(&'t Library, u64)> {
        self.trace.module_at(self.process, address, self.at_ns)
    }
}

/// Asks no files: nothing gets a name.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl CodeReader for NoFiles {
    fn unwind(&mut self, _: &LoadedFiles<'_>, _: u64, _: &StackMemory) -> Vec<u64> {
        Vec::new()
    }

    fn symbols(&mut self, _: &CodeFile, offsets: &[u64]) -> Vec<Option<NamedCode>> {
        vec![None; offsets.len()]
    }
}

/// Asks a sealed trace, which has the names already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownNames<'t>(pub &'t Code);

impl CodeReader for KnownNames<'_> {
    fn unwind(&mut self, _: &LoadedFiles<'_>, _: u64, _: &StackMemory) -> Vec<u64> {
        Vec::new()
    }

    fn symbols(&mut self, file: &CodeFile, offsets: &[u64]) -> Vec<Option<NamedCode>> {
        let library = Library {
            path: file.path.clone(),
            build_id: file.build_id.clone(),
            ..Library::default()
        };
        let named = |&offset: &u64| {
            let symbol = self.0.symbol(&library, offset)?;
            Some(NamedCode {
                name: symbol.name.to_owned(),
                distance: symbol.distance,
            })
        };
        offsets.iter().map(named).collect()
    }
}
