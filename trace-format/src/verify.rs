//! Checking every block of a trace.

use std::path::Path;

use crate::block::{BlockProblem, Header, Kind};
use crate::block_source::{BlockSource, Damage, OpenError, Step};
use crate::calls_block::CallsBlock;
use crate::code::{Code, CodeBlock};
use crate::index::{FOOTER_BYTES, Index, read_footer};
use crate::late_ends::{LateIndex, MAX_INDEXED};
use crate::metadata::{Exit, Functions, Libraries, Note, Process, Recording, Threads};
use crate::open_folder::{RECORDING_FILE, SCHEMA_FILE, process_folders};
use crate::payload::PayloadHash;
use crate::payload_block::Piece;
use crate::payloads::PAYLOAD_FILE;
use crate::process_folder::{BLOCKS_FILE, ProcessFolder};
use crate::schema::Schema;

/// What was checked, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files of blocks.
    pub files: u64,
    /// Intact blocks.
    pub blocks: u64,
    /// Calls in intact blocks, and in rings of processes that have ended.
    pub calls: u64,
    /// What is wrong, with what is lost by it.
    pub problems: Vec<Damage>,
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks a sealed file or a recording folder: checksums, content, that rows and columns agree, and that the index is of this file.
pub fn verify(path: &Path) -> Result<Verified, OpenError> {
    let mut verified = Verified::default();
    if !std::fs::metadata(path)
        .map_err(OpenError::io(path))?
        .is_dir()
    {
        verified.file(path, Role::Sealed)?;
        return Ok(verified);
    }
    // Opening says whether it is a trace at all.
    crate::trace::Trace::open(path)?;
    for name in [RECORDING_FILE, SCHEMA_FILE] {
        verified.file_of_folder(&path.join(name), Role::Complete)?;
    }
    for key in process_folders(path)? {
        let folder = path.join(key.folder_name());
        verified.file_of_folder(&folder.join(BLOCKS_FILE), Role::MayBeCut)?;
        verified.file_of_folder(&folder.join(PAYLOAD_FILE), Role::MayBeCut)?;
        let process = ProcessFolder::open(&folder, &key)?;
        verified.rings(&process, &folder.join(BLOCKS_FILE));
    }
    Ok(verified)
}

impl Verified {
    fn file_of_folder(&mut self, path: &Path, role: Role) -> Result<(), OpenError> {
        match self.file(path, role) {
            Err(OpenError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(())
            }
            Err(error @ OpenError::NotATrace { .. }) => {
                let short = std::fs::metadata(path)
                    .is_ok_and(|file| file.len() < crate::block::FILE_HEADER_BYTES as u64);
                if !(short && role == Role::MayBeCut) {
                    self.problem(path, (0, 0), error.to_string(), None);
                }
                Ok(())
            }
            other => other,
        }
    }

    /// Checks a file of blocks.
    fn file(&mut self, path: &Path, role: Role) -> Result<(), OpenError> {
        let source = BlockSource::open(path)?;
        let end = source.length()?;
        self.files += 1;
        let mut found = Found::default();
        let mut steps = source.steps(source.start(), end);
        while let Some(step) = steps.advance()? {
            match step {
                Step::Block {
                    offset,
                    header,
                    raw,
                } => {
                    let bytes = header.total_bytes();
                    match check_content(&header, raw, &mut found, offset) {
                        Ok(calls) => {
                            self.blocks += 1;
                            self.calls += calls;
                        }
                        Err(problem) => {
                            let lost =
                                (header.kind == Kind::Calls as u8).then_some(header.rows.into());
                            self.problem(path, (offset, bytes), problem.to_string(), lost);
                        }
                    }
                }
                Step::Damage {
                    offset,
                    bytes,
                    problem,
                    rows,
                } => {
                    let at_end = offset + bytes == end;
                    if at_end
                        && bytes == FOOTER_BYTES as u64
                        && read_footer_of(&source, offset)?.is_some()
                    {
                        found.footer = read_footer_of(&source, offset)?;
                    } else if !(at_end
                        && role == Role::MayBeCut
                        && matches!(problem, BlockProblem::Truncated { .. }))
                    {
                        self.problem(
                            path,
                            (offset, bytes),
                            problem.to_string(),
                            rows.map(u64::from),
                        );
                    }
                }
            }
        }
        if let Some(problem) = found.index_problem().filter(|_| role == Role::Sealed) {
            self.problem(path, (end, 0), problem, None);
        }
        Ok(())
    }

    /// Adds what is wrong with a process's rings, and the calls found in them.
    fn rings(&mut self, process: &ProcessFolder, blocks: &Path) {
        self.problems.extend(
            process
                .damages
                .iter()
                .filter(|damage| damage.path != blocks)
                .cloned(),
        );
        let in_rings = process
            .calls
            .iter()
            .filter(|calls| process.sources[calls.source].path() != blocks);
        self.calls += in_rings.map(|calls| u64::from(calls.rows)).sum::<u64>();
    }

    fn problem(
        &mut self,
        path: &Path,
        place: (u64, u64),
        problem: String,
        lost_calls: Option<u64>,
    ) {
        self.problems.push(Damage {
            path: path.to_owned(),
            offset: place.0,
            bytes: place.1,
            problem,
            lost_calls,
        });
    }
}

