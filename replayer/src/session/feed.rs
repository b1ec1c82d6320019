//! Turns recorded calls into slots, in the order of their begin.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use cutape_trace_format::call::{Call, ThreadId};
use cutape_trace_format::capture_number::{PAYLOAD, is_of_call};
use cutape_trace_format::payload::REF_BYTES;
use cutape_trace_format::record::Captured;

use crate::plan::{Plan, Plans, Role, Span};
use crate::session::order::{HappensBefore, Nesting, OneByOne};
use crate::wire::board::{Board, QUEUE};
use crate::wire::futex;
use crate::wire::slot::{self, BLOB_WORDS, Order, Wait, words_of};

/// Room for an answer of a length that nobody knows beforehand.
const USUAL_ANSWER_BYTES: usize = 256;
/// As much of one answer as the recorder keeps.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// What is to be done with each call.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeedOptions {
    /// One call after the other.
    pub is_serial: bool,
    /// Take times.
    pub is_timed: bool,
}

/// Turns calls into slots.
#[derive(Debug)]
pub struct Feed<'a> {
    plans: &'a Plans,
    options: FeedOptions,
    threads: HashMap<ThreadId, u32>,
    /// The thread that was asked for last: mostly it is asked for again.
    last_thread: Option<(ThreadId, u32)>,
    order: HappensBefore,
    one_by_one: OneByOne,
    nesting: Nesting,
    slot: Vec<u64>,
    /// Words that the answers of a plan's calls take, if they are the same for all.
    answers: Vec<usize>,
}

impl<'a> Feed<'a> {
    /// For the calls of one process.
    pub fn new(plans: &'a Plans, options: FeedOptions) -> Self {
        Self {
            plans,
            options,
            threads: HashMap::new(),
            last_thread: None,
            order: HappensBefore::default(),
            one_by_one: OneByOne::default(),
            nesting: Nesting::default(),
            slot: Vec::new(),
            answers: plans.plans.iter().map(fixed_answer_words).collect(),
        }
    }

    /// The number of a thread in the player, given when it is first met.
    pub fn thread(&mut self, id: ThreadId) -> u32 {
        if let Some((last, number)) = self.last_thread
            && last == id
        {
            return number;
        }
        let next = self.threads.len() as u32;
        let number = *self.threads.entry(id).or_insert(next);
        self.last_thread = Some((id, number));
        number
    }

    /// The slot that was made last.
    pub fn last_slot(&self) -> &[u64] {
        &self.slot
    }

    /// Makes the slot of a call.
    /// `images` says where its images lie.
    pub fn slot(
        &mut self,
        thread: u32,
        call: &Call,
        is_barred: bool,
        images: &[(u8, [u8; 16])],
    ) -> &[u64] {
        let duration_ns = call.duration_ns.unwrap_or(0);
        let one: Option<Wait>;
        let waits = if self.options.is_serial {
            one = self.one_by_one.before(thread);
            one.as_slice()
        } else {
            self.order.before(thread, call.begin_ns)
        };
        let order = Order {
            seq: call.seq,
            plan: call.function.0,
            depth: self.nesting.depth(thread, call.begin_ns, duration_ns),
            returned: call.returned,
            is_timed: self.options.is_timed,
            is_barred,
        };
        let words = answer_words(self.plans, &self.answers, call);
        slot::write(
            &mut self.slot,
            &order,
            waits,
            &call.args,
            call.captures()
                .filter(|capture| !is_of_call(capture.param))
                .map(|capture| with_place(capture, images)),
            words,
        );
        self.order.begins(thread, call.begin_ns, duration_ns);
        &self.slot
    }
}

/// A capture that refers to an image says where it lies instead.
fn with_place<'c>(capture: Captured<'c>, images: &'c [(u8, [u8; 16])]) -> Captured<'c> {
    let place = images.iter().find(|(param, _)| *param == capture.param);
    match place {
        Some((_, bytes)) if !capture.out => Captured { bytes, ..capture },
        _ => capture,
    }
}

fn fixed_answer_words(plan: &Plan) -> usize {
    // A look-up may answer a function's name besides.
    let name = match plan.function.starts_with("cuGetProcAddress") {
        true => BLOB_WORDS + words_of(USUAL_ANSWER_BYTES),
        false => 0,
    };
    name + plan
        .params
        .iter()
        .map(|param| match &param.role {
            Role::Out(memory) | Role::InOut(memory) => {
                let bytes = match memory.extent {
                    Span::Fixed(bytes) => (bytes as usize).min(MAX_ANSWER_BYTES),
                    _ => USUAL_ANSWER_BYTES,
                };
                BLOB_WORDS + words_of(bytes)
            }
            _ => 0,
        })
        .sum::<usize>()
}

/// Words of room for a call's answer: at least what was recorded.
fn answer_words(plans: &Plans, fixed: &[usize], call: &Call) -> usize {
    let number = call.function.0 as usize;
    let hashes = call
        .captures()
        .filter(|capture| capture.out && capture.param >= PAYLOAD);
    let hashes = hashes.count() * (BLOB_WORDS + words_of(REF_BYTES));
    let words = fixed.get(number).copied().unwrap_or(0) + hashes;
    let Some(plan) = plans.plans.get(number).filter(|_| words > 0) else {
        return words;
    };
    let varies = plan.params.iter().any(|param| {
        matches!(&param.role, Role::Out(memory) | Role::InOut(memory)
            if !matches!(memory.extent, Span::Fixed(_)))
    });
    if !varies {
        return words;
    }
    let recorded: usize = call
        .captures()
        .filter(|capture| capture.out)
        .map(|capture| words_of(capture.bytes.len().min(MAX_ANSWER_BYTES)))
        .sum();
    words + recorded
}

/// How many slots a thread's queue has room for.
pub fn room(board: &Board, thread: u32) -> usize {
    board.thread(thread as usize).map_or(0, |line| {
        let posted = line.posted.load(Ordering::Relaxed);
        let taken = line.taken.load(Ordering::Acquire);
        QUEUE.saturating_sub(posted.wrapping_sub(taken) as usize)
    })
}

/// Puts a slot, or the end, into a thread's queue, which has room. The thread is started if it is new; if it sleeps, it goes on sleeping
/// until [`wake`].
pub fn post(board: &Board, thread: u32, offset: u64) {
    let Some(line) = board.thread(thread as usize) else {
        return;
    };
    let posted = line.posted.load(Ordering::Relaxed);
    line.queue[posted as usize % QUEUE].store(offset, Ordering::Relaxed);
    line.posted.store(posted.wrapping_add(1), Ordering::Release);
    let control = board.control();
    while control.threads.load(Ordering::Relaxed) <= thread {
        futex::announce(&control.threads, &control.sleepers);
    }
}

/// Wakes a thread that sleeps though its queue has something for it.
pub fn wake(board: &Board, thread: u32) {
    if let Some(line) = board.thread(thread as usize) {
        futex::wake_sleepers(&line.posted, &line.sleeps);
    }
}
