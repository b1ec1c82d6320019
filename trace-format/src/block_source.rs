//! Where blocks are read from: a file that nobody vouches for, or memory. Finds the next block after damage.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::block::{
    self, BlockProblem, FILE_HEADER_BYTES, FORMAT_VERSION, HEADER_BYTES, Header, MAGIC,
};

/// Bytes looked through at a time in search of a block.
const SEARCH_BYTES: usize = 64 << 10;

/// A file can't be read as part of a trace.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Not a file of ours.
    #[error("{}: not a cutape trace: expected a file that starts with \"cutTRACE\", or a recording folder", path.display())]
    NotATrace {
        /// The file or folder.
        path: PathBuf,
    },
    /// Written by a later version, or by none.
    #[error("{}: {}", path.display(), version_problem(*found))]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u32,
    },
}

/// The first version was 1.
fn version_problem(found: u32) -> String {
    if found == 0 {
        return "format version 0, which no cutape has written: the file's header is damaged"
            .to_owned();
    }
    format!(
        "format version {found}, and this cutape reads up to {FORMAT_VERSION}; use a newer cutape"
    )
}

impl OpenError {
    /// Adds the path to an error of the operating system.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Something in a trace that can't be read, and what that costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// First damaged byte.
    pub offset: u64,
    /// Number of bytes that could not be used.
    pub bytes: u64,
    /// What is wrong.
    pub problem: String,
    /// Calls that are lost with it, where that is known.
    pub lost_calls: Option<u64>,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            path,
            offset,
            bytes,
            problem,
            lost_calls,
        } = self;
        write!(formatter, "{}: ", path.display())?;
        // Of something that should be there and isn't, only the place is known.
        if *bytes > 0 {
            write!(formatter, "{bytes} bytes ")?;
        }
        write!(formatter, "at offset {offset}: {problem}")?;
        match lost_calls {
            Some(calls) => write!(formatter, "; {calls} calls are lost"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Damage {}

/// Bytes with blocks in them.
#[derive(Debug)]
pub struct BlockSource {
    path: PathBuf,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    File(File),
    Memory(Vec<u8>),
}

/// A step through a source.
#[derive(Debug)]
pub enum Step {
    /// An intact block.
    Block {
        /// Where it starts.
        offset: u64,
        /// Its header.
        header: Header,
        /// Its msgpack.
        raw: Vec<u8>,
    },
    /// Bytes in which no intact block starts.
    Damage {
        /// Where they start.
        offset: u64,
        /// How many.
        bytes: u64,
        /// What is wrong with the block that should start there.
        problem: BlockProblem,
        /// Rows of the damaged block by its header's account.
        rows: Option<u32>,
    },
}

impl BlockSource {
    /// Opens a file and checks its file header.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = File::open(path).map_err(OpenError::io(path))?;
        let mut header = [0; FILE_HEADER_BYTES];
        let read = read_up_to(&file, &mut header, 0).map_err(OpenError::io(path))?;
        if read < FILE_HEADER_BYTES || header[..8] != block::FILE_MAGIC {
            return Err(OpenError::NotATrace {
                path: path.to_owned(),
            });
        }
        let version = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        if version != FORMAT_VERSION {
            return Err(OpenError::Version {
                path: path.to_owned(),
                found: version,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            bytes: Bytes::File(file),
        })
    }

    /// Blocks in memory, without a file header, made from what is at `path`.
    pub fn memory(path: &Path, blocks: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            bytes: Bytes::Memory(blocks),
        }
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Offset of the first block.
    pub fn start(&self) -> u64 {
        match self.bytes {
            Bytes::File(_) => FILE_HEADER_BYTES as u64,
            Bytes::Memory(_) => 0,
        }
    }

    /// Length in bytes at this moment.
    pub fn length(&self) -> Result<u64, OpenError> {
        match &self.bytes {
            Bytes::File(file) => Ok(file.metadata().map_err(OpenError::io(&self.path))?.len()),
            Bytes::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Reads as many bytes as there are, up to the buffer's length.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, OpenError> {
        match &self.bytes {
            Bytes::File(file) => {
                read_up_to(file, buffer, offset).map_err(OpenError::io(&self.path))
            }
            Bytes::Memory(bytes) => {
                let rest = usize::try_from(offset)
                    .ok()
                    .and_then(|offset| bytes.get(offset..))
                    .unwrap_or_default();
                let length = rest.len().min(buffer.len());
                buffer[..length].copy_from_slice(&rest[..length]);
                Ok(length)
            }
        }
    }

    /// Reads the block at an offset; `end` is where the source ends. The outer error is the operating system's.
    pub fn block_at(
        &self,
        offset: u64,
        end: u64,
    ) -> Result<Result<(Header, Vec<u8>), BlockFault>, OpenError> {
        let left = end.saturating_sub(offset);
        let mut bytes = [0; HEADER_BYTES];
        let read = self.read_at(&mut bytes, offset)?.min(left as usize);
        if read < HEADER_BYTES {
            let starts_one = bytes[..read.min(8)] == MAGIC[..read.min(8)];
            let cut = BlockProblem::Truncated {
                expected: HEADER_BYTES as u64,
                found: read as u64,
            };
            return Ok(Err(BlockFault {
                problem: if starts_one { cut } else { BlockProblem::Magic },
                rows: None,
            }));
        }
        let header = match Header::read(&bytes) {
            Ok(header) => header,
            Err(problem) => {
                return Ok(Err(BlockFault {
                    problem,
                    rows: None,
                }));
            }
        };
        let rows = Some(header.rows).filter(|_| header.kind == block::Kind::Calls as u8);
        if header.total_bytes() > left {
            let problem = BlockProblem::Truncated {
                expected: header.total_bytes(),
                found: left,
            };
            return Ok(Err(BlockFault { problem, rows }));
        }
        let mut frame = vec![0; header.frame_bytes as usize];
        let read = self.read_at(&mut frame, offset + HEADER_BYTES as u64)?;
        Ok(header
            .unpack(&frame[..read])
            .map(|raw| (header, raw))
            .map_err(|problem| BlockFault { problem, rows }))
    }

    /// Steps through the blocks from `offset` to `end`.
    pub fn steps(&self, offset: u64, end: u64) -> Steps<'_> {
        Steps {
            source: self,
            at: offset,
            end,
        }
    }

    /// Offset of the first block header at or after `from` (by its magic), or `end`.
    fn find_block(&self, from: u64, end: u64) -> Result<u64, OpenError> {
        let mut window = vec![0; SEARCH_BYTES + MAGIC.len() - 1];
        let mut at = from;
        while at < end {
            let read = self.read_at(&mut window, at)?;
            if let Some(place) = window[..read]
                .windows(MAGIC.len())
                .position(|bytes| bytes == MAGIC)
            {
                return Ok((at + place as u64).min(end));
            }
            if read < window.len() {
                break;
            }
            at += SEARCH_BYTES as u64;
        }
        Ok(end)
    }
}

/// Why there is no block at an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockFault {
    /// What is wrong.
    pub problem: BlockProblem,
    /// Calls in it by its header's account, if it is a Calls block.
    pub rows: Option<u32>,
}

/// Iterates over blocks and the damage between them.
#[derive(Debug)]
pub struct Steps<'a> {
    source: &'a BlockSource,
    at: u64,
    end: u64,
}

impl Steps<'_> {
    /// The next block or stretch of damage; `None` at the end.
    pub fn advance(&mut self) -> Result<Option<Step>, OpenError> {
        if self.at >= self.end {
            return Ok(None);
        }
        let offset = self.at;
        match self.source.block_at(offset, self.end)? {
            Ok((header, raw)) => {
                self.at += header.total_bytes();
                Ok(Some(Step::Block {
                    offset,
                    header,
                    raw,
                }))
            }
            Err(BlockFault { problem, rows }) => {
                self.at = self.source.find_block(offset + 1, self.end)?;
                Ok(Some(Step::Damage {
                    offset,
                    bytes: self.at - offset,
                    problem,
                    rows,
                }))
            }
        }
    }
}

fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
