//! Rows of an index in order.

use super::{Index, Part, Row};

/// Iterator over the numbers and rows of calls that can be read; see [`Index::rows_from`].
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    index: &'a Index,
    part: usize,
    next: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(index: &'a Index, seq: u64) -> Self {
        let seq = seq.max(1);
        Self {
            index,
            part: index.part_of(seq).unwrap_or(0),
            next: seq,
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = (u64, Row);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (Some(part), Some(&start)) = (
                self.index.parts.get(self.part),
                self.index.starts.get(self.part),
            ) else {
                let seq = self.next;
                let row = self.index.row(seq)?;
                self.next += 1;
                return Some((seq, row));
            };
            let end = start + part.len();
            if let Part::Calls(chunk) = part
                && self.next < end
            {
                let seq = self.next;
                self.next += 1;
                return Some((seq, chunk.row((seq - start) as usize)));
            }
            self.next = self.next.max(end);
            self.part += 1;
        }
    }
}
