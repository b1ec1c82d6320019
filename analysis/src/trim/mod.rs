//! A part of a trace that stands by itself: the wanted calls, and of those before them the ones that they need.
//!
//! A call needs the calls that created the objects that it refers to, those that made them what they are, those that made the context
//! current in which it works, and what all these need. docs/export.md says it for users.

mod current;
mod holds;
mod records;
mod shaping;

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use self::current::CurrentCalls;
use self::holds::Holds;
use self::records::{Needs, RecordId, Records};
use self::shaping::{CurrentStep, Shapes, current_step, shapes};
use crate::filter::{Filter, Matcher};
use crate::objects::{Kind, ObjectId, ObjectTracker, Part, holds_once_more};
use crate::streams::{CaptureOrigin, CaptureStep, Captures, Stream};

/// Calls kept for one process as a whole, and for one capture; beyond it the last ones are left out.
const MAX_KEPT: usize = 1 << 20;

/// Damage is listed up to here.
const MAX_DAMAGES: usize = 1000;

/// Which calls are wanted.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// Those with these numbers.
    Numbers(RangeInclusive<u64>),
    /// Those that a filter means.
    Matching(Filter),
}

/// The calls to keep.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    wanted: Ranges,
    needed: Vec<u64>,
    damages: Vec<Damage>,
}

/// Numbers in order, as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    ranges: Vec<(u64, u64)>,
    count: u64,
}

impl Ranges {
    /// Adds a number larger than all before.
    fn push(&mut self, number: u64) {
        self.count += 1;
        match self.ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.ranges.push((number, number)),
        }
    }

    fn contains(&self, number: u64) -> bool {
        let behind = self.ranges.partition_point(|&(first, _)| first <= number);
        behind > 0 && number <= self.ranges[behind - 1].1
    }

    /// The largest number, 0 if there is none.
    fn last(&self) -> u64 {
        self.ranges.last().map_or(0, |&(_, last)| last)
    }

    /// `1, 5..9, 12`; of very many the first hundred.
    fn text(&self) -> String {
        const MAX_LISTED: usize = 100;
        let listed = self.ranges.iter().take(MAX_LISTED).map(|&(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}..{last}")
            }
        });
        let mut text = listed.collect::<Vec<_>>().join(", ");
        if self.ranges.len() > MAX_LISTED {
            text.push_str(", ...");
        }
        text
    }
}

impl Kept {
    /// Reads the calls of a trace, as far as the last wanted one. `progress` is told now and then how many were read.
    pub fn of(trace: &Trace, wanted: &Wanted, mut progress: impl FnMut(u64)) -> Self {
        let mut chooser = Chooser::new(wanted);
        let mut calls = trace.calls();
        let mut call = Call::default();
        let mut damages = Vec::new();
        loop {
            match calls.read_next(&mut call) {
                Ok(true) if chooser.is_behind(call.seq) => break,
                Ok(true) => chooser.observe(trace, &call),
                Ok(false) => break,
                Err(damage) if damages.len() < MAX_DAMAGES => damages.push(damage),
                Err(_) => {}
            }
            if call.seq.is_multiple_of(1 << 16) {
                progress(call.seq);
            }
        }
        Self {
            damages,
            ..chooser.finish()
        }
    }

    /// What could not be read on the way to the last wanted call, the first thousand. It is met again when the calls are written.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// Whether a call is kept.
    pub fn contains(&self, seq: u64) -> bool {
        self.wanted.contains(seq) || self.needed.binary_search(&seq).is_ok()
    }

    /// How many calls are wanted and there.
    pub fn wanted(&self) -> u64 {
        self.wanted.count
    }

    /// How many others are kept because they are needed.
    pub fn needed(&self) -> u64 {
        self.needed.len() as u64
    }

    /// Their numbers in the trace, for people: `calls 100..200; kept for them: 1, 5..9`.
    pub fn text(&self) -> String {
        let mut text = format!("calls {}", self.wanted.text());
        if !self.needed.is_empty() {
            let mut needed = Ranges::default();
            self.needed.iter().for_each(|&seq| needed.push(seq));
            text.push_str("; kept for them: ");
            text.push_str(&needed.text());
        }
        text
    }
}

/// Goes through the calls and finds out what the wanted ones need.
struct Chooser<'w> {
    last_wanted: u64,
    numbers: Option<RangeInclusive<u64>>,
    matcher: Option<Matcher<'w>>,
    tracker: ObjectTracker,
    records: Records,
    current: CurrentCalls,
    holds: Holds,
    captures: Captures,
    captured: HashMap<CaptureOrigin, Captured>,
    wanted: Ranges,
    needed_calls: BTreeSet<u64>,
}

