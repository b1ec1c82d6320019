//! Copies whose data comes after their call: what is looked at when the recorded program has waited for it.

use std::collections::HashMap;

use cutape_trace_format::payload::{PayloadHash, PayloadKind, PayloadRef};

use crate::not_compared::NotCompared;
use crate::worker::copied::LaterSink;
use crate::worker::handles::{Handles, Known};

/// Copies that nobody has waited for yet; of more, none is compared.
const MAX_COPIES: usize = 1 << 16;

/// Copies whose data may not have come yet, by their number in the recording.
#[derive(Debug, Default)]
pub struct LaterCopies(HashMap<u64, LaterSink>);

impl LaterCopies {
    /// A copy was started. False if there are too many.
    pub fn add(&mut self, sink: LaterSink) -> bool {
        let has_room = self.0.len() < MAX_COPIES;
        if has_room {
            self.0.insert(sink.copy, sink);
        }
        has_room
    }

    /// The recorded program has waited for the copy.
    pub fn take(&mut self, copy: u64) -> Option<LaterSink> {
        self.0.remove(&copy)
    }
}

impl LaterSink {
    /// What has come, as the recording would say it. The driver says that the copy is over.
    ///
    /// # Errors
    /// The memory has gone meanwhile.
    pub fn data(&self, handles: &Handles) -> Result<PayloadRef, NotCompared> {
        let extent = self.rows.extent().ok_or(NotCompared::TooLarge)?;
        let is_there = self.recorded.is_none_or(|recorded| {
            handles.host(recorded, extent) == Known::Here(self.rows.address)
        });
        if !is_there {
            return Err(NotCompared::Overwritten);
        }
        // SAFETY: memory of ours that is kept, or host memory of the driver's that has so many bytes and was not given back.
        let content = unsafe { self.rows.content() };
        let hash = PayloadHash::of(&content);
        let bytes = content.len() as u64;
        Ok(PayloadRef::stored(hash, bytes, PayloadKind::Data).of_copy(self.copy))
    }
}
