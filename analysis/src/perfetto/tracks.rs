//! Tracks: a line of the timeline for each process, thread, stream and count. Each is described before its first event.

use std::collections::HashMap;
use std::hash::Hash;

use cutape_trace_format::call::{Call, ProcessId, ThreadId};
use cutape_trace_format::trace::Trace;

use super::fields::track;
use super::packets::Packets;
use super::protobuf::Message;
use crate::objects::ObjectTracker;
use crate::streams::Stream;

/// Number of a track in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TrackId(pub u64);

/// What a count counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Counter {
    /// Place in the list of counters.
    pub number: usize,
    /// What the user interface calls it.
    pub name: &'static str,
}

/// What has a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Process(ProcessId),
    Thread(ProcessId, ThreadId),
    Stream(ProcessId, Stream),
    Counter(ProcessId, usize),
}

/// Tracks that were described.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    known: HashMap<Key, TrackId>,
}

impl Tracks {
    /// The track of what a key stands for, and whether it is new.
    fn find(&mut self, key: Key) -> (TrackId, bool) {
        let next = TrackId(self.known.len() as u64 + 1);
        let found = *self.known.entry(key).or_insert(next);
        (found, found == next)
    }

    /// The track of a call's thread.
    pub fn thread(&mut self, packets: &mut Packets<'_>, trace: &Trace, call: &Call) -> TrackId {
        let process = self.process(packets, trace, call.process);
        let (id, new) = self.find(Key::Thread(call.process, call.thread));
        if new {
            let pid = pid(trace, call.process);
            packets.track(id, Some(process), |track| {
                match trace.thread(call.thread).zip(pid) {
                    Some((thread, pid)) => track.message(track::THREAD, |descriptor| {
                        descriptor.uint(track::THREAD_PID, pid.into());
                        descriptor.uint(track::THREAD_TID, thread.tid.into());
                        descriptor.bytes(track::THREAD_NAME, thread.name.as_bytes());
                    }),
                    None => track.bytes(track::NAME, b"thread not on record"),
                }
            });
        }
        id
    }

    fn process(&mut self, packets: &mut Packets<'_>, trace: &Trace, process: ProcessId) -> TrackId {
        let (id, new) = self.find(Key::Process(process));
        if new {
            packets.track(id, None, |track| push_process(track, trace, process));
        }
        id
    }

    /// The track of a stream.
    pub fn stream(
        &mut self,
        packets: &mut Packets<'_>,
        (trace, tracker): (&Trace, &ObjectTracker),
        (call, stream): (&Call, Stream),
    ) -> TrackId {
        let process = self.process(packets, trace, call.process);
        let (id, new) = self.find(Key::Stream(call.process, stream));
        if new {
            let name = stream_name((trace, tracker), stream, call.seq);
            packets.track(id, Some(process), |track| {
                track.bytes(track::NAME, name.as_bytes());
            });
        }
        id
    }

    /// The track of a count.
    pub fn counter(
        &mut self,
        packets: &mut Packets<'_>,
        (trace, process): (&Trace, ProcessId),
        counter: Counter,
    ) -> TrackId {
        let parent = self.process(packets, trace, process);
        let (id, new) = self.find(Key::Counter(process, counter.number));
        if new {
            packets.track(id, Some(parent), |track| {
                track.bytes(track::NAME, counter.name.as_bytes());
                track.message(track::COUNTER, |descriptor| {
                    descriptor.uint(track::COUNTER_UNIT, track::BYTES);
                });
            });
        }
        id
    }
}

fn pid(trace: &Trace, process: ProcessId) -> Option<u32> {
    trace.process(process).map(|entry| entry.process.pid)
}

fn push_process(track: &mut Message<'_>, trace: &Trace, process: ProcessId) {
    let Some(entry) = trace.process(process) else {
        return track.bytes(track::NAME, b"process not on record");
    };
    let program = &entry.process.program;
    let name = program.rsplit('/').next().unwrap_or(program);
    track.message(track::PROCESS, |descriptor| {
        descriptor.uint(track::PROCESS_PID, entry.process.pid.into());
        for word in &entry.process.command {
            descriptor.bytes(track::PROCESS_CMDLINE, word.as_bytes());
        }
        descriptor.bytes(track::PROCESS_NAME, name.as_bytes());
    });
}

fn stream_name((trace, tracker): (&Trace, &ObjectTracker), stream: Stream, seq: u64) -> String {
    match stream {
        Stream::Object(id) => tracker.object(id).label_at(seq).to_string(),
        Stream::Legacy(_, Some(context)) => {
            let context = tracker.object(context).label_at(seq);
            format!("default stream of {context}")
        }
        Stream::Legacy(_, None) => "default stream".to_owned(),
        Stream::PerThread(_, thread) => match trace.thread(thread) {
            Some(thread) => format!("default stream of thread {}", thread.tid),
            None => "default stream of a thread".to_owned(),
        },
    }
}
