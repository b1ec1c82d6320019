//! Where the bytes of a payload are read from, in pieces.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use cutape_trace_format::payload::{PayloadKind, PayloadState};

use crate::memory;

/// A content that can be read more than once.
pub enum Source {
    /// Memory in one piece.
    Memory {
        /// Its address.
        at: usize,
    },
    /// Rows of a box in memory; the payload has them without gaps.
    Rows(Rows),
    /// A file.
    File(File),
}

/// Where the rows of a box are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// First byte of the first row.
    pub at: u64,
    /// Bytes of a row.
    pub width: u64,
    /// Rows of a plane.
    pub height: u64,
    /// Bytes from row to row.
    pub pitch: u64,
    /// Bytes from plane to plane.
    pub plane: u64,
}

/// A content, how long it is, and what it is.
pub struct Content {
    /// Where it is.
    pub source: Source,
    /// Bytes of it.
    pub bytes: u64,
    /// What it is; of images, the first bytes decide.
    pub kind: PayloadKind,
}

impl Content {
    /// The content of a regular file.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn of_file(name: &[u8]) -> Result<Self, PayloadState> {
        // Opening a pipe would wait for its other end.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY)
            .open(OsStr::from_bytes(name))
            .map_err(|_| PayloadState::Unreadable)?;
        let metadata = file.metadata().map_err(|_| PayloadState::Unreadable)?;
        if !metadata.is_file() {
            return Err(PayloadState::Unreadable);
        }
        Ok(Self {
            bytes: metadata.len(),
            source: Source::File(file),
            kind: PayloadKind::Other,
        })
    }

    /// Fills a buffer with the content from `offset` on; false if it can't be read.
    pub fn read(&self, offset: u64, to: &mut [u8]) -> bool {
        match &self.source {
            Source::Memory { at } => memory::read(at.wrapping_add(offset as usize), to),
            Source::File(file) => file.read_exact_at(to, offset).is_ok(),
            Source::Rows(rows) => rows.read(offset, to),
        }
    }
}

impl Rows {
    fn read(&self, mut offset: u64, mut to: &mut [u8]) -> bool {
        while !to.is_empty() {
            let (row, within) = (offset / self.width, offset % self.width);
            let step = (self.width - within).min(to.len() as u64);
            let (now, rest) = to.split_at_mut(step as usize);
            let (plane, row) = (row / self.height, row % self.height);
            let at = plane
                .wrapping_mul(self.plane)
                .wrapping_add(row.wrapping_mul(self.pitch))
                .wrapping_add(self.at + within);
            if !memory::read(at as usize, now) {
                return false;
            }
            to = rest;
            offset += step;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_without_their_gaps() {
        // Two planes of 3 rows of 4 bytes, 5 from row to row, 20 from plane to plane.
        let memory: Vec<u8> = (0..40).collect();
        let rows = Rows {
            at: memory.as_ptr() as u64,
            width: 4,
            height: 3,
            pitch: 5,
            plane: 20,
        };
        let mut whole = [0; 24];
        assert!(rows.read(0, &mut whole));
        assert_eq!(whole[..8], [0, 1, 2, 3, 5, 6, 7, 8]);
        assert_eq!(whole[12..16], [20, 21, 22, 23]);
        let mut part = [0; 5];
        assert!(rows.read(10, &mut part));
        assert_eq!(part, [12, 13, 20, 21, 22]);
    }

    #[test]
    fn only_regular_files_are_read() {
        assert!(matches!(
            Content::of_file(b"/dev/zero"),
            Err(PayloadState::Unreadable)
        ));
        assert!(matches!(
            Content::of_file(b"/nowhere"),
            Err(PayloadState::Unreadable)
        ));
        let content = Content::of_file(b"/proc/self/exe").unwrap();
        let mut magic = [0; 4];
        assert!(content.read(0, &mut magic));
        assert_eq!(&magic, b"\x7fELF");
    }
}
