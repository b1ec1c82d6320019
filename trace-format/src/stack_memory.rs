//! A thread's stack as a call left it: what call stacks are made of when a recording is sealed. It stays behind then.
//!
//! The content of a capture of number [`STACK_MEMORY`](crate::capture_number::STACK_MEMORY): the stack pointer after the call's return
//! (8 bytes), the frame pointer, rbp (8 bytes), then the stack from there upwards.

/// Bytes of a stack that are kept at most.
pub const MAX_STACK_BYTES: usize = 32 << 10;
/// Bytes before the stack itself.
pub const REGISTER_BYTES: usize = 16;

/// A piece of a stack, with the registers that lead through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackMemory<'a> {
    /// rsp when the call had returned: the address of the first byte.
    pub stack_pointer: u64,
    /// rbp then.
    pub frame_pointer: u64,
    /// What lay on the stack.
    pub bytes: &'a [u8],
}

impl<'a> StackMemory<'a> {
    /// Reads a capture; `None` if it is too short.
    pub fn read(capture: &'a [u8]) -> Option<Self> {
        let (stack_pointer, rest) = capture.split_first_chunk::<8>()?;
        let (frame_pointer, bytes) = rest.split_first_chunk::<8>()?;
        Some(Self {
            stack_pointer: u64::from_le_bytes(*stack_pointer),
            frame_pointer: u64::from_le_bytes(*frame_pointer),
            bytes,
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
        let mut capture = Vec::new();
        for word in [0x7000u64, 0x7010, 1, 2] {
            capture.extend(word.to_le_bytes());
        }
        let memory = StackMemory::read(&capture).unwrap();
        assert_eq!(
            (memory.stack_pointer, memory.frame_pointer),
            (0x7000, 0x7010)
        );
        assert_eq!(memory.word(0x7000), Some(1));
        assert_eq!(memory.word(0x7008), Some(2));
        for outside in [0x6ff8, 0x7009, 0x7010, 0, u64::MAX] {
            assert_eq!(memory.word(outside), None, "{outside:#x}");
        }
        assert_eq!(StackMemory::read(&capture[..15]), None);
    }
}
