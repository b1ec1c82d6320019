//! One thread that plays the calls of one recorded thread.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::plan::{Plan, Role};
use crate::skip::SkipReason;
use crate::wire::board::{END, QUEUE, ThreadLine};
use crate::wire::futex;
use crate::wire::slot::{AnswerWriter, Message, Outcome, state};
use crate::worker::answers::After;
use crate::worker::arena::Arena;
use crate::worker::arguments::Arguments;
use crate::worker::refusal::Refusal;
use crate::worker::world::World;
use crate::worker::{arguments, callbacks, driver};

/// Bytes of the heap blocks that are asked for after each call: of the size that a corrupted heap is noticed by soonest.
const PROBE_BYTES: usize = 40;

/// Plays the calls of one recorded thread.
pub struct Player {
    world: Arc<World>,
    thread: usize,
    arena: Arena,
    /// Arguments of calls that are over, to be used again: they are large.
    unused: Cell<Option<Box<Arguments>>>,
    /// Slots that were taken from the queue.
    taken: Cell<u32>,
    /// How deep the call lies that is being played.
    depth: Cell<u16>,
}

impl Player {
    /// For the thread of that number.
    ///
    /// # Errors
    /// The system has no more address space.
    pub fn new(world: Arc<World>, thread: usize) -> io::Result<Self> {
        Ok(Self {
            world,
            thread,
            arena: Arena::new()?,
            unused: Cell::new(None),
            taken: Cell::new(0),
            depth: Cell::new(0),
        })
    }

    /// Plays until the thread makes no further call.
    pub fn play_all(&self) {
        let Some(line) = self.world.board.thread(self.thread) else {
            return;
        };
        loop {
            let taken = self.taken.get();
            futex::wait_until(&line.posted, &line.sleeps, |posted| posted != taken);
            let offset = self.next(line);
            self.take(line);
            if offset == END {
                return;
            }
            self.play(line, offset);
        }
    }

    /// Plays calls that lie in the one that is being played, as far as they have come.
    pub fn play_nested(&self) {
        let Some(line) = self.world.board.thread(self.thread) else {
            return;
        };
        while line.posted.load(Ordering::Acquire) != self.taken.get() {
            let offset = self.next(line);
            if offset == END || !self.is_nested(offset) {
                return;
            }
            self.take(line);
            self.play(line, offset);
        }
    }

    fn next(&self, line: &ThreadLine) -> u64 {
        line.queue[self.taken.get() as usize % QUEUE].load(Ordering::Relaxed)
    }

    fn take(&self, line: &ThreadLine) {
        let taken = self.taken.get().wrapping_add(1);
        self.taken.set(taken);
        line.taken.store(taken, Ordering::Release);
    }

    fn is_nested(&self, offset: u64) -> bool {
        // SAFETY: posted in this thread's queue, and only this thread looks there.
        let slot = unsafe { self.world.board.slot(offset as usize) };
        slot.and_then(|slot| Message::read(slot.message))
            .is_some_and(|message| message.order.depth > self.depth.get())
    }

    fn play(&self, line: &ThreadLine, offset: u64) {
        // SAFETY: taken from this thread's queue.
        let Some(slot) = (unsafe { self.world.board.slot(offset as usize) }) else {
            return;
        };
        let Some(message) = Message::read(slot.message) else {
            return;
        };
        let outer = self.depth.replace(message.order.depth);
        for wait in message.waits() {
            if let Some(other) = self.world.board.thread(wait.thread as usize) {
                futex::wait_until(&other.ended, &other.watchers, |ended| {
                    ended.wrapping_sub(wait.ended).cast_signed() >= 0
                });
            }
        }
        slot.state.store(state::STARTED, Ordering::Release);
        self.perform(&message, AnswerWriter::new(slot.answer));
        slot.state.store(state::DONE, Ordering::Release);
        futex::announce(&line.ended, &line.watchers);
        self.depth.set(outer);
    }

    fn perform(&self, message: &Message<'_>, mut writer: AnswerWriter<'_>) {
        let number = message.order.plan as usize;
        let Some(plan) = self.world.plan(number) else {
            return;
        };
        let after = After {
            world: &self.world,
            plan,
            message,
        };
        let function = self.world.driver.function(number);
        let mark = self.arena.mark();
        let mut arguments = self.unused.take().unwrap_or_default();
        let mut built = match plan.skip {
            Some(reason) => Err(Refusal::from(reason)),
            None if message.order.is_barred => Err(Refusal::consequence_of(message.order.seq)),
            None if function == 0 => {
                after.brought_nothing(message.order.seq);
                return writer.finish(Outcome::Missing, 0, 0);
            }
            None => arguments::build(&self.world, plan, message, (&self.arena, &mut arguments)),
        };
        if let Err(refusal) = &built
            && refusal.reason == SkipReason::UnknownHandle
        {
            let param = refusal.param;
            built = match self.world.find_private(message, *refusal) {
                Ok(()) => {
                    arguments::build(&self.world, plan, message, (&self.arena, &mut arguments))
                }
                Err(refusal) => Err(Refusal { param, ..refusal }),
            };
        }
        match built {
            Ok(()) => {
                let (returned, duration_ns) =
                    self.call(function, plan, &arguments, message.order.is_timed);
                let overrun = after.returned(&mut arguments, returned, &mut writer);
                writer.finish(Outcome::Returned(returned), duration_ns, overrun);
            }
            Err(refusal) => {
                let is_consequence = refusal.reason == SkipReason::Consequence;
                let cause = if is_consequence {
                    refusal.detail
                } else {
                    message.order.seq
                };
                after.brought_nothing(cause);
                writer.finish(refusal.outcome(), 0, 0);
            }
        }
        self.arena.reset(mark);
        self.unused.set(Some(arguments));
    }

    fn call(
        &self,
        function: usize,
        plan: &Plan,
        arguments: &Arguments,
        is_timed: bool,
    ) -> (u64, u64) {
        let calls_back = plan
            .params
            .iter()
            .any(|param| matches!(param.role, Role::Callback(_)));
        let start = is_timed.then(Instant::now);
        // SAFETY: the plan is that of this function, from the table; `build` made every address among the words one of ours or the
        // driver's. What the driver does with them is what is being tested.
        let call = || unsafe { driver::call(function, &plan.passing, arguments.words()) };
        let returned = if calls_back {
            callbacks::during(self, call)
        } else {
            call()
        };
        let duration_ns = start.map_or(0, |start| start.elapsed().as_nanos() as u64);
        probe_heap();
        (returned, duration_ns)
    }
}

/// Asks the heap for two blocks: a driver that has corrupted it ends the process here, while its call still counts as being played.
fn probe_heap() {
    // SAFETY: plain allocations, given back.
    unsafe {
        let blocks = [libc::malloc(PROBE_BYTES), libc::malloc(PROBE_BYTES)];
        for block in std::hint::black_box(blocks) {
            libc::free(block);
        }
    }
}
