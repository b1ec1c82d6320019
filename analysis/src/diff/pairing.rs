//! Which process, and which thread, of one trace is compared with which of the other.

use std::collections::HashMap;

/// Candidates that are compared with each other by what they call; beyond it the order decides.
const MOST_COMPARED: usize = 256;

/// How a pair was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The first process of each trace; the main thread of each process.
    First,
    /// The same name and the same calls.
    NameAndCalls,
    /// The same calls, under another name.
    Calls,
    /// The same name; among several, the one whose calls are most alike.
    Name,
    /// What was left, by how much their calls are alike.
    Likeness,
    /// Nothing on the other side.
    Alone,
}

impl Match {
    /// For people: why these two are compared.
    pub fn text(self) -> &'static str {
        match self {
            Self::First => "first of its kind",
            Self::NameAndCalls => "same name and calls",
            Self::Calls => "same calls",
            Self::Name => "same name",
            Self::Likeness => "most alike",
            Self::Alone => "has no counterpart",
        }
    }
}

/// A process or a thread, as far as finding its counterpart goes.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// It is the first process, or the main thread.
    pub first: bool,
    /// Its name.
    pub name: String,
    /// Fingerprint of all its calls in their order.
    pub calls: u64,
    /// How often it asks what, by fingerprint, sorted.
    pub profile: Vec<(u64, u32)>,
}

/// A pair, by places in the lists of candidates; one of them may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub a: Option<usize>,
    pub b: Option<usize>,
    pub how: Match,
}

/// Pairs in the order of A; what B alone has comes behind them.
pub(crate) fn pair(a: &[Candidate], b: &[Candidate]) -> Vec<Pair> {
    let mut pairing = Pairing {
        a,
        b,
        of_a: vec![None; a.len()],
        taken: vec![false; b.len()],
    };
    pairing.by_key(Match::First, |candidate| candidate.first.then_some(0));
    pairing.by_key(Match::NameAndCalls, |candidate| {
        Some((candidate.name.as_str(), candidate.calls))
    });
    pairing.by_key(Match::Calls, |candidate| Some(candidate.calls));
    pairing.by_likeness(Match::Name, |a, b| a.name == b.name);
    pairing.by_likeness(Match::Likeness, |a, b| likeness(a, b) > 0);
    pairing.finish()
}

struct Pairing<'a> {
    a: &'a [Candidate],
    b: &'a [Candidate],
    of_a: Vec<Option<(usize, Match)>>,
    taken: Vec<bool>,
}

impl<'a> Pairing<'a> {
    /// Pairs candidates of the same key in their order.
    fn by_key<K: std::hash::Hash + Eq>(
        &mut self,
        how: Match,
        key: impl Fn(&'a Candidate) -> Option<K>,
    ) {
        let mut waiting: HashMap<K, Vec<usize>> = HashMap::new();
        for (place, candidate) in self.b.iter().enumerate().rev() {
            if let Some(key) = key(candidate).filter(|_| !self.taken[place]) {
                waiting.entry(key).or_default().push(place);
            }
        }
        for (place, candidate) in self.a.iter().enumerate() {
            if self.of_a[place].is_some() {
                continue;
            }
            let found = key(candidate).and_then(|key| waiting.get_mut(&key)?.pop());
            if let Some(other) = found {
                self.set(place, other, how);
            }
        }
    }

    /// Pairs candidates that may be compared, those that are most alike first come; among equals the earlier one.
    fn by_likeness(&mut self, how: Match, may: impl Fn(&Candidate, &Candidate) -> bool) {
        for place in 0..self.a.len() {
            if self.of_a[place].is_some() {
                continue;
            }
            let free = (0..self.b.len()).filter(|&other| !self.taken[other]);
            let candidates = free
                .filter(|&other| may(&self.a[place], &self.b[other]))
                .take(MOST_COMPARED);
            let best = candidates.max_by_key(|&other| {
                (
                    likeness(&self.a[place], &self.b[other]),
                    std::cmp::Reverse(other),
                )
            });
            if let Some(other) = best {
                self.set(place, other, how);
            }
        }
    }

    fn set(&mut self, place: usize, other: usize, how: Match) {
        self.of_a[place] = Some((other, how));
        self.taken[other] = true;
    }

    fn finish(self) -> Vec<Pair> {
        let of_a = self.of_a.iter().enumerate();
        let mut pairs: Vec<Pair> = of_a
            .map(|(place, found)| Pair {
                a: Some(place),
                b: found.map(|(other, _)| other),
                how: found.map_or(Match::Alone, |(_, how)| how),
            })
            .collect();
        let left = (0..self.b.len()).filter(|&place| !self.taken[place]);
        pairs.extend(left.map(|place| Pair {
            a: None,
            b: Some(place),
            how: Match::Alone,
        }));
        pairs
    }
}

/// How many calls two candidates have in common, in thousandths of those of the larger one.
pub(crate) fn likeness(a: &Candidate, b: &Candidate) -> u64 {
    shared_calls(&a.profile, &b.profile) * 1000 / total(&a.profile).max(total(&b.profile)).max(1)
}

/// Calls of a profile.
pub(crate) fn total(profile: &[(u64, u32)]) -> u64 {
    profile.iter().map(|&(_, count)| u64::from(count)).sum()
}

/// Calls that two profiles have in common, whatever their order.
pub(crate) fn shared_calls(a: &[(u64, u32)], b: &[(u64, u32)]) -> u64 {
    let mut shared = 0;
    let mut b = b.iter().peekable();
    for &(print, count) in a {
        while b.next_if(|&&(other, _)| other < print).is_some() {}
        if let Some(&(_, other)) = b.next_if(|&&(other, _)| other == print) {
            shared += u64::from(count.min(other));
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, calls: &[u64]) -> Candidate {
        let mut profile: Vec<(u64, u32)> = calls.iter().map(|&call| (call, 1)).collect();
        profile.sort_unstable();
        Candidate {
            first: name == "main",
            name: name.to_owned(),
            calls: calls.iter().fold(7, |all, call| all * 31 + call),
            profile,
        }
    }

    fn pairs(a: &[Candidate], b: &[Candidate]) -> Vec<(Option<usize>, Option<usize>, Match)> {
        pair(a, b)
            .iter()
            .map(|pair| (pair.a, pair.b, pair.how))
            .collect()
    }

    #[test]
    fn workers_that_started_in_another_order_are_found_by_what_they_call() {
        let a = [
            candidate("main", &[1]),
            candidate("worker", &[2, 3]),
            candidate("worker", &[4, 5]),
        ];
        let b = [
            candidate("main", &[9]),
            candidate("worker", &[4, 5]),
            candidate("worker", &[2, 6]),
        ];
        assert_eq!(
            pairs(&a, &b),
            [
                (Some(0), Some(0), Match::First),
                (Some(1), Some(2), Match::Name),
                (Some(2), Some(1), Match::NameAndCalls),
            ]
        );
    }

    #[test]
    fn what_has_nothing_in_common_is_left_alone() {
        let a = [candidate("one", &[1, 2])];
        let b = [candidate("two", &[3])];
        assert_eq!(
            pairs(&a, &b),
            [(Some(0), None, Match::Alone), (None, Some(0), Match::Alone)]
        );
        let alike = [candidate("three", &[2, 3])];
        assert_eq!(pairs(&a, &alike), [(Some(0), Some(0), Match::Likeness)]);
    }
}
