//! Where device memory comes from. Small allocations share chunks of 2 MiB, as the real driver's do, so that a program with very
//! many of them does not run out of mappings; larger ones have pages of their own.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pages;

/// Chunks are this big, and so is the unit in which a GPU's memory is taken for larger allocations.
const CHUNK_BYTES: u64 = 2 << 20;
/// Up to here an allocation shares a chunk.
const SMALL_BYTES: u64 = 1 << 20;
/// Every device pointer is a multiple of this.
const ALIGN_BYTES: u64 = 512;

/// Chunks by address.
#[derive(Default)]
pub struct Heap(Mutex<BTreeMap<u64, Chunk>>);

/// Free runs of a chunk: offset to length, never touching one another.
struct Chunk {
    free: BTreeMap<u64, u64>,
}

/// How much less memory is free after an allocation of that size.
pub fn taken_bytes(bytes: u64) -> u64 {
    if bytes <= SMALL_BYTES {
        small(bytes)
    } else {
        bytes
            .checked_next_multiple_of(CHUNK_BYTES)
            .unwrap_or(u64::MAX)
    }
}

fn small(bytes: u64) -> u64 {
    bytes.max(1).next_multiple_of(ALIGN_BYTES)
}

/// The pages that an allocation of the heap lies in: where they begin, and their bytes.
pub fn block_of(address: u64, bytes: u64) -> (u64, u64) {
    if bytes > SMALL_BYTES {
        (address, pages::round_up(bytes))
    } else {
        (address & !(CHUNK_BYTES - 1), CHUNK_BYTES)
    }
}

impl Heap {
    /// Zeroed or used memory of that size. `None` where the process has no room.
    pub fn allocate(&self, bytes: u64) -> Option<u64> {
        if bytes > SMALL_BYTES {
            return pages::map(bytes, CHUNK_BYTES);
        }
        let bytes = small(bytes);
        let mut chunks = self.chunks();
        if let Some(address) = chunks
            .iter_mut()
            .find_map(|(base, chunk)| Some(base + chunk.take(bytes)?))
        {
            return Some(address);
        }
        let base = pages::map(CHUNK_BYTES, CHUNK_BYTES)?;
        let mut chunk = Chunk {
            free: BTreeMap::from([(0, CHUNK_BYTES)]),
        };
        let offset = chunk.take(bytes);
        chunks.insert(base, chunk);
        offset.map(|offset| base + offset)
    }

    /// Takes back what [`Heap::allocate`] gave for that size.
    pub fn free(&self, address: u64, bytes: u64) {
        if bytes > SMALL_BYTES {
            super::ipc::forget(address);
            return pages::unmap(address, bytes);
        }
        let mut chunks = self.chunks();
        let base = address & !(CHUNK_BYTES - 1);
        let Some(chunk) = chunks.get_mut(&base) else {
            return;
        };
        chunk.give_back(address - base, small(bytes));
        if chunk.is_free() {
            chunks.remove(&base);
            super::ipc::forget(base);
            pages::unmap(base, CHUNK_BYTES);
        }
    }

    fn chunks(&self) -> MutexGuard<'_, BTreeMap<u64, Chunk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chunk {
    fn take(&mut self, bytes: u64) -> Option<u64> {
        let (&offset, &length) = self.free.iter().find(|&(_, &length)| length >= bytes)?;
        self.free.remove(&offset);
        if length > bytes {
            self.free.insert(offset + bytes, length - bytes);
        }
        Some(offset)
    }

    fn give_back(&mut self, mut offset: u64, mut bytes: u64) {
        if let Some(after) = self.free.remove(&(offset + bytes)) {
            bytes += after;
        }
        if let Some((&before, &length)) = self
            .free
            .range(..offset)
            .next_back()
            .filter(|&(&at, &length)| at + length == offset)
        {
            offset = before;
            bytes += length;
        }
        self.free.insert(offset, bytes);
    }

    fn is_free(&self) -> bool {
        self.free.get(&0) == Some(&CHUNK_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_neighbours_become_one_run_again_whatever_the_order() {
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0], [0, 2, 1]] {
            let mut chunk = Chunk {
                free: BTreeMap::from([(0, CHUNK_BYTES)]),
            };
            let offsets = [512, 1024, 512].map(|bytes| (chunk.take(bytes).unwrap(), bytes));
            assert_eq!(offsets, [(0, 512), (512, 1024), (1536, 512)]);
            for place in order {
                assert!(!chunk.is_free());
                chunk.give_back(offsets[place].0, offsets[place].1);
            }
            assert!(chunk.is_free());
        }
    }

    #[test]
    fn allocations_never_overlap_and_are_aligned() {
        let heap = Heap::default();
        let sizes: Vec<u64> = (1..400).map(|step| step * 1777 % (1 << 20)).collect();
        let mut runs: Vec<(u64, u64)> = sizes
            .iter()
            .map(|&bytes| (heap.allocate(bytes).unwrap(), bytes))
            .collect();
        runs.sort_unstable();
        assert!(
            runs.windows(2)
                .all(|pair| pair[0].0 + pair[0].1 <= pair[1].0)
        );
        assert!(runs.iter().all(|run| run.0 % ALIGN_BYTES == 0));
        for (address, bytes) in runs {
            heap.free(address, bytes);
        }
        assert!(heap.chunks().is_empty());
    }
}
