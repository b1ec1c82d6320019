//! What copies brought to the host: the same data, or other data; of asynchronous copies, once the program has waited for it.

use std::collections::{HashMap, HashSet};

use cutape_cuda_api::Function;
use cutape_trace_format::capture_number::{ARRIVED, CaptureOf};
use cutape_trace_format::payload::{PayloadRef, PayloadState};
use cutape_trace_format::record::Captured;
use cutape_trace_format::schema::TraceSchema;

use crate::answer::{AnswerClass, Difference, Part};
use crate::judge::Site;
use crate::not_compared::NotCompared;
use crate::report::collector::{Collector, PlainCall};
use crate::wire::slot::{AnswerMessage, Message, Outcome};

/// Asynchronous copies whose data nobody has waited for yet.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// By their numbers in the recording.
    copies: HashMap<u64, Origin>,
    /// Waited for before the copy itself was judged.
    early: HashSet<u64>,
    /// What differs of the copies that the call waited for that is being judged.
    differences: Vec<Difference>,
}

/// The call that started a copy.
#[derive(Clone, Copy, Debug)]
struct Origin {
    site: Site,
    param: u8,
}

impl Arrivals {
    /// A call has answered that may bring data, or waits for data. Counts what is not compared.
    pub fn observe(
        &mut self,
        schema: &TraceSchema,
        site: &Site,
        (message, answer): (&Message<'_>, &AnswerMessage<'_>),
        collector: &mut Collector,
    ) {
        self.differences.clear();
        let Outcome::Returned(returned) = answer.outcome else {
            return;
        };
        for recorded in message.captures().filter(|capture| capture.out) {
            let Some(data) = PayloadRef::read(recorded.bytes) else {
                continue;
            };
            match CaptureOf::number(recorded.param) {
                _ if recorded.param == ARRIVED => {
                    self.arrived(schema, &data, answer, collector);
                }
                CaptureOf::Payload(param) if returned as u32 == 0 => {
                    let origin = Origin { site: *site, param };
                    self.started(schema, (origin, &data), (&recorded, answer), collector);
                }
                _ => {}
            }
        }
    }

    /// A copy that is not over when its call returns, or one that is not compared.
    fn started(
        &mut self,
        schema: &TraceSchema,
        (origin, data): (Origin, &PayloadRef),
        (recorded, answer): (&Captured<'_>, &AnswerMessage<'_>),
        collector: &mut Collector,
    ) {
        let mut outputs = answer.outputs();
        let output = outputs.find(|output| output.param == recorded.param);
        if let Some((why, _)) = output.and_then(|output| NotCompared::read(output.bytes)) {
            collector.not_compared(&origin.call(schema), why);
        } else if data.state == PayloadState::Later
            && data.copy != 0
            && !self.early.remove(&data.copy)
        {
            self.copies.insert(data.copy, origin);
        }
    }

    fn arrived(
        &mut self,
        schema: &TraceSchema,
        data: &PayloadRef,
        answer: &AnswerMessage<'_>,
        collector: &mut Collector,
    ) {
        let origin = self.copies.remove(&data.copy);
        if origin.is_none() {
            self.early.insert(data.copy);
        }
        for output in answer.outputs().filter(|output| output.param == ARRIVED) {
            let reason = NotCompared::read(output.bytes);
            if let Some((why, _)) = reason.filter(|(_, copy)| *copy == data.copy) {
                if let Some(origin) = origin {
                    collector.not_compared(&origin.call(schema), why);
                }
                continue;
            }
            let replayed = PayloadRef::read(output.bytes);
            if let Some(replayed) = replayed.filter(|replayed| replayed.copy == data.copy)
                && replayed.hash != data.hash
            {
                let function = origin.and_then(|origin| schema.function(origin.site.function));
                let name = param_name(function, origin.map_or(u8::MAX, |origin| origin.param));
                let by = match (origin, function) {
                    (Some(origin), Some(function)) => {
                        format!("call {}, {}", origin.site.seq, function.name)
                    }
                    _ => "an earlier copy".to_owned(),
                };
                self.differences.push(Difference {
                    brief: format!("other data, brought by {by}"),
                    ..difference(name, data, &replayed)
                });
            }
        }
    }

    /// What differs of the copies that the call waited for that was observed last.
    pub fn differences(&mut self) -> &mut Vec<Difference> {
        &mut self.differences
    }

    /// No more calls come: nobody has waited for what is left.
    pub fn finish(&mut self, schema: &TraceSchema, collector: &mut Collector) {
        self.early.clear();
        for (_, origin) in self.copies.drain() {
            collector.not_compared(&origin.call(schema), NotCompared::NeverWaitedFor);
        }
    }
}

impl Origin {
    fn call<'s>(&self, schema: &'s TraceSchema) -> PlainCall<'s> {
        PlainCall {
            seq: self.site.seq,
            function: schema
                .function(self.site.function)
                .map_or("", |function| function.name.as_str()),
            function_number: self.site.function.0,
            recorded_ns: None,
            replayed_ns: None,
        }
    }
}

/// Adds what differs of the data that a call has brought when it returns. The player answers a hash where it knows what the memory held that
/// was copied, and none elsewhere.
pub fn compare(
    function: Option<&Function>,
    (message, answer): (&Message<'_>, &AnswerMessage<'_>),
    differences: &mut Vec<Difference>,
) {
    let outs = message.captures().filter(|capture| capture.out);
    for recorded in outs.filter(|capture| capture.param != ARRIVED) {
        let CaptureOf::Payload(param) = CaptureOf::number(recorded.param) else {
            continue;
        };
        let mut outputs = answer.outputs();
        let replayed = outputs.find(|output| output.param == recorded.param);
        let Some((was, is)) = data(recorded).zip(replayed.and_then(data)) else {
            continue;
        };
        if was.hash != is.hash {
            differences.push(difference(param_name(function, param), &was, &is));
        }
    }
}

fn difference(name: String, recorded: &PayloadRef, replayed: &PayloadRef) -> Difference {
    Difference {
        brief: "other data".to_owned(),
        part: Part::Argument(name),
        class: AnswerClass::Data,
        recorded: shown(recorded),
        replayed: shown(replayed),
    }
}

fn param_name(function: Option<&Function>, param: u8) -> String {
    let signature = function.and_then(|function| function.signature.as_ref());
    signature
        .and_then(|signature| signature.params.get(usize::from(param)))
        .map_or_else(|| "data".to_owned(), |param| param.name.clone())
}

fn data(capture: Captured<'_>) -> Option<PayloadRef> {
    PayloadRef::read(capture.bytes).filter(|payload| payload.hash.is_some())
}

fn shown(payload: &PayloadRef) -> String {
    let hash = payload.hash.map(|hash| hash.short()).unwrap_or_default();
    format!("{} bytes of data, blake3:{hash}", payload.bytes)
}
