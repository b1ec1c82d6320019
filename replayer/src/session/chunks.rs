//! Chunks of the shared memory: which are free, and which slots of the others are still to be judged.

use std::sync::atomic::Ordering;

use crate::judge::Site;
use crate::wire::board::{Board, CHUNK_BYTES};
use crate::wire::slot::state;

/// A slot that was posted.
#[derive(Clone, Copy, Debug)]
pub struct Posted {
    /// Offset in the shared memory.
    pub offset: usize,
    /// Words of the slot.
    pub words: usize,
    /// Which call.
    pub site: Site,
}

/// A chunk that is in use.
#[derive(Debug)]
struct Chunk {
    number: usize,
    slots: Vec<Posted>,
    /// Slots that were judged.
    judged: usize,
    is_full: bool,
}

/// All chunks.
#[derive(Debug)]
pub struct Chunks {
    free: Vec<usize>,
    used: Vec<Chunk>,
    /// Bytes that are used of the last chunk in `used`.
    filled: usize,
    /// Lists to use again.
    lists: Vec<Vec<Posted>>,
}

impl Chunks {
    /// All of a board's, free.
    pub fn new(board: &Board) -> Self {
        Self {
            // The first ones are used over and over, the others only if many calls go on for long.
            free: (0..board.chunks()).rev().collect(),
            used: Vec::new(),
            filled: CHUNK_BYTES,
            lists: Vec::new(),
        }
    }

    /// The offset at which a slot of so many bytes fits, if a chunk has room.
    pub fn room(&mut self, board: &Board, bytes: usize) -> Option<usize> {
        if self.filled + bytes > CHUNK_BYTES {
            let number = self.free.pop()?;
            if let Some(last) = self.used.last_mut() {
                last.is_full = true;
            }
            self.used.push(Chunk {
                number,
                slots: self.lists.pop().unwrap_or_default(),
                judged: 0,
                is_full: false,
            });
            self.filled = 0;
        }
        let last = self.used.last()?;
        Some(board.chunk(last.number) + self.filled)
    }

    /// A slot was put where [`Self::room`] said.
    pub fn posted(&mut self, slot: Posted) {
        self.filled += slot.words * 8;
        if let Some(last) = self.used.last_mut() {
            last.slots.push(slot);
        }
    }

    /// Hands all slots that are done and were not yet handed out to `judge`, and frees chunks. How many there were.
    pub fn judge(&mut self, board: &Board, mut judge: impl FnMut(&Posted)) -> usize {
        let mut count = 0;
        for chunk in &mut self.used {
            while let Some(slot) = chunk.slots.get(chunk.judged) {
                let state = board.slot_state(slot.offset);
                if state.is_none_or(|state| state.load(Ordering::Acquire) != state::DONE) {
                    break;
                }
                judge(slot);
                chunk.judged += 1;
                count += 1;
            }
        }
        let is_done = |chunk: &Chunk| chunk.is_full && chunk.judged == chunk.slots.len();
        if self.used.iter().any(is_done) {
            let (done, used) = std::mem::take(&mut self.used)
                .into_iter()
                .partition(is_done);
            self.used = used;
            let done: Vec<Chunk> = done;
            for mut chunk in done.into_iter().rev() {
                self.free.push(chunk.number);
                chunk.slots.clear();
                self.lists.push(chunk.slots);
            }
        }
        count
    }

    /// Slots that are not judged, in the order of posting.
    pub fn open(&self) -> impl Iterator<Item = &Posted> {
        self.used
            .iter()
            .flat_map(|chunk| &chunk.slots[chunk.judged..])
    }

    /// Whether all posted slots are judged.
    pub fn is_all_judged(&self) -> bool {
        self.open().next().is_none()
    }
}
