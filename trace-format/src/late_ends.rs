//! Ends of calls whose begin is in an earlier block: where they are, and joining them to their calls.

use crate::block::BlockProblem;
use crate::call::Call;
use crate::calls_block::{Covered, read_covers};
use crate::msgpack::{Cursor, Unexpected};
use crate::record::Captured;
use crate::ring::{CallId, MAX_CAPTURE};

/// No reader keeps the places of more late ends than this (16 bytes each); a call beyond them is shown as in flight, and the reader says so.
pub const MAX_INDEXED: usize = 1 << 24;

/// Where the end of a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LatePlace {
    call: CallId,
    /// Number of the LateEnds block, as the reader counts them.
    pub block: u32,
    /// Offset of the entry in the block's msgpack.
    pub offset: u32,
}

/// The places of a process's late ends, by call.
#[derive(Clone, Debug, Default)]
pub struct LateIndex {
    places: Vec<LatePlace>,
    sorted: bool,
}

impl LateIndex {
    /// Takes in the entries of a LateEnds block, at most `room` of them; returns how many, and what the block covers.
    pub fn add(
        &mut self,
        block: u32,
        raw: &[u8],
        room: usize,
    ) -> Result<(usize, Vec<Covered>), BlockProblem> {
        let before = self.places.len();
        self.sorted = false;
        let covers = self.read_block(block, raw, room).map_err(|problem| {
            self.places.truncate(before);
            BlockProblem::Content(problem.to_string())
        })?;
        Ok((self.places.len() - before, covers))
    }

    fn read_block(
        &mut self,
        block: u32,
        raw: &[u8],
        room: usize,
    ) -> Result<Vec<Covered>, Unexpected> {
        let mut cursor = Cursor::new(raw);
        let mut covers = Vec::new();
        let limit = self.places.len() + room;
        for _ in 0..cursor.map_len()? {
            match cursor.str()? {
                "covers" => covers = read_covers(&mut cursor)?,
                "ends" => {
                    for _ in 0..cursor.array_len()? {
                        let offset = cursor.position() as u32;
                        let call = read_entry(&mut cursor, &mut None)?;
                        if self.places.len() < limit {
                            self.places.push(LatePlace {
                                call,
                                block,
                                offset,
                            });
                        }
                    }
                }
                _ => cursor.skip()?,
            }
        }
        Ok(covers)
    }

    /// Makes [`Self::find`] usable after the last [`Self::add`].
    pub fn sort(&mut self) {
        self.places.sort_unstable();
        self.sorted = true;
    }

    /// The place of a call's end. Where two blocks have it (one was written twice around a kill), the first.
    pub fn find(&self, call: CallId) -> Option<LatePlace> {
        debug_assert!(self.sorted || self.places.is_empty());
        let first = self.places.partition_point(|place| place.call < call);
        self.places
            .get(first)
            .filter(|place| place.call == call)
            .copied()
    }

    /// Number of ends.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// Calls of a LateEnds block, each with the bytes of its entry.
pub(crate) fn entries(raw: &[u8]) -> Result<Vec<(CallId, &[u8])>, BlockProblem> {
    let mut index = LateIndex::default();
    index.add(0, raw, MAX_INDEXED)?;
    let places = &index.places;
    let ends = places
        .iter()
        .skip(1)
        .map(|place| place.offset as usize)
        .chain([raw.len()]);
    Ok(places
        .iter()
        .zip(ends)
        .map(|(place, end)| (place.call, &raw[place.offset as usize..end]))
        .collect())
}

/// Joins the end at `offset` of a LateEnds block to its call, which keeps its `open_id`.
pub fn join(raw: &[u8], offset: u32, call: &mut Call) -> Result<(), BlockProblem> {
    let mut cursor = Cursor::new(raw);
    let joined = cursor
        .seek(offset as usize)
        .and_then(|()| read_entry(&mut cursor, &mut Some(call)));
    joined
        .map(|_| call.order_captures())
        .map_err(|problem| BlockProblem::Content(problem.to_string()))
}

/// Reads `[call, end_ns, returned, captures]` and puts it into `call` if there is one.
fn read_entry(cursor: &mut Cursor<'_>, call: &mut Option<&mut Call>) -> Result<CallId, Unexpected> {
    let length = cursor.array_of(4)?;
    let id = CallId(cursor.uint()?);
    let (end_ns, returned) = (cursor.uint()?, cursor.uint()?);
    if let Some(call) = call {
        call.duration_ns = Some(end_ns.saturating_sub(call.begin_ns));
        call.returned = Some(returned);
    }
    for _ in 0..cursor.array_len()? {
        let parts = cursor.array_of(4)?;
        let param = cursor.uint()?.min(255) as u8;
        let (out, bytes, full) = (cursor.bool()?, cursor.bin()?, cursor.optional_uint()?);
        if bytes.len() > MAX_CAPTURE {
            return Err(cursor.unexpected("a capture within the limit", bytes.len()));
        }
        if let Some(call) = call {
            call.push_capture(&Captured {
                param,
                out,
                bytes,
                full,
            });
        }
        cursor.skip_rest(parts, 4)?;
    }
    cursor.skip_rest(length, 4)?;
    Ok(id)
}