/// What a file of blocks is in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The whole trace, with an index at its end.
    Sealed,
    /// A file that is written at once.
    Complete,
    /// A process's blocks. The last one may be cut if the process was killed: its records are in the rings.
    MayBeCut,
}

/// What a file turned out to hold, to compare its index with.
#[derive(Default)]
struct Found {
    calls: Vec<(u64, u64, u64)>,
    index: Option<(u64, Index)>,
    footer: Option<u64>,
    payload: Option<PayloadCheck>,
}

/// A payload of which some pieces have been seen.
struct PayloadCheck {
    hash: PayloadHash,
    next: u64,
    hasher: blake3::Hasher,
}

impl Found {
    /// Takes in a piece; complains when it completes a content that is not what its hash says.
    fn piece(&mut self, piece: &Piece<'_>) -> Result<(), BlockProblem> {
        let continues =
            |check: &PayloadCheck| check.hash == piece.hash && check.next == piece.offset;
        let mut check = match self.payload.take().filter(continues) {
            Some(check) => check,
            None if piece.offset == 0 => PayloadCheck {
                hash: piece.hash,
                next: 0,
                hasher: blake3::Hasher::new(),
            },
            None => {
                return Err(BlockProblem::Content(
                    "a piece of a payload whose beginning is missing".to_owned(),
                ));
            }
        };
        check.hasher.update(piece.data);
        check.next += piece.data.len() as u64;
        if check.next < piece.bytes {
            self.payload = Some(check);
        } else if check.hasher.finalize() != blake3::Hash::from_bytes(piece.hash.0) {
            return Err(BlockProblem::Content(format!(
                "the content of payload {} is not what its hash says",
                piece.hash
            )));
        }
        Ok(())
    }
}

impl Found {
    fn index_problem(&self) -> Option<String> {
        let Some((offset, index)) = &self.index else {
            return Some(
                "the sealed file has no intact index; readers find blocks by scanning".to_owned(),
            );
        };
        if self.footer != Some(*offset) {
            return Some("the sealed file has no footer that points to its index; readers find blocks by scanning".to_owned());
        }
        let listed: Vec<_> = (0..index.offsets.len())
            .map(|place| {
                (
                    index.offsets[place],
                    index.rows[place],
                    index.first_begins_ns[place],
                )
            })
            .collect();
        let missing = listed.iter().find(|listed| !self.calls.contains(listed));
        missing.map(|(offset, ..)| {
            format!(
                "the index lists a Calls block at offset {offset} that is not there as described"
            )
        })
    }
}

/// Parses a block by its kind; returns its calls.
fn check_content(
    header: &Header,
    raw: Vec<u8>,
    found: &mut Found,
    offset: u64,
) -> Result<u64, BlockProblem> {
    fn parse<T: serde::de::DeserializeOwned>(raw: &[u8]) -> Result<(), BlockProblem> {
        rmp_serde::from_slice::<T>(raw)
            .map(drop)
            .map_err(|error| BlockProblem::Content(error.to_string()))
    }
    match Kind::from_number(header.kind) {
        Some(Kind::Calls) => {
            let block = CallsBlock::parse(raw)?;
            let first_begin_ns = if block.rows() > 0 {
                block.begin_ns(0)
            } else {
                0
            };
            if block.rows() != header.rows as usize || first_begin_ns != header.first_begin_ns {
                return Err(BlockProblem::Content(
                    "the header does not agree with the rows".to_owned(),
                ));
            }
            found
                .calls
                .push((offset, header.rows.into(), first_begin_ns));
            return Ok(header.rows.into());
        }
        Some(Kind::LateEnds) => {
            LateIndex::default().add(0, &raw, MAX_INDEXED)?;
        }
        Some(Kind::Index) => {
            let index =
                Index::read(&raw).map_err(|problem| BlockProblem::Content(problem.to_string()))?;
            found.index = Some((offset, index));
        }
        Some(Kind::Recording) => parse::<Recording>(&raw)?,
        Some(Kind::Schema) => parse::<Schema>(&raw)?,
        Some(Kind::Process) => parse::<Process>(&raw)?,
        Some(Kind::Libraries) => parse::<Libraries>(&raw)?,
        Some(Kind::Threads) => parse::<Threads>(&raw)?,
        Some(Kind::Functions) => parse::<Functions>(&raw)?,
        Some(Kind::Note) => parse::<Note>(&raw)?,
        Some(Kind::Exit) => parse::<Exit>(&raw)?,
        Some(Kind::Code) => {
            let block: CodeBlock = rmp_serde::from_slice(&raw)
                .map_err(|error| BlockProblem::Content(error.to_string()))?;
            Code::try_from(block).map_err(BlockProblem::Content)?;
        }
        Some(Kind::Payload) => found.piece(&Piece::read(&raw)?)?,
        None => {}
    }
    Ok(0)
}

fn read_footer_of(source: &BlockSource, offset: u64) -> Result<Option<u64>, OpenError> {
    let mut footer = [0; FOOTER_BYTES];
    source.read_at(&mut footer, offset)?;
    Ok(read_footer(&footer))
}
