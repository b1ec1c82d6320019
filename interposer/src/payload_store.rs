//! Keeping module images and copied data: each content once, in a file of its own, before the call that refers to it is on record.
//!
//! The calling thread does the work. The program may free the memory when the call returns, and a program killed in the call must not
//! leave a reference without content; both rule out a thread that does it later.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cutape_trace_format::block::{BlockBuilder, file_header};
use cutape_trace_format::metadata::{Note, note};
use cutape_trace_format::payload::{PayloadHash, PayloadKind, PayloadRef, PayloadState};
use cutape_trace_format::payload_block::{PIECE_BYTES, Piece};
use cutape_trace_format::payloads::PAYLOAD_FILE;

use crate::clock;
use crate::content::Content;
use crate::failure::Failure;
use crate::held_file::HeldFile;
use crate::introduction;
use crate::settings::{PayloadMode, Settings};

/// No payload larger than this is kept: cuBLASLt's images of all architectures have 400 MB, and a program that never uses them would
/// wait for them.
pub const MAX_BYTES: u64 = 256 << 20;

/// The payloads of one process.
pub struct PayloadStore {
    /// What is kept.
    pub mode: PayloadMode,
    folder: PathBuf,
    recording: PathBuf,
    max_bytes: Option<u64>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    file: Option<HeldFile>,
    blocks: Option<BlockBuilder>,
    known: HashSet<PayloadHash>,
    /// Writing failed, and nobody tries again.
    failed: bool,
    noted: Vec<PayloadState>,
}

/// What keeping a payload came to.
pub struct Outcome {
    /// What the call's record says of it.
    pub reference: PayloadRef,
    /// What the trace should say, the first time that something is left out.
    pub note: Option<Note>,
}

impl Outcome {
    /// Nothing was kept, and nobody needs to be told.
    pub fn refused(reference: PayloadRef) -> Self {
        Self {
            reference,
            note: None,
        }
    }
}

impl PayloadStore {
    /// For a process whose folder is `folder`.
    pub fn new(settings: &Settings, folder: &Path) -> Self {
        Self {
            mode: settings.payload,
            folder: folder.to_owned(),
            recording: settings.folder.clone(),
            max_bytes: settings.max_bytes,
            kept: Mutex::default(),
        }
    }

    /// Keeps a content, or says why not.
    pub fn keep(&self, content: Result<Content, PayloadRef>) -> Outcome {
        let reference = match content {
            Ok(content) => self.try_to_keep(&content).unwrap_or_else(|refused| refused),
            Err(refused) => refused,
        };
        let mut kept = self.kept();
        let is_news = matches!(
            reference.state,
            PayloadState::TooLarge | PayloadState::NoRoom
        ) && !kept.noted.contains(&reference.state);
        if is_news {
            kept.noted.push(reference.state);
        }
        Outcome {
            note: is_news.then(|| note_on(&reference)),
            reference,
        }
    }

    fn try_to_keep(&self, content: &Content) -> Result<PayloadRef, PayloadRef> {
        let missing = |state| PayloadRef::missing(state, content.bytes, content.kind);
        if content.bytes > MAX_BYTES {
            return Err(missing(PayloadState::TooLarge));
        }
        let mut piece = vec![0; PIECE_BYTES.min(content.bytes as usize)];
        let (hash, kind) =
            hash_of(content, &mut piece).ok_or_else(|| missing(PayloadState::Unreadable))?;
        let mut kept = self.kept();
        if content.bytes > 0 && !kept.known.contains(&hash) {
            if kept.failed {
                return Err(missing(PayloadState::NoRoom));
            }
            self.write(&mut kept, content, hash, &mut piece)
                .map_err(missing)?;
            kept.known.insert(hash);
        }
        Ok(PayloadRef::stored(hash, content.bytes, kind))
    }

