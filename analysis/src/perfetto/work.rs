//! What was put on streams and which calls waited for it.

use std::collections::{HashMap, VecDeque};

use cutape_cuda_api::{DefaultStream, Effect, Function};
use cutape_trace_format::call::{Call, ProcessId, ThreadId};
use cutape_trace_format::schema::TraceSchema;

use crate::objects::{Kind, ObjectId, ObjectTracker};

/// Pieces of work of one stream from which an arrow leads to the call that waits for them. Of more, the last ones have one.
const MAX_WAITING: usize = 256;

/// A stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stream {
    /// One that a call created, or a foreign one.
    Object(ObjectId),
    /// The legacy stream of a context, as far as that is known.
    Legacy(ProcessId, Option<ObjectId>),
    /// A thread's own default stream.
    PerThread(ProcessId, ThreadId),
}

/// What a call has to do with work on streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The stream that it puts work on.
    pub stream: Option<Stream>,
    /// The arrow that starts at it.
    pub starts: Option<u64>,
    /// The arrows that end at it.
    pub ends: Vec<u64>,
}

/// Work by process.
#[derive(Debug, Default)]
pub(super) struct Work {
    streams: HashMap<(ProcessId, Stream), Queue>,
    /// The stream that an event was recorded on last, and how much work was on it then.
    events: HashMap<ObjectId, (Stream, u64)>,
    arrows: u64,
}

/// Work of one stream that nothing waited for yet.
#[derive(Debug, Default)]
struct Queue {
    /// Pieces of work so far.
    count: u64,
    /// Number of each piece, and its arrow.
    waiting: VecDeque<(u64, u64)>,
}

impl Queue {
    /// Takes the arrows of all work up to that number.
    fn take(&mut self, count: u64, arrows: &mut Vec<u64>) {
        while let Some(&(number, arrow)) = self.waiting.front() {
            if number > count {
                break;
            }
            arrows.push(arrow);
            self.waiting.pop_front();
        }
    }
}

impl Work {
    /// Takes in a call that the tracker has just observed.
    pub fn observe(
        &mut self,
        schema: &TraceSchema,
        call: &Call,
        tracker: &mut ObjectTracker,
    ) -> Part {
        let Some(function) = schema.function(call.function) else {
            return Part::default();
        };
        let has = |effect: Effect| function.effects.contains(&effect);
        let enqueues = function
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Enqueues(_) | Effect::Launches));
        let mut part = Part::default();
        if enqueues {
            part.stream = stream_of(schema, function, call, tracker);
        }
        // A call that failed put nothing on a stream, and waited for nothing.
        if call.returned.is_none_or(|word| word as u32 != 0) {
            return part;
        }
        if let Some(stream) = part.stream {
            let moves_work = has(Effect::Launches) || has(Effect::Copies);
            part.starts = self.put(call.process, stream, moves_work);
            self.note_event(call.process, stream, tracker);
        } else if has(Effect::Synchronizes) {
            part.ends = self.wait(schema, (function, call), tracker);
        }
        part
    }

    /// Puts work on a stream; a launch or a copy starts an arrow.
    fn put(&mut self, process: ProcessId, stream: Stream, moves_work: bool) -> Option<u64> {
        let queue = self.streams.entry((process, stream)).or_default();
        queue.count += 1;
        if !moves_work {
            return None;
        }
        self.arrows += 1;
        if queue.waiting.len() == MAX_WAITING {
            queue.waiting.pop_front();
        }
        queue.waiting.push_back((queue.count, self.arrows));
        Some(self.arrows)
    }

    /// Remembers where an event was recorded.
    fn note_event(&mut self, process: ProcessId, stream: Stream, tracker: &ObjectTracker) {
        if let Some(event) = referred(tracker, Kind::Event) {
            let count = self
                .streams
                .get(&(process, stream))
                .map_or(0, |queue| queue.count);
            self.events.insert(event, (stream, count));
        }
    }

    fn wait(
        &mut self,
        schema: &TraceSchema,
        (function, call): (&Function, &Call),
        tracker: &mut ObjectTracker,
    ) -> Vec<u64> {
        let mut arrows = Vec::new();
        if let Some(event) = referred(tracker, Kind::Event) {
            if let Some(&(stream, count)) = self.events.get(&event)
                && let Some(queue) = self.streams.get_mut(&(call.process, stream))
            {
                queue.take(count, &mut arrows);
            }
        } else if function.base.starts_with("cuCtx") {
            let of_process =
                |(stream, _): &(&(ProcessId, Stream), &mut Queue)| stream.0 == call.process;
            for (_, queue) in self.streams.iter_mut().filter(of_process) {
                queue.take(u64::MAX, &mut arrows);
            }
        } else if let Some(stream) = stream_of(schema, function, call, tracker)
            && let Some(queue) = self.streams.get_mut(&(call.process, stream))
        {
            queue.take(u64::MAX, &mut arrows);
        }
        arrows
    }
}

fn referred(tracker: &ObjectTracker, kind: Kind) -> Option<ObjectId> {
    let mut references = tracker.references().iter();
    references
        .find(|reference| tracker.object(reference.object).kind() == kind)
        .map(|reference| reference.object)
}

/// The stream that a call names, or the default one that it means.
fn stream_of(
    schema: &TraceSchema,
    function: &Function,
    call: &Call,
    tracker: &mut ObjectTracker,
) -> Option<Stream> {
    let legacy = |tracker: &ObjectTracker| {
        let context = tracker.current(call.process, call.thread);
        Stream::Legacy(call.process, context)
    };
    let per_thread = Stream::PerThread(call.process, call.thread);
    match tracker.first_word(schema, call, Kind::Stream) {
        None | Some(0) => Some(match function.default_stream {
            DefaultStream::Legacy => legacy(tracker),
            DefaultStream::PerThread => per_thread,
        }),
        Some(word) => match Kind::Stream.constant(word) {
            Some("CU_STREAM_LEGACY") => Some(legacy(tracker)),
            Some(_) => Some(per_thread),
            None => referred(tracker, Kind::Stream).map(Stream::Object),
        },
    }
}
