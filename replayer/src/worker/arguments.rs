//! Makes the arguments of a call: words as they were recorded, but for those that meant something only to the recorded process.

use std::cell::Cell;
use std::sync::MutexGuard;

use cutape_trace_format::capture_number::PAYLOAD;
use cutape_trace_format::record::Captured;

use crate::plan::{HostSide, Memory, ParamPlan, Plan, Relocation, Role, Span, UNWRITTEN};
use crate::skip::SkipReason;
use crate::wire::slot::Message;
use crate::worker::arena::{Arena, Piece};
use crate::worker::callbacks;
use crate::worker::copied::{self, Sink};
use crate::worker::handles::{Handles, Known};
use crate::worker::host_memory::OwnMemory;
use crate::worker::image_file::{ImageFile, NO_FILE};
use crate::worker::kernel;
use crate::worker::refusal::Refusal;
use crate::worker::relocate::{Relocator, number_at};
use crate::worker::world::World;

/// Words of the longest argument list.
const MAX_WORDS: usize = 40;
/// Parameters that point to memory; more than any function has.
const MAX_GIVEN: usize = 16;

/// Options of the linker and compiler that say how long the log buffer of the option before them is, and that option.
const LOG_BUFFERS: [(u32, u32); 2] = [(3, 4), (5, 6)];
/// Options whose value leads to more: names and addresses of symbols, kernels and variables.
const LEADING_OPTIONS: [u32; 6] = [15, 16, 25, 26, 27, 28];
/// The option of a library whose value leads to more: a table of functions and data.
const LEADING_LIBRARY_OPTION: u32 = 0;
/// The largest log that anybody asks for.
const MAX_LOG_BYTES: u64 = 1 << 20;

/// Arguments that are ready.
pub struct Arguments {
    words: [u64; MAX_WORDS],
    count: usize,
    given: [Option<Given>; MAX_GIVEN],
    given_count: usize,
    /// Memory that the call registers with the driver.
    pub registered: Option<OwnMemory>,
    /// Where a copy brings data that the recording has.
    pub sink: Option<Sink>,
    /// A file whose name is among the arguments.
    file: Option<ImageFile>,
}

/// Memory that the driver may write to.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// Place in the plan's list of parameters.
    pub param: usize,
    /// The memory.
    pub piece: Piece,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            words: [0; MAX_WORDS],
            count: 0,
            given: [None; MAX_GIVEN],
            given_count: 0,
            registered: None,
            sink: None,
            file: None,
        }
    }
}

impl Arguments {
    /// Begins with the recorded words.
    fn start(&mut self, recorded: &[u64]) -> Option<()> {
        self.words
            .get_mut(..recorded.len())?
            .copy_from_slice(recorded);
        self.count = recorded.len();
        self.given_count = 0;
        self.registered = None;
        self.sink = None;
        self.file = None;
        Some(())
    }

    /// The words.
    pub fn words(&self) -> &[u64] {
        &self.words[..self.count]
    }

    /// Memory that the driver may write to.
    pub fn given(&self) -> impl Iterator<Item = Given> + '_ {
        self.given[..self.given_count].iter().flatten().copied()
    }
}

/// Makes arguments.
pub struct Builder<'a> {
    world: &'a World,
    plan: &'a Plan,
    message: &'a Message<'a>,
    arena: &'a Arena,
    handles: Option<MutexGuard<'a, Handles>>,
    arguments: &'a mut Arguments,
}

/// Makes the arguments of a call, where those of an earlier one were.
///
/// # Errors
/// The call can't be made.
pub fn build<'a>(
    world: &'a World,
    plan: &'a Plan,
    message: &'a Message<'a>,
    (arena, arguments): (&'a Arena, &'a mut Arguments),
) -> Result<(), Refusal> {
    if message.args.len() != usize::from(plan.words) {
        return Err(SkipReason::UnknownPrototype.into());
    }
    arguments
        .start(message.args)
        .ok_or(SkipReason::UnknownPrototype)?;
    let mut builder = Builder {
        world,
        plan,
        message,
        arena,
        handles: None,
        arguments,
    };
    for (place, param) in plan.params.iter().enumerate() {
        builder.param(place, param).map_err(|refusal| Refusal {
            param: param.number.into(),
            ..refusal
        })?;
    }
    Ok(())
}

