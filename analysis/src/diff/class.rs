//! Classes of calls: calls that ask the same of the same objects and got the same answer are of one class, whatever their time and thread.

use cutape_trace_format::call::FunctionId;

use super::fingerprint::Fingerprint;
use super::stream_order::StreamOf;

/// Words of a class before the objects that it refers to.
const HEAD: usize = 14;
/// In place of a code: the function returns none, or the call did not return.
const NO_CODE: u32 = u32::MAX;
/// The amount of free memory of a class whose calls answer none.
const NO_LEVEL: u32 = u32::MAX;
/// In place of a stream that is an object: none, or the default stream of the thread.
const ALL_STREAMS: u32 = u32::MAX;
const PER_THREAD: u32 = u32::MAX - 1;
/// In place of an event.
const NO_EVENT: u32 = u32::MAX;

/// Places of words.
const ASKED: usize = 0;
const QUESTION: usize = 2;
const ANSWER: usize = 4;
const FREE_MEMORY: usize = 5;
const TAKEN: usize = 6;
const FUNCTION: usize = 7;
const PAYLOAD: usize = 8;
const CODE: usize = 9;
const STREAM: usize = 10;
const EVENT: usize = 11;
const GIVEN: usize = 12;
const KERNEL: usize = 13;

/// A class, written as a list of words so that equal ones are found by their words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class<'a>(pub &'a [u32]);

impl<'a> Class<'a> {
    /// What its calls ask, with objects by kind and name.
    pub fn asked(self) -> u64 {
        self.double(ASKED)
    }

    /// Which question it is: the function, the choices and texts among its arguments.
    pub fn question(self) -> u64 {
        self.double(QUESTION)
    }

    /// Fingerprint of the answer, without what differs from run to run.
    pub fn answer(self) -> u32 {
        self.0[ANSWER]
    }

    /// Free memory that was answered, in KiB, rounded up.
    pub fn free_memory(self) -> Option<u32> {
        Some(self.0[FREE_MEMORY]).filter(|&level| level != NO_LEVEL)
    }

    /// The function, by its number in the trace.
    pub fn function(self) -> FunctionId {
        FunctionId(self.0[FUNCTION])
    }

    /// The code that its calls returned, if they return one and did.
    pub fn code(self) -> Option<u32> {
        Some(self.0[CODE]).filter(|&code| code != NO_CODE)
    }

    /// Fingerprint of the module images and the data that the trace has of its calls, 0 where it has none.
    pub fn payload(self) -> u32 {
        self.0[PAYLOAD]
    }

    /// On which stream its calls are.
    pub fn stream(self) -> StreamOf {
        match self.0[STREAM] {
            ALL_STREAMS => StreamOf::All,
            PER_THREAD => StreamOf::PerThread,
            object => StreamOf::Object(object),
        }
    }

    /// The event that its calls record or await, as far as they are on a stream.
    pub fn event(self) -> Option<u32> {
        Some(self.0[EVENT]).filter(|&event| event != NO_EVENT)
    }

    /// Fingerprint of the values of a kernel's arguments, those that are addresses of objects left out; 0 where they were not captured.
    pub fn kernel(self) -> u32 {
        self.0[KERNEL]
    }

    /// Objects that it takes.
    pub fn taken(self) -> &'a [u32] {
        &self.0[HEAD..self.end_of_taken()]
    }

    /// Objects that it answers, those that it creates among them.
    pub fn given(self) -> &'a [u32] {
        &self.0[self.end_of_taken()..self.end_of_given()]
    }

    /// Objects among the arguments of a kernel.
    pub fn kernel_objects(self) -> &'a [u32] {
        &self.0[self.end_of_given()..]
    }

    fn end_of_taken(self) -> usize {
        HEAD + self.0[TAKEN] as usize
    }

    fn end_of_given(self) -> usize {
        self.end_of_taken() + self.0[GIVEN] as usize
    }

    fn double(self, place: usize) -> u64 {
        u64::from(self.0[place + 1]) << 32 | u64::from(self.0[place])
    }
}

/// A hash of a class: of what differs most, not of what follows from it.
pub(crate) fn hash(class: &[u32]) -> u64 {
    let pair = |low: usize, high: usize| u64::from(class[high]) << 32 | u64::from(class[low]);
    let mut print = Fingerprint::new(0);
    print.word(pair(ASKED, ASKED + 1) ^ u64::from(class[FREE_MEMORY]));
    print.word(pair(ANSWER, KERNEL) ^ u64::from(class[PAYLOAD]));
    for objects in class[HEAD..].chunks(2) {
        let high = objects.get(1).copied().unwrap_or(0);
        print.word(u64::from(high) << 32 | u64::from(objects[0]));
    }
    print.finish()
}

/// A class under construction. Its memory is used again.
#[derive(Debug, Default)]
pub(crate) struct ClassWords(Vec<u32>);

impl ClassWords {
    /// Starts over with a call of a function.
    pub fn start(&mut self, function: FunctionId) {
        self.0.clear();
        self.0.resize(HEAD, 0);
        self.0[FREE_MEMORY] = NO_LEVEL;
        self.0[FUNCTION] = function.0;
        self.0[CODE] = NO_CODE;
        self.0[STREAM] = ALL_STREAMS;
        self.0[EVENT] = NO_EVENT;
    }

    /// Adds an object. Those that are taken come first, then those that are answered, then those among a kernel's arguments.
    pub fn add_object(&mut self, object: u32) {
        self.0.push(object);
    }

    /// What was added until now is taken.
    pub fn end_of_taken(&mut self) {
        self.0[TAKEN] = (self.0.len() - HEAD) as u32;
    }

    /// What was added since then is answered.
    pub fn end_of_given(&mut self) {
        self.0[GIVEN] = (self.0.len() - HEAD) as u32 - self.0[TAKEN];
    }

    /// Sets the amount of free memory, from bytes.
    pub fn set_free_memory(&mut self, bytes: u64) {
        self.0[FREE_MEMORY] =
            u32::try_from(bytes.div_ceil(1024)).map_or(NO_LEVEL - 1, |kib| kib.min(NO_LEVEL - 1));
    }

    /// Sets the code that was returned.
    pub fn set_code(&mut self, code: u32) {
        self.0[CODE] = code;
    }

    /// Sets the fingerprint of images and data.
    pub fn set_payload(&mut self, print: u32) {
        self.0[PAYLOAD] = print.max(1);
    }

    /// Sets the stream.
    pub fn set_stream(&mut self, stream: StreamOf) {
        self.0[STREAM] = match stream {
            StreamOf::All => ALL_STREAMS,
            StreamOf::PerThread => PER_THREAD,
            StreamOf::Object(object) => object,
        };
    }

    /// Sets the event.
    pub fn set_event(&mut self, event: u32) {
        self.0[EVENT] = event;
    }

    /// Sets the fingerprint of a kernel's arguments.
    pub fn set_kernel(&mut self, print: u32) {
        self.0[KERNEL] = print.max(1);
    }

    /// Completes it with the fingerprints of what is asked, of which question it is, and of the answer.
    pub fn finish(&mut self, asked: u64, question: u64, answer: u32) -> &[u32] {
        self.0[ASKED] = asked as u32;
        self.0[ASKED + 1] = (asked >> 32) as u32;
        self.0[QUESTION] = question as u32;
        self.0[QUESTION + 1] = (question >> 32) as u32;
        self.0[ANSWER] = answer;
        &self.0
    }
}
