//! What a call asked and answered, without what differs between two runs of one program: handles and device addresses become objects,
//! addresses of the process become whether they are null.

use cutape_trace_format::call::Call;
use cutape_trace_format::kernel_arguments::KernelArgument;
use cutape_trace_format::record::Captured;

use super::class::ClassWords;
use super::fingerprint::Fingerprint;
use super::kernel_values::{self, parts, reference};
use super::layout::{Meaning, Piece};
use super::plan::{Answered, Asked, Behind, OnStream, Plan, Returns, Shape};
use super::stream_order::StreamOf;
use super::volatile::Volatile;
use crate::objects::{Kind, ObjectId, ObjectTracker, Part, Reference};

/// Words for what a fingerprint holds no value of.
const NULL: u64 = 0;
const NOT_NULL: u64 = 0x0a;
const UNKNOWN_OBJECT: u64 = 0x0b;
const NOT_CAPTURED: u64 = 0x0c;
const NOT_VALID: u64 = 0x0d;
const IN_FLIGHT: u64 = 0x0e;
const RETURNED: u64 = 0x0f;
const OBJECT: u64 = 0x10;
/// The default stream of a thread, as cuda.h defines it.
const CU_STREAM_PER_THREAD: u64 = 2;
/// Words below this are no handle that a driver made up but names of their own: the default streams, the number of a callback.
const LEAST_HANDLE: u64 = 0x1000;
/// Elements of an array that count; no real call has more behind a pointer that is followed.
const MAX_ELEMENTS: usize = 4096;

/// Writes calls as classes.
#[derive(Debug, Default)]
pub(crate) struct NormalForm {
    /// Fingerprint of kind and name by object.
    objects: Vec<u64>,
}

/// A fingerprint under construction, with the objects that come up.
struct Prints<'a, 'c> {
    print: Fingerprint,
    words: &'c mut ClassWords,
    references: &'a [Reference],
    objects: &'a [u64],
}

impl NormalForm {
    /// Writes the class of a call, which `tracker` observed last.
    pub fn write<'w>(
        &mut self,
        plan: &Plan,
        call: &Call,
        tracker: &ObjectTracker,
        words: &'w mut ClassWords,
    ) -> &'w [u32] {
        self.learn(tracker);
        let mut question = Fingerprint::new(plan.name);
        let mut prints = Prints {
            print: Fingerprint::new(plan.name),
            words,
            references: tracker.references(),
            objects: &self.objects,
        };
        for asked in &plan.asks {
            prints.ask(asked, call, &mut question);
        }
        let asked = prints.print.finish();
        prints.words.end_of_taken();
        prints.print = Fingerprint::new(1);
        prints.answer(plan, call);
        let answer = prints.print.finish_short();
        prints.payload(call);
        prints.words.end_of_given();
        prints.kernel(call);
        if let Some(on_stream) = plan.on_stream {
            set_order(on_stream, call, tracker, words);
        }
        words.finish(asked, question.finish(), answer)
    }

    /// Fingerprints of the objects that the call refers to and that are new.
    fn learn(&mut self, tracker: &ObjectTracker) {
        for reference in tracker.references() {
            let place = reference.object.0 as usize;
            if self.objects.len() <= place {
                self.objects.resize(place + 1, 0);
            }
            if self.objects[place] == 0 {
                self.objects[place] = object_print(tracker, reference.object);
            }
        }
    }
}

/// Says on which stream a call is, and which event it records or awaits.
fn set_order(on_stream: OnStream, call: &Call, tracker: &ObjectTracker, words: &mut ClassWords) {
    let first = |kind: Kind| {
        let mut used = tracker
            .references()
            .iter()
            .filter(|reference| reference.part == Part::Used);
        used.find(|reference| tracker.object(reference.object).kind() == kind)
    };
    if let Some(stream) = first(Kind::Stream) {
        words.set_stream(StreamOf::Object(stream.object.0));
    } else {
        let word = on_stream
            .word
            .and_then(|place| call.args.get(usize::from(place)));
        match word {
            Some(&CU_STREAM_PER_THREAD) => words.set_stream(StreamOf::PerThread),
            Some(0) if on_stream.per_thread => words.set_stream(StreamOf::PerThread),
            _ => {}
        }
    }
    if let Some(event) = first(Kind::Event) {
        words.set_event(event.object.0);
    }
}

fn object_print(tracker: &ObjectTracker, object: ObjectId) -> u64 {
    let mut print = Fingerprint::new(2);
    print.word(tracker.object(object).kind() as u64);
    print.bytes(tracker.name(object).unwrap_or_default().as_bytes());
    print.finish()
}

impl Prints<'_, '_> {
    fn ask(&mut self, asked: &Asked, call: &Call, question: &mut Fingerprint) {
        let word = |place: u16| call.args.get(usize::from(place)).copied();
        match asked {
            Asked::Number {
                word: place,
                mask,
                selects,
            } => {
                let value = word(*place).map_or(NOT_CAPTURED, |word| word & mask);
                self.print.word(value);
                if *selects {
                    question.word(value);
                }
            }
            Asked::Object { param, word: place } => {
                self.object(*param, word(*place).unwrap_or(NULL));
            }
            Asked::Address { param, word: place } => {
                self.address(*param, word(*place).unwrap_or(NULL));
            }
            Asked::Words {
                param,
                words: (from, to),
                pieces,
            } => {
                let words = call.args.get(usize::from(*from)..usize::from(*to));
                let bytes: Vec<u8> = words
                    .into_iter()
                    .flatten()
                    .flat_map(|word| word.to_le_bytes())
                    .collect();
                self.value(*param, &bytes, pieces);
            }
            Asked::Behind(behind) => {
                let capture = call.capture(behind.param, false);
                if let (Shape::Text, Some(capture)) = (&behind.shape, &capture) {
                    question.bytes(text(capture.bytes));
                }
                self.behind(behind, capture);
            }
        }
    }

