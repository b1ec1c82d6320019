//! The host side of a copy: the recorded data where the driver reads, memory that is looked at where it writes.

use cutape_trace_format::capture_number::PAYLOAD;
use cutape_trace_format::payload::{PayloadRef, PayloadState};

use crate::not_compared::NotCompared;
use crate::plan::{CopyFields, UNWRITTEN};
use crate::skip::SkipReason;
use crate::worker::handles::Known;
use crate::worker::refusal::Refusal;
use crate::worker::relocate::{Relocator, number_at};
use crate::worker::rows::Rows;

/// Data that a copy brings is compared up to this length; the memory for a call's arguments is twice as large.
const MAX_COMPARED_BYTES: u64 = 32 << 20;

/// Where a copy brings data that the recording has, or will have when the program has waited for it.
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// Number of the parameter.
    pub param: u8,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of the data that a copy brings.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It is compared when the call has returned.
    Now(Rows),
    /// It is compared when the program has waited for it.
    Later(LaterSink),
    /// It is not compared.
    Never(NotCompared),
}

/// Where data comes after the call.
#[derive(Clone, Copy, Debug)]
pub struct LaterSink {
    /// The copy's number in the recording.
    pub copy: u64,
    /// Where the data comes.
    pub rows: Rows,
    /// Recorded address of the first byte, if the memory is the driver's and may go before the data is looked at.
    pub recorded: Option<u64>,
}

/// One side of a copy as it was recorded.
#[derive(Clone, Copy, Debug)]
pub struct HostSide {
    /// Where it begins and how it lies, in the recorded process.
    pub rows: Rows,
    /// Bytes from the address that the program passed to the first byte of the copy.
    pub lead: u64,
    /// Whether the driver writes there.
    pub is_written: bool,
}

impl HostSide {
    /// So many bytes in one piece.
    pub fn line(address: u64, bytes: u64, is_written: bool) -> Self {
        Self {
            rows: Rows::line(address, bytes),
            lead: 0,
            is_written,
        }
    }

    /// Of a copy that a structure describes; `None` if the structure is too short or says more than can be counted.
    pub fn of(fields: &CopyFields, address: u64, item: &[u8]) -> Option<Self> {
        let number = |offset: u32| number_at(item, offset as usize, fields.number_bytes as usize);
        let optional = |offset: Option<u32>, default: u64| match offset {
            Some(offset) => number(offset),
            None => Some(default),
        };
        let [x, y, z] = fields.start;
        let [width, height, depth] = fields.size;
        let width = optional(width, 0)?;
        let height = optional(height, 1)?;
        // A pitch of 0 stands for rows without gaps, and a height of 0 for planes without.
        let pitch = Some(number(fields.pitch)?)
            .filter(|&pitch| pitch > 0)
            .unwrap_or(width);
        let plane_rows = optional(fields.slice_rows, 0)?;
        let plane_rows = Some(plane_rows).filter(|&rows| rows > 0).unwrap_or(height);
        let plane = pitch.checked_mul(plane_rows)?;
        let lead = optional(x, 0)?
            .checked_add(optional(y, 0)?.checked_mul(pitch)?)?
            .checked_add(optional(z, 0)?.checked_mul(plane)?)?;
        let rows = Rows {
            address: address.checked_add(lead)?,
            width,
            height,
            depth: optional(depth, 1)?,
            pitch,
            plane,
        };
        Some(Self {
            rows,
            lead,
            is_written: fields.is_written,
        })
    }

    /// Bytes from the address that the program passed to the last byte of the copy.
    fn reach(&self) -> Option<u64> {
        self.rows.extent()?.checked_add(self.lead)
    }

    /// The address that the program passed.
    fn passed(&self) -> u64 {
        self.rows.address - self.lead
    }
}

