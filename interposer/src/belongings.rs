//! Looking for what belongs to a call besides its captures; [`crate::more`] says what there may be.

use std::ptr;

use cutape_trace_format::capture_number::{ARRIVED, CaptureOf};
use cutape_trace_format::payload::{PayloadKind, PayloadRef};
use cutape_trace_format::ring::MAX_CAPTURE;

use crate::capture::{Gathered, Phase, Reader};
use crate::content::{Content, Rows, Source};
use crate::driver_state::{self, StreamName};
use crate::flusher::Control;
use crate::function_name;
use crate::image;
use crate::kernel_capture::{self, Launch};
use crate::later_copies::Order;
use crate::memory;
use crate::more::{
    Belonging, Content as Rule, CopyBox, Kernel, Kernels, Number, OrderKind, OrderOf, Payload,
    Regions, StreamWord, holds,
};
use crate::payload_store::Outcome;
use crate::pointer_memory;
use crate::process::Process;
use crate::recording;
use crate::settings::PayloadMode;

/// Structures of one parameter that are looked into.
const MAX_STRUCTURES: usize = 64;
/// Longest path of a file (PATH_MAX).
const MAX_PATH: usize = 4096;
/// CU_MEMORYTYPE_HOST of cuda.h.
const HOST_MEMORY: u64 = 1;
/// CU_MEMORYTYPE_UNIFIED.
const UNIFIED_MEMORY: u64 = 4;

/// Adds what belongs to the call. Nothing of it is added when a record would become too long for the ring.
pub fn gather(gathered: &mut Gathered, reader: &Reader<'_>, all: &[Belonging], phase: Phase) {
    let Some(process) = Process::get() else {
        return;
    };
    for belonging in all {
        match belonging {
            Belonging::Regions(regions) => gather_regions(gathered, reader, regions, phase),
            Belonging::Kernel(kernel) if process.wants_kernel_arguments() => {
                gather_kernel(gathered, reader, process, kernel);
            }
            Belonging::Kernels(kernels) if process.wants_kernel_arguments() => {
                gather_kernels(gathered, reader, process, kernels);
            }
            Belonging::Payload(payload) => {
                gather_payload(gathered, reader, process, payload, phase);
            }
            Belonging::Function(used) if process.wants_kernel_arguments() => {
                function_name::gather(gathered, reader, process, used);
            }
            Belonging::Order(order) if process.payloads().mode == PayloadMode::Full => {
                gather_order(gathered, reader, process, (order, phase));
            }
            Belonging::Kernel(_)
            | Belonging::Kernels(_)
            | Belonging::Function(_)
            | Belonging::Order(_) => {}
        }
    }
}

/// Reads each of a parameter's structures.
fn for_each_structure(
    reader: &Reader<'_>,
    (word, size): (u8, u32),
    count: Option<usize>,
    mut visit: impl FnMut(&[u8]),
) {
    let at = reader.frame.word(word.into()) as usize;
    if at == 0 {
        return;
    }
    let mut structure = vec![0; size as usize];
    for index in 0..count.unwrap_or(0).min(MAX_STRUCTURES) {
        if !reader.read(at.wrapping_add(index * structure.len()), &mut structure) {
            return;
        }
        visit(&structure);
    }
}

fn gather_regions(gathered: &mut Gathered, reader: &Reader<'_>, regions: &Regions, phase: Phase) {
    let place = (regions.word, regions.size);
    for_each_structure(reader, place, reader.count(regions.count), |structure| {
        for place in regions.places {
            if !holds(place.when.as_ref(), structure) {
                continue;
            }
            let pointer = Number {
                offset: place.pointer,
                bytes: 8,
            };
            let (address, count) = (pointer.of(structure), place.count.of(structure));
            let bytes = count.and_then(|count| count.checked_mul(place.size.into()));
            let (Some(address @ 1..), Some(bytes @ 1..)) = (address, bytes) else {
                continue;
            };
            let kept = bytes.min(MAX_CAPTURE as u64 - 8) as usize;
            let mut region = address.to_le_bytes().to_vec();
            region.resize(8 + kept, 0);
            if reader.read(address as usize, &mut region[8..]) {
                gathered.add(regions.number, phase, region, bytes.saturating_add(8));
            }
        }
    });
}

