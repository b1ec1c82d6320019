//! A call as a line of the list: made by a worker, when the line is about to be seen.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use cutape_analysis::caller::{Caller, Callers};
use cutape_analysis::index::{Index, Row};
use cutape_analysis::objects::CallNames;
use cutape_analysis::outcome::{Outcome, outcome};
use cutape_analysis::printable::push_printable;
use cutape_analysis::quantity::{self, push_seconds, push_time};
use cutape_analysis::text::{Detail, push_answer, push_argument};
use cutape_cuda_api::{Direction, Type, TypeKind};
use cutape_trace_format::call::{Call, FunctionId, ThreadId};
use cutape_trace_format::decode::decode;
use cutape_trace_format::trace::Trace;
use cutape_trace_format::value::Value;

use crate::glyphs::Glyphs;
use crate::msg::Msg;
use crate::naming::Naming;
use crate::verdict::{Verdict, Verdicts};
use crate::workers::{Job, Slot, Worker};

use super::CallsMsg;

/// Calls looked back over for the one before on the same thread.
const LOOK_BACK: u64 = 4096;
/// What fits on a line of the list.
const DETAIL: Detail = Detail {
    text_bytes: 48,
    data_bytes: 8,
    items: 4,
    hide_reserved: true,
    name_bytes: 48,
};
/// What names of codes begin with; the list leaves it out.
const CODE_PREFIXES: [&str; 3] = ["CUDA_ERROR_", "NVML_ERROR_", "CUDA_"];

/// A call as a line of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallRow {
    /// Its number.
    pub seq: u64,
    /// Process id.
    pub pid: u32,
    /// Kernel thread id.
    pub tid: u32,
    /// Begin, in seconds from the start of the recording.
    pub time: String,
    /// Time since the call before on the same thread returned; empty where that is not known.
    pub gap: String,
    /// How long it took.
    pub duration: String,
    /// The function's symbol name.
    pub function: String,
    /// What was passed in.
    pub arguments: String,
    /// What came back: the code and the values behind out pointers.
    pub result: String,
    /// Where the call returns to.
    pub caller: Caller,
    /// What it returned, as filters write it; `None` if it never returned or returns nothing.
    pub code: Option<String>,
    /// How long it took, nanoseconds.
    pub duration_ns: Option<u64>,
    /// What became of it.
    pub verdict: Verdict,
    /// Calls of the same thread that it was made inside of.
    pub depth: u8,
}

/// The job that makes the lines of these calls.
pub fn rows_job(numbers: Vec<u64>, edition: u32, glyphs: &'static Glyphs) -> Job {
    Job::new(Slot::Rows, move |worker: &Worker<'_>| {
        let reading = worker.opened.reading();
        let trace = reading.trace();
        let mut maker = RowMaker {
            trace,
            index: worker.opened.index(),
            verdicts: worker.opened.verdicts(),
            naming: Naming::new(worker.opened.objects()),
            callers: Callers::default(),
            glyphs,
        };
        let mut rows = Vec::with_capacity(numbers.len());
        reading.calls(numbers.iter().copied(), |call| {
            rows.push(Arc::new(maker.row(call)));
            if worker.is_stopped() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        add_missing(&mut rows, &numbers);
        worker.send(Msg::Calls(CallsMsg::Rows { rows, edition }));
    })
}

/// Calls of damaged blocks have a line, too.
fn add_missing(rows: &mut Vec<Arc<CallRow>>, numbers: &[u64]) {
    if rows.len() == numbers.len() {
        return;
    }
    let made: HashMap<u64, ()> = rows.iter().map(|row| (row.seq, ())).collect();
    for &seq in numbers.iter().filter(|seq| !made.contains_key(seq)) {
        rows.push(Arc::new(CallRow {
            seq,
            function: "(damaged: can't be read)".to_owned(),
            verdict: Verdict::InFlight,
            ..CallRow::default()
        }));
    }
}

struct RowMaker<'a> {
    trace: &'a Trace,
    index: Arc<Index>,
    verdicts: Arc<Verdicts>,
    naming: Naming,
    callers: Callers,
    glyphs: &'static Glyphs,
}

