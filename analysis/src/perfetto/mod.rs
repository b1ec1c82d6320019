//! Calls as a Perfetto trace: what ui.perfetto.dev and `trace_processor` show. docs/export.md says what stands for what.
//!
//! Written by hand, because it takes six messages of a schema with thousands, and no code generator.

mod arguments;
mod fields;
mod names;
mod open_calls;
mod packets;
mod protobuf;
mod tracks;
mod work;

use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::decode::decode;
use cutape_trace_format::trace::Trace;

use self::arguments::Annotator;
use self::fields::{annotation, event};
use self::names::{NameKind, Names};
use self::open_calls::{End, OpenCalls};
use self::packets::{Event, Packets};
use self::protobuf::Message;
use self::tracks::{Counter, TrackId, Tracks};
use self::work::{Part, Work};
use crate::caller::Callers;
use crate::objects::{Kind, Namer, ObjectTracker};
use crate::outcome::outcome;
use crate::text::{Detail, push_answer, push_injection};

/// Memory that is counted: kinds of objects, and what the count is called.
const COUNTERS: [(Kind, Counter); 3] = [
    (
        Kind::DeviceMemory,
        Counter {
            number: 0,
            name: "device memory allocated",
        },
    ),
    (
        Kind::Allocation,
        Counter {
            number: 1,
            name: "physical memory allocated",
        },
    ),
    (
        Kind::HostMemory,
        Counter {
            number: 2,
            name: "page-locked host memory",
        },
    ),
];

/// Writes a Perfetto trace, call by call, in the order in which calls began.
#[derive(Debug, Default)]
pub struct PerfettoWriter {
    namer: Namer,
    names: Names,
    tracks: Tracks,
    work: Work,
    callers: Callers,
    open: OpenCalls,
    /// Ends that are to be written.
    ends: Vec<End>,
    /// What each counter last showed, by process.
    counts: std::collections::HashMap<(ProcessId, usize), u64>,
}

impl PerfettoWriter {
    /// Adds what comes before the first call.
    pub fn start(&mut self, out: &mut Vec<u8>, trace: &Trace) {
        Packets { out }.clocks(trace.start_ns(), trace.start_realtime_ns());
    }

    /// Takes in a call that is not shown; what it does to objects still counts.
    pub fn pass(&mut self, trace: &Trace, call: &Call) {
        self.namer.observe(trace.schema(), call);
    }

    /// Adds a call.
    pub fn push(&mut self, out: &mut Vec<u8>, trace: &Trace, call: &Call) {
        self.namer.observe(trace.schema(), call);
        let part = self
            .work
            .observe(trace.schema(), call, self.namer.tracker());
        let mut packets = Packets { out };
        let thread = self.tracks.thread(&mut packets, trace, call);
        self.push_slice(&mut packets, (trace, call), thread, &part);
        self.push_work(&mut packets, (trace, call), &part);
        self.push_counts(&mut packets, (trace, call));
    }

