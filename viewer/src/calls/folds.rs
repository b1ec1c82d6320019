//! Which of the listed calls are loops: found by a worker, from what the index knows of each call.

use std::collections::HashMap;
use std::sync::Arc;

use cutape_analysis::index::{CallKind, Index};
use cutape_analysis::loops::{Loop, MOST_SYMBOLS, loops};

use crate::listing::Listing;
use crate::msg::Msg;
use crate::workers::{Job, Slot, Worker};

use super::CallsMsg;

/// Loops of fewer calls are not worth a line that stands for them.
const LEAST_CALLS: u64 = 4;
/// Calls behind the last loop that are looked at again when there are more: a loop may have begun among them.
const MOST_AGAIN: u64 = 1 << 16;
/// Calls between looking whether to stop.
const LOOK: u64 = 1 << 14;

/// Loops in a listing. Positions count from 0.
#[derive(Clone, Debug, Default)]
pub struct Folds {
    loops: Vec<Loop>,
    /// Lines that all loops before each one save.
    saved: Vec<u64>,
    /// Positions that were looked at.
    looked_at: u64,
    /// The listing that they are of; see [`crate::desk::Desk::listing_edition`].
    pub edition: u32,
}

impl Folds {
    /// Loops of a listing of which so many positions were looked at.
    pub fn new(loops: Vec<Loop>, looked_at: u64, edition: u32) -> Self {
        let mut all = 0;
        let before = |found: &Loop| {
            let before = all;
            all += found.calls() - 1;
            before
        };
        Self {
            saved: loops.iter().map(before).collect(),
            loops,
            looked_at,
            edition,
        }
    }

    /// Number of loops.
    pub fn len(&self) -> usize {
        self.loops.len()
    }

    /// A loop.
    pub fn get(&self, number: usize) -> Option<&Loop> {
        self.loops.get(number)
    }

    /// Positions that were looked at.
    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// Lines that the loops before one save, if all are closed.
    pub fn saved_before(&self, number: usize) -> u64 {
        match (self.saved.get(number), self.loops.last(), self.saved.last()) {
            (Some(&saved), ..) => saved,
            (None, Some(last), Some(saved)) => saved + last.calls() - 1,
            _ => 0,
        }
    }

    /// The number of loops that start at or before a position.
    pub fn started(&self, position: u64) -> usize {
        self.loops.partition_point(|found| found.start <= position)
    }

    /// The loop that a position lies in.
    pub fn around(&self, position: u64) -> Option<usize> {
        let number = self.started(position).checked_sub(1)?;
        (position < self.loops[number].end()).then_some(number)
    }
}

/// The job that looks for loops; `before` are those found in the same listing when it was shorter.
pub fn folds_job(listing: Listing, edition: u32, before: Option<Arc<Folds>>) -> Job {
    Job::new(Slot::Folds, move |worker: &Worker<'_>| {
        let before = before.filter(|before| before.edition == edition);
        let found = find(worker, &listing, before.as_deref());
        let folds = Folds::new(found, listing.len(), edition);
        worker.send(Msg::Calls(CallsMsg::Folded(Arc::new(folds))));
    })
}

fn find(worker: &Worker<'_>, listing: &Listing, before: Option<&Folds>) -> Vec<Loop> {
    let index = worker.opened.index();
    let mut found: Vec<Loop> = before.map_or_else(Vec::new, |before| before.loops.clone());
    if let Some(last) = found.last_mut() {
        extend(last, (listing, &index), worker);
    }
    let looked_at = before.map_or(0, |before| before.looked_at);
    let after_last = found.last().map_or(0, Loop::end);
    let from = after_last.max(looked_at.saturating_sub(MOST_AGAIN));
    let new = loops(symbols((listing, &index), from, worker));
    let new = new.into_iter().map(|one| Loop {
        start: one.start + from,
        ..one
    });
    found.extend(new.filter(|one| one.calls() >= LEAST_CALLS));
    found
}

/// Counts further iterations of a loop that goes on.
fn extend(last: &mut Loop, (listing, index): (&Listing, &Index), worker: &Worker<'_>) {
    let kind = |position: u64| Some(index.row(listing.seq(position)?)?.kind());
    let body: Vec<_> = (last.start..last.start + last.body).map(kind).collect();
    while last.end() + last.body <= listing.len()
        && !worker.is_stopped()
        && (last.end()..)
            .zip(&body)
            .all(|(position, of_body)| kind(position) == *of_body)
    {
        last.count += 1;
    }
}

/// The listed calls from a position on as numbers: calls of one thread and function with the same answer are alike. It ends early at a call that
/// is of one kind too many.
fn symbols<'a>(
    (listing, index): (&'a Listing, &'a Index),
    from: u64,
    worker: &'a Worker<'_>,
) -> impl Iterator<Item = u32> + 'a {
    let mut rows = index.rows_from(listing.seq(from).unwrap_or(u64::MAX));
    let mut next = rows.next();
    let mut numbers: HashMap<Option<CallKind>, u32> = HashMap::new();
    let mut position = from;
    std::iter::from_fn(move || {
        if position.is_multiple_of(LOOK) && worker.is_stopped() {
            return None;
        }
        let seq = listing.seq(position)?;
        position += 1;
        while next.is_some_and(|(number, _)| number < seq) {
            next = rows.next();
        }
        let row = next.filter(|&(number, _)| number == seq);
        let free = numbers.len() as u32;
        let number = *numbers
            .entry(row.map(|(_, row)| row.kind()))
            .or_insert(free);
        (number < MOST_SYMBOLS).then_some(number)
    })
}
