//! Compares what a call answered with what was recorded.

mod causes;
mod compare;
mod copied_data;
mod export_tables;
mod look_up;

use std::collections::HashMap;

use cutape_analysis::outcome::code_name;
use cutape_analysis::text::{Detail, push_call};
use cutape_cuda_api::{Effect as ApiEffect, Function, Type};
use cutape_trace_format::call::{Call, FunctionId, ProcessId, ThreadId};
use cutape_trace_format::capture_number::ARRIVED;
use cutape_trace_format::record::Captured;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::trace::Trace;

use crate::answer::{Answer, AnswerClass, Code, Difference, Part};
use crate::divergence::{Divergence, PlayedCall};
use crate::expectations::Expectations;
use crate::judge::causes::Causes;
use crate::judge::compare::Comparison;
use crate::judge::copied_data::Arrivals;
use crate::judge::export_tables::ExportTables;
use crate::not_compared::NotCompared;
use crate::plan::{Plan, Plans, Returns, Role, codes_are_alike};
use crate::report::collector::{Collector, PlainCall};
use crate::skip::SkipReason;
use crate::verdict::Verdict;
use crate::wire::slot::{AnswerMessage, Message, Outcome};
use crate::worker::WRONG_NAME;

pub use crate::judge::look_up::LOOK_UP;

/// A call must take this much longer before it counts as slower, whatever the factor: shorter delays are the machine's.
const SLOWER_BY_NS: u64 = 1_000_000;

/// What is known of a call besides its slot.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Its number in the trace.
    pub seq: u64,
    /// Its function.
    pub function: FunctionId,
    /// Its thread.
    pub thread: ThreadId,
    /// How long it took when it was recorded.
    pub recorded_ns: Option<u64>,
}

/// How a call ended that did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It did not return in time.
    Hung(String),
    /// The driver ended the process.
    Crashed(String),
    /// The process ended before its turn.
    NotReached(Option<u64>),
    /// It never returned when it was recorded, as too many did for all of them to be played.
    NeverReturned,
    /// A rule of the recording answered it in the driver's place.
    Injected,
}

/// Judges the calls of one process.
pub struct Judge<'a> {
    trace: &'a Trace,
    plans: &'a Plans,
    process: ProcessId,
    slower: Option<f64>,
    causes: Causes,
    tables: ExportTables,
    arrivals: Arrivals,
    call: Call,
    /// Where verdicts go.
    pub collector: &'a mut Collector,
    expectations: &'a mut dyn Expectations,
}

impl<'a> Judge<'a> {
    /// For a process of the trace. A call counts as slower if it takes longer by more than that factor.
    pub fn new(
        trace: &'a Trace,
        plans: &'a Plans,
        process: ProcessId,
        slower: Option<f64>,
        (collector, expectations): (&'a mut Collector, &'a mut dyn Expectations),
    ) -> Self {
        Self {
            trace,
            plans,
            process,
            slower,
            causes: Causes::default(),
            tables: ExportTables::new(trace.schema()),
            arrivals: Arrivals::default(),
            call: Call::default(),
            collector,
            expectations,
        }
    }

