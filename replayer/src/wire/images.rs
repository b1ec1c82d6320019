//! Module images in the shared memory: each content once, for as long as the player lives.

use std::collections::HashMap;

use cutape_trace_format::capture_number::{CaptureOf, PAYLOAD};
use cutape_trace_format::payload::{PayloadHash, PayloadState};
use cutape_trace_format::payload::{PayloadKind, PayloadRef};
use cutape_trace_format::record::Captured;
use cutape_trace_format::trace::Trace;

use crate::wire::board::Board;

/// Room for images. Pages are taken when an image is written there.
const IMAGE_ROOM_BYTES: usize = 8 << 30;
/// Room behind it for the data of copies. It is used again when all copies that have data there are over.
const DATA_ROOM_BYTES: usize = 1 << 30;
/// Room for both.
pub const ROOM_BYTES: usize = IMAGE_ROOM_BYTES + DATA_ROOM_BYTES;

/// Images begin at page boundaries, as they do in a mapped file.
const ALIGNMENT: usize = 4096;

/// Where an image lies in the shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImagePlace {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

impl ImagePlace {
    /// As the content of a capture, in place of the reference that the trace has.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..].copy_from_slice(&self.bytes.to_le_bytes());
        bytes
    }

    /// From the content of a capture.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 16] = bytes.try_into().ok()?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        Some(Self {
            offset: word(0),
            bytes: word(8),
        })
    }
}

/// Puts images into the shared memory.
#[derive(Debug, Default)]
pub struct Images {
    images: Room,
    data: Room,
}

/// Contents that lie one behind the other.
#[derive(Debug, Default)]
struct Room {
    places: HashMap<PayloadHash, ImagePlace>,
    used: usize,
}

impl Images {
    /// Where an image lies, put there if need be; `None` if the trace doesn't have it or there is no room.
    pub fn place(
        &mut self,
        board: &Board,
        trace: &Trace,
        image: &PayloadRef,
    ) -> Option<ImagePlace> {
        let hash = image.hash?;
        if image.state != PayloadState::Stored {
            return None;
        }
        let (room, start, size) = match image.kind {
            PayloadKind::Data => (&mut self.data, IMAGE_ROOM_BYTES, DATA_ROOM_BYTES),
            _ => (&mut self.images, 0, IMAGE_ROOM_BYTES),
        };
        if let Some(place) = room.places.get(&hash) {
            return Some(*place);
        }
        let content = trace.payload(&hash).ok()?;
        // PTX is text, and ends with a NUL: the byte behind is one.
        let end = room.used.checked_add(content.len() + 1)?;
        if end > size {
            return None;
        }
        let offset = board.images() + start + room.used;
        board.memory().write(offset, &content)?;
        room.used = end.next_multiple_of(ALIGNMENT);
        let place = ImagePlace {
            offset: offset as u64,
            bytes: content.len() as u64,
        };
        room.places.insert(hash, place);
        Some(place)
    }

    /// Whether there is room for the data of a copy only when that of earlier ones is gone.
    pub fn is_full_for(&self, image: &PayloadRef) -> bool {
        let bytes = usize::try_from(image.bytes).unwrap_or(usize::MAX);
        let is_new = image
            .hash
            .is_some_and(|hash| !self.data.places.contains_key(&hash));
        let is_data = image.kind == PayloadKind::Data && image.state == PayloadState::Stored;
        let fits = |used: usize| bytes < DATA_ROOM_BYTES.saturating_sub(used);
        is_data && is_new && !fits(self.data.used) && fits(0)
    }

    /// All copies that have data here are over.
    pub fn forget_data(&mut self) {
        self.data = Room::default();
    }
}

/// The parameter whose image a capture refers to.
pub fn image_of(capture: &Captured<'_>) -> Option<(u8, PayloadRef)> {
    match CaptureOf::number(capture.param) {
        CaptureOf::Payload(param) if !capture.out => {
            Some((PAYLOAD | param, PayloadRef::read(capture.bytes)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::ImagePlace;

    #[test]
    fn a_place_reads_back() {
        let place = ImagePlace {
            offset: 1 << 40,
            bytes: 77,
        };
        assert_eq!(ImagePlace::read(&place.to_bytes()), Some(place));
        assert_eq!(ImagePlace::read(b"short"), None);
    }
}
