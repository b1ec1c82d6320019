//! Which stream a call is about, and whether what it puts there is recorded into a graph instead of being done.

use std::collections::HashMap;

use cutape_cuda_api::{DefaultStream, Function};
use cutape_trace_format::call::{Call, ProcessId, ThreadId};
use cutape_trace_format::schema::TraceSchema;

use crate::objects::{Kind, ObjectId, ObjectTracker};

/// A stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// One that a call created, or a foreign one.
    Object(ObjectId),
    /// The legacy stream of a context, as far as that is known.
    Legacy(ProcessId, Option<ObjectId>),
    /// A thread's own default stream.
    PerThread(ProcessId, ThreadId),
}

impl Stream {
    /// The stream that a call names, or the default one that it means. The tracker has just observed the call.
    pub fn of(
        schema: &TraceSchema,
        (function, call): (&Function, &Call),
        tracker: &mut ObjectTracker,
    ) -> Option<Self> {
        let legacy = |tracker: &ObjectTracker| {
            let context = tracker.current(call.process, call.thread);
            Self::Legacy(call.process, context)
        };
        let per_thread = Self::PerThread(call.process, call.thread);
        match tracker.first_word(schema, call, Kind::Stream) {
            None | Some(0) => Some(match function.default_stream {
                DefaultStream::Legacy => legacy(tracker),
                DefaultStream::PerThread => per_thread,
            }),
            Some(word) => match Kind::Stream.constant(word) {
                Some("CU_STREAM_LEGACY") => Some(legacy(tracker)),
                Some(_) => Some(per_thread),
                None => tracker.referred(Kind::Stream).map(Self::Object),
            },
        }
    }
}

/// A capture that is going on: the stream on which it was begun.
pub type CaptureOrigin = Stream;

/// Captures of streams into graphs that are going on. A capture spreads to other streams by events: one that is recorded on a captured stream, and
/// that another stream is told to wait for, takes that stream in, too.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    streams: HashMap<Stream, CaptureOrigin>,
    events: HashMap<ObjectId, CaptureOrigin>,
}

/// What a call has to do with a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureStep {
    /// It begins one.
    Begins(CaptureOrigin),
    /// What it puts on the stream goes into the graph.
    Captured(CaptureOrigin),
    /// It ends one.
    Ends(CaptureOrigin),
}

impl Captures {
    /// Takes in a call that succeeded and is about a stream, and perhaps an event.
    pub fn observe(
        &mut self,
        base: &str,
        stream: Stream,
        event: Option<ObjectId>,
    ) -> Option<CaptureStep> {
        if base.starts_with("cuStreamBegin") {
            self.streams.insert(stream, stream);
            return Some(CaptureStep::Begins(stream));
        }
        if base.starts_with("cuStreamEndCapture") {
            let origin = self.streams.get(&stream).copied().unwrap_or(stream);
            self.streams.retain(|_, of| *of != origin);
            self.events.retain(|_, of| *of != origin);
            return Some(CaptureStep::Ends(origin));
        }
        let captured = self.streams.get(&stream).copied();
        match (base, event, captured) {
            ("cuEventRecord" | "cuEventRecordWithFlags", Some(event), Some(origin)) => {
                self.events.insert(event, origin);
            }
            ("cuEventRecord" | "cuEventRecordWithFlags", Some(event), None) => {
                self.events.remove(&event);
            }
            ("cuStreamWaitEvent", Some(event), None) => {
                let origin = *self.events.get(&event)?;
                self.streams.insert(stream, origin);
                return Some(CaptureStep::Captured(origin));
            }
            _ => {}
        }
        captured.map(CaptureStep::Captured)
    }
}