fn gather_kernel(
    gathered: &mut Gathered,
    reader: &Reader<'_>,
    process: &'static Process,
    kernel: &Kernel,
) {
    let frame = reader.frame;
    let launch = Launch {
        handle: frame.word(kernel.function.into()),
        params: frame.word(kernel.params.into()),
        extra: kernel.extra.map_or(0, |extra| frame.word(extra.into())),
    };
    let number = if launch.params == 0 {
        kernel.extra_number
    } else {
        kernel.number
    };
    kernel_capture::gather(gathered, reader, process, (number, launch));
}

fn gather_kernels(
    gathered: &mut Gathered,
    reader: &Reader<'_>,
    process: &'static Process,
    kernels: &Kernels,
) {
    let place = &kernels.place;
    let structures = (kernels.word, kernels.size);
    for_each_structure(
        reader,
        structures,
        reader.count(kernels.count),
        |structure| {
            if !holds(place.when.as_ref(), structure) {
                return;
            }
            let word = |offset: u32| Number { offset, bytes: 8 }.of(structure).unwrap_or(0);
            let function = word(place.function);
            let launch = Launch {
                handle: match (function, place.kernel) {
                    (0, Some(kernel)) => word(kernel),
                    _ => function,
                },
                params: word(place.params),
                extra: place.extra.map_or(0, word),
            };
            kernel_capture::gather(gathered, reader, process, (kernels.number, launch));
        },
    );
}

fn gather_payload(
    gathered: &mut Gathered,
    reader: &Reader<'_>,
    process: &'static Process,
    payload: &Payload,
    phase: Phase,
) {
    let wanted = match payload.content {
        Rule::Data { .. } | Rule::Box { .. } => process.payloads().mode == PayloadMode::Full,
        _ => process.payloads().mode != PayloadMode::None,
    };
    let address = reader.frame.word(payload.word.into());
    if !wanted || address == 0 {
        return;
    }
    let Some(question) = Question::of(reader, payload.content, address) else {
        return;
    };
    // SAFETY: the state is the calling thread's.
    let outcome = unsafe {
        recording::aside(reader.thread, || {
            let later = question.later();
            let content = question.content()?;
            Some(match (later, content) {
                (Some(stream), Ok(content)) => {
                    let handle = reader.frame.word(stream.word.into());
                    let copies = process.later_copies();
                    Outcome::refused(copies.start(handle, stream.per_thread, content))
                }
                (_, content) => {
                    if let (Ok(content), true) = (&content, phase != Phase::In) {
                        process.later_copies().wrote(content);
                    }
                    process.payloads().keep(content)
                }
            })
        })
    };
    if let Some(outcome) = outcome.flatten() {
        add_payload(gathered, process, (payload.number, phase), outcome);
    }
}

fn add_payload(
    gathered: &mut Gathered,
    process: &'static Process,
    (number, phase): (u8, Phase),
    outcome: Outcome,
) {
    if let Some(note) = outcome.note {
        process.tell_flusher(Control::Note(Box::new(note)));
    }
    let reference = outcome.reference.to_bytes().to_vec();
    let bytes = reference.len() as u64;
    debug_assert!(matches!(CaptureOf::number(number), CaptureOf::Payload(_)));
    gathered.add(number, phase, reference, bytes);
}

/// Learns what the call says of the order of asynchronous copies; after it, adds what has come.
fn gather_order(
    gathered: &mut Gathered,
    reader: &Reader<'_>,
    process: &'static Process,
    (of, phase): (&OrderOf, Phase),
) {
    let frame = ptr::from_ref(reader.frame).addr();
    let copies = process.later_copies();
    if phase == Phase::In {
        // SAFETY: the state is the calling thread's.
        unsafe { recording::aside(reader.thread, || copies.begins(frame, order(reader, of))) };
        return;
    }
    // SAFETY: as above.
    let outcomes = unsafe {
        recording::aside(reader.thread, || {
            let arrivals = copies.ends(frame).into_iter();
            let kept = arrivals.map(|arrival| {
                let mut outcome = process.payloads().keep(arrival.content);
                outcome.reference = outcome.reference.of_copy(arrival.number);
                outcome
            });
            kept.collect::<Vec<_>>()
        })
    };
    for outcome in outcomes.into_iter().flatten() {
        add_payload(gathered, process, (ARRIVED, phase), outcome);
    }
}

