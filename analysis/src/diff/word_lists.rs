//! Lists of 32-bit words, each kept once and known by its number.

use super::fingerprint::Fingerprint;

/// Lists by number, in the order in which they came first.
#[derive(Clone, Debug)]
pub(crate) struct WordLists {
    words: Vec<u32>,
    /// Where each list ends in `words`.
    ends: Vec<u32>,
    /// Open addressing, 0 is empty. A power of two, at most three quarters full.
    slots: Vec<Slot>,
    hash: fn(&[u32]) -> u64,
}

impl Default for WordLists {
    fn default() -> Self {
        Self::hashed_by(hash)
    }
}

/// Half of a list's hash, and its number plus one. The half hash says where the list belongs, and nearly always that another list is another one,
/// without a look at its words, which lie far away.
type Slot = u64;

fn slot_of(half: u32, number: u32) -> Slot {
    u64::from(half) << 32 | u64::from(number + 1)
}

/// Where a list belongs in a table of that size.
fn place_of(half: u32, size: usize) -> usize {
    ((u128::from(half) * size as u128) >> 32) as usize
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
        if self.slots.len() * 3 <= self.len() * 4 {
            self.grow();
        }
        let half = ((self.hash)(list) >> 32) as u32;
        let mask = self.slots.len() - 1;
        let mut place = place_of(half, self.slots.len());
        while self.slots[place] != 0 {
            let slot = self.slots[place];
            let number = (slot as u32).wrapping_sub(1);
            if (slot >> 32) as u32 == half && self.get(number) == list {
                return Ok(number);
            }
            place = (place + 1) & mask;
        }
        let end = self.words.len() + list.len();
        let number = self.ends.len();
        if end > u32::MAX as usize || number >= u32::MAX as usize {
            return Err(Full);
        }
        self.words.extend_from_slice(list);
        self.ends.push(end as u32);
        self.slots[place] = slot_of(half, number as u32);
        Ok(number as u32)
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        let slots = std::mem::replace(&mut self.slots, vec![0; size]);
        for slot in slots.into_iter().filter(|&slot| slot != 0) {
            let mut place = place_of((slot >> 32) as u32, size);
            while self.slots[place] != 0 {
                place = (place + 1) & (size - 1);
            }
            self.slots[place] = slot;
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
