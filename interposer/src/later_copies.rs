//! Asynchronous copies to the host: what they bring is kept when the program has waited for it, with the call that waited.
//!
//! Which copies are over when a call returns follows from the order of calls alone: those that the stream had before the call began, and those that
//! came before an event that it waited for. All of this is looked at only where a recording keeps copied data.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cutape_trace_format::payload::{PayloadKind, PayloadRef, PayloadState};

use crate::content::{Content, Source};
use crate::driver_state::{self, StreamName};

/// Copies that nobody has waited for yet; of more, the oldest are given up.
const MAX_COPIES: usize = 4096;
/// Copies whose data one call's record may have.
const MAX_ARRIVALS: usize = 256;
/// Calls that have begun to wait and not come back yet; more are those that failed.
const MAX_WAITS: usize = 256;
/// Streams and events that are remembered.
const MAX_MARKS: usize = 1 << 16;

/// How far streams have come: of each stream, all copies with smaller numbers.
type Progress = HashMap<StreamName, u64>;

/// The asynchronous copies of a process.
#[derive(Default)]
pub struct LaterCopies(Mutex<State>);

#[derive(Default)]
struct State {
    /// Copies so far.
    started: u64,
    /// By number, rising.
    copies: VecDeque<Copy>,
    /// What else is over when a stream's own work is: it has waited for events of other streams.
    streams: HashMap<StreamName, Progress>,
    /// What is over when an event is.
    events: HashMap<u64, Progress>,
    /// What will be over when calls return that are under way, by the place of their frames.
    waits: VecDeque<(usize, Waiting)>,
}

/// A copy that may not be over yet.
struct Copy {
    number: u64,
    stream: StreamName,
    context: u64,
    content: Content,
    /// Where the data comes, from the first byte to the last.
    place: Range<u64>,
    /// Something else may have been written there since.
    is_overwritten: bool,
}

/// A call that is under way.
enum Waiting {
    /// These copies are over if it succeeds.
    For(Vec<u64>),
    /// If it succeeds, the event is over when all that is.
    Event(u64, Progress),
    /// If it succeeds, the stream's work is over when all that is.
    Stream(StreamName, Progress),
}

/// What a call does to the order of copies.
#[derive(Clone, Copy)]
pub enum Order {
    /// It returns when the stream's work is over.
    StreamDone(StreamName),
    /// It returns when all work of the context is over.
    ContextDone(u64),
    /// It returns when the event is over.
    EventDone(u64),
    /// It puts the event behind the stream's work.
    EventRecorded(u64, StreamName),
    /// It has the stream wait for the event.
    StreamWaits(StreamName, u64),
    /// After it, something else may write to any host memory.
    MayWrite,
    /// The stream is no more.
    StreamGone(u64),
    /// The event is no more.
    EventGone(u64),
    /// Streams and events may be no more.
    AllGone,
}

/// What a copy that is over has brought.
pub struct Arrival {
    /// The copy's number.
    pub number: u64,
    /// Where it is, or what is said in its place.
    pub content: Result<Content, PayloadRef>,
}

impl LaterCopies {
    /// A copy to the host was started and may not be over. What its record says of the data.
    pub fn start(&self, handle: u64, is_per_thread: bool, content: Content) -> PayloadRef {
        let stream = StreamName::of(handle, is_per_thread);
        let later = PayloadRef::missing(PayloadState::Later, content.bytes, content.kind);
        let (Some(place), false) = (
            place_of(&content),
            driver_state::is_capturing(handle, is_per_thread),
        ) else {
            // What a graph copies, it copies when it is launched.
            return later;
        };
        let context = driver_state::context_of(handle, is_per_thread);
        let mut state = self.state();
        state.overwrite(&place);
        state.started += 1;
        let number = state.started;
        if state.copies.len() == MAX_COPIES {
            state.copies.pop_front();
        }
        state.copies.push_back(Copy {
            number,
            stream,
            context,
            content,
            place,
            is_overwritten: false,
        });
        later.of_copy(number)
    }

    /// A copy that is over has written there.
    pub fn wrote(&self, content: &Content) {
        if let Some(place) = place_of(content) {
            self.state().overwrite(&place);
        }
    }

