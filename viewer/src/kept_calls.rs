//! Calls kept in memory, packed: those of a recording folder, whose calls can be read from the beginning only, and which is still growing
//! or may be replaced by a file at any moment. About ten bytes a call.

use std::ops::ControlFlow;

use cutape_trace_format::call::Call;

/// Calls packed together.
const PACKED: usize = 256;
/// The fastest level: packing must keep up with the recording.
const LEVEL: i32 = 1;

/// Calls with rising numbers.
#[derive(Debug, Default)]
pub struct KeptCalls {
    chunks: Vec<Chunk>,
    /// The last calls, not packed yet.
    tail: Vec<Call>,
}

#[derive(Debug)]
struct Chunk {
    /// Number of its first call.
    first: u64,
    bytes: Box<[u8]>,
}

impl Chunk {
    fn pack(calls: &[Call]) -> Option<Self> {
        let raw = rmp_serde::to_vec(calls).ok()?;
        Some(Self {
            first: calls.first()?.seq,
            bytes: zstd::bulk::compress(&raw, LEVEL).ok()?.into_boxed_slice(),
        })
    }

    /// What was packed; nothing if memory is damaged.
    fn unpack(&self) -> Vec<Call> {
        let raw = zstd::stream::decode_all(&*self.bytes).unwrap_or_default();
        rmp_serde::from_slice(&raw).unwrap_or_default()
    }
}

impl KeptCalls {
    /// Keeps a call; its number is higher than those before.
    pub fn push(&mut self, call: &Call) {
        self.tail.push(call.clone());
        if self.tail.len() == PACKED {
            self.chunks.extend(Chunk::pack(&self.tail));
            self.tail.clear();
        }
    }

    /// Shows the calls of these numbers, which rise. Numbers that are not there are passed over.
    pub fn read(
        &self,
        numbers: impl IntoIterator<Item = u64>,
        mut visit: impl FnMut(&Call) -> ControlFlow<()>,
    ) {
        let mut unpacked: (usize, Vec<Call>) = (usize::MAX, Vec::new());
        for number in numbers {
            let calls = match self.tail.first() {
                Some(first) if number >= first.seq => &self.tail,
                _ => {
                    let behind = self.chunks.partition_point(|chunk| chunk.first <= number);
                    let Some(place) = behind.checked_sub(1) else {
                        continue;
                    };
                    if unpacked.0 != place {
                        unpacked = (place, self.chunks[place].unpack());
                    }
                    &unpacked.1
                }
            };
            let found = calls.binary_search_by_key(&number, |call| call.seq);
            if found.is_ok_and(|place| visit(&calls[place]).is_break()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_back_as_they_were() {
        let mut kept = KeptCalls::default();
        let call = |seq: u64| {
            let mut call = Call::default();
            (call.seq, call.returned) = (seq, Some(seq % 7));
            call.args = vec![seq, seq * 3];
            call
        };
        // Numbers of damaged calls are left out.
        (1..=1000)
            .filter(|seq| seq % 100 != 0)
            .for_each(|seq| kept.push(&call(seq)));
        let mut seen = Vec::new();
        kept.read([1, 2, 100, 256, 257, 999, 1000, 5000], |found| {
            assert_eq!(*found, call(found.seq));
            seen.push(found.seq);
            ControlFlow::Continue(())
        });
        assert_eq!(seen, [1, 2, 256, 257, 999]);
    }
}
