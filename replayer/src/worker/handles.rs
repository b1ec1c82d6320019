//! What recorded handles and device pointers stand for in this process.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::plan::Kind;
use crate::worker::host_memory::OwnMemory;

/// Destroyed handles that are remembered, so that a program that uses one too late is played doing so.
const REMEMBERED: usize = 1 << 16;

/// What a recorded word stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// This word of the driver under test.
    Here(u64),
    /// Nothing: the call with that number did not bring it.
    Missing(u64),
    /// Nobody answered it.
    Unknown,
}

/// Handles by kind, device pointers by range, addresses of functions.
#[derive(Debug, Default)]
pub struct Handles {
    handles: HashMap<(Kind, u64), Meaning>,
    /// Which were destroyed, each with the learning that it was of.
    destroyed: VecDeque<(Kind, u64, u64)>,
    learnt: u64,
    /// By the recorded address of their start.
    ranges: BTreeMap<u64, Range>,
    addresses: HashMap<u64, u64>,
    /// Kinds whose handles may stand for each other: a kernel is taken where a function is.
    interchangeable: Vec<(Kind, Kind)>,
}

/// What a handle stands for, and since which learning.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    known: Known,
    learnt: u64,
}

/// Memory of the driver's, or known to it.
#[derive(Debug)]
pub struct Range {
    /// Bytes.
    pub bytes: u64,
    /// Where it is in this process.
    pub place: Known,
    /// Programs may follow pointers into it.
    pub is_host: bool,
    /// Memory of ours that goes when the range goes.
    pub _own: Option<OwnMemory>,
}

/// Names of kinds whose handles the driver takes for each other.
const INTERCHANGEABLE: [(&str, &str); 2] =
    [("CUfunction", "CUkernel"), ("CUcontext", "CUgreenCtx")];

impl Handles {
    /// Without any; `kinds` are the names of the kinds.
    pub fn new(kinds: &[String]) -> Self {
        let number = |name: &str| kinds.iter().position(|kind| kind == name);
        let interchangeable = INTERCHANGEABLE
            .iter()
            .filter_map(|(one, other)| Some((number(one)? as Kind, number(other)? as Kind)))
            .flat_map(|(one, other)| [(one, other), (other, one)])
            .collect();
        Self {
            interchangeable,
            ..Self::default()
        }
    }

    /// What a recorded handle stands for.
    pub fn handle(&self, kind: Kind, recorded: u64) -> Known {
        if recorded == 0 {
            return Known::Here(0);
        }
        if let Some(meaning) = self.handles.get(&(kind, recorded)) {
            return meaning.known;
        }
        let others = self.interchangeable.iter().filter(|(one, _)| *one == kind);
        for &(_, other) in others {
            if let Some(meaning) = self.handles.get(&(other, recorded)) {
                return meaning.known;
            }
        }
        Known::Unknown
    }

    /// A recorded handle stands for this from now on.
    pub fn learn(&mut self, kind: Kind, recorded: u64, known: Known) {
        if recorded != 0 {
            self.learnt += 1;
            let learnt = self.learnt;
            self.handles
                .insert((kind, recorded), Meaning { known, learnt });
        }
    }

    /// A handle was destroyed. It is remembered for a while.
    pub fn destroyed(&mut self, kind: Kind, recorded: u64) {
        let Some(meaning) = self.handles.get(&(kind, recorded)) else {
            return;
        };
        self.destroyed.push_back((kind, recorded, meaning.learnt));
        if self.destroyed.len() <= REMEMBERED {
            return;
        }
        if let Some((kind, recorded, learnt)) = self.destroyed.pop_front()
            && let Some(meaning) = self.handles.get(&(kind, recorded))
            && meaning.learnt == learnt
        {
            self.handles.remove(&(kind, recorded));
        }
    }

    /// The range that a recorded address lies in or is the end of, and how far from its start.
    pub fn range(&self, recorded: u64) -> Option<(&Range, u64)> {
        let (&start, range) = self.ranges.range(..=recorded).next_back()?;
        let offset = recorded - start;
        (offset <= range.bytes).then_some((range, offset))
    }

    /// What a recorded address of memory stands for.
    pub fn address(&self, recorded: u64) -> Known {
        if recorded == 0 {
            return Known::Here(0);
        }
        match self.range(recorded) {
            None => Known::Unknown,
            Some((range, offset)) => match range.place {
                Known::Here(start) => Known::Here(start.wrapping_add(offset)),
                other => other,
            },
        }
    }