    /// A call begins that says something of the order.
    pub fn begins(&self, frame: usize, order: Order) {
        let mut state = self.state();
        let waiting = match order {
            Order::StreamDone(stream) => {
                let progress = state.progress(stream);
                Waiting::For(state.covered(&progress))
            }
            Order::ContextDone(context) => {
                let copies = state.copies.iter();
                let of_context = copies.filter(|copy| copy.context == context);
                Waiting::For(of_context.map(|copy| copy.number).collect())
            }
            Order::EventDone(event) => match state.events.get(&event) {
                Some(progress) => Waiting::For(state.covered(progress)),
                None => return,
            },
            Order::EventRecorded(event, stream) => Waiting::Event(event, state.progress(stream)),
            Order::StreamWaits(stream, event) => match state.events.get(&event) {
                Some(progress) => Waiting::Stream(stream, progress.clone()),
                None => return,
            },
            Order::MayWrite => return state.overwrite_all(),
            Order::StreamGone(handle) => return state.forget_stream(handle),
            Order::EventGone(event) => {
                state.events.remove(&event);
                return;
            }
            Order::AllGone => return state.forget_all(),
        };
        if state.waits.len() == MAX_WAITS {
            state.waits.pop_front();
        }
        state.waits.push_back((frame, waiting));
    }

