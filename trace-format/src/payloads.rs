//! Which payloads a trace has, and where.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::block::{BlockProblem, Kind};
use crate::block_source::{BlockSource, Damage, OpenError, Step};
use crate::payload::PayloadHash;
use crate::payload_block::Piece;

/// Name of the file of payloads in a process's folder of a recording.
pub const PAYLOAD_FILE: &str = "payload";
/// [`Payloads::read`] gives no content that is longer.
pub const MAX_READ_BYTES: u64 = 2 << 30;

/// Where a content is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Bytes of it.
    pub bytes: u64,
    /// In [`Payloads::sources`].
    pub source: usize,
    /// Offsets of its blocks, in the order of its pieces.
    pub blocks: Vec<u64>,
}

/// Takes a block as it is stored, and its msgpack.
type TakeBlock<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), String> + 'a;

/// The payloads of a trace.
#[derive(Debug, Default)]
pub struct Payloads {
    sources: Vec<BlockSource>,
    places: HashMap<PayloadHash, Place>,
    /// In the order of the trace.
    order: Vec<PayloadHash>,
    damages: Vec<Damage>,
}

/// A payload can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The trace doesn't have it.
    #[error("the trace has no payload {0}; it may have been recorded with --payload none")]
    Absent(PayloadHash),
    /// It is longer than what is read at once.
    #[error(
        "payload {hash} has {bytes} bytes, more than the {MAX_READ_BYTES} that are read at once"
    )]
    TooLarge {
        /// Its name.
        hash: PayloadHash,
        /// Its length.
        bytes: u64,
    },
    /// A block of it can't be read, or it is not what its name says.
    #[error("payload {hash} is damaged: {problem}")]
    Damaged {
        /// Its name.
        hash: PayloadHash,
        /// What is wrong.
        problem: String,
    },
}

impl Payloads {
    /// Looks through the files of a recording folder.
    pub(crate) fn of_files(files: &[PathBuf]) -> Self {
        let mut payloads = Self::default();
        for file in files {
            if let Err(error) = payloads.add_file(file) {
                payloads.damages.push(Damage {
                    path: file.clone(),
                    offset: 0,
                    bytes: 0,
                    problem: error.to_string(),
                    lost_calls: None,
                });
            }
        }
        payloads
    }

    fn add_file(&mut self, path: &Path) -> Result<(), OpenError> {
        let source = match BlockSource::open(path) {
            Ok(source) => source,
            // None was made, or its writer was killed before it had written the file's header.
            Err(OpenError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(());
            }
            Err(OpenError::NotATrace { .. }) if is_short(path) => return Ok(()),
            Err(error) => return Err(error),
        };
        let end = source.length()?;
        let number = self.add_source(source);
        let mut collector = Collector::default();
        let mut found = Vec::new();
        let source = &self.sources[number];
        let mut steps = source.steps(source.start(), end);
        while let Some(step) = steps.advance()? {
            match step {
                Step::Block {
                    offset,
                    header,
                    raw,
                } if header.kind == Kind::Payload as u8 => match Piece::read(&raw) {
                    Ok(piece) => found.extend(collector.add(offset, &piece)),
                    Err(problem) => self.damages.push(damage(source, offset, &problem)),
                },
                Step::Block { .. } => {}
                // The end of a file whose owner was killed while it wrote: no call refers to what it was writing.
                Step::Damage {
                    offset,
                    bytes,
                    problem: BlockProblem::Truncated { .. },
                    ..
                } if offset + bytes == end => {}
                Step::Damage {
                    offset, problem, ..
                } => self.damages.push(damage(source, offset, &problem)),
            }
        }
        for (hash, place) in found {
            self.add(
                hash,
                Place {
                    source: number,
                    ..place
                },
            );
        }
        Ok(())
    }

    pub(crate) fn add_source(&mut self, source: BlockSource) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// Takes in a payload; the first of a name counts.
    pub(crate) fn add(&mut self, hash: PayloadHash, place: Place) {
        if let std::collections::hash_map::Entry::Vacant(entry) = self.places.entry(hash) {
            entry.insert(place);
            self.order.push(hash);
        }
    }

    /// Name and length of each payload, in the order of the trace.
    pub fn list(&self) -> impl Iterator<Item = (PayloadHash, u64)> {
        let bytes = |hash: &PayloadHash| self.places.get(hash).map_or(0, |place| place.bytes);
        self.order.iter().map(move |hash| (*hash, bytes(hash)))
    }

