//! Loops in the list: closed ones are a line each. What is jumped to is never hidden in one.

use std::sync::Arc;

use cutape_analysis::loops::Loop;
use cutape_analysis::quantity::{self, push_seconds, push_time};

use crate::desk::Desk;
use crate::facts::grouped;
use crate::listing::Listing;
use crate::verdict::Verdict;

use super::folds::{Folds, folds_job};
use super::lines::{Line, Lines};
use super::row::CallRow;

/// Functions of an iteration that are named, and calls of it that are looked at.
const MOST_NAMED: usize = 8;
const MOST_LOOKED_AT: u64 = 256;

/// What is folded.
#[derive(Debug, Default)]
pub struct Folding {
    /// Lines.
    pub lines: Lines,
    /// Loops are wanted: without that, nobody looks for them.
    wanted: bool,
    /// A worker looks for them: in so many calls of this edition of the listing.
    asked: Option<(u32, u64)>,
    /// The call that the list itself put the cursor on last.
    placed: u64,
    /// The call whose loop is to be closed, once the loops are known.
    to_close: Option<u64>,
}

impl Folding {
    /// Asks for loops where they are wanted and not known.
    pub fn ask(&mut self, desk: &mut Desk) {
        let known = self.lines.folds();
        let is_known =
            known.edition == desk.listing_edition && known.looked_at() >= desk.listing.len();
        if !self.wanted
            || is_known
            || self
                .asked
                .is_some_and(|(edition, _)| edition == desk.listing_edition)
        {
            return;
        }
        self.asked = Some((desk.listing_edition, desk.listing.len()));
        desk.work(folds_job(
            desk.listing.clone(),
            desk.listing_edition,
            Some(Arc::clone(known)),
        ));
    }

    /// Takes in what was found.
    pub fn take(&mut self, folds: Arc<Folds>, desk: &mut Desk) {
        self.asked = None;
        if folds.edition != desk.listing_edition {
            return;
        }
        let is_first = self.lines.folds().edition != folds.edition || self.lines.folds().len() == 0;
        self.lines.set_folds(folds);
        if let Some(seq) = self.to_close.take() {
            self.toggle(seq, desk);
        } else if is_first && self.lines.are_closed() {
            self.place_at_start(desk);
            if self.lines.folds().len() == 0 && !desk.facts.live {
                desk.complain("no call or sequence of calls is repeated here");
            }
        }
    }

    /// The listing is another one: what was found no longer holds.
    pub fn forget_other_listings(&mut self, desk: &Desk) {
        if self.lines.folds().edition != desk.listing_edition {
            let none = Folds::new(Vec::new(), 0, desk.listing_edition);
            self.lines.set_folds(Arc::new(none));
        }
    }

    /// Opens what hides the call that somebody jumped to. A cursor that follows the newest call may stay on the loop that it is in.
    pub fn reveal(&mut self, desk: &Desk) {
        if desk.current == self.placed {
            return;
        }
        self.placed = desk.current;
        let (position, listed) = desk.listing.position(desk.current);
        if listed
            && !desk.follows
            && let Some(number) = self.lines.closed_around(position)
        {
            self.lines.toggle(number);
        }
    }

    /// The list put the cursor on a call.
    pub fn place(&mut self, seq: u64) {
        self.placed = seq;
    }

    /// Closes the loop that a call is in, or opens it.
    pub fn toggle(&mut self, seq: u64, desk: &mut Desk) {
        let was_wanted = std::mem::replace(&mut self.wanted, true);
        let (position, _) = desk.listing.position(seq);
        match self.lines.folds().around(position) {
            Some(number) => {
                self.lines.toggle(number);
                self.place_at_start(desk);
            }
            None if was_wanted && self.asked.is_none() => {
                desk.complain("this call is in no repeated sequence");
            }
            None => self.to_close = Some(seq),
        }
    }

    /// Closes all loops, or opens all.
    pub fn toggle_all(&mut self, desk: &mut Desk) {
        self.wanted = true;
        self.lines.set_all(!self.lines.are_closed());
        self.place_at_start(desk);
        desk.say(match self.lines.are_closed() {
            true => "repeated sequences are a line each: Enter opens one, z A all",
            false => "every call has its line",
        });
    }

