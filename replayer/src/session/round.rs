//! One player from its start to its end: calls are posted, answers judged, and where nothing moves, the player is looked after.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cutape_trace_format::call::{Call, ThreadId};
use cutape_trace_format::injected::DriverAnswer;
use cutape_trace_format::merge::Calls;

use crate::judge::{Ending, Judge, Site};
use crate::session::chunks::{Chunks, Posted};
use crate::session::culprit::culprit;
use crate::session::feed::{self, Feed, FeedOptions};
use crate::session::player_process::{PlayerProcess, ending_text};
use crate::session::process::{Done, Session};
use crate::session::round_end::{Played, RoundEnd, died_early};
use crate::session::watch::{Limits, Watch};
use crate::wire::board::{Board, CHUNK_BYTES, END, QUEUE, stage};
use crate::wire::images::{Images, image_of};
use crate::wire::slot::{AnswerMessage, HEAD_WORDS, Message};

/// Chunks besides those that threads may hold on to.
const SPARE_CHUNKS: usize = 16;
/// Slots are at most this long; a call that needs more has more captured than any recorder captures.
const MAX_SLOT_BYTES: usize = CHUNK_BYTES / 2;
/// Sleeping threads are woken when so many calls were posted.
const WAKE_EVERY: usize = 256;
/// Answers are judged when so many calls were posted: few enough that all that is under way stays in the processor's cache.
const JUDGE_EVERY: usize = 512;
/// How long nothing is looked at when there is nothing to do: longer and longer.
const PAUSES: [Duration; 4] = [
    Duration::from_micros(50),
    Duration::from_micros(200),
    Duration::from_millis(1),
    Duration::from_millis(5),
];
/// Calls that never returned are kept to the end, but not more of them.
const MAX_UNFINISHED: usize = 4096;
/// Judged calls whose numbers are kept before those are dropped that need not be.
const MANY_JUDGED: usize = 1 << 16;
/// Threads beyond this are ended as soon as they make no further call.
const MANY_THREADS: usize = 64;
/// One player from its start to its end.
pub struct Round<'s, 'j, 'd, 't> {
    session: &'s Session<'s>,
    judge: &'j mut Judge<'t>,
    done: &'d mut Done,
    board: Board,
    player: PlayerProcess,
    chunks: Chunks,
    feed: Feed<'s>,
    /// The trace, as far as it has not been read.
    calls: Calls<'s>,
    /// The call that is being posted.
    next: Option<Site>,
    /// Calls of the process so far.
    taken: u64,
    /// Words of the slot that is being judged.
    words: Vec<u64>,
    /// Threads that may sleep though their queues have something for them.
    not_woken: Vec<u32>,
    /// Calls that were posted since answers were judged.
    since_judged: usize,
    watch: Watch,
    images: Images,
    /// Calls that never returned when they were recorded.
    unfinished: Vec<Call>,
    /// Judged calls of this round behind the first one that is not, if another round may follow.
    judged: Vec<u64>,
    /// Calls that did not answer and were judged.
    ended: HashSet<u64>,
    /// The call that was taken last.
    last: u64,
}