    fn answer(&mut self, plan: &Plan, call: &Call) {
        let Some(returned) = call.returned else {
            self.print.word(IN_FLIGHT);
            return;
        };
        self.print.word(RETURNED);
        match plan.returns {
            Returns::Code => {
                self.print.word(returned & u64::from(u32::MAX));
                self.words.set_code(returned as u32);
            }
            Returns::Number { mask } => self.print.word(returned & mask),
            Returns::Other => {}
        }
        let succeeded = plan.returns != Returns::Code || returned as u32 == 0;
        for answered in &plan.answers {
            if answered.always || succeeded {
                self.answered(answered, call);
            } else {
                self.print.word(NOT_VALID);
            }
        }
    }

    fn answered(&mut self, answered: &Answered, call: &Call) {
        let capture = call.capture(answered.behind.param, true);
        match (answered.volatile, capture) {
            (Some(Volatile::FreeMemory), Some(capture)) => {
                if let Ok(bytes) = capture.bytes.try_into() {
                    self.words.set_free_memory(u64::from_le_bytes(bytes));
                }
            }
            (Some(_), Some(_)) => self.print.word(NOT_NULL),
            (_, capture) => self.behind(&answered.behind, capture),
        }
    }

    /// Takes in the images and data that the trace has of the call, by their hashes.
    fn payload(&mut self, call: &Call) {
        let mut print = Fingerprint::new(5);
        let mut any = false;
        for (param, payload) in call.payloads() {
            if let Some(hash) = payload.hash {
                print.word(param.into());
                print.bytes(&hash.0);
                any = true;
            }
        }
        if any {
            self.words.set_payload(print.finish_short());
        }
    }

    /// Takes in the arguments of kernels: addresses in known memory as objects, the others by value.
    fn kernel(&mut self, call: &Call) {
        let mut print = Fingerprint::new(6);
        let mut any = false;
        for (param, kernel) in call.kernels() {
            for argument in &kernel.params {
                any = true;
                self.kernel_argument((param, argument), &mut print);
            }
        }
        if any {
            self.words.set_kernel(print.finish_short());
        }
    }

    fn kernel_argument(
        &mut self,
        (param, argument): (u8, &KernelArgument),
        print: &mut Fingerprint,
    ) {
        print.word(argument.size.into());
        let references = self.references;
        let Some(parts) = parts(argument, |word| reference(references, param, word)) else {
            return print.word(NOT_CAPTURED);
        };
        for part in parts {
            match part {
                kernel_values::Part::Object(reference) => {
                    print.word(OBJECT);
                    print.word(reference.offset);
                    self.words.add_object(reference.object.0);
                }
                kernel_values::Part::Address => print.word(NOT_NULL),
                kernel_values::Part::Value(word) => print.word(word),
            }
        }
    }

    fn behind(&mut self, behind: &Behind, capture: Option<Captured<'_>>) {
        let Some(capture) = capture else {
            return self.print.word(NOT_CAPTURED);
        };
        self.print.word(capture.full.unwrap_or(NULL));
        match &behind.shape {
            Shape::Text => self.print.bytes(text(capture.bytes)),
            Shape::Raw => self.print.bytes(capture.bytes),
            Shape::Values { size, pieces } => {
                // A structure of a later version may be shorter or longer than the schema's; what is there counts.
                let size = (*size as usize).max(1);
                self.print.word((capture.bytes.len() / size) as u64);
                for value in capture.bytes.chunks(size).take(MAX_ELEMENTS) {
                    self.value(behind.param, value, pieces);
                }
            }
        }
    }

    fn value(&mut self, param: u8, value: &[u8], pieces: &[Piece]) {
        for piece in pieces {
            let start = piece.offset as usize;
            let end = start.saturating_add(piece.bytes as usize).min(value.len());
            let Some(bytes) = value.get(start..end).filter(|bytes| !bytes.is_empty()) else {
                self.print.word(NOT_CAPTURED);
                continue;
            };
            match piece.is {
                Meaning::Plain if bytes.len() <= 8 => self.print.word(number(bytes)),
                Meaning::Plain => self.print.bytes(bytes),
                Meaning::Text => self.print.bytes(text(bytes)),
                Meaning::Object => self.object(param, number(bytes)),
                Meaning::Address => self.address(param, number(bytes)),
            }
        }
    }

    /// Takes in a handle or a device address: the object that it stands for, if that is known.
    fn object(&mut self, param: u8, word: u64) {
        match self.reference(param, word) {
            Some(reference) => self.refer(reference),
            None if word < LEAST_HANDLE => self.print.word(word),
            None => self.print.word(UNKNOWN_OBJECT),
        }
    }

    /// Takes in an address of the process: the page-locked memory in which it lies, or whether it is null.
    fn address(&mut self, param: u8, word: u64) {
        match self.reference(param, word) {
            Some(reference) => self.refer(reference),
            None => self.print.word(if word == 0 { NULL } else { NOT_NULL }),
        }
    }

    fn reference(&self, param: u8, word: u64) -> Option<Reference> {
        reference(self.references, param, word)
    }

    fn refer(&mut self, reference: Reference) {
        let object = reference.object.0;
        let print = self.objects.get(object as usize);
        self.print.word(print.copied().unwrap_or(UNKNOWN_OBJECT));
        self.print.word(reference.offset);
        self.words.add_object(object);
    }
}

/// Bytes up to the first NUL.
fn text(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}

/// Up to eight bytes as a number.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}