fn order(reader: &Reader<'_>, of: &OrderOf) -> Order {
    let word = |word: Option<u8>| word.map_or(0, |word| reader.frame.word(word.into()));
    let object = word(of.object);
    let handle = word(of.stream.map(|stream| stream.word));
    let stream = || StreamName::of(handle, of.stream.is_some_and(|stream| stream.per_thread));
    match of.kind {
        OrderKind::StreamDone => Order::StreamDone(stream()),
        OrderKind::ContextDone => Order::ContextDone(match of.object {
            Some(_) => object,
            None => driver_state::current_context(),
        }),
        OrderKind::EventDone => Order::EventDone(object),
        OrderKind::EventRecorded => Order::EventRecorded(object, stream()),
        OrderKind::StreamWaits => Order::StreamWaits(stream(), object),
        OrderKind::MayWrite => Order::MayWrite,
        OrderKind::StreamGone => Order::StreamGone(handle),
        OrderKind::EventGone => Order::EventGone(object),
        OrderKind::AllGone => Order::AllGone,
    }
}

/// What has to be found out aside from the program's stack.
enum Question {
    Image(usize),
    ImageOf(usize, u64),
    File(Vec<u8>),
    Data {
        at: usize,
        bytes: u64,
        ask_whether_host: bool,
        later: Option<StreamWord>,
    },
    Box {
        rows: Rows,
        depth: u64,
        ask_whether_host: bool,
        later: Option<StreamWord>,
    },
}

impl Question {
    /// Reads what the call's arguments say. `None` where there is nothing to keep.
    fn of(reader: &Reader<'_>, rule: Rule, address: u64) -> Option<Self> {
        let at = address as usize;
        match rule {
            Rule::Image => Some(Self::Image(at)),
            Rule::ImageOf(count) => Some(Self::ImageOf(at, reader.count(count)? as u64)),
            Rule::File => Some(Self::File(path_at(reader, at)?)),
            Rule::Output { size } => {
                let (image, size) = (
                    reader.word_at(at)?,
                    reader.word_at(reader.frame.word(size.into()) as usize)?,
                );
                Some(Self::ImageOf(image as usize, size))
            }
            Rule::Data {
                count,
                ask_whether_host,
                later,
            } => Some(Self::Data {
                at,
                bytes: reader.count(count)? as u64,
                ask_whether_host,
                later,
            })
            .filter(|_| reader.count(count) != Some(0)),
            Rule::Box { shape, later } => {
                // Larger than any version of the structure; the rest of it may not be mapped.
                let mut structure = [0; 200];
                let length = shape.length();
                reader.read(at, &mut structure[..length]).then_some(())?;
                let (rows, depth, ask_whether_host) = rows_of(shape, &structure)?;
                Some(Self::Box {
                    rows,
                    depth,
                    ask_whether_host,
                    later,
                })
            }
        }
    }

    /// The stream, if the data comes after the call.
    fn later(&self) -> Option<StreamWord> {
        match self {
            Self::Data { later, .. } | Self::Box { later, .. } => *later,
            _ => None,
        }
    }

