//! Where things lie in the shared memory, and the words by which both sides know how far the other one is.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::wire::images::ROOM_BYTES;
use crate::wire::shared_memory::SharedMemory;
use crate::wire::slot::{HEAD_WORDS, MESSAGE_WORDS, answer_at};

/// Bytes of a chunk.
pub const CHUNK_BYTES: usize = 1 << 20;
/// Bytes of a text that the player leaves, such as why the driver can't be loaded.
pub const MESSAGE_BYTES: usize = 4096;
/// What the queue of a thread ends with: it makes no further call.
pub const END: u64 = u64::MAX;

const CONTROL_BYTES: usize = 4096;
/// Calls that may be ahead of a thread.
pub const QUEUE: usize = 4096;
const THREAD_BYTES: usize = 64 + QUEUE * 8;
const CHUNK_ALIGNMENT: usize = 4096;

/// How far the player is.
pub mod stage {
    /// It is loading the driver; 0 is before that.
    pub const LOADING: u32 = 1;
    /// It plays.
    pub const PLAYING: u32 = 2;
    /// The driver could not be loaded; the message says why.
    pub const NOT_LOADED: u32 = 3;
    /// The player itself has failed; the message says why.
    pub const BROKEN: u32 = 4;
}

/// The first words of the shared memory.
#[repr(C)]
#[derive(Debug)]
pub struct Control {
    /// See [`stage`].
    pub stage: AtomicU32,
    /// Threads that are to run: those of the table below this number.
    pub threads: AtomicU32,
    /// Raised while the player's main thread sleeps.
    pub sleepers: AtomicU32,
    /// Bytes of the message.
    pub message_bytes: AtomicU32,
    /// Where the instructions lie.
    pub instructions: AtomicU64,
    /// How many bytes they are.
    pub instruction_bytes: AtomicU64,
    /// Threads that there is room for.
    pub max_threads: AtomicU32,
    /// The call in whose place a function is called at this moment, outside of the calls that are played; 0 if none is.
    pub standing_in_for: AtomicU64,
    /// Times that the driver called a function of ours back.
    pub called_back: AtomicU64,
}

/// What is known of one thread.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct ThreadLine {
    /// Slots (and the end) that have been put into its queue.
    pub posted: AtomicU32,
    /// Raised while it may sleep for `posted`.
    pub sleeps: AtomicU32,
    /// Calls that have ended.
    pub ended: AtomicU32,
    /// Raised by threads that may sleep for `ended`.
    pub watchers: AtomicU32,
    /// Slots (and the end) that it has taken from its queue.
    pub taken: AtomicU32,
    /// Offsets of slots, or [`END`]; the place of a slot is its number modulo the length.
    pub queue: [AtomicU64; QUEUE],
}

const _: () = assert!(size_of::<ThreadLine>() == THREAD_BYTES);
const _: () = assert!(size_of::<Control>() + MESSAGE_BYTES / 2 <= CONTROL_BYTES);

/// A slot as the player sees it.
#[derive(Debug)]
pub struct SlotParts<'a> {
    /// See [`state`](crate::wire::slot::state).
    pub state: &'a AtomicU32,
    /// The message.
    pub message: &'a [u64],
    /// Room for the answer.
    pub answer: &'a mut [u64],
}

/// The shared memory with its parts.
#[derive(Debug)]
pub struct Board {
    memory: SharedMemory,
    max_threads: usize,
    chunks_at: usize,
    chunks: usize,
}

impl Board {
    /// New memory with room for so many threads and chunks, and with the instructions.
    ///
    /// # Errors
    /// The system has no more memory or descriptors.
    pub fn new(threads: usize, chunks: usize, instructions: &[u8]) -> std::io::Result<Self> {
        let instructions_at = Self::threads_end(threads);
        let chunks_at = (instructions_at + instructions.len()).next_multiple_of(CHUNK_ALIGNMENT);
        let images_at = chunks_at + chunks * CHUNK_BYTES;
        let memory = SharedMemory::new(images_at + ROOM_BYTES)?;
        let board = Self {
            memory,
            max_threads: threads,
            chunks_at,
            chunks,
        };
        let control = board.control();
        control.max_threads.store(threads as u32, Ordering::Relaxed);
        control
            .instructions
            .store(instructions_at as u64, Ordering::Relaxed);
        control
            .instruction_bytes
            .store(instructions.len() as u64, Ordering::Relaxed);
        board
            .memory
            .write(instructions_at, instructions)
            .ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(board)
    }

