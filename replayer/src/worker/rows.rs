//! Rows of a box in memory: what a copy of one, two or three dimensions reads or writes on one side.

use std::borrow::Cow;

/// Rows of a box in memory. Their content has them one behind the other, without what lies between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Address of the first byte of the first row.
    pub address: u64,
    /// Bytes of a row.
    pub width: u64,
    /// Rows of a plane.
    pub height: u64,
    /// Planes.
    pub depth: u64,
    /// Bytes from row to row.
    pub pitch: u64,
    /// Bytes from plane to plane.
    pub plane: u64,
}

impl Rows {
    /// So many bytes in one piece.
    pub fn line(address: u64, bytes: u64) -> Self {
        Self {
            address,
            width: bytes,
            height: 1,
            depth: 1,
            pitch: bytes,
            plane: bytes,
        }
    }

    /// The same rows elsewhere.
    pub fn at(self, address: u64) -> Self {
        Self { address, ..self }
    }

    /// Bytes of the content; `None` if that is more than can be counted.
    pub fn bytes(&self) -> Option<u64> {
        self.width.checked_mul(self.height)?.checked_mul(self.depth)
    }

    /// Bytes from the first to the last one.
    pub fn extent(&self) -> Option<u64> {
        if self.bytes()? == 0 {
            return Some(0);
        }
        let planes = self.plane.checked_mul(self.depth - 1)?;
        let rows = self.pitch.checked_mul(self.height - 1)?;
        planes.checked_add(rows)?.checked_add(self.width)
    }

    /// Whether nothing lies between the rows.
    pub fn is_dense(&self) -> bool {
        self.extent().is_some() && self.extent() == self.bytes()
    }

    /// Puts a content into the rows.
    ///
    /// # Safety
    /// All rows are memory that may be written to, and the content is as long as they are.
    pub unsafe fn write(&self, content: &[u8]) {
        self.for_each(|at, row| {
            let from = &content[row..row + self.width as usize];
            let to = std::ptr::with_exposed_provenance_mut::<u8>(at as usize);
            // SAFETY: the caller says so; the content is memory of ours, not the driver's.
            unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        });
    }

    /// Puts one byte everywhere into the rows.
    ///
    /// # Safety
    /// All rows are memory that may be written to.
    pub unsafe fn fill(&self, byte: u8) {
        self.for_each(|at, _| {
            let to = std::ptr::with_exposed_provenance_mut::<u8>(at as usize);
            // SAFETY: the caller says so.
            unsafe { to.write_bytes(byte, self.width as usize) };
        });
    }

    /// The content.
    ///
    /// # Safety
    /// All rows are memory that nobody writes to meanwhile.
    pub unsafe fn content<'a>(&self) -> Cow<'a, [u8]> {
        // SAFETY: the caller says so.
        let row = |at: u64, bytes: u64| unsafe {
            let start = std::ptr::with_exposed_provenance::<u8>(at as usize);
            std::slice::from_raw_parts(start, bytes as usize)
        };
        let bytes = self.bytes().unwrap_or(0);
        if self.is_dense() && bytes > 0 {
            return Cow::Borrowed(row(self.address, bytes));
        }
        let mut content = Vec::with_capacity(bytes as usize);
        self.for_each(|at, _| content.extend_from_slice(row(at, self.width)));
        Cow::Owned(content)
    }

    /// Each row's address, and where it begins in the content.
    fn for_each(&self, mut visit: impl FnMut(u64, usize)) {
        if self.width == 0 {
            // Rows of nothing may be as many as anybody cares to write into a trace.
            return;
        }
        let mut offset = 0;
        for plane in 0..self.depth {
            for row in 0..self.height {
                visit(
                    self.address + plane * self.plane + row * self.pitch,
                    offset as usize,
                );
                offset += self.width;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_and_read_between_their_gaps() {
        let mut memory = [0u8; 40];
        let rows = Rows {
            address: memory.as_mut_ptr().expose_provenance() as u64,
            width: 3,
            height: 2,
            depth: 2,
            pitch: 5,
            plane: 20,
        };
        let content: Vec<u8> = (1..=12).collect();
        assert_eq!(rows.bytes(), Some(12));
        assert_eq!(rows.extent(), Some(28));
        // SAFETY: 28 bytes of the array.
        unsafe { rows.write(&content) };
        assert_eq!(memory[..9], [1, 2, 3, 0, 0, 4, 5, 6, 0]);
        assert_eq!(memory[20..29], [7, 8, 9, 0, 0, 10, 11, 12, 0]);
        // SAFETY: as above.
        assert_eq!(*unsafe { rows.content() }, content[..]);
    }

    #[test]
    fn sizes_that_nobody_has_are_none() {
        let rows = Rows {
            height: u64::MAX,
            pitch: 2,
            ..Rows::line(0, 2)
        };
        assert_eq!((rows.bytes(), rows.extent()), (None, None));
        assert!(Rows::line(0, 5).is_dense());
        assert_eq!(Rows::line(0, 0).extent(), Some(0));
        let many_of_nothing = Rows {
            height: u64::MAX,
            ..Rows::line(0, 0)
        };
        // SAFETY: there is nothing to write.
        unsafe { many_of_nothing.write(&[]) };
    }
}
