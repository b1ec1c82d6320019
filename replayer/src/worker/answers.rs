//! After a call: what lies behind its pointers, told in the recorded process's words, and what it did to objects.

use cutape_trace_format::capture_number::{ARRIVED, PAYLOAD, REGION};
use cutape_trace_format::payload::{PayloadHash, PayloadKind, PayloadRef, PayloadState};
use cutape_trace_format::record::Captured;

use crate::judge::LOOK_UP;
use crate::not_compared::NotCompared;
use crate::plan::{
    Effect, Memory, ParamPlan, Plan, RangeBytes, Relocation, Returns, Role, Span, Target,
    codes_are_alike,
};
use crate::wire::slot::{AnswerWriter, Message};
use crate::worker::arguments::{Arguments, Given};
use crate::worker::copied::Fate;
use crate::worker::found_function::{WRONG_NAME, wrong_name};
use crate::worker::handles::{Handles, Known, Range};
use crate::worker::relocate::{counts, number_at, word_at};
use crate::worker::world::World;

/// Text of the driver's is read up to here.
const MAX_TEXT_BYTES: usize = 16 << 10;
/// No pointer to memory of the driver's must be aligned better than this.
const LARGEST_ALIGNMENT: u64 = 256;

/// A call that has returned, or was not made.
pub struct After<'a> {
    /// What all threads share.
    pub world: &'a World,
    /// How the call is played.
    pub plan: &'a Plan,
    /// What was recorded.
    pub message: &'a Message<'a>,
}

/// Parameters by bit.
pub type ParamBits = u64;