    /// What a recorded address of host memory stands for, if so many bytes from there on are of one range.
    pub fn host(&self, recorded: u64, bytes: u64) -> Known {
        match self.range(recorded) {
            Some((range, offset)) if range.is_host && range.bytes - offset >= bytes => {
                self.address(recorded)
            }
            _ => Known::Unknown,
        }
    }

    /// A range begins at a recorded address. What lay there before is gone, whether or not the recording says how it went.
    pub fn add_range(&mut self, recorded: u64, range: Range) {
        if recorded == 0 {
            return;
        }
        if let Some((known, offset)) = self.range(recorded)
            && let (Known::Here(start), Known::Here(place)) = (known.place, range.place)
            && start.wrapping_add(offset) == place
            && known.bytes - offset >= range.bytes
        {
            // The same memory by another name, such as the device's view of host memory.
            return;
        }
        let end = recorded.saturating_add(range.bytes.max(1));
        let overlapped: Vec<u64> = self
            .ranges
            .range(..end)
            .rev()
            .take_while(|(start, range)| **start + range.bytes.max(1) > recorded)
            .map(|(start, _)| *start)
            .collect();
        for start in overlapped {
            self.ranges.remove(&start);
        }
        let bytes = range.bytes.min(u64::MAX - recorded);
        self.ranges.insert(recorded, Range { bytes, ..range });
    }

    /// The range that begins there is gone.
    pub fn remove_range(&mut self, recorded: u64) {
        self.ranges.remove(&recorded);
    }

    /// Whether a driver's address that answers a question is the one that answered it before; the first answer is learnt.
    pub fn is_same_address(&mut self, recorded: u64, here: u64) -> bool {
        if recorded == 0 || here == 0 {
            return recorded == here;
        }
        *self.addresses.entry(recorded).or_insert(here) == here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(place: u64, bytes: u64) -> Range {
        Range {
            bytes,
            place: Known::Here(place),
            is_host: false,
            _own: None,
        }
    }

    #[test]
    fn kinds_are_kept_apart_but_for_kernels() {
        let kinds = ["CUstream", "CUfunction", "CUkernel"].map(str::to_owned);
        let mut handles = Handles::new(&kinds);
        handles.learn(2, 0x70, Known::Here(0x71));
        assert_eq!(handles.handle(1, 0x70), Known::Here(0x71));
        assert_eq!(handles.handle(0, 0x70), Known::Unknown);
        assert_eq!(handles.handle(0, 0), Known::Here(0));
    }

    #[test]
    fn pointers_inside_and_at_the_end_are_known() {
        let mut handles = Handles::new(&[]);
        handles.add_range(0x1000, range(0x9000, 0x100));
        assert_eq!(handles.address(0x1010), Known::Here(0x9010));
        assert_eq!(handles.address(0x1100), Known::Here(0x9100));
        assert_eq!(handles.address(0x1101), Known::Unknown);
        assert_eq!(handles.address(0xfff), Known::Unknown);
        handles.add_range(0x1080, range(0xa000, 0x10));
        assert_eq!(handles.address(0x1000), Known::Unknown);
        assert_eq!(handles.address(0x1080), Known::Here(0xa000));
        handles.add_range(u64::MAX - 5, range(0xb000, u64::MAX));
        assert_eq!(handles.address(u64::MAX), Known::Here(0xb005));
    }

    #[test]
    fn a_second_view_of_the_same_memory_changes_nothing() {
        let mut handles = Handles::new(&[]);
        handles.add_range(
            0x1000,
            Range {
                is_host: true,
                ..range(0x9000, 0x100)
            },
        );
        handles.add_range(0x1000, range(0x9000, 0x100));
        assert_eq!(handles.host(0x1080, 0x80), Known::Here(0x9080));
        assert_eq!(handles.host(0x1080, 0x81), Known::Unknown);
    }

    #[test]
    fn a_destroyed_handle_is_remembered_and_forgotten_in_the_end() {
        let mut handles = Handles::new(&[]);
        for word in 1..=REMEMBERED as u64 + 1 {
            handles.learn(0, word, Known::Here(word));
            handles.destroyed(0, word);
        }
        assert_eq!(handles.handle(0, 1), Known::Unknown);
        assert_eq!(handles.handle(0, 2), Known::Here(2));
    }
}
