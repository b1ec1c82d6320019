//! Replaces what only the recorded process understood in memory that the driver is going to read.

use std::cell::Cell;

use cutape_trace_format::capture_number::{PAYLOAD, REGION};

use crate::plan::{Kind, Relocation, Target, When};
use crate::skip::SkipReason;
use crate::wire::slot::Message;
use crate::worker::arena::Arena;
use crate::worker::callbacks;
use crate::worker::copied::{HostSide, Sink};
use crate::worker::handles::{Handles, Known};
use crate::worker::kernel;
use crate::worker::refusal::Refusal;
use crate::worker::world::World;

/// Handles that are names of something: the null handle, the legacy stream (1), the thread's own stream (2).
const LARGEST_NAME: u64 = 2;
/// Words below this are numbers where something else might stand in the same place.
const SMALLEST_ADDRESS: u64 = 1 << 32;
/// CU_MEMORYTYPE_UNIFIED of cuda.h.
const UNIFIED_MEMORY: u64 = 4;
/// Room for an answer of no known type.
const SCRATCH_BYTES: usize = 64;

/// What relocations need.
pub struct Relocator<'a> {
    /// What all threads share.
    pub world: &'a World,
    /// Handles and device pointers.
    pub handles: &'a Handles,
    /// Memory of the call.
    pub arena: &'a Arena,
    /// Addresses that nobody knows may be passed as some memory of ours.
    pub may_stand_in: bool,
    /// What was recorded of the call.
    pub message: &'a Message<'a>,
    /// Which parameter.
    pub param: u8,
    /// Which of how many items of it.
    pub item: (usize, usize),
    /// Where a copy brings data that the recording has.
    pub sink: Cell<Option<Sink>>,
}

