//! What copies brought to the host: the same data, or other data.

use cutape_cuda_api::Function;
use cutape_trace_format::capture_number::CaptureOf;
use cutape_trace_format::payload::PayloadRef;
use cutape_trace_format::record::Captured;

use crate::answer::{AnswerClass, Difference, Part};
use crate::wire::slot::{AnswerMessage, Message};

/// Adds what differs. The player answers a hash where it knows what the memory held that was copied, and none elsewhere.
pub fn compare(
    function: Option<&Function>,
    (message, answer): (&Message<'_>, &AnswerMessage<'_>),
    differences: &mut Vec<Difference>,
) {
    for recorded in message.captures().filter(|capture| capture.out) {
        let CaptureOf::Payload(param) = CaptureOf::number(recorded.param) else {
            continue;
        };
        let mut outputs = answer.outputs();
        let replayed = outputs.find(|output| output.param == recorded.param);
        let Some((was, is)) = data(recorded).zip(replayed.and_then(data)) else {
            continue;
        };
        if was.hash == is.hash {
            continue;
        }
        let signature = function.and_then(|function| function.signature.as_ref());
        let name = signature
            .and_then(|signature| signature.params.get(usize::from(param)))
            .map_or_else(|| format!("#{param}"), |param| param.name.clone());
        differences.push(Difference {
            brief: "other data".to_owned(),
            part: Part::Argument(name),
            class: AnswerClass::Data,
            recorded: shown(&was),
            replayed: shown(&is),
        });
    }
}

fn data(capture: Captured<'_>) -> Option<PayloadRef> {
    PayloadRef::read(capture.bytes).filter(|payload| payload.hash.is_some())
}

fn shown(payload: &PayloadRef) -> String {
    let hash = payload.hash.map(|hash| hash.short()).unwrap_or_default();
    format!("{} bytes of data, blake3:{hash}", payload.bytes)
}
