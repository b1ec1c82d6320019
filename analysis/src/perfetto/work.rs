//! What was put on streams and which calls waited for it.

use std::collections::{HashMap, VecDeque};

use cutape_cuda_api::{Effect, Function};
use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::schema::TraceSchema;

use crate::objects::{Kind, ObjectId, ObjectTracker};
use crate::streams::{CaptureStep, Captures, Stream};

/// Pieces of work of one stream from which an arrow leads to the call that waits for them. Of more, the last ones have one.
const MAX_WAITING: usize = 256;

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
    captures: Captures,
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
        let succeeded = call.returned.is_some_and(|word| word as u32 == 0);
        let enqueues = function
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Enqueues(_) | Effect::Launches));
        let mut part = Part::default();
        if enqueues || function.base.starts_with("cuStream") {
            let stream = Stream::of(schema, (function, call), tracker);
            let event = tracker.referred(Kind::Event);
            let step = stream
                .filter(|_| succeeded)
                .and_then(|stream| self.captures.observe(&function.base, stream, event));
            // What is captured is not put on the stream, but into a graph.
            let captured = matches!(step, Some(CaptureStep::Captured(_)));
            part.stream = stream.filter(|_| enqueues && !captured);
        }
        // A call that failed put nothing on a stream, and waited for nothing.
        if !succeeded {
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
        if let Some(event) = tracker.referred(Kind::Event) {
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
        if let Some(event) = tracker.referred(Kind::Event) {
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
        } else if let Some(stream) = Stream::of(schema, (function, call), tracker)
            && let Some(queue) = self.streams.get_mut(&(call.process, stream))
        {
            queue.take(u64::MAX, &mut arrows);
        }
        arrows
    }
}