    fn schema(&self) -> &'a TraceSchema {
        self.trace.schema()
    }

    fn function(&self, site: &Site) -> Option<&'a Function> {
        self.schema().function(site.function)
    }

    /// A call has been played, or passed over by the player.
    pub fn answered(&mut self, site: &Site, message: &Message<'_>, answer: &AnswerMessage<'_>) {
        let plans = self.plans;
        let Some(plan) = plans.plans.get(site.function.0 as usize) else {
            return self.unreadable(site);
        };
        self.tables.observe(site.function, message);
        self.arrivals.differences().clear();
        if plan.brings_data {
            let schema = self.trace.schema();
            let collector = &mut *self.collector;
            self.arrivals
                .observe(schema, site, (message, answer), collector);
        }
        match answer.outcome {
            Outcome::Returned(returned) => {
                let is_slower = self.is_slower(site, message, answer);
                let is_other = is_slower || !self.arrivals.differences().is_empty();
                if !is_other && is_alike(plan, message, answer, returned) {
                    self.same(site, plan, message, answer);
                } else {
                    self.differing(site, plan, (message, answer), returned);
                }
            }
            Outcome::Missing => {
                let mut divergence = self.divergence(site, message, Verdict::MissingSymbol);
                divergence.detail = Some("the driver does not export it".to_owned());
                divergence.cause = self.causes.of_failure(site.thread, None);
                self.report(site, plan, divergence);
            }
            Outcome::Skipped {
                reason,
                detail,
                param,
            } => self.skipped(site, plan, message, (reason, detail, param)),
        }
    }

    /// No more calls of the process come.
    pub fn finish(&mut self) {
        self.arrivals
            .finish(self.trace.schema(), &mut *self.collector);
    }

    /// The driver has written over the slot.
    pub fn unreadable(&mut self, site: &Site) {
        let why = "the driver has overwritten the record of its answer";
        self.ended(site, None, &Ending::Crashed(why.to_owned()));
    }

    fn same(
        &mut self,
        site: &Site,
        plan: &Plan,
        message: &Message<'_>,
        answer: &AnswerMessage<'_>,
    ) {
        if message.order.returned == Some(0) {
            let sets_current = self.function(site).is_some_and(sets_current);
            if sets_current {
                self.causes.context_is_set(site.thread);
            }
        }
        let call = plain(
            site,
            plan,
            message.order.is_timed.then_some(answer.duration_ns),
        );
        self.collector.same(&call);
    }

    fn is_slower(&self, site: &Site, message: &Message<'_>, answer: &AnswerMessage<'_>) -> bool {
        match (self.slower, site.recorded_ns, message.order.is_timed) {
            (Some(factor), Some(recorded), true) => {
                answer.duration_ns > recorded.saturating_add(SLOWER_BY_NS)
                    && answer.duration_ns as f64 > recorded as f64 * factor
            }
            _ => false,
        }
    }

    /// Something differs in its bytes; whether it matters is the question here.
    fn differing(
        &mut self,
        site: &Site,
        plan: &Plan,
        (message, answer): (&Message<'_>, &AnswerMessage<'_>),
        returned: u64,
    ) {
        let mut divergence = self.divergence(site, message, Verdict::Same);
        divergence.replayed = Some(self.answer_of(site, plan, returned, answer.duration_ns));
        let was = divergence.recorded.code_number();
        let is = divergence.replayed.as_ref().and_then(Answer::code_number);
        let codes_differ = was != is && !codes_are_alike(&plan.function, was, is);
        if codes_differ || message.order.returned.is_none() {
            divergence.differences.push(code_difference(&divergence));
        }
        self.compare_outputs(
            plan,
            (message, answer),
            returned,
            &mut divergence.differences,
        );
        let function = self.function(site);
        copied_data::compare(function, (message, answer), &mut divergence.differences);
        let arrived = self.arrivals.differences();
        divergence.differences.append(arrived);
        let wrong = answer.outputs().find(|output| output.param == WRONG_NAME);
        divergence.detail = wrong.map(|name| {
            let name = String::from_utf8_lossy(name.bytes);
            format!("finds {name}, which is not what was asked for")
        });
        overruns(
            plan,
            answer.overrun,
            self.function(site),
            &mut divergence.differences,
        );
        divergence.verdict = match (was, is) {
            (None, Some(_)) if message.order.returned.is_none() => Verdict::Fixed,
            (Some(0), Some(_)) if codes_differ => Verdict::Regressed,
            (Some(_), Some(0)) if codes_differ => Verdict::Fixed,
            _ if !divergence.differences.is_empty() => {
                look_up::verdict(&plan.function, message, answer).unwrap_or(Verdict::Changed)
            }
            _ if self.is_slower(site, message, answer) => Verdict::Slower,
            _ => return self.same(site, plan, message, answer),
        };
        if divergence.verdict == Verdict::Slower {
            divergence.detail = Some(format!(
                "took {} ms, recorded {} ms",
                answer.duration_ns / 1_000_000,
                site.recorded_ns.unwrap_or(0) / 1_000_000
            ));
        }
        divergence.cause = self
            .causes
            .of_failure(site.thread, is.filter(|&code| code != 0));
        self.report(site, plan, divergence);
    }

    fn compare_outputs(
        &mut self,
        plan: &Plan,
        (message, answer): (&Message<'_>, &AnswerMessage<'_>),
        returned: u64,
        differences: &mut Vec<Difference>,
    ) {
        let returned = match plan.returns {
            Returns::Code => u64::from(returned as u32),
            Returns::Other => returned,
        };
        // The replayed call with its outputs cut as the recorded ones were.
        let outputs = answer.outputs().filter_map(|output| {
            let recorded = message.capture(output.param, true);
            Some(as_captured(output, recorded?))
        });
        let replayed = self.call.answered(Some(returned), outputs);
        let comparison = Comparison {
            schema: self.trace.schema(),
            plan,
            recorded: &self.call,
            replayed: &replayed,
        };
        comparison.differences(differences);
    }

    fn answer_of(&self, site: &Site, plan: &Plan, returned: u64, duration_ns: u64) -> Answer {
        let library = self.function(site).map(|function| function.library);
        let code = (plan.returns == Returns::Code).then(|| Code {
            number: returned as u32,
            name: library
                .and_then(|library| code_name(self.schema(), library, returned as u32))
                .map(str::to_owned)
                .or_else(|| crate::judge::known_code_name(library, returned as u32)),
        });
        Answer {
            code,
            duration_ns: (duration_ns > 0).then_some(duration_ns),
        }
    }

    fn skipped(
        &mut self,
        site: &Site,
        plan: &Plan,
        message: &Message<'_>,
        (reason, detail, param): (u32, u64, u32),
    ) {
        let mut reason = SkipReason::ALL
            .get(reason as usize)
            .copied()
            .unwrap_or(SkipReason::NotRecorded);
        let mut divergence = self.divergence(site, message, Verdict::Skipped);
        if reason == SkipReason::UnknownHandle {
            let name = self.param_name(site, param);
            divergence.detail = Some(format!(
                "{name}={detail:#x} was not answered by any recorded call"
            ));
            divergence.cause = self.causes.of_failure(site.thread, None);
            // A program that passes rubbish and is told so is no fault of anybody's.
            if divergence.recorded.is_failure() {
                reason = SkipReason::InvalidHandle;
            } else if message.capture(param as u8, true).is_none() && self.is_private(site, param) {
                reason = SkipReason::PrivateHandle;
            }
        }
        if reason == SkipReason::NotRecorded {
            let name = self.param_name(site, param);
            divergence.detail = Some(format!("{name}: {}", reason.why()));
        }
        if reason == SkipReason::Consequence {
            divergence.cause = Some(self.causes.root(detail));
        }
        divergence.skipped = Some(reason);
        self.report(site, plan, divergence);
    }

    /// Whether the handle that a parameter passes may have come through an export table.
    fn is_private(&self, site: &Site, param: u32) -> bool {
        let signature = self
            .function(site)
            .and_then(|function| function.signature.as_ref());
        let param = signature.and_then(|signature| signature.params.get(param as usize));
        param.is_some_and(|param| match &param.ty {
            Type::Named(name) => self.tables.may_give(name),
            _ => false,
        })
    }

    fn param_name(&self, site: &Site, param: u32) -> &'a str {
        let signature = self
            .function(site)
            .and_then(|function| function.signature.as_ref());
        signature
            .and_then(|signature| signature.params.get(param as usize))
            .map_or("argument", |param| param.name.as_str())
    }

    /// A call did not answer.
    pub fn ended(&mut self, site: &Site, message: Option<&Message<'_>>, ending: &Ending) {
        let plans = self.plans;
        let Some(plan) = plans.plans.get(site.function.0 as usize) else {
            return;
        };
        let verdict = match ending {
            Ending::Hung(_) => Verdict::Hung,
            Ending::Crashed(_) => Verdict::Crashed,
            Ending::NotReached(_) | Ending::NeverReturned | Ending::Injected => Verdict::Skipped,
        };
        let never_returned = message.is_some_and(|message| message.order.returned.is_none());
        if never_returned && verdict != Verdict::Skipped {
            // It never returned when it was recorded, and doesn't now.
            return self.collector.same(&plain(site, plan, None));
        }
        let mut divergence = match message {
            Some(message) => self.divergence(site, message, verdict),
            None => self.bare_divergence(site, verdict),
        };
        match ending {
            Ending::Hung(why) | Ending::Crashed(why) => divergence.detail = Some(why.clone()),
            Ending::NeverReturned => divergence.skipped = Some(SkipReason::NeverReturned),
            Ending::Injected => divergence.skipped = Some(SkipReason::Injected),
            Ending::NotReached(cause) => {
                divergence.skipped = Some(SkipReason::NotReached);
                divergence.cause = *cause;
            }
        }
        self.report(site, plan, divergence);
    }

    /// What is known of a call before anything is compared; leaves the recorded call in `self.call`.
    fn divergence(&mut self, site: &Site, message: &Message<'_>, verdict: Verdict) -> Divergence {
        let call = std::mem::take(&mut self.call);
        let mut call = call.with_captures(message.captures());
        call.seq = site.seq;
        call.process = self.process;
        call.thread = site.thread;
        call.function = site.function;
        call.duration_ns = site.recorded_ns;
        call.returned = message.order.returned;
        call.args.clear();
        call.args.extend_from_slice(message.args);
        self.call = call;
        let mut divergence = self.bare_divergence(site, verdict);
        push_call(
            &mut divergence.call.text,
            self.trace.schema(),
            &self.call,
            &Detail::LINE,
        );
        let plan = self.plans.plans.get(site.function.0 as usize);
        if let (Some(plan), Some(returned)) = (plan, message.order.returned) {
            divergence.recorded = self.answer_of(site, plan, returned, 0);
        }
        divergence.recorded.duration_ns = site.recorded_ns;
        divergence
    }

    fn bare_divergence(&self, site: &Site, verdict: Verdict) -> Divergence {
        let process = self.trace.process(self.process);
        let thread = self.trace.thread(site.thread);
        Divergence {
            call: PlayedCall {
                seq: site.seq,
                pid: process.map_or(0, |entry| entry.process.pid),
                tid: thread.map_or(0, |thread| thread.tid),
                function: self.schema().function_name(site.function).into_owned(),
                text: String::new(),
            },
            verdict,
            recorded: Answer::default(),
            replayed: None,
            differences: Vec::new(),
            skipped: None,
            detail: None,
            cause: None,
            expected: None,
        }
    }

    fn report(&mut self, site: &Site, plan: &Plan, divergence: Divergence) {
        let function = self.function(site);
        self.causes.observe(site.thread, function, &divergence);
        let replayed = divergence.replayed.as_ref();
        let call = plain(site, plan, replayed.and_then(|answer| answer.duration_ns));
        self.collector
            .diverged(&call, divergence, self.expectations);
    }
}

