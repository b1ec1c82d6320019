//! Lists of 32-bit words, each kept once and known by its number.

use super::fingerprint::Fingerprint;

/// Lists by number, in the order in which they came first.
#[derive(Clone, Debug)]
pub(crate) struct WordLists {
    words: Vec<u32>,
    /// Where each list ends in `words`.
    ends: Vec<u32>,
    /// Open addressing: number of a list plus one; 0 is empty. A power of two, at most half full.
    slots: Vec<u32>,
    hash: fn(&[u32]) -> u64,
}

impl Default for WordLists {
    fn default() -> Self {
        Self::hashed_by(hash)
    }
}

/// There is no room for one more list: numbers and places are 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl WordLists {
    /// No lists. `hash` need not look at all words.
    pub fn hashed_by(hash: fn(&[u32]) -> u64) -> Self {
        Self {
            words: Vec::new(),
            ends: Vec::new(),
            slots: Vec::new(),
            hash,
        }
    }

    /// How many lists there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The list with a number.
    pub fn get(&self, number: u32) -> &[u32] {
        let number = number as usize;
        let start = number
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        &self.words[start..self.ends[number] as usize]
    }

    /// The number of a list, which is kept if it is new.
    pub fn intern(&mut self, list: &[u32]) -> Result<u32, Full> {
        if self.slots.len() <= self.len() * 2 {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut slot = (self.hash)(list) as usize & mask;
        loop {
            match self.slots[slot] {
                0 => break,
                number if self.get(number - 1) == list => return Ok(number - 1),
                _ => slot = (slot + 1) & mask,
            }
        }
        let end = self.words.len() + list.len();
        let number = self.ends.len();
        if end > u32::MAX as usize || number >= u32::MAX as usize {
            return Err(Full);
        }
        self.words.extend_from_slice(list);
        self.ends.push(end as u32);
        self.slots[slot] = number as u32 + 1;
        Ok(number as u32)
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        self.slots.clear();
        self.slots.resize(size, 0);
        for number in 0..self.len() as u32 {
            let mut slot = (self.hash)(self.get(number)) as usize & (size - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = number + 1;
        }
    }
}

fn hash(list: &[u32]) -> u64 {
    let mut print = Fingerprint::new(list.len() as u64);
    let (pairs, rest) = list.as_chunks::<2>();
    pairs
        .iter()
        .for_each(|&[low, high]| print.word(u64::from(high) << 32 | u64::from(low)));
    rest.iter().for_each(|&word| print.word(word.into()));
    print.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_number_however_often_it_comes() {
        let mut lists = WordLists::default();
        for round in 0..2 {
            for number in 0..1000u32 {
                let list = vec![number; number as usize % 5 + 1];
                assert_eq!(lists.intern(&list), Ok(number), "round {round}");
                assert_eq!(lists.get(number), list);
            }
        }
        assert_eq!(lists.intern(&[]), Ok(1000));
        assert!(lists.get(1000).is_empty());
    }
}