    /// A cursor inside of a closed loop goes to its first call.
    fn place_at_start(&mut self, desk: &mut Desk) {
        let (position, _) = desk.listing.position(desk.current);
        let closed = self.lines.closed_around(position);
        let start = closed.and_then(|number| self.lines.folds().get(number));
        if let Some(seq) = start.and_then(|found| desk.listing.seq(found.start)) {
            desk.current = seq;
        }
        self.placed = desk.current;
    }

    /// The number of the first call of a line.
    pub fn seq(&self, listing: &Listing, line: u64) -> Option<u64> {
        listing.seq(self.lines.line(line).position())
    }

    /// The closed loop that a line shows.
    pub fn closed_at(&self, line: u64) -> Option<Loop> {
        match self.lines.line(line) {
            Line::Loop(closed) => Some(closed),
            Line::Call(_) => None,
        }
    }
}

/// A closed loop as a line of the list, from what the index knows.
pub fn loop_row(closed: &Loop, desk: &Desk, times: &str) -> Option<CallRow> {
    let seq_at = |position: u64| desk.listing.seq(position);
    let seq = seq_at(closed.start)?;
    let first = desk.index.row(seq)?;
    let last = seq_at(closed.end() - 1).and_then(|seq| desk.index.row(seq))?;
    let end_ns = last.begin_ns.saturating_add(last.duration_ns.unwrap_or(0));
    let begin_ns = first.begin_ns.saturating_sub(desk.facts.start_ns);
    let took_ns = end_ns.saturating_sub(first.begin_ns);
    let thread = desk.facts.threads.get(first.thread.0 as usize);
    let body = Body::of(closed, desk);
    let mut function = format!("{times}{}", grouped(closed.count));
    if closed.body > 1 {
        function.push_str(&format!(" of {} calls:", grouped(closed.body)));
    }
    Some(CallRow {
        seq,
        pid: thread.map_or(0, |thread| thread.pid),
        tid: thread.map_or(0, |thread| thread.tid),
        time: quantity::text(push_seconds, begin_ns),
        duration: quantity::text(push_time, took_ns),
        function,
        arguments: body.functions,
        result: result_of(body.worst, body.is_uniform).to_owned(),
        duration_ns: Some(took_ns),
        verdict: body.worst,
        ..CallRow::default()
    })
}

/// What became of the calls of a loop; all of them, or the worst of it.
fn result_of(worst: Verdict, is_uniform: bool) -> &'static str {
    match (worst, is_uniform) {
        (Verdict::Fine, _) => "ok",
        (Verdict::Failed, true) => "all failed",
        (Verdict::Failed, false) => "some failed",
        (Verdict::Benign, true) => "all failed, harmless",
        (Verdict::Benign, false) => "some failed, harmless",
        (Verdict::InFlight, _) => "some never returned",
    }
}

/// The calls of an iteration.
struct Body {
    /// Their functions, in order.
    functions: String,
    /// The worst that became of one of them.
    worst: Verdict,
    /// The same became of all of them.
    is_uniform: bool,
}

impl Body {
    fn of(closed: &Loop, desk: &Desk) -> Self {
        let positions = closed.start..closed.start + closed.body.min(MOST_LOOKED_AT);
        let mut names: Vec<(&str, u64)> = Vec::new();
        let mut worst = Verdict::Fine;
        let mut best = Verdict::Failed;
        for seq in positions.filter_map(|position| desk.listing.seq(position)) {
            let Some(row) = desk.index.row(seq) else {
                continue;
            };
            let name = desk.facts.functions.get(row.function.0 as usize);
            let name = name.map_or("?", String::as_str);
            match names.last_mut() {
                Some((last, times)) if *last == name => *times += 1,
                _ => names.push((name, 1)),
            }
            let verdict = desk
                .verdicts
                .as_ref()
                .map_or(Verdict::Fine, |verdicts| verdicts.known(seq, &row));
            worst = worst.max(verdict);
            best = best.min(verdict);
        }
        let mut text = String::new();
        for (number, (name, times)) in names.iter().take(MOST_NAMED).enumerate() {
            text.push_str(if number > 0 { ", " } else { " " });
            text.push_str(name);
            if *times > 1 {
                text.push_str(&format!(" x{times}"));
            }
        }
        if names.len() > MOST_NAMED || closed.body > MOST_LOOKED_AT {
            text.push_str(", ...");
        }
        Self {
            functions: text,
            worst,
            is_uniform: best == worst && closed.body <= MOST_LOOKED_AT,
        }
    }
}