    /// The content; `None` where it turns out not to be the host's.
    fn content(self) -> Option<Result<Content, PayloadRef>> {
        let refuse = |state, bytes, kind| Some(Err(PayloadRef::missing(state, bytes, kind)));
        let image = PayloadKind::Other;
        let data = PayloadKind::Data;
        Some(match self {
            Self::Image(at) => match image::find(at) {
                Ok(found) => Ok(Content {
                    source: Source::Memory { at: found.at },
                    bytes: found.bytes,
                    kind: found.kind,
                }),
                Err(state) => return refuse(state, 0, image),
            },
            Self::ImageOf(at, bytes) => Ok(Content {
                source: Source::Memory { at },
                bytes,
                kind: image,
            }),
            Self::File(name) => match Content::of_file(&name) {
                Ok(content) => Ok(content),
                Err(state) => return refuse(state, 0, image),
            },
            Self::Data {
                at,
                ask_whether_host: true,
                ..
            } if !pointer_memory::is_host(at as u64) => return None,
            Self::Data { at, bytes, .. } => Ok(Content {
                source: Source::Memory { at },
                bytes,
                kind: data,
            }),
            Self::Box {
                rows,
                ask_whether_host: true,
                ..
            } if !pointer_memory::is_host(rows.at) => return None,
            Self::Box { rows, depth, .. } => {
                let bytes = rows.width.checked_mul(rows.height)?.checked_mul(depth)?;
                Ok(Content {
                    source: Source::Rows(rows),
                    bytes,
                    kind: data,
                })
            }
        })
    }
}

/// The name of a file, without its NUL.
fn path_at(reader: &Reader<'_>, at: usize) -> Option<Vec<u8>> {
    let mut path = Vec::new();
    while path.len() < MAX_PATH {
        let from = at.wrapping_add(path.len());
        let step = memory::PAGE - from % memory::PAGE;
        let start = path.len();
        path.resize(start + step, 0);
        if !reader.read(from, &mut path[start..]) {
            return None;
        }
        if let Some(end) = path[start..].iter().position(|&byte| byte == 0) {
            path.truncate(start + end);
            return Some(path);
        }
    }
    None
}

impl CopyBox {
    /// Bytes of the structure that are looked at.
    fn length(&self) -> usize {
        let numbers = [
            self.memory_type,
            self.host,
            self.device,
            self.x,
            self.y,
            self.z,
            self.pitch,
            self.plane,
            self.width,
            self.height,
            self.depth,
        ];
        let ends = numbers.iter().flatten();
        ends.map(|number| (number.offset + number.bytes) as usize)
            .max()
            .unwrap_or(0)
    }
}

/// The rows of a box in host memory, its planes, and whether the address may as well be one of device memory; `None` if it surely lies elsewhere, or
/// is empty.
fn rows_of(shape: &CopyBox, structure: &[u8]) -> Option<(Rows, u64, bool)> {
    let number = |number: Option<Number>| number.and_then(|number| number.of(structure));
    let or_one = |found: Option<u64>| found.unwrap_or(1);
    let (host, ask_whether_host) = match number(shape.memory_type)? {
        HOST_MEMORY => (shape.host, false),
        UNIFIED_MEMORY => (shape.device, true),
        _ => return None,
    };
    let width = number(shape.width)?;
    let height = or_one(number(shape.height));
    let depth = or_one(number(shape.depth));
    let pitch = match number(shape.pitch).unwrap_or(0) {
        0 => width,
        pitch => pitch,
    };
    let plane_rows = match number(shape.plane).unwrap_or(0) {
        0 => height,
        rows => rows,
    };
    let plane = pitch.wrapping_mul(plane_rows);
    let start = |place: Option<Number>, step: u64| number(place).unwrap_or(0).wrapping_mul(step);
    let at = number(host)?
        .wrapping_add(start(shape.x, 1))
        .wrapping_add(start(shape.y, pitch))
        .wrapping_add(start(shape.z, plane));
    let rows = Rows {
        at,
        width,
        height,
        pitch,
        plane,
    };
    let is_there = width > 0 && height > 0 && depth > 0 && at != 0;
    is_there.then_some((rows, depth, ask_whether_host))
}

impl Reader<'_> {
    /// Reads memory: directly where it is surely there, else through the kernel.
    pub fn read(&self, at: usize, to: &mut [u8]) -> bool {
        if self.is_surely_there(at, to.len()) {
            // SAFETY: between our frame and the end of the thread's stack everything is mapped.
            unsafe {
                ptr::copy_nonoverlapping(
                    ptr::with_exposed_provenance(at),
                    to.as_mut_ptr(),
                    to.len(),
                );
            }
            return true;
        }
        memory::read(at, to)
    }

    fn word_at(&self, at: usize) -> Option<u64> {
        let mut word = [0; 8];
        (at != 0 && self.read(at, &mut word)).then(|| u64::from_le_bytes(word))
    }
}