fn plain<'p>(site: &Site, plan: &'p Plan, replayed_ns: Option<u64>) -> PlainCall<'p> {
    PlainCall {
        seq: site.seq,
        function: &plan.function,
        function_number: site.function.0,
        recorded_ns: site.recorded_ns,
        replayed_ns,
    }
}

/// Whether a function, once it has succeeded, makes a context current.
fn sets_current(function: &Function) -> bool {
    function
        .effects
        .iter()
        .any(|effect| matches!(effect, ApiEffect::SetsCurrent(_)))
}

/// Whether the answers are the same byte by byte. Most are.
fn is_alike(plan: &Plan, message: &Message<'_>, answer: &AnswerMessage<'_>, is: u64) -> bool {
    let Some(was) = message.order.returned else {
        return false;
    };
    if plan.returns == Returns::Code && was as u32 != is as u32 || answer.overrun != 0 {
        return false;
    }
    message
        .captures()
        .filter(|capture| capture.out && capture.param != ARRIVED)
        .all(|recorded| {
            let mut outputs = answer.outputs();
            match outputs.find(|output| output.param == recorded.param) {
                Some(output) => {
                    output.bytes.starts_with(recorded.bytes)
                        || (plan.brings_data && NotCompared::read(output.bytes).is_some())
                }
                // Not an answer that is compared.
                None => !is_compared(plan, recorded.param),
            }
        })
}