    /// The call has succeeded: what has come.
    pub fn ends(&self, frame: usize) -> Vec<Arrival> {
        let mut state = self.state();
        let place = state.waits.iter().rposition(|(own, _)| *own == frame);
        let Some((_, waiting)) = place.and_then(|place| state.waits.remove(place)) else {
            return Vec::new();
        };
        match waiting {
            Waiting::For(numbers) => state.take(&numbers),
            Waiting::Event(event, progress) => {
                state.limit_marks();
                state.events.insert(event, progress);
                Vec::new()
            }
            Waiting::Stream(stream, progress) => {
                state.limit_marks();
                state.wait_for(stream, &progress);
                Vec::new()
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is over when the stream's work so far is.
    fn progress(&self, stream: StreamName) -> Progress {
        let oldest = self.copies.front().map_or(u64::MAX, |copy| copy.number);
        let others = self.streams.get(&stream).into_iter().flatten();
        let mut progress: Progress = others
            .filter(|(_, end)| **end > oldest)
            .map(|(stream, end)| (*stream, *end))
            .collect();
        progress.insert(stream, self.started + 1);
        progress
    }

    fn covered(&self, progress: &Progress) -> Vec<u64> {
        let is_covered = |copy: &&Copy| {
            progress
                .get(&copy.stream)
                .is_some_and(|end| copy.number < *end)
        };
        let covered = self.copies.iter().filter(is_covered);
        covered.map(|copy| copy.number).collect()
    }

    fn wait_for(&mut self, stream: StreamName, progress: &Progress) {
        let own = self.streams.entry(stream).or_default();
        for (other, end) in progress {
            let known = own.entry(*other).or_default();
            *known = (*known).max(*end);
        }
    }

    fn take(&mut self, numbers: &[u64]) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for &number in numbers {
            let Ok(place) = self
                .copies
                .binary_search_by_key(&number, |copy| copy.number)
            else {
                continue;
            };
            let Some(copy) = self.copies.remove(place) else {
                continue;
            };
            let bytes = copy.content.bytes;
            if arrivals.len() < MAX_ARRIVALS {
                let content = match copy.is_overwritten {
                    true => Err(PayloadRef::missing(
                        PayloadState::Overwritten,
                        bytes,
                        PayloadKind::Data,
                    )),
                    false => Ok(copy.content),
                };
                arrivals.push(Arrival { number, content });
            }
        }
        arrivals
    }

    fn overwrite(&mut self, place: &Range<u64>) {
        let overlapped = self
            .copies
            .iter_mut()
            .filter(|copy| copy.place.start < place.end && place.start < copy.place.end);
        overlapped.for_each(|copy| copy.is_overwritten = true);
    }

    fn overwrite_all(&mut self) {
        for copy in &mut self.copies {
            copy.is_overwritten = true;
        }
    }

    fn forget_stream(&mut self, handle: u64) {
        self.copies.retain(|copy| copy.stream.handle != handle);
        self.streams.retain(|stream, _| stream.handle != handle);
        for progress in self.streams.values_mut().chain(self.events.values_mut()) {
            progress.retain(|stream, _| stream.handle != handle);
        }
    }

    fn forget_all(&mut self) {
        self.copies.clear();
        self.streams.clear();
        self.events.clear();
    }

    /// A program that makes streams and events without end does not make us remember them all.
    fn limit_marks(&mut self) {
        if self.streams.len() + self.events.len() >= MAX_MARKS {
            self.streams.clear();
            self.events.clear();
        }
    }
}

/// From the first to the last byte of a content in memory.
fn place_of(content: &Content) -> Option<Range<u64>> {
    match &content.source {
        Source::Memory { at } => {
            let start = *at as u64;
            Some(start..start.checked_add(content.bytes)?)
        }
        Source::Rows(rows) => {
            let planes = (content.bytes / rows.width.checked_mul(rows.height)?).checked_sub(1)?;
            let last = planes
                .checked_mul(rows.plane)?
                .checked_add(rows.pitch.checked_mul(rows.height - 1)?)?;
            Some(rows.at..rows.at.checked_add(last)?.checked_add(rows.width)?)
        }
        Source::File(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: StreamName = StreamName::handle(0x10);
    const OTHER: StreamName = StreamName::handle(0x20);

    fn copies(copies: &[(StreamName, u64)]) -> LaterCopies {
        let all = LaterCopies::default();
        for &(stream, at) in copies {
            let mut state = all.state();
            let content = Content {
                source: Source::Memory { at: at as usize },
                bytes: 16,
                kind: PayloadKind::Data,
            };
            let place = at..at + 16;
            state.overwrite(&place);
            state.started += 1;
            let number = state.started;
            state.copies.push_back(Copy {
                number,
                stream,
                context: 7,
                content,
                place,
                is_overwritten: false,
            });
        }
        all
    }

    fn waited(copies: &LaterCopies, order: Order) -> Vec<(u64, bool)> {
        copies.begins(1, order);
        let arrivals = copies.ends(1);
        let arrivals = arrivals.iter();
        arrivals
            .map(|arrival| (arrival.number, arrival.content.is_ok()))
            .collect()
    }

    #[test]
    fn waiting_for_a_stream_brings_its_own_copies_once() {
        let copies = copies(&[(ONE, 0), (OTHER, 100), (ONE, 200)]);
        assert_eq!(
            waited(&copies, Order::StreamDone(ONE)),
            [(1, true), (3, true)]
        );
        assert!(waited(&copies, Order::StreamDone(ONE)).is_empty());
        assert_eq!(waited(&copies, Order::ContextDone(7)), [(2, true)]);
    }

    #[test]
    fn a_copy_that_came_after_the_wait_began_is_not_over() {
        let copies = copies(&[(ONE, 0)]);
        copies.begins(1, Order::StreamDone(ONE));
        copies.state().started += 1;
        let content = Content {
            source: Source::Memory { at: 100 },
            bytes: 16,
            kind: PayloadKind::Data,
        };
        copies.state().copies.push_back(Copy {
            number: 2,
            stream: ONE,
            context: 7,
            content,
            place: 100..116,
            is_overwritten: false,
        });
        assert_eq!(copies.ends(1).len(), 1);
    }

    #[test]
    fn events_carry_what_came_before_them_to_other_streams() {
        let copies = copies(&[(ONE, 0)]);
        assert!(waited(&copies, Order::EventDone(5)).is_empty());
        assert!(waited(&copies, Order::EventRecorded(5, ONE)).is_empty());
        assert!(waited(&copies, Order::StreamWaits(OTHER, 5)).is_empty());
        assert!(waited(&copies, Order::EventRecorded(6, OTHER)).is_empty());
        assert_eq!(waited(&copies, Order::EventDone(6)), [(1, true)]);
    }

    #[test]
    fn what_may_have_been_written_over_is_said() {
        let copies = copies(&[(ONE, 0), (ONE, 8), (ONE, 100)]);
        assert_eq!(
            waited(&copies, Order::StreamDone(ONE)),
            [(1, false), (2, true), (3, true)]
        );
        let copies = self::copies(&[(ONE, 0)]);
        copies.begins(2, Order::MayWrite);
        assert_eq!(waited(&copies, Order::StreamDone(ONE)), [(1, false)]);
    }

    #[test]
    fn nothing_is_known_of_streams_that_are_gone() {
        let copies = copies(&[(ONE, 0), (OTHER, 100)]);
        copies.begins(2, Order::StreamGone(0x10));
        assert_eq!(waited(&copies, Order::ContextDone(7)), [(2, true)]);
    }
}
