//! Which calls a command is about: all, or those that `-e` chooses.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::path::Path;

use cutape_analysis::filter::{Filter, Matcher, Selection, WantedFunction};
use cutape_analysis::index::Index;
use cutape_analysis::outcome::outcome;
use cutape_call_stack::ProgramFiles;
use cutape_cuda_api::{Api, Effect};
use cutape_trace_format::call::Call;
use cutape_trace_format::code::CodeFile;
use cutape_trace_format::code_reader::{CodeReader, LoadedFiles, NamedCode};
use cutape_trace_format::metadata::note;
use cutape_trace_format::seal::{
    Keep, KeepAll, Manner, SealError, SealOptions, SealProgress, Sealed, seal_some,
};
use cutape_trace_format::stack_memory::StackMemory;
use cutape_trace_format::trace::Trace;

use crate::message;
use crate::progress::Progress;

/// Whether calls that launch kernels can be meant.
pub fn wants_launches(filter: &Filter) -> bool {
    let mut functions = Api::get().functions().iter();
    functions.any(|function| {
        function.effects.contains(&Effect::Launches)
            && filter.wants(function) != WantedFunction::None
    })
}

/// Reads the value of `-e`.
///
/// # Errors
/// The message, with the place of the mistake.
pub fn parse(text: &str) -> Result<Filter, String> {
    Filter::parse(text).map_err(|error| format!("-e: {error}"))
}

/// The calls of a trace that a filter means, found on all processors.
pub fn select(filter: &Filter, trace: &Trace) -> Selection {
    let all = trace.call_count();
    let mut progress = Progress::new("reading");
    let index = Index::build(trace, &mut |index| {
        progress.show(index.len(), all);
        ControlFlow::Continue(())
    });
    let mut progress = Progress::new("filtering");
    let selection = filter.select(trace, &index, &mut |done| {
        progress.show(done, all);
        ControlFlow::Continue(())
    });
    // There is none only where the work was broken off, and nobody did.
    selection.unwrap_or_default()
}

/// What the interposer needs to know of a filter: the functions whose calls it leaves out.
pub fn unrecorded(filter: &Filter) -> String {
    function_set(&filter.unrecorded(Api::get().functions()))
}

/// The functions of which a filter may mean calls.
pub fn meant(filter: &Filter) -> String {
    let functions = Api::get().functions().iter();
    let meant = functions.map(|function| filter.wants(function) != WantedFunction::None);
    function_set(&meant.collect::<Vec<bool>>())
}

/// Number of functions, a colon, and a hexadecimal digit for each four of them, lowest bit first.
fn function_set(functions: &[bool]) -> String {
    let digits = functions.chunks(4).map(|four| {
        let bits = four
            .iter()
            .rev()
            .fold(0, |bits, &bit| bits << 1 | u32::from(bit));
        char::from_digit(bits, 16).unwrap_or('0')
    });
    format!("{}:", functions.len()) + &digits.collect::<String>()
}

/// The filter of a recording. One that this version does not understand is told of, and is none.
pub fn recorded_with(trace: &Trace) -> Option<Filter> {
    let options = trace
        .recording()
        .map_or(&[][..], |recording| &recording.options);
    let of_recording = options.iter().find(|(name, _)| name == "filter");
    let of_process = trace.notes().iter().find(|note| note.kind == note::FILTER);
    let text = match (of_recording, of_process) {
        (Some((_, text)), _) => text,
        (None, Some(note)) => &note.text,
        (None, None) => return None,
    };
    parse(text).map_err(message::say).ok()
}

/// The filter of `--stacks`, if the recording was made with one.
fn stacks_of(trace: &Trace) -> Option<Filter> {
    let mut notes = trace.notes().iter();
    let chosen = notes.find(|note| note.kind == note::STACKS)?;
    parse(&chosen.text).map_err(message::say).ok()
}

/// Says what code addresses are called, and of which calls the stack is kept.
struct Naming<'f> {
    files: ProgramFiles,
    stacks: Option<Matcher<'f>>,
}

impl CodeReader for Naming<'_> {
    fn wants_stack(&mut self, trace: &Trace, call: &Call) -> bool {
        let Some(matcher) = &mut self.stacks else {
            return true;
        };
        let is_meant = matcher.matches(trace, call);
        is_meant || outcome(trace.schema(), call).is_failure()
    }

    fn unwind(&mut self, loaded: &LoadedFiles<'_>, caller: u64, stack: &StackMemory) -> Vec<u64> {
        self.files.unwind(loaded, caller, stack)
    }

    fn symbols(&mut self, file: &CodeFile, offsets: &[u64]) -> Vec<Option<NamedCode>> {
        self.files.symbols(file, offsets)
    }
}

/// Keeps the calls that a filter means.
pub struct Kept<'f> {
    matcher: Matcher<'f>,
    text: &'f str,
}

impl<'f> Kept<'f> {
    /// By this filter.
    pub fn by(filter: &'f Filter) -> Self {
        Self {
            matcher: Matcher::new(filter),
            text: filter.text(),
        }
    }
}