    /// The memory that this process inherited.
    ///
    /// # Errors
    /// The descriptor is not that of such memory.
    pub fn inherited(descriptor: i32) -> std::io::Result<Self> {
        let memory = SharedMemory::inherited(descriptor)?;
        if memory.bytes() < CONTROL_BYTES + MESSAGE_BYTES {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        let mut board = Self {
            memory,
            max_threads: 0,
            chunks_at: 0,
            chunks: 0,
        };
        board.max_threads = board.control().max_threads.load(Ordering::Relaxed) as usize;
        if Self::threads_end(board.max_threads) > board.memory.bytes() {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        Ok(board)
    }

    fn threads_end(threads: usize) -> usize {
        CONTROL_BYTES + MESSAGE_BYTES + threads * THREAD_BYTES
    }

    /// The memory itself.
    pub fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// The first words.
    pub fn control(&self) -> &Control {
        let start = self.memory.at(0, CONTROL_BYTES);
        let start = start.expect("both constructors make sure of it");
        // SAFETY: the memory is mapped as long as the board lives, aligned to a page, and all fields are atomic.
        unsafe { start.cast().as_ref() }
    }

    /// The line of a thread.
    pub fn thread(&self, number: usize) -> Option<&ThreadLine> {
        if number >= self.max_threads {
            return None;
        }
        let offset = CONTROL_BYTES + MESSAGE_BYTES + number * THREAD_BYTES;
        let line = self.memory.at(offset, THREAD_BYTES)?;
        // SAFETY: as above; lines are aligned to their size.
        Some(unsafe { line.cast().as_ref() })
    }

    /// How many threads there is room for.
    pub fn max_threads(&self) -> usize {
        self.max_threads
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> usize {
        self.chunks
    }

    /// The offset at which a chunk starts.
    pub fn chunk(&self, number: usize) -> usize {
        self.chunks_at + number * CHUNK_BYTES
    }

    /// The offset at which the room for images starts.
    pub fn images(&self) -> usize {
        self.chunk(self.chunks)
    }

    /// The slot at an offset that was taken from a thread's queue.
    ///
    /// # Safety
    /// The slot was posted by the judge, and only the thread that took it from its queue has it.
    pub unsafe fn slot(&self, offset: usize) -> Option<SlotParts<'_>> {
        let head = self.memory.at(offset, 8 * (HEAD_WORDS + MESSAGE_WORDS))?;
        // SAFETY: mapped; slots are aligned to words, and the state is only touched as an atomic.
        let state: &AtomicU32 = unsafe { head.cast().as_ref() };
        // SAFETY: the upper half of the head is written before the slot is posted, and never again.
        let words = unsafe { head.cast::<u32>().add(1).read() } as usize;
        let body_words = words.checked_sub(HEAD_WORDS)?;
        let body = self.memory.at(offset + 8 * HEAD_WORDS, 8 * body_words)?;
        let body = body.cast::<u64>().as_ptr();
        // SAFETY: mapped, and written before the slot was posted.
        let fixed = unsafe { std::slice::from_raw_parts(body, MESSAGE_WORDS) };
        let answer_at = answer_at(fixed).min(body_words);
        // SAFETY: the message is written before the slot is posted, and not changed while it is played; the answer is the player's,
        // and the caller is the only one. The two don't overlap.
        unsafe {
            Some(SlotParts {
                state,
                message: std::slice::from_raw_parts(body, answer_at),
                answer: std::slice::from_raw_parts_mut(body.add(answer_at), body_words - answer_at),
            })
        }
    }

    /// The state of the slot at an offset.
    pub fn slot_state(&self, offset: usize) -> Option<&AtomicU32> {
        let head = self.memory.at(offset, 8)?;
        // SAFETY: mapped, aligned to words, and only touched as an atomic once it is posted.
        Some(unsafe { head.cast().as_ref() })
    }

    /// The instructions.
    pub fn instructions(&self) -> Option<Vec<u8>> {
        let control = self.control();
        self.memory.read(
            usize::try_from(control.instructions.load(Ordering::Relaxed)).ok()?,
            usize::try_from(control.instruction_bytes.load(Ordering::Relaxed)).ok()?,
        )
    }

    /// Leaves a message for the other process and changes the stage.
    pub fn leave_message(&self, text: &str, stage: u32) {
        let bytes = &text.as_bytes()[..text.len().min(MESSAGE_BYTES)];
        if self.memory.write(CONTROL_BYTES, bytes).is_some() {
            self.control()
                .message_bytes
                .store(bytes.len() as u32, Ordering::Relaxed);
        }
        self.control().stage.store(stage, Ordering::Release);
    }

    /// The message that the player left.
    pub fn message(&self) -> String {
        let bytes = self.control().message_bytes.load(Ordering::Relaxed) as usize;
        let message = self.memory.read(CONTROL_BYTES, bytes.min(MESSAGE_BYTES));
        String::from_utf8_lossy(&message.unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_finds_what_its_parent_left() {
        let board = Board::new(3, 2, b"play").expect("memory");
        // SAFETY: duplicates a descriptor that is open; the copy is the other board's own.
        let descriptor = unsafe { libc::dup(board.memory().descriptor().expect("the parent's")) };
        let child = Board::inherited(descriptor).expect("memory");
        assert_eq!(child.instructions().as_deref(), Some(&b"play"[..]));
        assert_eq!(child.max_threads(), 3);
        assert!(child.thread(2).is_some() && child.thread(3).is_none());
        child.leave_message("no such file", stage::NOT_LOADED);
        assert_eq!(board.message(), "no such file");
        assert_eq!(
            board.control().stage.load(Ordering::Acquire),
            stage::NOT_LOADED
        );
    }
}