impl<'a> Builder<'a> {
    fn param(&mut self, place: usize, param: &'a ParamPlan) -> Result<(), Refusal> {
        let word = usize::from(param.word);
        let recorded = self.arguments.words[word];
        if let Role::Value {
            bytes,
            relocations,
            host_side,
        } = &param.role
        {
            return match host_side.filter(|side| self.is_on_host(param, *side)) {
                Some(side) => {
                    self.arguments.words[word] = self.copied(param, side, recorded)?;
                    Ok(())
                }
                None => self.value(param, *bytes, relocations),
            };
        }
        if recorded == 0 {
            return Ok(());
        }
        self.arguments.words[word] = match &param.role {
            Role::Value { .. } => return Ok(()),
            Role::In(memory) => self.passed(param, memory)?.address(),
            Role::Out(memory) => self.answered(place, memory)?.address(),
            Role::InOut(memory) => {
                let piece = self.passed(param, memory)?;
                self.give(place, piece)?.address()
            }
            Role::Text => self.text(param)?.address(),
            Role::Copied(side) => self.copied(param, *side, recorded)?,
            Role::Host => self.relocator(param.number).host(recorded, 0, true)?,
            Role::Registered { bytes } => self.registered(recorded, *bytes)?,
            Role::DeviceAddress => self.relocator(param.number).device_pointer(recorded)?,
            Role::Scratch { bytes } => {
                let piece = self.arena.take(*bytes as usize)?;
                self.give(place, piece)?.address()
            }
            Role::Callback(stub) => callbacks::address(*stub),
            Role::UserData => callbacks::USER_DATA,
            Role::OptionValues {
                options,
                is_library,
                count,
            } => self.option_values(param, (*options, *is_library), *count)?,
            Role::Image => self.image(param)?.as_ptr().expose_provenance() as u64,
            Role::ImageFile => self.image_file(param)?,
            Role::KernelParams => kernel::params(&self.relocator(param.number), false)?,
            Role::KernelExtra => kernel::params(&self.relocator(param.number), true)?,
            Role::OnlyNull => return Err(SkipReason::NotRecorded.into()),
        };
        Ok(())
    }

    /// Whether the recorder found a copy's address to be one of host memory.
    fn is_on_host(&self, param: &ParamPlan, side: HostSide) -> bool {
        let number = PAYLOAD | param.number;
        self.message.capture(number, side.is_written).is_some()
    }

