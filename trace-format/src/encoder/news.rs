//! What a flush brings besides calls: threads, functions without a place in the table, ends of calls that began in earlier blocks.

use crate::block::{BlockBuilder, BuildError, Kind, Label};
use crate::calls_block::{Covered, write_covers};
use crate::msgpack::{
    write_array_len, write_bin, write_bool, write_map_len, write_nil, write_str, write_uint,
};
use crate::record::End;

/// Entries of Threads, Functions and LateEnds blocks that are to be written before the next Calls block.
#[derive(Default)]
pub(crate) struct News {
    threads: Entries,
    functions: Entries,
    late_ends: Entries,
}

/// msgpack values without the head of the array that will hold them.
#[derive(Default)]
struct Entries {
    bytes: Vec<u8>,
    count: usize,
}

impl News {
    /// A thread took over a ring. `thread` is ordinal and tid.
    pub fn thread(&mut self, ring: u16, thread: (u32, u32), begin_ns: u64, name: &[u8]) {
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let out = self.threads.next();
        write_map_len(out, 5);
        for (key, value) in [
            ("ordinal", thread.0.into()),
            ("tid", thread.1.into()),
            ("ring", ring.into()),
            ("since_ns", begin_ns),
        ] {
            write_str(out, key);
            write_uint(out, value);
        }
        write_str(out, "name");
        write_str(out, &String::from_utf8_lossy(name));
    }

    /// A function got a number.
    pub fn function(&mut self, id: u32, name: &[u8]) {
        let out = self.functions.next();
        write_array_len(out, 2);
        write_uint(out, id.into());
        write_str(out, &String::from_utf8_lossy(name));
    }

    /// A call returned whose begin is not in this batch.
    pub fn late_end(&mut self, end: &End<'_>, end_ns: u64) {
        let out = self.late_ends.next();
        write_array_len(out, 4);
        write_uint(out, end.call.0);
        write_uint(out, end_ns);
        write_uint(out, end.returned);
        write_array_len(out, end.captures.count());
        for capture in end.captures {
            write_array_len(out, 4);
            write_uint(out, capture.param.into());
            write_bool(out, capture.out);
            write_bin(out, capture.bytes);
            match capture.full {
                Some(full) => write_uint(out, full),
                None => write_nil(out),
            }
        }
    }

    /// Late ends taken in since the last [`Self::clear`].
    pub fn late_ends(&self) -> u64 {
        self.late_ends.count as u64
    }

    /// Appends blocks for what there is. `covers`, unless empty, goes into the last of them, or into a LateEnds block made for it.
    /// Returns the number of blocks.
    pub fn write(
        &self,
        covers: &[Covered],
        blocks: &mut BlockBuilder,
        out: &mut Vec<u8>,
    ) -> Result<u64, BuildError> {
        let mut written = 0;
        for (kind, key, entries) in [
            (Kind::Threads, "threads", &self.threads),
            (Kind::Functions, "functions", &self.functions),
        ] {
            if entries.count > 0 {
                blocks.append(Label::plain(kind), &entries.block(key, &[]), out)?;
                written += 1;
            }
        }
        if self.late_ends.count > 0 || !covers.is_empty() {
            let label = Label {
                rows: self.late_ends.count as u32,
                ..Label::plain(Kind::LateEnds)
            };
            blocks.append(label, &self.late_ends.block("ends", covers), out)?;
            written += 1;
        }
        Ok(written)
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        for entries in [&mut self.threads, &mut self.functions, &mut self.late_ends] {
            entries.bytes.clear();
            entries.count = 0;
        }
    }
}

impl Entries {
    fn next(&mut self) -> &mut Vec<u8> {
        self.count += 1;
        &mut self.bytes
    }

    fn block(&self, key: &str, covers: &[Covered]) -> Vec<u8> {
        let mut raw = Vec::with_capacity(self.bytes.len() + 64);
        write_map_len(&mut raw, 1 + usize::from(!covers.is_empty()));
        if !covers.is_empty() {
            write_str(&mut raw, "covers");
            write_covers(&mut raw, covers);
        }
        write_str(&mut raw, key);
        write_array_len(&mut raw, self.count);
        raw.extend_from_slice(&self.bytes);
        raw
    }
}