impl Relocator<'_> {
    /// The address to pass for one side of a copy.
    ///
    /// # Errors
    /// There is not so much memory to stand in, or its allocation failed.
    pub fn copy_side(&self, side: &HostSide) -> Result<u64, Refusal> {
        let reach = side.reach().ok_or(SkipReason::TooLarge)?;
        let extent = reach - side.lead;
        let known = self.handles.host(side.rows.address, extent);
        if let Known::Missing(cause) = known {
            return Err(Refusal::consequence_of(cause));
        }
        let first = match (side.is_written, known) {
            (false, Known::Here(address)) => self.known_source(side, address),
            (false, _) => self.unknown_source(side, reach)?,
            (true, Known::Here(address)) => {
                self.sink_here(side, address, Some(side.rows.address));
                address
            }
            (true, _) => self.unknown_sink(side, reach)?,
        };
        Ok(first.wrapping_sub(side.lead))
    }

    /// The recorded data of the side, if it is as long as the copy says.
    fn data(&self, side: &HostSide) -> Option<&[u8]> {
        let data = self.world.content(self.message, PAYLOAD | self.param)?;
        (Some(data.len() as u64) == side.rows.bytes()).then_some(data)
    }

    /// Memory of the driver's that the copy reads from.
    fn known_source(&self, side: &HostSide, address: u64) -> u64 {
        match self.data(side) {
            // SAFETY: the driver under test has answered an allocation of host memory, and so many bytes from there on are of it. If
            // that is not true, the process ends while this call counts as being played.
            Some(data) => unsafe { side.rows.at(address).write(data) },
            None => self.world.data_is_unknown(),
        }
        address
    }

    /// Memory of the program's own: the recorded data where it lies in the shared memory, or in memory of ours with the program's gaps.
    fn unknown_source(&self, side: &HostSide, reach: u64) -> Result<u64, Refusal> {
        let Some(data) = self.data(side) else {
            return self.stand_in(side, reach);
        };
        if side.rows.is_dense() && side.lead == 0 {
            return Ok(data.as_ptr().expose_provenance() as u64);
        }
        match self.world.kept_memory(side.passed(), reach, false) {
            Some(start) => {
                let address = start + side.lead;
                // SAFETY: memory of ours of that reach.
                unsafe { side.rows.at(address).write(data) };
                Ok(address)
            }
            None => self.stand_in(side, reach),
        }
    }

    /// Memory that stands for any: zeros where the driver reads, nobody looks where it writes.
    fn stand_in(&self, side: &HostSide, reach: u64) -> Result<u64, Refusal> {
        let start = self.host(side.passed(), reach, side.is_written)?;
        Ok(start.wrapping_add(side.lead))
    }

    /// Memory of the program's own that the copy writes to: of this call alone, or for as long as there is no telling when the data comes.
    fn unknown_sink(&self, side: &HostSide, reach: u64) -> Result<u64, Refusal> {
        let address = match self.recorded_data(side) {
            Some((recorded, Ok(())))
                if recorded.state == PayloadState::Stored && reach <= MAX_COMPARED_BYTES =>
            {
                Some(self.arena.take(reach as usize)?.address())
            }
            Some((recorded, Ok(()))) if recorded.state == PayloadState::Later => {
                self.world.kept_memory(side.passed(), reach, true)
            }
            _ => None,
        };
        let Some(start) = address else {
            let address = self.stand_in(side, reach)?;
            self.sink_nowhere(side);
            return Ok(address);
        };
        let first = start + side.lead;
        // SAFETY: memory of ours of that reach, for this copy alone.
        unsafe { side.rows.at(first).fill(UNWRITTEN) };
        self.sink_here(side, first, None);
        Ok(first)
    }

    /// What the recording says of the data that the copy brings, and whether it can be compared; `None` if it says nothing.
    fn recorded_data(&self, side: &HostSide) -> Option<(PayloadRef, Result<(), NotCompared>)> {
        let capture = self.message.capture(PAYLOAD | self.param, true)?;
        let recorded = PayloadRef::read(capture.bytes)?;
        let bytes = side.rows.bytes().unwrap_or(u64::MAX);
        let comparable = match recorded.state {
            PayloadState::Stored | PayloadState::Later if bytes > MAX_COMPARED_BYTES => {
                Err(NotCompared::TooLarge)
            }
            PayloadState::Later if recorded.copy == 0 => Err(NotCompared::NeverWaitedFor),
            PayloadState::Stored | PayloadState::Later if !self.world.is_data_known() => {
                Err(NotCompared::UnknownSource)
            }
            PayloadState::Stored | PayloadState::Later => Ok(()),
            _ => Err(NotCompared::NotRecorded),
        };
        Some((recorded, comparable))
    }

    fn sink_here(&self, side: &HostSide, address: u64, recorded: Option<u64>) {
        let fate = match self.recorded_data(side) {
            None => return,
            Some((_, Err(why))) => Fate::Never(why),
            Some((reference, Ok(()))) if reference.state == PayloadState::Later => {
                Fate::Later(LaterSink {
                    copy: reference.copy,
                    rows: side.rows.at(address),
                    recorded,
                })
            }
            Some(_) => Fate::Now(side.rows.at(address)),
        };
        self.sink.set(Some(Sink {
            param: self.param,
            fate,
        }));
    }

    fn sink_nowhere(&self, side: &HostSide) {
        let why = match self.recorded_data(side) {
            None => return,
            Some((_, Ok(()))) => NotCompared::TooLarge,
            Some((_, Err(why))) => why,
        };
        self.sink.set(Some(Sink {
            param: self.param,
            fate: Fate::Never(why),
        }));
    }
}
