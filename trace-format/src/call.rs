//! One call as a reader sees it. It can be serialised for keeping it in memory, packed; the form is no promise and no part of a trace.

use crate::capture_number::{ARRIVED, CaptureOf, PAYLOAD, REGION, STACK, STACK_MEMORY};
use crate::code::StackId;
use crate::kernel_arguments::{KernelArguments, kernel_arguments};
use crate::payload::PayloadRef;
use serde::{Deserialize, Serialize};

use crate::record::Captured;
use crate::ring::CallId;
use crate::stack_memory::StackMemory;

/// Number of a process in a trace, from 0; [`ProcessId::UNKNOWN`] where damage to a sealed file took it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct ProcessId(pub u32);

impl ProcessId {
    /// No Threads block that could be read says which process the thread is of.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

/// Number of a thread in a trace, from 0; [`ThreadId::UNKNOWN`] where damage took the thread's name.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct ThreadId(pub u32);

impl ThreadId {
    /// No Threads block that could be read names the thread.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

/// Number of a function in a trace, dense from 0. A number that the schema lacks has [`FunctionId::UNNAMED`] set.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct FunctionId(pub u32);

impl FunctionId {
    /// Bit of numbers that no schema and no Functions block explains.
    pub const UNNAMED: u32 = 1 << 31;
}

/// What becomes of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureEdit {
    /// It stays as it is.
    Keep,
    /// It goes; what was there is not known any more.
    Drop,
    /// Other bytes take its place.
    Replace(Vec<u8>),
}

/// One call. Meant to be used over and over: reading the next call keeps the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its number in global begin order, from 1.
    pub seq: u64,
    /// The process.
    pub process: ProcessId,
    /// The thread.
    pub thread: ThreadId,
    /// The function.
    pub function: FunctionId,
    /// Begin, CLOCK_MONOTONIC nanoseconds.
    pub begin_ns: u64,
    /// Duration, nanoseconds; `None` for a call that never returned.
    pub duration_ns: Option<u64>,
    /// Return address.
    pub caller: u64,
    /// Argument words: one a parameter, more for structures by value larger than a word.
    pub args: Vec<u64>,
    /// Return value, zero-extended; `None` for a call that never returned.
    pub returned: Option<u64>,
    /// Its name while it is open, unique in its process.
    pub open_id: Option<CallId>,
    captures: Vec<Capture>,
    data: Vec<u8>,
}

/// Where a capture lies in [`Call::data`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Capture {
    param: u8,
    out: bool,
    start: u32,
    end: u32,
    full: Option<u64>,
}

