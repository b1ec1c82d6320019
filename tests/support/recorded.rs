//! A trace as tests look at it.

use std::collections::BTreeMap;
use std::path::Path;

use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode;
use cutape_trace_format::trace::Trace;
use cutape_trace_format::value::{Argument, Value};

/// An open trace with all its calls.
pub struct Recorded {
    pub trace: Trace,
    pub calls: Vec<SeenCall>,
}

/// A call with what it belongs to by name.
#[derive(Clone, Debug)]
pub struct SeenCall {
    pub function: String,
    pub pid: u32,
    /// Which of the programs that the process became by exec.
    pub incarnation: u32,
    pub tid: u32,
    pub thread_name: String,
    pub args: Vec<u64>,
    pub returned: Option<u64>,
    pub call: Call,
}

impl Recorded {
    /// Opens a trace and reads all calls; fails on any damage.
    pub fn open(path: &Path) -> Self {
        Self::of_trace(Trace::open(path).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Reads all calls of an open trace; fails on any damage.
    pub fn of_trace(trace: Trace) -> Self {
        assert!(trace.damages().is_empty(), "{:?}", trace.damages());
        let mut calls = Vec::new();
        let mut reader = trace.calls();
        let mut call = Call::default();
        while reader
            .read_next(&mut call)
            .unwrap_or_else(|damage| panic!("{damage:?}"))
        {
            calls.push(SeenCall::of(&trace, &call));
        }
        Self { trace, calls }
    }

    /// The calls of a function, in their order.
    pub fn of(&self, function: &str) -> Vec<&SeenCall> {
        self.calls
            .iter()
            .filter(|call| call.function == function)
            .collect()
    }

    /// Number of calls by function.
    pub fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.calls {
            *counts.entry(call.function.as_str()).or_default() += 1;
        }
        counts
    }

    /// Fails if anything was dropped, damaged or passed unrecorded, or if recording was turned off.
    pub fn assert_nothing_lost(&self) {
        let losses = self.trace.losses();
        assert_eq!(
            (losses.dropped, losses.without_ring, losses.damaged),
            (0, 0, 0)
        );
        assert!(self.notes("off").is_empty(), "{:?}", self.trace.notes());
    }

    /// Texts of the notes of a kind.
    pub fn notes(&self, kind: &str) -> Vec<&str> {
        let notes = self.trace.notes().iter().filter(|note| note.kind == kind);
        notes.map(|note| note.text.as_str()).collect()
    }

    /// The arguments of a call in the words of the schema.
    pub fn arguments(&self, call: &SeenCall) -> Vec<Argument<'_>> {
        decode(self.trace.schema(), &call.call).arguments
    }

    /// The value of a call's argument of that name.
    pub fn argument(&self, call: &SeenCall, name: &str) -> Value<'_> {
        let arguments = self.arguments(call);
        let names: Vec<_> = arguments
            .iter()
            .map(|argument| argument.name.to_string())
            .collect();
        let found = arguments.into_iter().find(|argument| argument.name == name);
        found
            .unwrap_or_else(|| panic!("{} has {names:?} and no {name}", call.function))
            .value
    }
}

impl SeenCall {
    fn of(trace: &Trace, call: &Call) -> Self {
        let process = trace
            .process(call.process)
            .expect("a process for each call");
        let thread = trace.thread(call.thread).expect("a thread for each call");
        Self {
            function: trace.function_name(call.function).into_owned(),
            pid: process.process.pid,
            incarnation: process.process.incarnation,
            tid: thread.tid,
            thread_name: thread.name.clone(),
            args: call.args.clone(),
            returned: call.returned,
            call: call.clone(),
        }
    }
}