/// Calls of a capture that is going on.
#[derive(Debug, Default)]
struct Captured {
    calls: Vec<RecordId>,
    /// So many of them are known to be needed.
    pinned: usize,
}

impl<'w> Chooser<'w> {
    fn new(wanted: &'w Wanted) -> Self {
        let (numbers, matcher) = match wanted {
            Wanted::Numbers(numbers) => (Some(numbers.clone()), None),
            Wanted::Matching(filter) => (None, Some(Matcher::new(filter))),
        };
        Self {
            last_wanted: numbers.as_ref().map_or(u64::MAX, |numbers| *numbers.end()),
            numbers,
            matcher,
            tracker: ObjectTracker::default(),
            records: Records::default(),
            current: CurrentCalls::default(),
            holds: Holds::default(),
            captures: Captures::default(),
            captured: HashMap::new(),
            wanted: Ranges::default(),
            needed_calls: BTreeSet::new(),
        }
    }

    fn is_behind(&self, seq: u64) -> bool {
        seq > self.last_wanted
    }

    fn is_wanted(&mut self, trace: &Trace, call: &Call) -> bool {
        match (&self.numbers, &mut self.matcher) {
            (Some(numbers), _) => numbers.contains(&call.seq),
            (None, Some(matcher)) => matcher.matches(trace, call),
            (None, None) => false,
        }
    }

    fn observe(&mut self, trace: &Trace, call: &Call) {
        let wanted = self.is_wanted(trace, call);
        let context_before = self.tracker.current(call.process, call.thread);
        self.tracker.observe(trace.schema(), call);
        if wanted {
            self.want(call, context_before);
        }
        let Some(function) = trace.function(call.function) else {
            return;
        };
        if call.returned.is_none_or(|word| word as u32 != 0) {
            return;
        }
        let base = function.base.as_str();
        self.note_creations(call, context_before);
        self.note_holds(call, (base, context_before));
        self.note_shaping(call, (base, context_before));
        if base.starts_with("cuStream") || self.tracker.referred(Kind::Stream).is_some() {
            let stream = Stream::of(trace.schema(), (function, call), &mut self.tracker);
            if let Some(stream) = stream {
                self.note_capture(call, (base, stream), context_before);
            }
        }
        if let Some(step) = current_step(base) {
            let to_nothing = step == CurrentStep::Sets && call.args.first() == Some(&0);
            self.current.step(call.thread, step, call.seq, to_nothing);
        }
    }

    /// A wanted call needs the objects that it refers to and the context that it works in, as they are now.
    fn want(&mut self, call: &Call, context: Option<ObjectId>) {
        self.wanted.push(call.seq);
        let references = self.tracker.references().iter();
        let objects = references.map(|reference| reference.object).chain(context);
        let needs = objects.map(Needs::Object);
        self.records
            .pin_all(needs.chain([Needs::Process(call.process)]));
        self.needed_calls.extend(self.current.needed(call.thread));
    }

    /// The objects that a call takes, and the context in which it works.
    fn needs(&self, context: Option<ObjectId>) -> Vec<ObjectId> {
        let references = self.tracker.references().iter();
        let taken = references.filter(|reference| reference.part != Part::Created);
        taken
            .map(|reference| reference.object)
            .chain(context)
            .collect()
    }

    fn note_creations(&mut self, call: &Call, context: Option<ObjectId>) {
        let references = self.tracker.references().iter();
        let created: Vec<ObjectId> = references
            .filter(|reference| reference.part == Part::Created)
            .map(|reference| reference.object)
            .collect();
        if created.is_empty() {
            return;
        }
        let needs = self.needs(context);
        let current = self.current.rely(call.thread);
        let record = self.records.add(call.seq, &needs, current);
        for object in created {
            self.records.attach(Needs::Object(object), record);
        }
    }