impl Keep for Kept<'_> {
    fn keeps(&mut self, trace: &Trace, call: &Call) -> bool {
        self.matcher.matches(trace, call)
    }

    fn reason(&self) -> String {
        self.text.to_owned()
    }
}

/// Makes one file of a recording folder, with the calls that the recording's filter means: what the interposer could not decide is decided
/// now.
///
/// # Errors
/// As [`seal_some`].
pub fn seal(
    folder: &Path,
    out: &Path,
    options: SealOptions,
    progress: &mut dyn FnMut(SealProgress),
) -> Result<Sealed, SealError> {
    let recorded = Trace::open(folder).ok();
    let filter = recorded.as_ref().and_then(recorded_with);
    let stacks = recorded.as_ref().and_then(stacks_of);
    let start = recorded.and_then(|trace| trace.start_realtime_ns());
    let mut naming = Naming {
        files: ProgramFiles::of_recording(start),
        stacks: stacks.as_ref().map(Matcher::new),
    };
    let mut kept = filter.as_ref().map(Kept::by);
    let manner = Manner {
        options,
        keep: match &mut kept {
            Some(kept) => kept,
            None => &mut KeepAll,
        },
        code: &mut naming,
    };
    seal_some(folder, out, manner, progress)
}

/// Chooses calls one after the other.
pub struct Choice<'f> {
    chosen: Chosen<'f>,
    /// Those that may still be chosen.
    left: u64,
}

enum Chosen<'f> {
    Numbers(Range<u64>),
    Selection(Selection, u64),
    Matching(Box<Matcher<'f>>),
}

impl<'f> Choice<'f> {
    /// Calls with these numbers.
    pub fn numbers(numbers: Range<u64>) -> Self {
        Self {
            chosen: Chosen::Numbers(numbers),
            left: u64::MAX,
        }
    }

    /// Calls of a selection.
    pub fn selection(selection: Selection) -> Self {
        Self {
            left: selection.count(),
            chosen: Chosen::Selection(selection, 1),
        }
    }

    /// Calls that a filter means.
    pub fn matching(filter: &'f Filter) -> Self {
        Self {
            chosen: Chosen::Matching(Box::new(Matcher::new(filter))),
            left: u64::MAX,
        }
    }

    /// The first `calls` of them.
    pub fn first(self, calls: u64) -> Self {
        Self {
            left: self.left.min(calls),
            ..self
        }
    }

    /// The last `calls` of a selection.
    pub fn last(self, calls: u64) -> Self {
        match self.chosen {
            Chosen::Selection(selection, _) => {
                let before = selection.count().saturating_sub(calls);
                let first = selection.nth(before).unwrap_or(u64::MAX);
                Self {
                    left: selection.count() - before,
                    chosen: Chosen::Selection(selection, first),
                }
            }
            chosen => Self { chosen, ..self },
        }
    }

    /// No call with a lower number is chosen, nor has to be seen.
    pub fn first_seq(&self) -> u64 {
        match &self.chosen {
            Chosen::Numbers(numbers) => numbers.start,
            Chosen::Selection(selection, first) => {
                selection.iter_from(*first).next().unwrap_or(u64::MAX)
            }
            Chosen::Matching(_) => 1,
        }
    }

    /// Whether no call behind that number is chosen.
    pub fn is_over(&self, seq: u64) -> bool {
        match &self.chosen {
            Chosen::Numbers(numbers) => seq.saturating_add(1) >= numbers.end,
            Chosen::Selection(..) | Chosen::Matching(_) => self.left == 0,
        }
    }

    /// Whether the next call is chosen.
    pub fn takes(&mut self, trace: &Trace, call: &Call) -> bool {
        let taken = match &mut self.chosen {
            Chosen::Numbers(numbers) => numbers.contains(&call.seq),
            Chosen::Selection(selection, first) => {
                call.seq >= *first && selection.contains(call.seq)
            }
            Chosen::Matching(matcher) => matcher.matches(trace, call),
        };
        self.left -= u64::from(taken);
        taken
    }
}

/// Which of the last calls of a recording a filter means, when the recording has become another trace meanwhile.
pub fn matches_in(trace: &Trace, calls: &[Call], matcher: &mut Matcher<'_>) -> Vec<bool> {
    matcher.restart();
    if !matcher.needs_all_calls() {
        return calls
            .iter()
            .map(|call| matcher.matches(trace, call))
            .collect();
    }
    // What the filter says of them depends on calls before, whose objects have other numbers in this trace.
    let places: HashMap<_, _> = (0..)
        .zip(calls)
        .map(|(place, call)| ((call.thread, call.begin_ns, call.function), place))
        .collect();
    let mut matches = vec![false; calls.len()];
    for call in trace.calls().flatten() {
        let matching = matcher.matches(trace, &call);
        let key = (call.thread, call.begin_ns, call.function);
        if let Some(&place) = places.get(&key) {
            let place: usize = place;
            matches[place] = matching;
        }
    }
    matches
}