impl<'s, 'j, 'd, 't> Round<'s, 'j, 'd, 't> {
    /// Starts a player.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(
        session: &'s Session<'s>,
        judge: &'j mut Judge<'t>,
        done: &'d mut Done,
    ) -> Result<Self, String> {
        let threads = session
            .trace
            .threads()
            .iter()
            .filter(|thread| thread.process == session.process)
            .count()
            + 1;
        let chunks = SPARE_CHUNKS + threads;
        let board = Board::new(threads, chunks, &session.instructions.to_bytes())
            .map_err(|error| format!("no memory to share with the playing process: {error}"))?;
        let player =
            PlayerProcess::start(session.player, session.environment, &board).map_err(|error| {
                let program = session.player.program.display();
                format!("{program}, which plays the calls, can't be started: {error}")
            })?;
        let options = FeedOptions {
            is_serial: session.is_serial,
            is_timed: session.is_timed,
        };
        done.rounds += 1;
        Ok(Self {
            chunks: Chunks::new(&board),
            feed: Feed::new(&session.instructions.plans, options),
            session,
            judge,
            done,
            board,
            player,
            calls: session.trace.calls(),
            next: None,
            taken: 0,
            words: Vec::new(),
            not_woken: Vec::new(),
            since_judged: 0,
            watch: Watch::default(),
            images: Images::default(),
            unfinished: Vec::new(),
            judged: Vec::new(),
            ended: HashSet::new(),
            last: 0,
        })
    }

    /// Plays all calls, or as many as the driver lets it.
    pub fn run(&mut self, progress: &mut dyn FnMut(u64)) -> RoundEnd {
        let result = self.wait_for_start().and_then(|()| self.play_all(progress));
        match result {
            Ok(()) => RoundEnd::Complete,
            Err(end) => end,
        }
    }

    fn wait_for_start(&mut self) -> Result<(), RoundEnd> {
        let start = Instant::now();
        let mut pause = 0;
        loop {
            match self.board.control().stage.load(Ordering::Acquire) {
                stage::PLAYING => return Ok(()),
                stage::NOT_LOADED | stage::BROKEN => {
                    return Err(RoundEnd::Trouble(self.board.message()));
                }
                now => {
                    if let Some(status) = self.player.ended() {
                        return Err(RoundEnd::Trouble(died_early(now, &ending_text(status))));
                    }
                }
            }
            if start.elapsed() > self.session.timeout {
                let seconds = self.session.timeout.as_secs_f64();
                return Err(RoundEnd::Trouble(format!(
                    "the driver was not loaded within {seconds} s"
                )));
            }
            self.pause(&mut pause);
        }
    }

    fn play_all(&mut self, progress: &mut dyn FnMut(u64)) -> Result<(), RoundEnd> {
        let last_calls = self.last_calls();
        let mut call = Call::default();
        while self.take(&mut call) {
            progress(call.seq);
            if call.returned.is_none() {
                self.put_off(&call);
                continue;
            }
            self.post_own(&call)?;
            if !last_calls.is_empty() && last_calls.get(&call.thread) == Some(&call.seq) {
                let thread = self.feed.thread(call.thread);
                self.wait_for_queue(thread)?;
                self.put(thread, END);
            }
        }
        self.wait_for_all()?;
        // Calls that never returned come last: nobody waited for them.
        for call in self.unfinished.clone() {
            self.post(&call)?;
        }
        self.wait_for_all()
    }

    /// A call that never returned is played last.
    fn put_off(&mut self, call: &Call) {
        if self.unfinished.len() < MAX_UNFINISHED {
            self.unfinished.push(call.clone());
        } else if !self.done.has(call.seq) {
            self.end(&site(call), &Ending::NeverReturned);
        }
    }

    /// Takes the next call of the process from the trace.
    fn take(&mut self, call: &mut Call) -> bool {
        loop {
            match self.calls.read_next(call) {
                Ok(true) if call.seq > self.session.until => return false,
                Ok(true) if call.process == self.session.process => {
                    self.taken += 1;
                    self.last = call.seq;
                    return true;
                }
                Ok(true) => {}
                Ok(false) => return false,
                // Told once, in the first round.
                Err(_) if self.done.rounds > 1 => {}
                Err(damage) => self.judge.collector.trouble(damage.to_string()),
            }
        }
    }

    /// The last call of each thread, if there are so many that they can't all stay. Threads that never returned from a call stay.
    fn last_calls(&self) -> HashMap<ThreadId, u64> {
        let mut last = HashMap::new();
        if self.board.max_threads() <= MANY_THREADS {
            return last;
        }
        let mut calls = self.session.trace.calls();
        let mut call = Call::default();
        loop {
            match calls.read_next(&mut call) {
                Ok(true) if call.seq > self.session.until => break,
                Ok(true) if call.process == self.session.process => {
                    let seq = call.returned.map_or(0, |_| call.seq);
                    last.insert(call.thread, seq);
                }
                Ok(false) => break,
                // Damage is told when the calls are played.
                Ok(true) | Err(_) => {}
            }
        }
        last
    }

    /// Plays a call as the driver answered it, whatever rules of the recording made of the answer.
    fn post_own(&mut self, call: &Call) -> Result<(), RoundEnd> {
        match call.injection().map(|injection| injection.driver) {
            None => self.post(call),
            Some(DriverAnswer::Answered { .. }) => {
                let own = call.as_the_driver_answered();
                self.post(own.as_ref().unwrap_or(call))
            }
            Some(DriverAnswer::NotCalled | DriverAnswer::NotReturned) => {
                self.end(&site(call), &Ending::Injected);
                Ok(())
            }
        }
    }

    fn post(&mut self, call: &Call) -> Result<(), RoundEnd> {
        let site = site(call);
        let thread = self.feed.thread(call.thread);
        if self
            .session
            .instructions
            .plans
            .plans
            .get(call.function.0 as usize)
            .is_none()
        {
            self.pass_over(call, "has a function that the trace does not name");
            return Ok(());
        }
        self.next = Some(site);
        self.wait_for_queue(thread)?;
        let is_barred = self.done.barred.contains(&call.seq);
        let images = self.images(call)?;
        let slot = self.feed.slot(thread, call, is_barred, &images);
        let bytes = slot.len() * 8;
        if bytes > MAX_SLOT_BYTES {
            self.pass_over(
                call,
                "has more on record than any recorder keeps of one call",
            );
            return Ok(());
        }
        let offset = self.wait_for_room(bytes)?;
        let words = self.feed.last_slot();
        if self.board.memory().write_words(offset, words).is_none() {
            let why = "the shared memory is too small".to_owned();
            return Err(RoundEnd::Trouble(why));
        }
        self.chunks.posted(Posted {
            offset,
            words: words.len(),
            site,
        });
        self.next = None;
        self.put(thread, offset as u64);
        Ok(())
    }

    /// Puts a slot, or the end, into a thread's queue. Threads are woken, and answers judged, for many calls at a time: waking is a system
    /// call, and what one process writes has to come from its processor to the other's.
    fn put(&mut self, thread: u32, offset: u64) {
        feed::post(&self.board, thread, offset);
        if !self.not_woken.contains(&thread) {
            self.not_woken.push(thread);
        }
        self.since_judged += 1;
        if self.since_judged.is_multiple_of(WAKE_EVERY) {
            self.wake();
        }
        if self.since_judged >= JUDGE_EVERY {
            self.judge_done();
        }
    }

    /// Wakes threads that have something to play.
    fn wake(&mut self) {
        for thread in self.not_woken.drain(..) {
            feed::wake(&self.board, thread);
        }
    }

    /// Where the images lie that a call refers to.
    fn images(&mut self, call: &Call) -> Result<Vec<(u8, [u8; 16])>, RoundEnd> {
        let trace = self.session.trace;
        let mut places = Vec::new();
        for (param, image) in call.captures().filter_map(|capture| image_of(&capture)) {
            if self.images.is_full_for(&image) {
                self.wait_for_all()?;
                self.images.forget_data();
                // No function copies from two places of the host.
            }
            if let Some(place) = self.images.place(&self.board, trace, &image) {
                places.push((param, place.to_bytes()));
            }
        }
        Ok(places)
    }

    /// A call that can't be posted.
    fn pass_over(&mut self, call: &Call, why: &str) {
        self.next = None;
        if self.done.rounds == 1 {
            let trouble = format!("call {} {why}; it was not played", call.seq);
            self.judge.collector.trouble(trouble);
        }
    }

    /// Waits until a thread's queue has room again, and not for one slot only: who posts one call for each that was played gets in the
    /// player's way with every look.
    fn wait_for_queue(&mut self, thread: u32) -> Result<(), RoundEnd> {
        if feed::room(&self.board, thread) > 0 {
            return Ok(());
        }
        let mut pause = 0;
        while feed::room(&self.board, thread) < QUEUE / 2 {
            self.look_after(&mut pause)?;
        }
        Ok(())
    }

    fn wait_for_room(&mut self, bytes: usize) -> Result<usize, RoundEnd> {
        let mut pause = 0;
        loop {
            if let Some(offset) = self.chunks.room(&self.board, bytes) {
                return Ok(offset);
            }
            self.look_after(&mut pause)?;
        }
    }

    fn wait_for_all(&mut self) -> Result<(), RoundEnd> {
        let mut pause = 0;
        while !self.chunks.is_all_judged() {
            self.look_after(&mut pause)?;
        }
        Ok(())
    }

    /// Judges what is done; where nothing is, sees whether the player lives and its calls return, and waits a little.
    fn look_after(&mut self, pause: &mut usize) -> Result<(), RoundEnd> {
        self.wake();
        if self.judge_done() > 0 {
            *pause = 0;
        } else {
            if let Some(status) = self.player.ended() {
                self.judge_done();
                return Err(RoundEnd::Died(ending_text(status)));
            }
            if self.board.control().stage.load(Ordering::Acquire) == stage::BROKEN {
                return Err(RoundEnd::Trouble(self.board.message()));
            }
            self.pause(pause);
        }
        let limits = Limits {
            call: self.session.timeout,
            deadline: self.session.deadline,
        };
        match self.watch.look(&self.board, &self.chunks, limits) {
            None => Ok(()),
            Some(hang) => Err(RoundEnd::Hung {
                seq: hang.seq,
                detail: hang.detail,
            }),
        }
    }

    fn pause(&self, pause: &mut usize) {
        std::thread::sleep(PAUSES[(*pause).min(PAUSES.len() - 1)]);
        *pause += 1;
    }

    fn judge_done(&mut self) -> usize {
        self.since_judged = 0;
        let Self {
            chunks,
            board,
            judge,
            words,
            done,
            session,
            judged,
            ..
        } = self;
        let count = chunks.judge(board, |slot| {
            if done.has(slot.site.seq) {
                return;
            }
            if session.keep_going {
                judged.push(slot.site.seq);
            }
            judge_slot(judge, board, words, slot);
        });
        if self.judged.len() > MANY_JUDGED {
            self.forget_what_all_know();
        }
        count
    }

    /// The first call that is not judged, those that never returned left out.
    fn first_open(&self) -> u64 {
        let open = self.chunks.open().map(|slot| slot.site.seq);
        let next = self.next.map(|site| site.seq);
        let first = open
            .chain(next)
            .filter(|seq| !self.ended.contains(seq) && !self.is_unfinished(*seq))
            .min();
        first.unwrap_or(self.last + 1)
    }

    fn is_unfinished(&self, seq: u64) -> bool {
        let place = self.unfinished.binary_search_by_key(&seq, |call| call.seq);
        place.is_ok()
    }

    /// Of calls before the first open one it is enough to know that one.
    fn forget_what_all_know(&mut self) {
        let first = self.first_open();
        let mut judged = std::mem::take(&mut self.judged);
        judged.retain(|&seq| seq > first || self.is_unfinished(seq));
        self.judged = judged;
    }

    /// Ends the player and judges what it left.
    pub fn close(mut self, end: &RoundEnd, is_last: bool) -> Played {
        let player = self.player.usage();
        let printed = self.player.end();
        self.judge_done();
        let culprit = culprit(end, &self.board, &self.chunks, self.next);
        let cause = culprit.as_ref().map(|(site, _)| site.seq);
        if let Some((site, ending)) = culprit {
            self.done.barred.insert(site.seq);
            self.end(&site, &ending);
        }
        if is_last || matches!(end, RoundEnd::Trouble(_)) {
            self.pass_over_the_rest(cause);
        } else {
            self.remember();
        }
        Played {
            calls: self.taken,
            called_back: self.board.control().called_back.load(Ordering::Relaxed),
            printed,
            player,
        }
    }

    /// Tells the judge how a call ended that did not answer.
    fn end(&mut self, site: &Site, ending: &Ending) {
        self.judged.push(site.seq);
        self.ended.insert(site.seq);
        if self.done.has(site.seq) {
            return;
        }
        let slot = self.chunks.open().find(|slot| slot.site.seq == site.seq);
        let read = slot.and_then(|slot| {
            let memory = self.board.memory();
            memory.copy_words(slot.offset, &mut self.words, slot.words)
        });
        let message = read.and_then(|()| Message::read(self.words.get(HEAD_WORDS..)?));
        self.judge.ended(site, message.as_ref(), ending);
    }

    /// Nothing more is played of this process.
    fn pass_over_the_rest(&mut self, cause: Option<u64>) {
        let not_reached = Ending::NotReached(cause);
        let mut open: Vec<Site> = self.chunks.open().map(|slot| slot.site).collect();
        open.extend(self.next);
        let is_posted = |seq: u64| open.iter().any(|site| site.seq == seq);
        let unfinished = self.unfinished.iter().map(site);
        let unfinished: Vec<Site> = unfinished.filter(|site| !is_posted(site.seq)).collect();
        open.extend(unfinished);
        for site in open {
            // The call that ended the round has its verdict.
            if Some(site.seq) != cause {
                self.end(&site, &not_reached);
            }
        }
        let mut call = Call::default();
        while self.take(&mut call) {
            let site = site(&call);
            if !self.done.has(site.seq) {
                self.judge.ended(&site, None, &not_reached);
            }
        }
    }

    /// For the next round: which calls are judged.
    fn remember(&mut self) {
        let up_to = self.first_open() - 1;
        let judged: HashSet<u64> = std::mem::take(&mut self.judged).into_iter().collect();
        let unfinished = self.unfinished.iter().map(|call| call.seq);
        self.done.open = unfinished
            .filter(|seq| !judged.contains(seq) && !self.done.has(*seq))
            .collect();
        self.done.up_to = self.done.up_to.max(up_to);
        self.done.beyond.extend(judged);
    }
}

fn site(call: &Call) -> Site {
    Site {
        seq: call.seq,
        function: call.function,
        thread: call.thread,
        recorded_ns: call.duration_ns,
    }
}

fn judge_slot(judge: &mut Judge<'_>, board: &Board, words: &mut Vec<u64>, slot: &Posted) {
    let read = board.memory().copy_words(slot.offset, words, slot.words);
    let body = read.and_then(|()| words.get(HEAD_WORDS..));
    let message = body.and_then(Message::read);
    let answer = body
        .zip(message)
        .and_then(|(body, message)| AnswerMessage::read(body, message.answer_at));
    match (message, answer) {
        (Some(message), Some(answer)) if message.order.seq == slot.site.seq => {
            judge.answered(&slot.site, &message, &answer);
        }
        _ => judge.unreadable(&slot.site),
    }
}