    /// Number of payloads.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// Bytes of all payloads, before compression.
    pub fn bytes(&self) -> u64 {
        self.list()
            .map(|(_, bytes)| bytes)
            .fold(0, u64::saturating_add)
    }

    /// What could not be read when they were looked for.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// The content of a payload, checked against its name.
    ///
    /// # Errors
    /// See [`PayloadError`].
    pub fn read(&self, hash: &PayloadHash) -> Result<Vec<u8>, PayloadError> {
        let mut content = Vec::new();
        self.read_pieces(hash, &mut |piece| content.extend_from_slice(piece))?;
        Ok(content)
    }

    /// The same piece by piece; what was delivered counts only if the answer is no error.
    ///
    /// # Errors
    /// See [`PayloadError`].
    pub fn read_pieces(
        &self,
        hash: &PayloadHash,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), PayloadError> {
        let place = self.places.get(hash).ok_or(PayloadError::Absent(*hash))?;
        if place.bytes > MAX_READ_BYTES {
            return Err(PayloadError::TooLarge {
                hash: *hash,
                bytes: place.bytes,
            });
        }
        let mut hasher = blake3::Hasher::new();
        let mut next = 0;
        self.blocks(hash, &mut |_, raw| {
            let piece = Piece::read(raw).map_err(|problem| problem.to_string())?;
            if piece.hash != *hash || piece.offset != next {
                return Err("its pieces do not follow each other".to_owned());
            }
            hasher.update(piece.data);
            next += piece.data.len() as u64;
            take(piece.data);
            Ok(())
        })?;
        if next != place.bytes || hasher.finalize() != blake3::Hash::from_bytes(hash.0) {
            return Err(PayloadError::Damaged {
                hash: *hash,
                problem: "its content is not what its hash says".to_owned(),
            });
        }
        Ok(())
    }

    /// Its blocks, as stored and as msgpack.
    pub(crate) fn blocks(
        &self,
        hash: &PayloadHash,
        take: &mut TakeBlock<'_>,
    ) -> Result<(), PayloadError> {
        let place = self.places.get(hash).ok_or(PayloadError::Absent(*hash))?;
        let source = &self.sources[place.source];
        let mut one = |offset: u64| -> Result<(), String> {
            let end = source.length().map_err(|error| error.to_string())?;
            let (header, raw) = source
                .block_at(offset, end)
                .map_err(|error| error.to_string())?
                .map_err(|fault| fault.problem.to_string())?;
            let mut stored = vec![0; header.total_bytes() as usize];
            source
                .read_at(&mut stored, offset)
                .map_err(|error| error.to_string())?;
            take(&stored, &raw)
        };
        place
            .blocks
            .iter()
            .try_for_each(|&offset| one(offset))
            .map_err(|problem| PayloadError::Damaged {
                hash: *hash,
                problem,
            })
    }
}

fn is_short(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() < crate::block::FILE_HEADER_BYTES as u64)
}

fn damage(source: &BlockSource, offset: u64, problem: &BlockProblem) -> Damage {
    Damage {
        path: source.path().to_owned(),
        offset,
        bytes: 0,
        problem: problem.to_string(),
        lost_calls: None,
    }
}

/// Puts pieces together that come one after the other.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    current: Option<(PayloadHash, u64, Place)>,
}

impl Collector {
    /// Takes in the piece at an offset of the file; the payload that it completes. What is not completed is forgotten: its writer was
    /// killed or gave up.
    pub fn add(&mut self, offset: u64, piece: &Piece<'_>) -> Option<(PayloadHash, Place)> {
        let continues = |current: &(PayloadHash, u64, Place)| {
            current.0 == piece.hash && current.1 == piece.offset && current.2.bytes == piece.bytes
        };
        let (hash, next, mut place) = match self.current.take().filter(continues) {
            Some(current) => current,
            None if piece.offset == 0 => (piece.hash, 0, Place::default()),
            None => return None,
        };
        place.bytes = piece.bytes;
        place.blocks.push(offset);
        let next = next + piece.data.len() as u64;
        if next == place.bytes {
            return Some((hash, place));
        }
        self.current = Some((hash, next, place));
        None
    }
}
