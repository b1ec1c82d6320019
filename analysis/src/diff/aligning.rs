//! Aligning the threads of two traces, in passes: by what calls ask; then the objects are known that play the same part; then by what calls ask of
//! which objects.

use super::budget::Budget;
use super::by_stream::{Aligned, ByStream};
use super::judging::Judge;
use super::lane_alignment::align;
use super::myers::Common;
use super::process_pair::{ProcessPair, lanes_of};
use super::scan::{Lane, Scan};
use super::stream_order::OrderKeys;
use super::symbols::{Counterparts, Symbols};
use super::watch::DiffError;

/// Aligns the threads of two traces.
pub(crate) struct Aligner<'a, 'w> {
    scans: (&'a Scan, &'a Scan),
    budget: Budget<'w>,
    counterparts: Counterparts,
}

impl<'a, 'w> Aligner<'a, 'w> {
    /// Knows nothing yet.
    pub fn new(scans: (&'a Scan, &'a Scan), budget: Budget<'w>) -> Self {
        Self {
            scans,
            budget,
            counterparts: Counterparts::default(),
        }
    }

    /// Which objects play the same part.
    pub fn counterparts(&self) -> &Counterparts {
        &self.counterparts
    }

    /// The same, and whether the work was cut short.
    pub fn finish(self) -> (Counterparts, bool) {
        (self.counterparts, self.budget.is_exhausted())
    }

    /// Aligns all threads by some numbering of what is asked.
    pub fn align_all(
        &mut self,
        processes: &[ProcessPair],
        symbols: &Symbols,
    ) -> Result<Vec<Aligned>, DiffError> {
        let threads = processes.iter().flat_map(|process| &process.threads);
        threads
            .map(|thread| {
                let lanes = lanes_of(self.scans, thread);
                let stretches = self.align(lanes, symbols)?;
                self.pass(lanes)?;
                let moved = Vec::new();
                Ok(Aligned { stretches, moved })
            })
            .collect()
    }

    /// A pass over the calls of two threads is done.
    fn pass(&self, lanes: (&Lane, &Lane)) -> Result<(), DiffError> {
        let calls = lanes.0.classes.len() + lanes.1.classes.len();
        self.budget.watch().passed(calls)
    }

    fn align(
        &mut self,
        lanes: (&Lane, &Lane),
        symbols: &Symbols,
    ) -> Result<Vec<Common>, DiffError> {
        if lanes.0.classes.is_empty() || lanes.1.classes.is_empty() {
            return Ok(Vec::new());
        }
        align(
            &symbols.of_a(lanes.0),
            &symbols.of_b(lanes.1),
            symbols.count,
            &mut self.budget,
        )
    }

    /// Learns which objects play the same part, from calls that are aligned and from those between them that ask the same question. Where a
    /// thread feeds several streams, it is aligned by them as soon as they are known.
    pub fn learn_all(
        &mut self,
        processes: &[ProcessPair],
        aligned: &mut [Aligned],
        (loose, questions): (&Symbols, &Symbols),
    ) -> Result<(), DiffError> {
        let scans = self.scans;
        let threads = || processes.iter().flat_map(|process| &process.threads);
        let lanes = threads().map(|thread| lanes_of(scans, thread));
        let lanes: Vec<(&Lane, &Lane)> = lanes.collect();
        let mut keys = OrderKeys::of(scans.0, scans.1, &self.counterparts);
        let several: Vec<bool> = lanes
            .iter()
            .map(|&lanes| keys.has_several_streams(lanes))
            .collect();
        if several.contains(&true) {
            // Streams and events are made by calls that are in order with everything.
            for (&lanes, aligned) in lanes.iter().zip(&*aligned) {
                let fences = |class: u32| keys.a[class as usize].stream.is_none();
                self.counterparts
                    .learn_if(scans, lanes, (&aligned.stretches, &fences));
            }
            keys = OrderKeys::of(scans.0, scans.1, &self.counterparts);
        }
        for ((&lanes, aligned), several) in lanes.iter().zip(aligned).zip(several) {
            if several {
                let stretches = std::mem::take(&mut aligned.stretches);
                *aligned = self.by_stream(lanes, (loose, &keys), stretches)?;
            }
            self.learn(lanes, aligned, (loose, questions))?;
            self.pass(lanes)?;
        }
        Ok(())
    }

    fn by_stream(
        &mut self,
        lanes: (&Lane, &Lane),
        (symbols, keys): (&Symbols, &OrderKeys),
        stretches: Vec<Common>,
    ) -> Result<Aligned, DiffError> {
        ByStream {
            lanes,
            symbols,
            keys,
        }
        .improve(stretches, &mut self.budget)
    }

    fn learn(
        &mut self,
        lanes: (&Lane, &Lane),
        aligned: &Aligned,
        symbols: (&Symbols, &Symbols),
    ) -> Result<(), DiffError> {
        let none = Counterparts::default();
        let watch = self.budget.watch();
        let judge = Judge::new(self.scans, symbols, &none, watch);
        let end = (lanes.0.classes.len() as u32, lanes.1.classes.len() as u32);
        let mut at = (0, 0);
        let moved = aligned.moved.iter().map(|&(left, right)| Common {
            left,
            right,
            length: 1,
        });
        let moved: Vec<Common> = moved.collect();
        self.counterparts.learn(self.scans, lanes, &moved);
        for stretch in &aligned.stretches {
            let gap = (at, (stretch.left, stretch.right));
            let pairs = judge.pairs(lanes, gap);
            self.counterparts.learn(self.scans, lanes, &pairs);
            self.counterparts.learn(self.scans, lanes, &[*stretch]);
            at = (
                stretch.left + stretch.length,
                stretch.right + stretch.length,
            );
            watch.look()?;
        }
        let pairs = judge.pairs(lanes, (at, end));
        self.counterparts.learn(self.scans, lanes, &pairs);
        Ok(())
    }

    /// Aligns those threads again in which calls are aligned that ask the same of objects which are not counterparts.
    pub fn align_again(
        &mut self,
        processes: &[ProcessPair],
        exact: &Symbols,
        aligned: &mut [Aligned],
    ) -> Result<(), DiffError> {
        let scans = self.scans;
        let keys = OrderKeys::of(scans.0, scans.1, &self.counterparts);
        let threads = processes.iter().flat_map(|process| &process.threads);
        for (thread, aligned) in threads.zip(aligned) {
            let lanes = lanes_of(scans, thread);
            if !holds(lanes, exact, aligned) {
                let stretches = self.align(lanes, exact)?;
                *aligned = if keys.has_several_streams(lanes) {
                    self.by_stream(lanes, (exact, &keys), stretches)?
                } else {
                    let moved = Vec::new();
                    Aligned { stretches, moved }
                };
            }
            self.pass(lanes)?;
        }
        Ok(())
    }
}

/// Whether all calls that are aligned ask the same of the same objects.
fn holds(lanes: (&Lane, &Lane), exact: &Symbols, aligned: &Aligned) -> bool {
    let same = |(&a, &b): (&u32, &u32)| exact.a[a as usize] == exact.b[b as usize];
    let holds = |stretch: &Common| {
        let a = lanes.0.classes[stretch.left as usize..].iter();
        let b = lanes.1.classes[stretch.right as usize..].iter();
        a.zip(b).take(stretch.length as usize).all(same)
    };
    let moved =
        |&(a, b): &(u32, u32)| same((&lanes.0.classes[a as usize], &lanes.1.classes[b as usize]));
    aligned.stretches.iter().all(holds) && aligned.moved.iter().all(moved)
}