    /// An image that the judge has put into the shared memory: it stays there.
    fn image(&self, param: &ParamPlan) -> Result<&'a [u8], Refusal> {
        let content = self.world.content(self.message, PAYLOAD | param.number);
        content.ok_or(SkipReason::NoImage.into())
    }

    /// The name of a file of ours with the recorded content.
    fn image_file(&mut self, param: &ParamPlan) -> Result<u64, Refusal> {
        let name = match self.world.content(self.message, PAYLOAD | param.number) {
            Some(bytes) => {
                let file = ImageFile::new(bytes).map_err(|_| SkipReason::TooLarge)?;
                let name = file.name();
                self.arguments.file = Some(file);
                name
            }
            // What could not be loaded then is to fail now as well.
            None if self.message.order.returned != Some(0) => NO_FILE.to_owned(),
            None => return Err(SkipReason::NoImage.into()),
        };
        let piece = self.arena.take(name.len())?;
        piece.write(name.as_bytes());
        Ok(piece.address())
    }

    fn relocator(&mut self, param: u8) -> Relocator<'_> {
        let world = self.world;
        Relocator {
            world,
            handles: self.handles.get_or_insert_with(|| world.handles()),
            arena: self.arena,
            may_stand_in: self.plan.takes_any_address || self.message.order.returned != Some(0),
            message: self.message,
            param,
            item: (0, 1),
            sink: Cell::new(None),
        }
    }

    fn value(
        &mut self,
        param: &ParamPlan,
        bytes: u32,
        places: &[Relocation],
    ) -> Result<(), Refusal> {
        let word = usize::from(param.word);
        // Nearly always one handle.
        if let ([relocation], true) = (places, bytes == 8) {
            let recorded = self.arguments.words[word];
            if recorded == 0 {
                return Ok(());
            }
            let mut item = recorded.to_le_bytes();
            self.relocator(param.number)
                .item(std::slice::from_ref(relocation), &mut item)?;
            self.arguments.words[word] = u64::from_le_bytes(item);
            return Ok(());
        }
        let end = word + (bytes as usize).div_ceil(8);
        let words = self.arguments.words.get(word..end);
        let mut item: Vec<u8> = words
            .ok_or(SkipReason::UnknownPrototype)?
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        self.relocator(param.number).item(places, &mut item)?;
        let here = item.as_chunks::<8>().0;
        for (to, from) in self.arguments.words[word..end].iter_mut().zip(here) {
            *to = u64::from_le_bytes(*from);
        }
        Ok(())
    }

    fn captured(&self, number: u8) -> Result<Captured<'a>, Refusal> {
        let capture = self.message.capture(number, false);
        capture
            .filter(|capture| capture.full.is_none())
            .ok_or(SkipReason::NotRecorded.into())
    }

    /// Bytes that the driver takes the memory for.
    fn bytes(&self, extent: Span) -> Result<usize, Refusal> {
        let (item, count) = match extent {
            Span::Fixed(bytes) => return Ok(bytes as usize),
            Span::PointedText => return Ok(8),
            Span::Counted {
                item,
                word,
                word_bytes,
            } => {
                let recorded = self.message.args.get(usize::from(word)).copied();
                let bits = 8 * u32::from(word_bytes.clamp(1, 8));
                let count = recorded.unwrap_or(0) & (u64::MAX >> (64 - bits));
                (item, count)
            }
            Span::CountedBehind { item, param } => {
                let capture = self.message.capture(param, false);
                let count = capture
                    .and_then(|capture| number_at(capture.bytes, 0, capture.bytes.len().min(8)));
                (item, count.unwrap_or(0))
            }
        };
        let bytes = u64::from(item).checked_mul(count);
        bytes
            .filter(|&bytes| bytes <= self.world.max_host_bytes)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or(SkipReason::TooLarge.into())
    }

    /// Memory with what was recorded of it.
    fn passed(&mut self, param: &ParamPlan, memory: &Memory) -> Result<Piece, Refusal> {
        let bytes = self.bytes(memory.extent)?;
        if bytes == 0 {
            // A list of no items: nothing is on record of it.
            return Ok(self.arena.take(0)?);
        }
        let capture = self.captured(param.number)?;
        if capture.bytes.len() < bytes {
            return Err(SkipReason::NotRecorded.into());
        }
        let piece = self.arena.take(bytes)?;
        piece.write(capture.bytes);
        if !memory.relocations.is_empty() {
            let mut relocator = self.relocator(param.number);
            let item_bytes = memory.extent.item_bytes().max(1) as usize;
            let items = piece.content().len() / item_bytes;
            for (number, item) in piece.content().chunks_exact_mut(item_bytes).enumerate() {
                relocator.item = (number, items);
                relocator.item(&memory.relocations, item)?;
            }
            let sink = relocator.sink.take();
            self.arguments.sink = self.arguments.sink.or(sink);
        }
        Ok(piece)
    }

    /// Memory for an answer.
    fn answered(&mut self, place: usize, memory: &Memory) -> Result<Piece, Refusal> {
        let piece = self.arena.take(self.bytes(memory.extent)?)?;
        piece.fill(UNWRITTEN);
        self.give(place, piece)
    }

    fn give(&mut self, place: usize, piece: Piece) -> Result<Piece, Refusal> {
        let next = self.arguments.given.get_mut(self.arguments.given_count);
        *next.ok_or(SkipReason::UnknownPrototype)? = Some(Given {
            param: place,
            piece,
        });
        self.arguments.given_count += 1;
        Ok(piece)
    }

    fn text(&mut self, param: &ParamPlan) -> Result<Piece, Refusal> {
        let capture = self.captured(param.number)?;
        // One byte more: a capture ends with its NUL, and a text that doesn't gets one.
        let piece = self.arena.take(capture.bytes.len() + 1)?;
        piece.fill(0);
        piece.write(capture.bytes);
        Ok(piece)
    }

    fn copied(&mut self, param: &ParamPlan, side: HostSide, recorded: u64) -> Result<u64, Refusal> {
        let bytes = self.message.args.get(usize::from(side.bytes)).copied();
        let side = copied::HostSide::line(recorded, bytes.unwrap_or(0), side.is_written);
        let relocator = self.relocator(param.number);
        let address = relocator.copy_side(&side)?;
        let sink = relocator.sink.take();
        self.arguments.sink = self.arguments.sink.or(sink);
        Ok(address)
    }

    fn registered(&mut self, recorded: u64, word: u8) -> Result<u64, Refusal> {
        let bytes = self.message.args.get(usize::from(word)).copied();
        let limit = self.world.max_host_bytes;
        // Registered a second time, it is the same memory.
        if let Known::Here(address) = self.relocator(0).handles.host(recorded, 0) {
            return Ok(address);
        }
        let memory = OwnMemory::for_range(recorded, bytes.unwrap_or(0), limit)?;
        let address = memory.address();
        self.arguments.registered = Some(memory);
        Ok(address)
    }

    /// Values of options are words: numbers, but for logs, which get memory of ours, and for what leads to more.
    fn option_values(
        &mut self,
        param: &ParamPlan,
        (options, is_library): (u8, bool),
        count: u8,
    ) -> Result<u64, Refusal> {
        let count = self.message.args.get(usize::from(count)).copied();
        let count = count.unwrap_or(0) as u32 as usize;
        if count == 0 {
            return Ok(self.arena.take(0)?.address());
        }
        let options = self.captured(options)?.bytes.as_chunks::<4>().0;
        let values = self.captured(param.number)?.bytes.as_chunks::<8>().0;
        if options.len() < count || values.len() < count {
            return Err(SkipReason::NotRecorded.into());
        }
        let option = |place: usize| u32::from_le_bytes(options[place]);
        let piece = self.arena.take(count * 8)?;
        for place in 0..count {
            let recorded = u64::from_le_bytes(values[place]);
            let mut logs = LOG_BUFFERS.iter().filter(|_| !is_library);
            let log = logs.find(|(log, _)| *log == option(place));
            let leads = match is_library {
                true => option(place) == LEADING_LIBRARY_OPTION,
                false => LEADING_OPTIONS.contains(&option(place)),
            };
            let value = match log {
                Some((_, length)) => {
                    let at = (0..count).find(|&other| option(other) == *length);
                    let bytes = at.map_or(0, |at| u64::from_le_bytes(values[at]) as u32);
                    self.arena
                        .take(u64::from(bytes).min(MAX_LOG_BYTES) as usize)?
                        .address()
                }
                None if leads && recorded != 0 => {
                    return Err(SkipReason::NotRecorded.into());
                }
                None => recorded,
            };
            piece.content()[place * 8..place * 8 + 8].copy_from_slice(&value.to_le_bytes());
        }
        Ok(piece.address())
    }
}
