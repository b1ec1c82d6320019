//! A thread's stack as a call left it: what call stacks are made of when a recording is sealed. It stays behind then.
//!
//! The content of the captures of number [`STACK_MEMORY`](crate::capture_number::STACK_MEMORY), one behind the other: the stack pointer after
//! the call's return (8 bytes), the frame pointer, rbp (8 bytes), then the stack from there upwards.

use crate::ring::MAX_CAPTURE;

/// Captures of one stack at most.
pub const MAX_STACK_CAPTURES: usize = 2;
/// Bytes of a stack that are kept at most.
pub const MAX_STACK_BYTES: usize = MAX_STACK_CAPTURES * MAX_CAPTURE - REGISTER_BYTES;
/// Bytes before the stack itself.
pub const REGISTER_BYTES: usize = 16;

/// A piece of a stack, with the registers that lead through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackMemory {
    /// rsp when the call had returned: the address of the first byte.
    pub stack_pointer: u64,
    /// rbp then.
    pub frame_pointer: u64,
    /// What lay on the stack.
    pub bytes: Vec<u8>,
}

impl StackMemory {
    /// Reads the captures of a call; `None` if it has none, or they are too short.
    pub fn read<'a>(captures: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let captures: Vec<&[u8]> = captures.take(MAX_STACK_CAPTURES).collect();
        let (stack_pointer, rest) = captures.first()?.split_first_chunk::<8>()?;
        let (frame_pointer, first) = rest.split_first_chunk::<8>()?;
        Some(Self {
            stack_pointer: u64::from_le_bytes(*stack_pointer),
            frame_pointer: u64::from_le_bytes(*frame_pointer),
            bytes: [&[first], &captures[1..]].concat().concat(),
        })
    }

    /// The word at an address; `None` where it is not kept.
    pub fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.stack_pointer)?).ok()?;
        let word = self.bytes.get(at..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_address_and_none_beyond_the_piece() {
        let words = |words: &[u64]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        let (first, second) = (words(&[0x7000, 0x7010, 1]), words(&[2, 3]));
        let memory = StackMemory::read([&first[..], &second].into_iter()).unwrap();
        assert_eq!(memory.stack_pointer, 0x7000);
        assert_eq!(memory.frame_pointer, 0x7010);
        for (place, word) in (0..).zip(1..=3) {
            assert_eq!(memory.word(0x7000 + 8 * place), Some(word));
        }
        for outside in [0x6ff8, 0x7011, 0x7018, 0, u64::MAX] {
            assert_eq!(memory.word(outside), None, "{outside:#x}");
        }
        assert_eq!(StackMemory::read(std::iter::empty()), None);
        assert_eq!(StackMemory::read([&first[..15]].into_iter()), None);
    }
}
