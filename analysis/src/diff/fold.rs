//! Folding repeated loops: a hot loop of 3 calls that ran 100,000 times becomes one unit of a sequence.
//!
//! Symbols go onto a stack one by one. Where the top of the stack is the same `p` symbols twice, they become a loop; each further iteration
//! that goes by is taken off the stack and counted. A loop is a symbol itself, so loops of loops are found the same way. What `p` to try
//! comes from where a symbol was last, and for each `p` tried the number of symbols that matched so far is kept, so that the work grows
//! with the length alone, whatever the periods are.

use super::watch::{DiffError, Watch};
use super::word_lists::{Full, WordLists};
use crate::found_loop::Loop as FoundLoop;
use crate::parallel::both;

/// Periods tried at a time.
const SLOTS: usize = 8;
/// Earlier occurrences of a symbol that suggest a period.
const OCCURRENCES: usize = 3;
/// Periods that stopped matching and are remembered, because the symbol that did not match may be taken off the stack again.
const MOST_LOST: usize = 1024;
const NONE: u32 = u32::MAX;
/// Symbols between two looks at whether the work is still wanted.
const PART: usize = 1 << 16;

/// A sequence with its loops folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded {
    /// What each unit is: the symbol of a call, or that of a loop's body whatever its count.
    pub symbols: Vec<u32>,
    /// Where each unit starts in the sequence.
    pub starts: Vec<u32>,
    /// Units that are loops, by their place, with how often they ran.
    pub loops: Vec<(u32, u32)>,
}

impl Folded {
    /// How often a unit ran: 1 for what is no loop.
    pub fn count(&self, unit: usize) -> u32 {
        let place = self
            .loops
            .binary_search_by_key(&(unit as u32), |&(unit, _)| unit);
        place.map_or(1, |place| self.loops[place].1)
    }
}

/// Numbers the loops of several sequences alike.
#[derive(Debug)]
pub(crate) struct LoopNumbers {
    first: u32,
    /// Bodies that were seen: their symbols, behind them the count of a loop that is part of another loop, or 0.
    lists: WordLists,
}

impl LoopNumbers {
    /// Loops are numbered from `first` on; symbols of calls are below it.
    pub fn new(first: u32) -> Self {
        Self {
            first,
            lists: WordLists::default(),
        }
    }

    /// Renames the loops of a sequence that was folded with numbers of its own.
    fn adopt(&mut self, others: &Self, folded: &mut Folded) -> Result<(), Full> {
        // A loop's body has loops with lower numbers only.
        let mut renamed: Vec<u32> = Vec::with_capacity(others.lists.len());
        let first = self.first;
        let rename = |symbol: u32, renamed: &[u32]| match symbol.checked_sub(first) {
            Some(number) => renamed[number as usize],
            None => symbol,
        };
        for number in 0..others.lists.len() as u32 {
            let Some((&count, body)) = others.lists.get(number).split_last() else {
                continue;
            };
            let body: Vec<u32> = body
                .iter()
                .map(|&symbol| rename(symbol, &renamed))
                .collect();
            renamed.push(self.number(&body, count)?);
        }
        for symbol in &mut folded.symbols {
            *symbol = rename(*symbol, &renamed);
        }
        Ok(())
    }

    fn number(&mut self, body: &[u32], count: u32) -> Result<u32, Full> {
        let mut list = body.to_vec();
        list.push(count);
        let number = self.lists.intern(&list)?;
        self.first
            .checked_add(number)
            .filter(|&number| number < NONE)
            .ok_or(Full)
    }
}

/// An element on the stack.
#[derive(Clone, Copy, Debug)]
struct Element {
    symbol: u32,
    /// Where it starts in the sequence.
    start: u32,
    /// Where the same symbol is below it on the stack.
    before: u32,
}

/// A loop: while it may still go on, or as an element of the stack.
#[derive(Debug)]
struct Loop {
    body: Vec<u32>,
    count: u32,
    /// Where it starts in the sequence.
    start: u32,
    /// Its place on the stack; while it may go on, that of the first symbol of the next iteration.
    place: u32,
}