impl Relocator<'_> {
    /// Replaces words of one item.
    ///
    /// # Errors
    /// Something can't be replaced, so the item can't be passed.
    pub fn item(&self, relocations: &[Relocation], item: &mut [u8]) -> Result<(), Refusal> {
        for relocation in relocations {
            let at = relocation.offset as usize;
            let recorded = word_at(item, at).ok_or(SkipReason::NotRecorded)?;
            if recorded == 0 {
                continue;
            }
            if !counts(relocation, item) {
                if !relocation.shares_place {
                    item[at..at + 8].copy_from_slice(&[0; 8]);
                }
                continue;
            }
            let here = self.word(relocations, relocation, recorded, item)?;
            item[at..at + 8].copy_from_slice(&here.to_le_bytes());
        }
        Ok(())
    }

    fn word(
        &self,
        relocations: &[Relocation],
        relocation: &Relocation,
        recorded: u64,
        item: &[u8],
    ) -> Result<u64, Refusal> {
        if relocation.is_ambiguous {
            return self.ambiguous(relocations, relocation.offset, recorded);
        }
        match &relocation.target {
            Target::Handle(kind) => self.handle(*kind, recorded),
            Target::DevicePointer => self.device_pointer(recorded),
            Target::CopyHost(fields) => {
                let side = HostSide::of(fields, recorded, item).ok_or(SkipReason::TooLarge)?;
                self.copy_side(&side)
            }
            Target::CopyDevice(fields) => {
                let is_unified = relocation.when.iter().any(|when| {
                    let memory_type = number_at(item, when.offset as usize, 4);
                    memory_type == Some(UNIFIED_MEMORY)
                });
                match HostSide::of(fields, recorded, item) {
                    Some(side) if is_unified && self.is_on_host(&side) => self.copy_side(&side),
                    _ => self.device_pointer(recorded),
                }
            }
            Target::Scratch => Ok(self.arena.take(SCRATCH_BYTES)?.address()),
            Target::Callback => Ok(callbacks::host_function_address()),
            Target::UserData => Ok(callbacks::USER_DATA),
            Target::Items {
                item: bytes,
                count,
                relocations,
            } => self.items((*bytes, *count), relocations, recorded, item),
            Target::KernelParams => kernel::params(self, false),
            Target::KernelExtra => kernel::params(self, true),
            Target::OnlyNull => Err(SkipReason::NotRecorded.into()),
            Target::DriverAddress | Target::HostAddress | Target::AnsweredHandles(_) => Ok(0),
        }
    }

    /// Whether a unified address is one of host memory: the recorder found it to be, or nobody knows it.
    fn is_on_host(&self, side: &HostSide) -> bool {
        let number = PAYLOAD | self.param;
        self.message.capture(number, side.is_written).is_some()
            || self.handles.address(side.rows.address) == Known::Unknown
    }

    /// A word that stands for one of several things, or is a number: what knows it decides.
    fn ambiguous(
        &self,
        relocations: &[Relocation],
        offset: u32,
        recorded: u64,
    ) -> Result<u64, Refusal> {
        let readings = relocations.iter().filter(|other| other.offset == offset);
        for reading in readings {
            let known = match &reading.target {
                Target::Handle(kind) => self.handles.handle(*kind, recorded),
                Target::DevicePointer => self.handles.address(recorded),
                _ => Known::Unknown,
            };
            match known {
                Known::Here(word) => return Ok(word),
                Known::Missing(cause) => return Err(Refusal::consequence_of(cause)),
                Known::Unknown => {}
            }
        }
        if recorded < SMALLEST_ADDRESS {
            return Ok(recorded);
        }
        Err(Refusal::unknown(recorded))
    }

    /// What a recorded handle stands for.
    ///
    /// # Errors
    /// Nobody knows it, or its creation failed.
    pub fn handle(&self, kind: Kind, recorded: u64) -> Result<u64, Refusal> {
        match self.handles.handle(kind, recorded) {
            Known::Here(word) => Ok(word),
            Known::Missing(cause) => Err(Refusal::consequence_of(cause)),
            Known::Unknown if recorded <= LARGEST_NAME => Ok(recorded),
            Known::Unknown => Err(Refusal::unknown(recorded)),
        }
    }

    /// What a recorded device pointer stands for.
    ///
    /// # Errors
    /// Nobody knows it, or its allocation failed.
    pub fn device_pointer(&self, recorded: u64) -> Result<u64, Refusal> {
        match self.handles.address(recorded) {
            Known::Here(address) => Ok(address),
            Known::Missing(cause) => Err(Refusal::consequence_of(cause)),
            Known::Unknown if self.may_stand_in => {
                self.world.data_is_unknown();
                Ok(self.world.copies.stand_in(recorded, 0, true)?)
            }
            Known::Unknown => Err(Refusal::unknown(recorded)),
        }
    }

    /// What a recorded address of host memory stands for, with so many bytes behind it.
    ///
    /// # Errors
    /// There is not so much memory to stand in, or its allocation failed.
    pub fn host(&self, recorded: u64, bytes: u64, is_written: bool) -> Result<u64, Refusal> {
        match self.handles.host(recorded, bytes) {
            Known::Here(address) => Ok(address),
            Known::Missing(cause) => Err(Refusal::consequence_of(cause)),
            Known::Unknown => {
                if !is_written {
                    self.world.data_is_unknown();
                }
                Ok(self.world.copies.stand_in(recorded, bytes, is_written)?)
            }
        }
    }

    /// A copy of the items that a pointer in a structure led to.
    fn items(
        &self,
        (bytes, (count_at, count_bytes)): (u32, (u32, u32)),
        relocations: &[Relocation],
        recorded: u64,
        owner: &[u8],
    ) -> Result<u64, Refusal> {
        let count = number_at(owner, count_at as usize, count_bytes as usize).unwrap_or(0);
        let all = u64::from(bytes)
            .checked_mul(count)
            .filter(|&all| all <= self.world.max_host_bytes)
            .ok_or(SkipReason::TooLarge)? as usize;
        if all == 0 {
            // Programs leave pointers to arrays of which they say that nothing is in them.
            return Ok(self.arena.take(8)?.address());
        }
        let region = self
            .message
            .captures()
            .filter(|capture| capture.param == REGION | self.param && !capture.out)
            .find_map(|capture| {
                let is_whole = capture.full.is_none();
                let (at, content) = capture.bytes.split_first_chunk::<8>()?;
                (u64::from_le_bytes(*at) == recorded && is_whole).then_some(content)
            });
        let content = region.and_then(|content| content.get(..all));
        let content = content.ok_or(SkipReason::NotRecorded)?;
        let piece = self.arena.take(all)?;
        piece.write(content);
        for item in piece.content().chunks_exact_mut(bytes.max(1) as usize) {
            self.item(relocations, item)?;
        }
        Ok(piece.address())
    }
}

/// Whether the place counts, by what stands in others.
pub fn counts(relocation: &Relocation, item: &[u8]) -> bool {
    relocation.when.iter().all(|when| holds(when, item))
}

fn holds(when: &When, item: &[u8]) -> bool {
    number_at(item, when.offset as usize, 4)
        .is_some_and(|number| when.is_one_of.contains(&(number as u32)))
}

/// The word at an offset.
pub fn word_at(bytes: &[u8], offset: usize) -> Option<u64> {
    number_at(bytes, offset, 8)
}

/// The number of so many bytes at an offset.
pub fn number_at(bytes: &[u8], offset: usize, count: usize) -> Option<u64> {
    let own = bytes.get(offset..offset.checked_add(count)?)?;
    let mut word = [0; 8];
    word.get_mut(..count)?.copy_from_slice(own);
    Some(u64::from_le_bytes(word))
}
