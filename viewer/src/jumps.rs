//! Where one has been: the list of jumps, and marks.

use std::collections::BTreeMap;

/// Jumps remembered.
const MAX_JUMPS: usize = 100;

/// Calls jumped away from, and where in them one is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jumps {
    calls: Vec<u64>,
    /// Calls before this place are behind, those from it on ahead.
    place: usize,
}

impl Jumps {
    /// Notes a jump away from a call. What was ahead is forgotten.
    pub fn note(&mut self, from: u64) {
        self.calls.truncate(self.place);
        if self.calls.last() != Some(&from) {
            self.calls.push(from);
        }
        if self.calls.len() > MAX_JUMPS {
            self.calls.remove(0);
        }
        self.place = self.calls.len();
    }

    /// The call to go back to from `here`.
    pub fn back(&mut self, here: u64) -> Option<u64> {
        let to = self.place.checked_sub(1)?;
        if self.place == self.calls.len() && self.calls[to] != here {
            self.calls.push(here);
        }
        self.place = to;
        Some(self.calls[to])
    }

    /// The call to go forth to again.
    pub fn forth(&mut self) -> Option<u64> {
        let to = *self.calls.get(self.place + 1)?;
        self.place += 1;
        Some(to)
    }
}

/// Calls by the letter that they were marked with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<char, u64>);

impl Marks {
    /// Marks a call; a letter is of one call.
    pub fn set(&mut self, letter: char, seq: u64) {
        self.0.insert(letter, seq);
    }

    /// The call of a letter.
    pub fn get(&self, letter: char) -> Option<u64> {
        self.0.get(&letter).copied()
    }

    /// The first letter of a call.
    pub fn of(&self, seq: u64) -> Option<char> {
        let found = self.0.iter().find(|(_, marked)| **marked == seq);
        found.map(|(&letter, _)| letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_and_forth() {
        let mut jumps = Jumps::default();
        assert_eq!(jumps.back(9), None);
        jumps.note(1);
        jumps.note(5);
        assert_eq!(jumps.back(9), Some(5));
        assert_eq!(jumps.back(5), Some(1));
        assert_eq!(jumps.back(1), None);
        assert_eq!(
            [jumps.forth(), jumps.forth(), jumps.forth()],
            [Some(5), Some(9), None]
        );
        jumps.note(9);
        jumps.note(20);
        assert_eq!(jumps.back(30), Some(20), "a jump forgets what was ahead");
    }

    #[test]
    fn the_list_of_jumps_is_bounded() {
        let mut jumps = Jumps::default();
        (0..1000).for_each(|seq| jumps.note(seq));
        let mut steps = 0;
        while jumps.back(1000).is_some() {
            steps += 1;
        }
        assert_eq!(steps, MAX_JUMPS);
    }
}