/// A period under test: the last `run` elements equal those `period` below them.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    period: u32,
    run: u32,
}

struct Folder<'a> {
    numbers: &'a mut LoopNumbers,
    stack: Vec<Element>,
    /// Where each symbol is on the stack for the last time.
    last: Vec<u32>,
    slots: [Slot; SLOTS],
    next_slot: usize,
    /// Slots as they were before the element at a place did not match.
    lost: Vec<(u32, Slot)>,
    /// The loop that may go on. Elements from its place on are of its next iteration.
    open: Option<Loop>,
    /// Loops that are elements, in the order of their places.
    closed: Vec<Loop>,
    /// Symbols to take in again before the next one, the last one first.
    again: Vec<(u32, u32)>,
}

/// Folds a sequence, whose symbols must be below the first number of `numbers`.
///
/// # Errors
/// There are more different loops than numbers, or the work was stopped.
pub(crate) fn fold(
    sequence: &[u32],
    numbers: &mut LoopNumbers,
    watch: &Watch<'_>,
) -> Result<Folded, DiffError> {
    let mut folder = Folder::new(numbers);
    for (number, part) in (0..).zip(sequence.chunks(PART)) {
        watch.look()?;
        folder.add_all(part.iter().copied(), number * PART as u32)?;
    }
    Ok(folder.finish()?)
}

/// Folds two sequences, and numbers their loops alike.
///
/// # Errors
/// There are more different loops than numbers, or the work was stopped.
pub(crate) fn fold_both(
    sequences: (&[u32], &[u32]),
    first_loop: u32,
    watch: &Watch<'_>,
) -> Result<(Folded, Folded), DiffError> {
    let fold_one = |sequence| {
        let mut numbers = LoopNumbers::new(first_loop);
        fold(sequence, &mut numbers, watch).map(|folded| (folded, numbers))
    };
    let (a, b) = both(|| fold_one(sequences.0), || fold_one(sequences.1));
    let ((a, mut numbers), (mut b, others)) = (a?, b?);
    numbers.adopt(&others, &mut b)?;
    Ok((a, b))
}

/// The loops of a sequence, whose symbols must be below `first`. Where there are more different loops than numbers, what was found until then
/// is told.
pub(crate) fn loops_of(sequence: impl Iterator<Item = u32>, first: u32) -> Vec<FoundLoop> {
    let mut numbers = LoopNumbers::new(first);
    let mut folder = Folder::new(&mut numbers);
    let mut length = 0;
    let counted = sequence.inspect(|_| length += 1);
    if folder.add_all(counted, 0).is_ok() {
        // Without numbers left, a loop at the very end is not told.
        let _ = folder.close_all();
    }
    let stack = &folder.stack;
    let of = |known: &Loop| {
        let behind = stack.get(known.place as usize + 1);
        let end = behind.map_or(length, |element| u64::from(element.start));
        let (start, count) = (u64::from(known.start), u64::from(known.count));
        FoundLoop {
            start,
            body: (end - start) / count,
            count,
        }
    };
    folder.closed.iter().map(of).collect()
}

impl<'a> Folder<'a> {
    fn new(numbers: &'a mut LoopNumbers) -> Self {
        Self {
            numbers,
            stack: Vec::new(),
            last: Vec::new(),
            slots: [Slot::default(); SLOTS],
            next_slot: 0,
            lost: Vec::new(),
            open: None,
            closed: Vec::new(),
            again: Vec::new(),
        }
    }

    /// Takes in symbols, the first one from that place of the sequence.
    fn add_all(&mut self, symbols: impl Iterator<Item = u32>, first: u32) -> Result<(), Full> {
        for (place, symbol) in (first..).zip(symbols) {
            self.add(symbol, place)?;
            self.add_again()?;
        }
        Ok(())
    }

    fn close_all(&mut self) -> Result<(), Full> {
        while self.open.is_some() {
            self.close()?;
            self.add_again()?;
        }
        Ok(())
    }