impl After<'_> {
    fn succeeded(&self, returned: u64) -> bool {
        self.plan.returns == Returns::Code && returned as u32 == 0
    }

    fn had_succeeded(&self) -> bool {
        self.message.order.returned.map(|word| word as u32) == Some(0)
    }

    /// Whether the call failed where it had succeeded, or the other way round, and that means something.
    fn answers_otherwise(&self, returned: u64) -> bool {
        let was = self.message.order.returned.map(|word| word as u32);
        self.plan.returns == Returns::Code
            && self.succeeded(returned) != self.had_succeeded()
            && !codes_are_alike(&self.plan.function, was, Some(returned as u32))
    }

    /// The call returned. Writes what lies behind pointers, learns what recorded words stand for. Answers the parameters behind whose
    /// memory something was written.
    pub fn returned(
        &self,
        arguments: &mut Arguments,
        returned: u64,
        writer: &mut AnswerWriter<'_>,
    ) -> ParamBits {
        let mut overrun = 0;
        let succeeded = self.succeeded(returned);
        for given in arguments.given() {
            let param = &self.plan.params[given.param];
            if !given.piece.is_fenced() {
                overrun |= 1 << param.number.min(63);
            }
            self.answer(param, given, succeeded, writer);
        }
        self.answer_data(arguments, succeeded, writer);
        if self.plan.brings_data {
            self.answer_arrivals(returned, writer);
        }
        if self.plan.writes_unseen || self.answers_otherwise(returned) {
            self.world.data_is_unknown();
        }
        if succeeded {
            self.take_effect(arguments);
        } else if self.had_succeeded() {
            self.brought_nothing(self.message.order.seq);
        }
        overrun
    }

    /// Which data a copy has brought, as the recording says it, or why that is not compared.
    fn answer_data(&self, arguments: &Arguments, succeeded: bool, writer: &mut AnswerWriter<'_>) {
        let Some(sink) = arguments.sink.filter(|_| succeeded) else {
            return;
        };
        let number = PAYLOAD | sink.param;
        match sink.fate {
            Fate::Now(rows) => {
                // SAFETY: memory of the arena, or host memory of the driver's that has so many bytes; the copy is over.
                let data = unsafe { rows.content() };
                let hash = PayloadHash::of(&data);
                let reference = PayloadRef::stored(hash, data.len() as u64, PayloadKind::Data);
                writer.output(number, &reference.to_bytes());
            }
            Fate::Later(later) => {
                if !self.world.later_copies().add(later) {
                    writer.output(number, &NotCompared::TooLarge.to_bytes(0));
                }
            }
            Fate::Never(why) => writer.output(number, &why.to_bytes(0)),
        }
    }

    /// The recorded program has waited for copies: what they have brought.
    fn answer_arrivals(&self, returned: u64, writer: &mut AnswerWriter<'_>) {
        let captures = self.message.captures();
        for recorded in captures.filter(|capture| capture.out && capture.param == ARRIVED) {
            let Some(recorded) = PayloadRef::read(recorded.bytes) else {
                continue;
            };
            let Some(sink) = self.world.later_copies().take(recorded.copy) else {
                continue;
            };
            let answer = match recorded.state {
                PayloadState::Stored if self.succeeded(returned) => {
                    sink.data(&self.world.handles())
                }
                PayloadState::Stored => Err(NotCompared::NotReady),
                PayloadState::Overwritten => Err(NotCompared::Overwritten),
                _ => Err(NotCompared::NotRecorded),
            };
            match answer {
                Ok(reference) => writer.output(ARRIVED, &reference.to_bytes()),
                Err(why) => writer.output(ARRIVED, &why.to_bytes(recorded.copy)),
            }
        }
    }

    fn answer(
        &self,
        param: &ParamPlan,
        given: Given,
        succeeded: bool,
        writer: &mut AnswerWriter<'_>,
    ) {
        let (Role::Out(memory) | Role::InOut(memory)) = &param.role else {
            return;
        };
        let content = given.piece.content();
        if memory.extent == Span::PointedText {
            if let (true, Some(text)) = (succeeded, word_at(content, 0).and_then(text_at)) {
                writer.output(param.number, text);
            }
            return;
        }
        if succeeded
            && !memory.relocations.is_empty()
            && let Some(recorded) = self.message.capture(param.number, true)
        {
            let found = word_at(content, 0);
            self.translate(param.number, memory, &recorded, content);
            if self.plan.function.starts_with(LOOK_UP)
                && let Some(name) =
                    found.and_then(|found| wrong_name(&self.world.driver, self.message, found))
            {
                // As the driver answered it: not what was asked for.
                given.piece.write(&found.unwrap_or(0).to_le_bytes());
                writer.output(WRONG_NAME, name.as_bytes());
            }
        }
        writer.output(param.number, content);
    }

    /// Replaces words that stand for what the recorded words stand for by the recorded ones, and learns which new ones do.
    fn translate(&self, param: u8, memory: &Memory, recorded: &Captured<'_>, content: &mut [u8]) {
        let mut handles = self.world.handles();
        let item_bytes = memory.extent.item_bytes().max(1) as usize;
        let items = content.chunks_exact_mut(item_bytes);
        for (here, recorded) in items.zip(recorded.bytes.chunks_exact(item_bytes)) {
            for relocation in memory
                .relocations
                .iter()
                .filter(|one| counts(one, recorded))
            {
                self.word(&mut handles, param, relocation, (recorded, &mut *here));
            }
        }
    }

    fn word(
        &self,
        handles: &mut Handles,
        param: u8,
        relocation: &Relocation,
        (recorded, here): (&[u8], &mut [u8]),
    ) {
        let at = relocation.offset as usize;
        let (Some(was), Some(is)) = (word_at(recorded, at), word_at(here, at)) else {
            return;
        };
        if was == 0 || (relocation.is_ambiguous && was < 1 << 32) {
            return;
        }
        let stands_for_it = match &relocation.target {
            Target::Handle(kind) => self.is_handle(handles, (param, *kind), was, is),
            Target::DevicePointer | Target::HostAddress => self.is_memory(handles, param, was, is),
            Target::DriverAddress => handles.is_same_address(was, is),
            Target::AnsweredHandles(kind) => self.is_list(handles, (param, *kind), was, is),
            _ => false,
        };
        if stands_for_it {
            here[at..at + 8].copy_from_slice(&was.to_le_bytes());
        }
    }

    fn is_handle(
        &self,
        handles: &mut Handles,
        (param, kind): (u8, u16),
        was: u64,
        is: u64,
    ) -> bool {
        let is_new = self.plan.effects.contains(&Effect::CreatesHandle(param));
        if is == 0 {
            handles.learn(kind, was, Known::Missing(self.message.order.seq));
            return false;
        }
        match handles.handle(kind, was) {
            Known::Here(known) if !is_new => known == is,
            _ => {
                handles.learn(kind, was, Known::Here(is));
                true
            }
        }
    }

    /// A list of the driver's own: each of its handles stands for the recorded one in its place from now on.
    fn is_list(&self, handles: &mut Handles, (param, kind): (u8, u16), was: u64, is: u64) -> bool {
        let start = std::ptr::with_exposed_provenance::<u64>(is as usize);
        let recorded = self.recorded_list(param, was);
        if start.is_null() || recorded.is_empty() {
            return false;
        }
        // SAFETY: the driver says that it has put as many handles there as it was asked for, which is what is on record. If that is not true, the
        // process ends while this call counts as being played.
        let here = unsafe { std::slice::from_raw_parts(start, recorded.len()) };
        for (was, is) in recorded.iter().zip(here) {
            handles.learn(kind, u64::from_le_bytes(*was), Known::Here(*is));
        }
        here.iter().all(|&is| is != 0)
    }

    /// The words that the recording has of a list at a recorded address, answered behind a parameter.
    fn recorded_list(&self, param: u8, at: u64) -> &[[u8; 8]] {
        let mut lists = self.message.captures().filter_map(|capture| {
            let (address, list) = capture.bytes.split_first_chunk::<8>()?;
            let is_it = capture.out
                && capture.param == REGION | param
                && capture.full.is_none()
                && u64::from_le_bytes(*address) == at;
            is_it.then_some(list.as_chunks::<8>().0)
        });
        lists.next().unwrap_or_default()
    }

    fn is_memory(&self, handles: &mut Handles, param: u8, was: u64, is: u64) -> bool {
        let alignment = (1 << was.trailing_zeros()).min(LARGEST_ALIGNMENT);
        let is_aligned = is.is_multiple_of(alignment);
        if let Some((bytes, is_host)) = self.creation(handles, param) {
            let range = Range {
                bytes,
                place: if is == 0 {
                    Known::Missing(self.message.order.seq)
                } else {
                    Known::Here(is)
                },
                is_host,
                _own: None,
            };
            handles.add_range(was, range);
            return is != 0 && is_aligned;
        }
        match handles.address(was) {
            Known::Here(known) => known == is,
            _ => is != 0 && is_aligned,
        }
    }

    /// Bytes of the range that a parameter brings, and whether it is host memory.
    fn creation(&self, handles: &Handles, param: u8) -> Option<(u64, bool)> {
        self.plan.effects.iter().find_map(|effect| match effect {
            Effect::CreatesRange {
                param: own,
                bytes,
                is_host,
            } if *own == param => Some((self.range_bytes(handles, *bytes), *is_host)),
            _ => None,
        })
    }

    fn range_bytes(&self, handles: &Handles, bytes: RangeBytes) -> u64 {
        let word = |word: u8| {
            self.message
                .args
                .get(usize::from(word))
                .copied()
                .unwrap_or(0)
        };
        let behind = |param: u8| {
            let capture = self.message.capture(param, true);
            capture
                .and_then(|capture| number_at(capture.bytes, 0, capture.bytes.len().min(8)))
                .unwrap_or(1)
        };
        match bytes {
            RangeBytes::Word(number) => word(number),
            RangeBytes::Behind(param) => behind(param),
            RangeBytes::PitchTimes { pitch, rows } => behind(pitch).saturating_mul(word(rows)),
            RangeBytes::HostRange(number) => handles
                .range(word(number))
                .map_or(1, |(range, offset)| range.bytes - offset),
            RangeBytes::Unknown => 1,
        }
    }

    fn take_effect(&self, arguments: &mut Arguments) {
        let has_effect = self.plan.effects.iter().any(|effect| {
            !matches!(
                effect,
                Effect::CreatesHandle(_) | Effect::CreatesRange { .. }
            )
        });
        if !has_effect && arguments.registered.is_none() {
            return;
        }
        let word = |word: u8| self.message.args.get(usize::from(word)).copied();
        if let Some(Effect::RetainsPrimaryContext(number)) = self.plan.effects.last() {
            return self.world.has_retained(word(*number).unwrap_or(0) as i32);
        }
        let mut handles = self.world.handles();
        for effect in &self.plan.effects {
            match effect {
                Effect::DestroysHandle { word: number, kind } => {
                    handles.destroyed(*kind, word(*number).unwrap_or(0));
                }
                Effect::DestroysRange(number) | Effect::ReleasesHost(number) => {
                    handles.remove_range(word(*number).unwrap_or(0));
                }
                Effect::CreatesHandle(_)
                | Effect::CreatesRange { .. }
                | Effect::RetainsPrimaryContext(_) => {}
            }
        }
        if let (Some(memory), Some((start, bytes))) =
            (arguments.registered.take(), self.registration())
        {
            let place = Known::Here(memory.address());
            handles.add_range(
                start,
                Range {
                    bytes,
                    place,
                    is_host: true,
                    _own: Some(memory),
                },
            );
        }
    }

    /// Recorded start and bytes of the memory that the call registers.
    fn registration(&self) -> Option<(u64, u64)> {
        let args = self.message.args;
        self.plan.params.iter().find_map(|param| match param.role {
            Role::Registered { bytes } => Some((
                *args.get(usize::from(param.word))?,
                *args.get(usize::from(bytes))?,
            )),
            _ => None,
        })
    }

    /// The call did not bring what it had brought when it was recorded: whoever uses that depends on `cause`.
    pub fn brought_nothing(&self, cause: u64) {
        if self.had_succeeded() {
            self.world.data_is_unknown();
        }
        let mut handles = self.world.handles();
        for param in &self.plan.params {
            let (Role::Out(memory) | Role::InOut(memory)) = &param.role else {
                continue;
            };
            let Some(recorded) = self.message.capture(param.number, true) else {
                continue;
            };
            let item_bytes = memory.extent.item_bytes().max(1) as usize;
            for item in recorded.bytes.chunks_exact(item_bytes) {
                for relocation in memory.relocations.iter().filter(|one| !one.is_ambiguous) {
                    let was = word_at(item, relocation.offset as usize).unwrap_or(0);
                    self.missing(&mut handles, (param.number, &relocation.target), was, cause);
                }
            }
        }
        if let Some((start, bytes)) = self.registration() {
            let place = Known::Missing(cause);
            handles.add_range(
                start,
                Range {
                    bytes,
                    place,
                    is_host: true,
                    _own: None,
                },
            );
        }
    }

    fn missing(&self, handles: &mut Handles, (param, target): (u8, &Target), was: u64, cause: u64) {
        match target {
            Target::Handle(kind) => {
                let is_new = self.plan.effects.contains(&Effect::CreatesHandle(param));
                if is_new || handles.handle(*kind, was) == Known::Unknown {
                    handles.learn(*kind, was, Known::Missing(cause));
                }
            }
            Target::AnsweredHandles(kind) => {
                for was in self.recorded_list(param, was) {
                    handles.learn(*kind, u64::from_le_bytes(*was), Known::Missing(cause));
                }
            }
            Target::DevicePointer | Target::HostAddress => {
                if let Some((bytes, is_host)) = self.creation(handles, param) {
                    let place = Known::Missing(cause);
                    let range = Range {
                        bytes,
                        place,
                        is_host,
                        _own: None,
                    };
                    handles.add_range(was, range);
                }
            }
            _ => {}
        }
    }
}

/// Text of the driver's, with its NUL.
fn text_at<'a>(address: u64) -> Option<&'a [u8]> {
    let start = std::ptr::with_exposed_provenance::<u8>(address as usize);
    if start.is_null() {
        return None;
    }
    // SAFETY: the driver says that a text begins there. If it doesn't, the process ends while this call counts as being played, and
    // that is the driver's doing.
    unsafe {
        let length = libc::strnlen(start.cast(), MAX_TEXT_BYTES);
        Some(std::slice::from_raw_parts(
            start,
            (length + 1).min(MAX_TEXT_BYTES),
        ))
    }
}