    /// Appends the content to the file; on any failure the file is as it was.
    fn write(
        &self,
        kept: &mut Kept,
        content: &Content,
        hash: PayloadHash,
        piece: &mut [u8],
    ) -> Result<(), PayloadState> {
        let give_up = |kept: &mut Kept| {
            kept.failed = true;
            PayloadState::NoRoom
        };
        if self.open(kept).is_err() {
            return Err(give_up(kept));
        }
        let (Some(file), Some(blocks)) = (&mut kept.file, &mut kept.blocks) else {
            return Err(PayloadState::NoRoom);
        };
        let Ok((_, before)) = file.checked() else {
            return Err(give_up(kept));
        };
        let written = self.write_pieces((file, blocks), content, hash, piece);
        if let Err(problem) = written {
            file.cut(before);
            return Err(match problem {
                WriteProblem::Changed => PayloadState::Unreadable,
                // A smaller one may still have room.
                WriteProblem::Limit => PayloadState::NoRoom,
                WriteProblem::File => give_up(kept),
            });
        }
        Ok(())
    }

    fn open(&self, kept: &mut Kept) -> Result<(), Failure> {
        if kept.file.is_none() {
            let path = self.folder.join(PAYLOAD_FILE);
            let mut file = HeldFile::create(&path, "write module images")?;
            file.append(&file_header())?;
            kept.file = Some(file);
        }
        if kept.blocks.is_none() {
            let blocks = BlockBuilder::new(1).map_err(|error| Failure::Bug(error.to_string()))?;
            kept.blocks = Some(blocks);
        }
        Ok(())
    }

    fn write_pieces(
        &self,
        (file, blocks): (&mut HeldFile, &mut BlockBuilder),
        content: &Content,
        hash: PayloadHash,
        piece: &mut [u8],
    ) -> Result<(), WriteProblem> {
        let mut room = self
            .max_bytes
            .map(|limit| limit.saturating_sub(introduction::recorded_bytes(&self.recording)));
        let mut hasher = blake3::Hasher::new();
        let mut offset = 0;
        let mut block = Vec::new();
        while offset < content.bytes {
            let data = &mut piece[..PIECE_BYTES.min((content.bytes - offset) as usize)];
            if !content.read(offset, data) {
                return Err(WriteProblem::Changed);
            }
            hasher.update(data);
            block.clear();
            let next = Piece {
                hash,
                bytes: content.bytes,
                offset,
                data,
            };
            next.append(blocks, &mut block)
                .map_err(|_| WriteProblem::File)?;
            if let Some(room) = &mut room {
                *room = room
                    .checked_sub(block.len() as u64)
                    .ok_or(WriteProblem::Limit)?;
            }
            file.append(&block).map_err(|_| WriteProblem::File)?;
            offset += data.len() as u64;
        }
        // The program may write to the memory meanwhile.
        if hasher.finalize() == blake3::Hash::from_bytes(hash.0) {
            Ok(())
        } else {
            Err(WriteProblem::Changed)
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum WriteProblem {
    /// The content is another than it was a moment ago, or gone.
    Changed,
    /// `--max-size` is reached.
    Limit,
    /// The file can't be written.
    File,
}

/// The content's hash, and what it is by its first bytes; `None` if it can't be read.
fn hash_of(content: &Content, piece: &mut [u8]) -> Option<(PayloadHash, PayloadKind)> {
    let mut hasher = blake3::Hasher::new();
    let mut kind = content.kind;
    let mut offset = 0;
    while offset < content.bytes {
        let data = &mut piece[..PIECE_BYTES.min((content.bytes - offset) as usize)];
        if !content.read(offset, data) {
            return None;
        }
        if offset == 0 && kind == PayloadKind::Other {
            kind = PayloadKind::of_image(data);
        }
        hasher.update(data);
        offset += data.len() as u64;
    }
    Some((PayloadHash(*hasher.finalize().as_bytes()), kind))
}

fn note_on(reference: &PayloadRef) -> Note {
    let bytes = reference.bytes;
    let text = match reference.state {
        PayloadState::TooLarge => format!(
            "a payload of {bytes} bytes was not kept, nor any other of more than {MAX_BYTES} bytes"
        ),
        _ => format!(
            "a payload of {bytes} bytes was not kept, for want of room (--max-size, or the disk is full)"
        ),
    };
    Note {
        kind: note::PAYLOAD.to_owned(),
        text,
        count: bytes,
        at_ns: clock::nanoseconds(libc::CLOCK_MONOTONIC),
        ..Note::default()
    }
}