    /// Notes that an object is held once more, or once less.
    fn note_holds(&mut self, call: &Call, (base, context): (&str, Option<ObjectId>)) {
        let device = || Some((call.process, *call.args.last()?));
        if holds_once_more(base) {
            let mut references = self.tracker.references().iter();
            let is_held = |part: Part| matches!(part, Part::Created | Part::Told);
            let Some(held) = references.find(|reference| is_held(reference.part)) else {
                return;
            };
            let object = held.object;
            let needs = self.needs(context);
            let current = self.current.rely(call.thread);
            let record = self.records.add(call.seq, &needs, current);
            if held.part == Part::Told {
                self.records.attach(Needs::Object(object), record);
            }
            self.holds.hold(object, record);
            if base == "cuDevicePrimaryCtxRetain"
                && let Some(device) = device()
            {
                self.holds.set_primary(device, object);
            }
            return;
        }
        let given_up: Vec<ObjectId> = if base == "cuDevicePrimaryCtxRelease" {
            let context = device().and_then(|device| self.holds.primary(device));
            context.into_iter().collect()
        } else {
            let references = self.tracker.references().iter();
            let destroyed = references.filter(|reference| reference.part == Part::Destroyed);
            destroyed.map(|reference| reference.object).collect()
        };
        for object in given_up {
            self.holds.give_up(object, call.seq, &mut self.records);
        }
    }

    fn note_shaping(&mut self, call: &Call, (base, context): (&str, Option<ObjectId>)) {
        let Some(shapes) = shapes(base) else {
            return;
        };
        let needs = self.needs(context);
        let current = self.current.rely(call.thread);
        let first = needs.first().copied();
        let shaped = match shapes {
            Shapes::Object => first.map(Needs::Object),
            Shapes::Context => context.map(Needs::Object),
            Shapes::Process => Some(Needs::Process(call.process)),
            Shapes::ObjectWithEarlier => None,
        };
        if let Some(shaped) = shaped
            && self.records.count(shaped) < MAX_KEPT
        {
            self.records.add_replacing(shaped, call, (&needs, current));
        }
        if shapes == Shapes::ObjectWithEarlier
            && let Some(object) = self.tracker.referred(Kind::Graph).or(first)
        {
            // What it adds to the object is part of it.
            let references = self.tracker.references().iter();
            let objects = references.map(|reference| reference.object);
            let all: Vec<ObjectId> = objects.chain(context).collect();
            let record = self.records.add(call.seq, &all, current);
            self.records.attach(Needs::Object(object), record);
        }
    }

    /// What is captured from a stream is part of the graph that the capture's end answers.
    fn note_capture(
        &mut self,
        call: &Call,
        (base, stream): (&str, Stream),
        context: Option<ObjectId>,
    ) {
        let event = self.tracker.referred(Kind::Event);
        let Some(step) = self.captures.observe(base, stream, event) else {
            return;
        };
        let needs = self.needs(context);
        let current = self.current.rely(call.thread);
        let wanted = self.wanted.contains(call.seq);
        match step {
            CaptureStep::Begins(origin) | CaptureStep::Captured(origin) => {
                let record = self.records.add(call.seq, &needs, current);
                let captured = self.captured.entry(origin).or_default();
                if wanted {
                    captured.pin(&mut self.records);
                }
                if captured.calls.len() < MAX_KEPT {
                    captured.calls.push(record);
                }
            }
            CaptureStep::Ends(origin) => {
                let mut captured = self.captured.remove(&origin).unwrap_or_default();
                if wanted {
                    captured.pin(&mut self.records);
                }
                if let Some(graph) = self.tracker.referred(Kind::Graph) {
                    for record in captured.calls {
                        self.records.attach(Needs::Object(graph), record);
                    }
                }
            }
        }
    }

    fn finish(self) -> Kept {
        let mut kept = self.records.into_kept();
        kept.extend(self.needed_calls);
        let taken_back: Vec<u64> = self.current.taken_back(&kept).collect();
        kept.extend(taken_back);
        let is_kept = |seq: u64| kept.contains(&seq) || self.wanted.contains(seq);
        let given_up = self.holds.given_up();
        let before_the_last = given_up.filter(|&(_, seq)| seq < self.wanted.last());
        let given_up: Vec<u64> = before_the_last
            .filter(|&(held, _)| is_kept(held))
            .map(|(_, seq)| seq)
            .collect();
        kept.extend(given_up);
        kept.retain(|&seq| !self.wanted.contains(seq));
        Kept {
            wanted: self.wanted,
            needed: kept.into_iter().collect(),
            damages: Vec::new(),
        }
    }
}

impl Captured {
    /// Pins the calls so far.
    fn pin(&mut self, records: &mut Records) {
        for &record in &self.calls[self.pinned..] {
            records.pin(record);
        }
        self.pinned = self.calls.len();
    }
}