    fn add(&mut self, symbol: u32, start: u32) -> Result<(), Full> {
        if let Some(open) = &self.open {
            let matched = self.stack.len() - open.place as usize;
            if open.body[matched] == symbol {
                let whole = matched + 1 == open.body.len();
                self.push(symbol, start);
                if whole {
                    self.count_iteration();
                }
                return Ok(());
            }
            self.again.push((symbol, start));
            return self.close();
        }
        self.push(symbol, start);
        self.look_for_loop();
        Ok(())
    }

    fn add_again(&mut self) -> Result<(), Full> {
        while let Some((symbol, start)) = self.again.pop() {
            self.add(symbol, start)?;
        }
        Ok(())
    }

    /// The elements above the open loop are one more iteration of it.
    fn count_iteration(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.count += 1;
            self.pop_to(open.place as usize);
            self.open = Some(open);
        }
    }

    /// The open loop does not go on: it becomes an element, and those of its iteration that was not finished are taken in again.
    fn close(&mut self) -> Result<(), Full> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let above = self.stack[open.place as usize..].iter().rev();
        self.again
            .extend(above.map(|element| (element.symbol, element.start)));
        self.pop_to(open.place as usize);
        let symbol = self.numbers.number(&open.body, open.count)?;
        self.push(symbol, open.start);
        self.closed.push(open);
        self.look_for_loop();
        Ok(())
    }

    fn push(&mut self, symbol: u32, start: u32) {
        let place = self.stack.len() as u32;
        if self.last.len() <= symbol as usize {
            self.last.resize(symbol as usize + 1, NONE);
        }
        let before = std::mem::replace(&mut self.last[symbol as usize], place);
        self.stack.push(Element {
            symbol,
            start,
            before,
        });
        for slot in self.slots.iter_mut().filter(|slot| slot.run > 0) {
            let below = place
                .checked_sub(slot.period)
                .map(|place| self.stack[place as usize]);
            if below.is_some_and(|below| below.symbol == symbol) {
                slot.run += 1;
            } else {
                self.lost.push((place, *slot));
                slot.run = 0;
            }
        }
        if self.lost.len() > MOST_LOST {
            self.lost.drain(..MOST_LOST / 2);
        }
        let mut at = before;
        for _ in 0..OCCURRENCES {
            if at == NONE {
                break;
            }
            self.start_slot(Slot {
                period: place - at,
                run: 1,
            });
            at = self.stack[at as usize].before;
        }
    }

    /// Tests a period, if that is not done already, in place of the one that has matched the least.
    fn start_slot(&mut self, new: Slot) {
        let known = |slot: &Slot| slot.run > 0 && slot.period == new.period;
        if self.slots.iter().any(known) {
            return;
        }
        let places = (0..SLOTS).map(|step| (self.next_slot + step) % SLOTS);
        if let Some(slot) = places.min_by_key(|&slot| self.slots[slot].run) {
            self.slots[slot] = new;
            self.next_slot = (slot + 1) % SLOTS;
        }
    }

    /// Makes a loop of the top of the stack if it is the same symbols twice, or an iteration of the loop below it.
    fn look_for_loop(&mut self) {
        if self.absorb() {
            return;
        }
        let whole = |slot: &&Slot| slot.run > 0 && slot.run >= slot.period;
        let found = self.slots.iter().filter(whole).map(|slot| slot.period);
        let Some(period) = found.min() else {
            return;
        };
        let period = period as usize;
        let mut first = self.stack.len() - 2 * period;
        let second = self.stack[first + period..].iter();
        let body: Vec<u32> = second.map(|element| element.symbol).collect();
        let mut count = 2;
        // The loop may have been found a few symbols late, and started before.
        while first >= period && self.is_at(first - period, &body) {
            first -= period;
            count += 1;
        }
        let open = Loop {
            body,
            count,
            start: self.stack[first].start,
            place: first as u32,
        };
        self.pop_to(first);
        self.open = Some(open);
    }

    /// Counts the top of the stack as an iteration of the loop below it, if it is one. That is how a loop goes on that has loops in it.
    fn absorb(&mut self) -> bool {
        let top = self.stack.len();
        let goes_on = |known: &&Loop| {
            let behind = known.place as usize + 1;
            behind + known.body.len() == top && self.is_at(behind, &known.body)
        };
        // Of those further down none can be as long as the way to it, unless its body has that many loops in it.
        let newest = self.closed.iter().rev().take(SLOTS);
        let Some(down) = newest.into_iter().position(|known| goes_on(&known)) else {
            return false;
        };
        let place = self.closed.len() - 1 - down;
        let known = &self.closed[place];
        let at = known.place as usize;
        self.closed.truncate(place + 1);
        let known = self.closed.pop();
        self.pop_to(at);
        self.open = known.map(|known| Loop {
            count: known.count + 1,
            ..known
        });
        true
    }

    fn is_at(&self, place: usize, body: &[u32]) -> bool {
        let there = self.stack[place..].iter().map(|element| element.symbol);
        there.take(body.len()).eq(body.iter().copied())
    }

    /// Takes elements off the stack until that many are left.
    fn pop_to(&mut self, length: usize) {
        let popped = self.stack.len() - length;
        while self.stack.len() > length {
            if let Some(element) = self.stack.pop() {
                self.last[element.symbol as usize] = element.before;
            }
        }
        for slot in &mut self.slots {
            slot.run = slot.run.saturating_sub(popped as u32);
        }
        while let Some((place, slot)) = self.lost.pop_if(|&mut (place, _)| place as usize >= length)
        {
            let run = slot.run.saturating_sub(place - length as u32);
            if run > 0 {
                self.start_slot(Slot { run, ..slot });
            }
        }
        let gone = |known: &Loop| known.place as usize >= length;
        while self.closed.last().is_some_and(gone) {
            self.closed.pop();
        }
    }

    fn finish(mut self) -> Result<Folded, Full> {
        self.close_all()?;
        let mut folded = Folded::default();
        let mut closed = self.closed.iter().peekable();
        for (place, element) in self.stack.iter().enumerate() {
            folded.starts.push(element.start);
            match closed.next_if(|known| known.place as usize == place) {
                Some(known) => {
                    folded.loops.push((place as u32, known.count));
                    folded.symbols.push(self.numbers.number(&known.body, 0)?);
                }
                None => folded.symbols.push(element.symbol),
            }
        }
        Ok(folded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::watch::IDLE;
    use cutape_trace_format::sample::Chance;

    const FIRST: u32 = 1000;

    /// Units as their first symbol's place, calls and count.
    fn units(sequence: &[u32]) -> Vec<(u32, u32)> {
        let folded = fold(sequence, &mut LoopNumbers::new(FIRST), &IDLE).expect("has numbers");
        let counts = (0..folded.starts.len()).map(|unit| folded.count(unit));
        folded.starts.iter().copied().zip(counts).collect()
    }

    fn repeated(body: &[u32], count: usize) -> Vec<u32> {
        body.repeat(count)
    }

    #[test]
    fn a_hot_loop_is_one_unit() {
        let mut sequence = vec![1, 2];
        sequence.extend(repeated(&[3, 4, 5], 100_000));
        sequence.extend([6, 7]);
        assert_eq!(
            units(&sequence),
            [(0, 1), (1, 1), (2, 100_000), (300_002, 1), (300_003, 1)]
        );
    }

    #[test]
    fn symbols_that_come_several_times_in_an_iteration_do_not_hide_the_loop() {
        let mut sequence = vec![9];
        sequence.extend(repeated(&[1, 2, 1, 3, 1, 4], 50));
        sequence.push(8);
        let found = units(&sequence);
        assert!(found.len() <= 4, "{found:?}");
        assert!(found.iter().any(|&(_, count)| count >= 49), "{found:?}");
    }

    #[test]
    fn loops_of_loops_are_one_unit() {
        let mut step = repeated(&[1, 2], 5);
        step.push(3);
        step.extend(repeated(&[4], 7));
        step.push(5);
        let mut sequence = vec![9];
        sequence.extend(repeated(&step, 1000));
        sequence.push(8);
        assert_eq!(units(&sequence), [(0, 1), (1, 1000), (19_001, 1)]);
    }

    #[test]
    fn a_long_period_is_found() {
        let step: Vec<u32> = (0..500).collect();
        assert_eq!(units(&repeated(&step, 20)), [(0, 20)]);
    }

    #[test]
    fn an_iteration_that_was_cut_short_stands_for_itself() {
        let mut sequence = repeated(&[1, 2, 3], 4);
        sequence.extend([1, 2]);
        assert_eq!(units(&sequence), [(0, 4), (12, 1), (13, 1)]);
        sequence.push(7);
        assert_eq!(units(&sequence), [(0, 4), (12, 1), (13, 1), (14, 1)]);
    }

    #[test]
    fn counts_do_not_make_other_loops() {
        let mut numbers = LoopNumbers::new(FIRST);
        let short = fold(&repeated(&[1, 2], 10), &mut numbers, &IDLE).expect("has numbers");
        let long = fold(&repeated(&[1, 2], 11), &mut numbers, &IDLE).expect("has numbers");
        assert_eq!(short.symbols, long.symbols);
        assert_eq!((short.count(0), long.count(0)), (10, 11));
    }

    #[test]
    fn sequences_that_are_folded_apart_have_the_same_numbers_for_the_same_loops() {
        let mut chance = Chance::new(12);
        for round in 0..300 {
            let mut sequence = |parts: u64| -> Vec<u32> {
                let part = |chance: &mut Chance| -> Vec<u32> {
                    let calls = 1 + chance.below(3);
                    let part: Vec<u32> = (0..calls).map(|_| chance.below(3) as u32).collect();
                    part.repeat(1 + chance.below(4) as usize)
                };
                let parts: Vec<Vec<u32>> = (0..parts).map(|_| part(&mut chance)).collect();
                parts.concat().repeat(1 + round as usize % 3)
            };
            let (a, b) = (sequence(6), sequence(6));
            let apart = fold_both((&a, &b), FIRST, &IDLE).expect("has numbers");
            let mut numbers = LoopNumbers::new(FIRST);
            let together = (
                fold(&a, &mut numbers, &IDLE).expect("has numbers"),
                fold(&b, &mut numbers, &IDLE).expect("has numbers"),
            );
            // Numbers may be others, and mean the same.
            let same = |of: &(Folded, Folded)| -> Vec<Vec<bool>> {
                let of_b = |left: &u32| of.1.symbols.iter().map(|right| left == right).collect();
                of.0.symbols.iter().map(of_b).collect()
            };
            assert_eq!(same(&apart), same(&together), "{a:?} {b:?}");
            assert_eq!(apart.0.loops, together.0.loops);
            assert_eq!(apart.1.loops, together.1.loops);
        }
    }

    /// What a folded sequence stands for, by the starts of its units and the counts of its loops.
    fn check(sequence: &[u32]) {
        let folded = fold(sequence, &mut LoopNumbers::new(FIRST), &IDLE).expect("has numbers");
        let ends = folded.starts.iter().skip(1).copied();
        let ends = ends.chain([sequence.len() as u32]);
        let mut at = 0;
        for (unit, (&start, end)) in folded.starts.iter().zip(ends).enumerate() {
            assert_eq!(start, at, "units follow each other");
            let (count, calls) = (folded.count(unit), end - start);
            assert_eq!(calls % count, 0);
            let body = (calls / count) as usize;
            let part = &sequence[start as usize..end as usize];
            assert!(
                part.chunks(body)
                    .all(|iteration| iteration == &part[..body])
            );
            if count == 1 {
                assert_eq!((calls, folded.symbols[unit]), (1, part[0]));
            }
            at = end;
        }
        assert_eq!(at as usize, sequence.len());
    }

    #[test]
    fn what_is_folded_unfolds_to_what_it_was() {
        let mut chance = Chance::new(11);
        for round in 0..1000 {
            let letters = 1 + round % 4;
            let mut sequence = Vec::new();
            while sequence.len() < 60 {
                let part: Vec<u32> = (0..1 + chance.below(6))
                    .map(|_| chance.below(letters) as u32)
                    .collect();
                sequence.extend(part.repeat(1 + chance.below(4) as usize));
            }
            check(&sequence);
        }
    }
}