fn is_compared(plan: &Plan, number: u8) -> bool {
    plan.params
        .iter()
        .any(|param| param.number == number && matches!(param.role, Role::Out(_) | Role::InOut(_)))
}

/// An output as the recorder would have captured it.
fn as_captured<'m>(output: Captured<'m>, recorded: Captured<'m>) -> Captured<'m> {
    // Text ends with its NUL, however long its buffer.
    let is_text = recorded.bytes.last() == Some(&0) && recorded.full.is_none();
    let end = output.bytes.iter().position(|&byte| byte == 0);
    let bytes = match end {
        Some(end) if is_text && end + 1 > recorded.bytes.len() => end + 1,
        _ => recorded.bytes.len(),
    };
    Captured {
        bytes: &output.bytes[..bytes.min(output.bytes.len())],
        full: recorded.full,
        ..output
    }
}

fn code_difference(divergence: &Divergence) -> Difference {
    let text = |code: Option<&Code>| match code {
        Some(Code {
            number,
            name: Some(name),
        }) => (format!("{name} ({number})"), number.to_string()),
        Some(Code { number, name: None }) => (number.to_string(), number.to_string()),
        None => ("never returned".to_owned(), "never".to_owned()),
    };
    let (recorded, was) = text(divergence.recorded.code.as_ref());
    let replayed = divergence.replayed.as_ref();
    let (replayed, is) = text(replayed.and_then(|answer| answer.code.as_ref()));
    Difference {
        part: Part::Returned,
        class: AnswerClass::Code,
        recorded,
        replayed,
        brief: format!("{was} -> {is}"),
    }
}