impl Call {
    /// What was copied from behind pointers, in the order of parameters and, for the same one, before the call before after it.
    pub fn captures(&self) -> impl Iterator<Item = Captured<'_>> {
        self.captures.iter().map(|capture| Captured {
            param: capture.param,
            out: capture.out,
            bytes: &self.data[capture.start as usize..capture.end as usize],
            full: capture.full,
        })
    }

    /// The capture behind a parameter, taken after the call if `out`.
    pub fn capture(&self, param: u8, out: bool) -> Option<Captured<'_>> {
        self.captures()
            .find(|capture| capture.param == param && capture.out == out)
    }

    /// The same call with these captures in place of its own.
    pub fn with_captures<'a>(mut self, captures: impl Iterator<Item = Captured<'a>>) -> Self {
        self.captures.clear();
        self.data.clear();
        captures.for_each(|capture| self.push_capture(&capture));
        self.order_captures();
        self
    }

    /// The same call with another answer: what it returned, and what lay behind its pointers after it.
    pub fn answered<'a>(
        &self,
        returned: Option<u64>,
        outs: impl Iterator<Item = Captured<'a>>,
    ) -> Self {
        let mut other = self.clone();
        other.captures.retain(|capture| !capture.out);
        other.returned = returned;
        outs.for_each(|out| other.push_capture(&out));
        other.order_captures();
        other
    }

    /// The module image or the copied data that a parameter refers to; `None` where none was captured. It is of before the call, or, for
    /// data that the driver wrote, of after it.
    pub fn payload(&self, param: u8) -> Option<PayloadRef> {
        let capture = self
            .captures()
            .find(|capture| capture.param == PAYLOAD | param)?;
        PayloadRef::read(capture.bytes)
    }

    /// All payloads that the call refers to, each with its parameter; those of copies that are over with a number that no parameter has.
    pub fn payloads(&self) -> impl Iterator<Item = (u8, PayloadRef)> {
        self.captures()
            .filter_map(|capture| match CaptureOf::number(capture.param) {
                CaptureOf::Payload(param) => Some((param, PayloadRef::read(capture.bytes)?)),
                _ => None,
            })
    }

    /// Which stack of the trace the call was made on ([`Trace::code`](crate::trace::Trace::code)), in a sealed file; `None` where none was
    /// kept.
    pub fn stack(&self) -> Option<StackId> {
        let number = self.capture(STACK, true)?.bytes.try_into().ok()?;
        Some(StackId(u32::from_le_bytes(number)))
    }

    /// The stack's memory, in a folder.
    pub fn stack_memory(&self) -> Option<StackMemory> {
        let memory = self
            .captures()
            .filter(|capture| capture.param == STACK_MEMORY);
        StackMemory::read(memory.map(|capture| capture.bytes))
    }

    /// What asynchronous copies have brought that are known to be over when the call returns.
    pub fn arrivals(&self) -> impl Iterator<Item = PayloadRef> {
        self.captures()
            .filter(|capture| capture.param == ARRIVED)
            .filter_map(|capture| PayloadRef::read(capture.bytes))
    }

    /// The arguments of the kernels that a parameter leads to (`kernelParams` of a launch, `nodeParams` of a graph's node); empty where
    /// none were captured.
    pub fn kernel_arguments(&self, param: u8) -> Vec<KernelArguments> {
        kernel_arguments(self, param)
    }

    /// All kernels whose arguments were captured, each with the parameter that leads to it.
    pub fn kernels(&self) -> impl Iterator<Item = (u8, KernelArguments)> {
        let mut params: Vec<u8> = Vec::new();
        for capture in self.captures() {
            if let CaptureOf::KernelArguments(param) = CaptureOf::number(capture.param)
                && params.last() != Some(&param)
            {
                params.push(param);
            }
        }
        params.into_iter().flat_map(|param| {
            let kernels = self.kernel_arguments(param).into_iter();
            kernels.map(move |kernel| (param, kernel))
        })
    }

    /// What was at an address that a pointer inside a parameter's structures holds, after the call if `out`.
    pub fn region(&self, param: u8, out: bool, address: u64) -> Option<Captured<'_>> {
        self.captures()
            .filter(|capture| capture.param == REGION | param && capture.out == out)
            .find_map(|capture| {
                let (at, bytes) = capture.bytes.split_first_chunk::<8>()?;
                (u64::from_le_bytes(*at) == address).then_some(Captured {
                    bytes,
                    full: capture.full.map(|full| full.saturating_sub(8)),
                    ..capture
                })
            })
    }

    /// Changes what was copied from behind pointers.
    pub fn edit_captures(&mut self, mut edit: impl FnMut(&Captured<'_>) -> CaptureEdit) {
        let data = std::mem::take(&mut self.data);
        for capture in std::mem::take(&mut self.captures) {
            let captured = Captured {
                param: capture.param,
                out: capture.out,
                bytes: &data[capture.start as usize..capture.end as usize],
                full: capture.full,
            };
            match edit(&captured) {
                CaptureEdit::Keep => self.push_capture(&captured),
                CaptureEdit::Drop => {}
                CaptureEdit::Replace(bytes) => self.push_capture(&Captured {
                    bytes: &bytes,
                    ..captured
                }),
            }
        }
    }

    /// Forgets arguments and captures.
    pub(crate) fn clear(&mut self) {
        self.args.clear();
        self.captures.clear();
        self.data.clear();
        self.open_id = None;
    }

    /// Adds a capture.
    pub(crate) fn push_capture(&mut self, capture: &Captured<'_>) {
        let start = self.data.len() as u32;
        self.data.extend_from_slice(capture.bytes);
        let end = self.data.len() as u32;
        self.captures.push(Capture {
            param: capture.param,
            out: capture.out,
            start,
            end,
            full: capture.full,
        });
    }

    /// Puts captures into the order that [`Self::captures`] promises, whatever order they were stored in.
    pub(crate) fn order_captures(&mut self) {
        self.captures
            .sort_by_key(|capture| (capture.param, capture.out));
    }
}