impl RowMaker<'_> {
    fn row(&mut self, call: &Call) -> CallRow {
        let schema = self.trace.schema();
        let before = self.before(call);
        let mut function = String::new();
        push_printable(&mut function, &schema.function_name(call.function));
        let names = self.naming.names(schema, call);
        let (arguments, outputs) = self.sides(call, &names);
        CallRow {
            seq: call.seq,
            pid: self
                .trace
                .process(call.process)
                .map_or(0, |entry| entry.process.pid),
            tid: self
                .trace
                .thread(call.thread)
                .map_or(0, |thread| thread.tid),
            time: quantity::text(
                push_seconds,
                call.begin_ns.saturating_sub(self.trace.start_ns()),
            ),
            gap: before
                .gap_ns
                .map(|ns| quantity::text(push_time, ns))
                .unwrap_or_default(),
            code: code_of(self.trace, call),
            duration_ns: call.duration_ns,
            duration: match call.duration_ns {
                Some(ns) => quantity::text(push_time, ns),
                None => "-".to_owned(),
            },
            function,
            arguments,
            result: self.result(call, &outputs),
            caller: self.callers.find(self.trace, call).clone(),
            verdict: self.verdicts.on(schema, call.seq, &Row::from(call)),
            depth: before.depth,
        }
    }

    /// What was passed in, with names, and what came back, without.
    fn sides(&self, call: &Call, names: &CallNames) -> (String, String) {
        let schema = self.trace.schema();
        let (mut passed, mut came) = (String::new(), String::new());
        let separate = |out: &mut String| {
            if !out.is_empty() {
                out.push_str(", ");
            }
        };
        for (number, argument) in decode(schema, call).arguments.iter().enumerate() {
            let is_out = argument.direction == Direction::Out;
            if is_out {
                if !matches!(argument.value, Value::NotCaptured(_)) && argument.word != 0 {
                    separate(&mut came);
                    push_argument(
                        &mut came,
                        (schema, (call, names), number),
                        argument,
                        &DETAIL,
                    );
                }
                continue;
            }
            separate(&mut passed);
            push_printable(&mut passed, &argument.name);
            passed.push('=');
            if let Some(short) = self.short_name(call.function, number, &argument.value) {
                push_printable(&mut passed, short);
                continue;
            }
            push_argument(
                &mut passed,
                (schema, (call, names), number),
                argument,
                &DETAIL,
            );
        }
        (passed, came)
    }

    /// The name of an enumeration's value without what all its names begin with: `COMPUTE_CAPABILITY_MAJOR`.
    fn short_name<'v>(
        &self,
        function: FunctionId,
        number: usize,
        value: &Value<'v>,
    ) -> Option<&'v str> {
        let Value::Enum {
            name: Some(name), ..
        } = value
        else {
            return None;
        };
        let signature = self.trace.function(function)?.signature.as_ref()?;
        let Type::Named(ty) = &signature.params.get(number)?.ty else {
            return None;
        };
        let TypeKind::Enum { values, .. } = &self.trace.schema().type_named(ty)?.kind else {
            return None;
        };
        let mut names = values.iter().map(|(name, _)| name.as_str());
        let first = names.next()?;
        let common = names.fold(first.len(), |common, other| {
            let same = first.bytes().zip(other.bytes()).take(common);
            same.take_while(|(left, right)| left == right).count()
        });
        let end = first.get(..common)?.rfind('_')? + 1;
        name.get(end..).filter(|rest| !rest.is_empty())
    }

    fn result(&self, call: &Call, outputs: &str) -> String {
        let mut result = match outcome(self.trace.schema(), call) {
            Outcome::InFlight => "never returned".to_owned(),
            Outcome::Code { code: 0, .. } | Outcome::Void => "ok".to_owned(),
            Outcome::Code {
                name: Some(name),
                code,
            } => {
                let short = CODE_PREFIXES
                    .iter()
                    .find_map(|prefix| name.strip_prefix(prefix));
                let mut text = String::new();
                push_printable(&mut text, short.unwrap_or(name));
                text.push_str(&format!(" ({code})"));
                text
            }
            _ => {
                let mut text = String::new();
                push_answer(&mut text, self.trace.schema(), call, &DETAIL);
                text
            }
        };
        if call.is_injected() {
            result.push_str(" (injected)");
        }
        if !outputs.is_empty() {
            result.push_str(&format!(" {} {outputs}", self.glyphs.gives));
        }
        result
    }

    /// What the index says of the calls before on the same thread.
    fn before(&self, call: &Call) -> Before {
        let earliest = call.seq.saturating_sub(LOOK_BACK).max(1);
        let earlier = (earliest..call.seq)
            .rev()
            .filter_map(|seq| self.index.row(seq));
        let mut before = Before::default();
        let mut depth_known_from = u64::MAX;
        for row in earlier.filter(|row| same_thread(row.thread, call.thread)) {
            let end_ns = row.duration_ns.map(|ns| row.begin_ns.saturating_add(ns));
            let encloses = end_ns.is_none_or(|end| end > call.begin_ns);
            if encloses && row.begin_ns < depth_known_from {
                // A call that never returned and after which the thread went on was left by longjmp or by the end of a fork.
                before.depth = before.depth.saturating_add(u8::from(end_ns.is_some()));
                depth_known_from = row.begin_ns;
            }
            if let Some(end) = end_ns.filter(|_| !encloses) {
                before.gap_ns = Some(call.begin_ns - end);
                break;
            }
        }
        before
    }
}

fn code_of(trace: &Trace, call: &Call) -> Option<String> {
    match outcome(trace.schema(), call) {
        Outcome::InFlight | Outcome::Void => None,
        Outcome::Code {
            name: Some(name), ..
        } => Some(name.to_owned()),
        Outcome::Code { code, .. } => Some(code.to_string()),
        Outcome::Other(word) | Outcome::Unknown(word) => Some(word.to_string()),
    }
}

#[derive(Default)]
struct Before {
    gap_ns: Option<u64>,
    depth: u8,
}

fn same_thread(left: ThreadId, right: ThreadId) -> bool {
    left == right && left != ThreadId::UNKNOWN
}