fn overruns(
    plan: &Plan,
    bits: u64,
    function: Option<&Function>,
    differences: &mut Vec<Difference>,
) {
    let signature = function.and_then(|function| function.signature.as_ref());
    let overrun = plan
        .params
        .iter()
        .filter(|param| bits & 1 << param.number.min(63) != 0);
    for param in overrun {
        let name = signature
            .and_then(|signature| signature.params.get(usize::from(param.number)))
            .map_or_else(|| format!("#{}", param.number), |param| param.name.clone());
        differences.push(Difference {
            part: Part::Argument(name),
            class: AnswerClass::Bystander,
            recorded: "what the function's prototype allows".to_owned(),
            replayed: "memory behind it is overwritten".to_owned(),
            brief: "written beyond its end".to_owned(),
        });
    }
}

/// The name of a code by this build's table: a trace only has the names of the codes of the functions in it, and all of them at that.
fn known_code_name(library: Option<cutape_cuda_api::Library>, code: u32) -> Option<String> {
    let name = match library? {
        cutape_cuda_api::Library::Cuda => "CUresult",
        cutape_cuda_api::Library::Nvml => "nvmlReturn_t",
    };
    let api = cutape_cuda_api::Api::get();
    api.enum_name(name, code.into()).map(str::to_owned)
}

/// Numbers of causes by the calls that follow from them.
type Roots = HashMap<u64, u64>;
