//! Numbers for what calls of two traces ask, alike on both sides; and which object of one trace plays the part of which object of the other.

use super::fingerprint::Fingerprint;
use super::myers::Common;
use super::scan::{Lane, Scan};
use crate::word_hash::WordMap;

/// No counterpart.
const NONE: u32 = u32::MAX;

/// Numbers of what the calls of each class ask.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    /// By class of A.
    pub a: Vec<u32>,
    /// By class of B.
    pub b: Vec<u32>,
    /// All numbers are below this.
    pub count: u32,
}

impl Symbols {
    /// Numbers classes by a fingerprint.
    pub fn by(a: (&Scan, impl Fn(u32) -> u64), b: (&Scan, impl Fn(u32) -> u64)) -> Self {
        let mut numbers: WordMap<u64, u32> = WordMap::default();
        let mut number = |scan: &Scan, print: &dyn Fn(u32) -> u64| -> Vec<u32> {
            let classes = 0..scan.classes.len() as u32;
            classes
                .map(|class| {
                    let next = numbers.len() as u32;
                    *numbers.entry(print(class)).or_insert(next)
                })
                .collect()
        };
        let of_a = number(a.0, &a.1);
        let of_b = number(b.0, &b.1);
        Self {
            a: of_a,
            b: of_b,
            count: numbers.len() as u32,
        }
    }

    /// Numbers by what is asked, with objects by kind and name.
    pub fn loose(a: &Scan, b: &Scan) -> Self {
        Self::by(
            (a, |class| a.class(class).asked()),
            (b, |class| b.class(class).asked()),
        )
    }

    /// Numbers by what is asked of which objects.
    pub fn exact(a: &Scan, b: &Scan, counterparts: &Counterparts) -> Self {
        let print = |asked: u64, objects: &mut dyn Iterator<Item = u64>| {
            let mut print = Fingerprint::new(3);
            print.word(asked);
            objects.for_each(|object| print.word(object));
            print.finish()
        };
        let in_a = |class| {
            let class = a.class(class);
            let taken = class.taken().iter();
            print(
                class.asked(),
                &mut taken.map(|&object| counterparts.name_in_a(object)),
            )
        };
        let in_b = |class| {
            let class = b.class(class);
            let taken = class.taken().iter();
            print(class.asked(), &mut taken.map(|&object| u64::from(object)))
        };
        Self::by((a, in_a), (b, in_b))
    }

    /// Numbers by which question is asked.
    pub fn questions(a: &Scan, b: &Scan) -> Self {
        Self::by(
            (a, |class| a.class(class).question()),
            (b, |class| b.class(class).question()),
        )
    }

    /// The calls of a thread of A as numbers.
    pub fn of_a(&self, lane: &Lane) -> Vec<u32> {
        lane.classes
            .iter()
            .map(|&class| self.a[class as usize])
            .collect()
    }

    /// The calls of a thread of B as numbers.
    pub fn of_b(&self, lane: &Lane) -> Vec<u32> {
        lane.classes
            .iter()
            .map(|&class| self.b[class as usize])
            .collect()
    }
}

/// Which object of A plays the part of which object of B.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counterparts {
    of_a: Vec<u32>,
    of_b: Vec<u32>,
    /// By class of A: the class of B that it was aligned with last.
    seen: Vec<u32>,
}

impl Counterparts {
    /// Learns from calls that are aligned, in their order: the object that a call creates or names first plays the part of the one that the
    /// other call creates or names at the same place.
    pub fn learn(&mut self, scans: (&Scan, &Scan), lanes: (&Lane, &Lane), aligned: &[Common]) {
        self.learn_if(scans, lanes, (aligned, &|_| true));
    }

    /// The same, of those calls alone whose class in A is one of which that is wanted.
    pub fn learn_if(
        &mut self,
        scans: (&Scan, &Scan),
        lanes: (&Lane, &Lane),
        (aligned, wanted): (&[Common], &dyn Fn(u32) -> bool),
    ) {
        for common in aligned {
            let (left, right) = (common.left as usize, common.right as usize);
            let length = common.length as usize;
            let a = &lanes.0.classes[left..left + length];
            let b = &lanes.1.classes[right..right + length];
            for (&a, &b) in a.iter().zip(b) {
                if get(&self.seen, a) == Some(b) || !wanted(a) {
                    continue;
                }
                set(&mut self.seen, a, b);
                let (a, b) = (scans.0.class(a), scans.1.class(b));
                self.pair(a.taken(), b.taken());
                self.pair(a.given(), b.given());
            }
        }
    }

    fn pair(&mut self, a: &[u32], b: &[u32]) {
        if a.len() != b.len() {
            return;
        }
        for (&a, &b) in a.iter().zip(b) {
            if self.in_b(a).is_none() && self.in_a(b).is_none() {
                set(&mut self.of_a, a, b);
                set(&mut self.of_b, b, a);
            }
        }
    }

    /// The counterpart of an object of A.
    pub fn in_b(&self, object: u32) -> Option<u32> {
        get(&self.of_a, object)
    }

    /// The counterpart of an object of B.
    pub fn in_a(&self, object: u32) -> Option<u32> {
        get(&self.of_b, object)
    }

    /// A name for an object of A: its counterpart's number, or a number that no object of B has.
    pub fn name_in_a(&self, object: u32) -> u64 {
        match self.in_b(object) {
            Some(counterpart) => counterpart.into(),
            None => u64::from(object) | 1 << 32,
        }
    }

    /// Whether lists of objects of A and of B are counterparts. Objects without any are taken for the same where neither has one.
    pub fn are_pairs(&self, a: &[u32], b: &[u32]) -> bool {
        a.len() == b.len()
            && a.iter()
                .zip(b)
                .all(|(&a, &b)| match (self.in_b(a), self.in_a(b)) {
                    (None, None) => true,
                    (counterpart, _) => counterpart == Some(b),
                })
    }
}

fn get(list: &[u32], place: u32) -> Option<u32> {
    let found = list.get(place as usize).copied();
    found.filter(|&found| found != NONE)
}

fn set(list: &mut Vec<u32>, place: u32, value: u32) {
    if list.len() <= place as usize {
        list.resize(place as usize + 1, NONE);
    }
    list[place as usize] = value;
}