    /// Adds what comes after the last call.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.open.finish(&mut self.ends);
        self.push_ends(&mut Packets { out });
    }

    /// The call on the track of its thread. Without an end, it goes on to the end of the trace.
    fn push_slice(
        &mut self,
        packets: &mut Packets<'_>,
        (trace, call): (&Trace, &Call),
        track: TrackId,
        part: &Part,
    ) {
        self.open.begin(track, call.begin_ns, &mut self.ends);
        self.push_ends(packets);
        let begin = Event {
            at_ns: call.begin_ns,
            kind: event::SLICE_BEGIN,
            track,
        };
        let objects = self.namer.names();
        let callers = &mut self.callers;
        packets.event(begin, &mut self.names, |message, names| {
            push_names(message, names, (trace, call));
            let decoded = decode(trace.schema(), call);
            for (param, argument) in (0u8..=u8::MAX).zip(&decoded.arguments) {
                let mut annotator = Annotator {
                    names,
                    objects,
                    param,
                };
                let field = event::DEBUG_ANNOTATIONS;
                annotator.push(message, field, &argument.name, &argument.value);
            }
            let mut answer = String::new();
            push_answer(&mut answer, trace.schema(), call, &Detail::LINE);
            push_text(message, names, ("ret", &answer));
            if call.is_injected() {
                let mut injected = String::new();
                let named = (call, objects);
                push_injection(&mut injected, trace.schema(), named, &Detail::LINE);
                push_text(message, names, ("injected", &injected));
            }
            push_text(message, names, ("caller", callers.name(trace, call)));
            let seq = names.number(NameKind::Annotation, "seq");
            message.message(event::DEBUG_ANNOTATIONS, |entry| {
                entry.uint(annotation::NAME_IID, seq);
                entry.uint(annotation::UINT, call.seq);
            });
            part.starts
                .iter()
                .for_each(|&arrow| message.fixed(event::FLOW_IDS, arrow));
            for &arrow in &part.ends {
                message.fixed(event::TERMINATING_FLOW_IDS, arrow);
            }
        });
        let end_ns = call
            .duration_ns
            .map(|duration_ns| call.begin_ns.saturating_add(duration_ns));
        self.open.push(track, end_ns);
    }

    /// The ends of slices that lie before what comes next.
    fn push_ends(&mut self, packets: &mut Packets<'_>) {
        for End { track, at_ns } in self.ends.drain(..) {
            let end = Event {
                at_ns,
                kind: event::SLICE_END,
                track,
            };
            packets.event(end, &mut self.names, |_, _| {});
        }
    }

    /// A mark on the track of the stream that the call puts work on. When the device does that work is not on record.
    fn push_work(
        &mut self,
        packets: &mut Packets<'_>,
        (trace, call): (&Trace, &Call),
        part: &Part,
    ) {
        let Some(stream) = part.stream else {
            return;
        };
        let tracker = &*self.namer.tracker();
        let track = self
            .tracks
            .stream(packets, (trace, tracker), (call, stream));
        let mark = Event {
            at_ns: call.begin_ns,
            kind: event::INSTANT,
            track,
        };
        let api = trace.function_name(call.function);
        let name = launched(tracker).unwrap_or(&api).to_owned();
        packets.event(mark, &mut self.names, |message, names| {
            let number = names.number(NameKind::Event, &name);
            message.uint(event::NAME_IID, number);
            part.starts
                .iter()
                .for_each(|&arrow| message.fixed(event::FLOW_IDS, arrow));
        });
    }

    /// How much memory there is, where the call changed that.
    fn push_counts(&mut self, packets: &mut Packets<'_>, (trace, call): (&Trace, &Call)) {
        let at_ns = call.begin_ns.saturating_add(call.duration_ns.unwrap_or(0));
        for (kind, counter) in COUNTERS {
            let alive = self.namer.tracker().alive(call.process, kind).bytes;
            let last = self
                .counts
                .entry((call.process, counter.number))
                .or_insert(0);
            if *last == alive {
                continue;
            }
            *last = alive;
            let place = (trace, call.process);
            let track = self.tracks.counter(packets, place, counter);
            let count = Event {
                at_ns,
                kind: event::COUNTER,
                track,
            };
            packets.event(count, &mut self.names, |message, _| {
                message.int(event::COUNTER_VALUE, alive.try_into().unwrap_or(i64::MAX));
            });
        }
    }
}

/// Adds what the slice is called, and its categories: the part of the API, whether it failed, and whether rules of the recording acted on it.
fn push_names(message: &mut Message<'_>, names: &mut Names, (trace, call): (&Trace, &Call)) {
    let family = trace
        .function(call.function)
        .map_or("", |function| &function.family);
    let failed = outcome(trace.schema(), call).is_failure();
    let categories = [
        family,
        if failed { "failed" } else { "" },
        if call.is_injected() { "injected" } else { "" },
    ];
    for category in categories.into_iter().filter(|name| !name.is_empty()) {
        message.uint(
            event::CATEGORY_IIDS,
            names.number(NameKind::Category, category),
        );
    }
    let api = trace.function_name(call.function);
    message.uint(event::NAME_IID, names.number(NameKind::Event, &api));
}

fn push_text(message: &mut Message<'_>, names: &mut Names, (name, text): (&str, &str)) {
    let number = names.number(NameKind::Annotation, name);
    message.message(event::DEBUG_ANNOTATIONS, |entry| {
        entry.uint(annotation::NAME_IID, number);
        entry.bytes(annotation::STRING, text.as_bytes());
    });
}

/// The name of the kernel that the last call launches.
fn launched(tracker: &ObjectTracker) -> Option<&str> {
    let mut references = tracker.references().iter();
    references.find_map(|reference| {
        let kind = tracker.object(reference.object).kind();
        let is_code = matches!(kind, Kind::Function | Kind::Kernel);
        tracker.name(reference.object).filter(|_| is_code)
    })
}
