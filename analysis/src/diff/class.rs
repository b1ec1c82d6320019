//! Classes of calls: calls that ask the same of the same objects and got the same answer are of one class, whatever their time and thread.

use cutape_trace_format::call::FunctionId;

/// Words of a class before the objects that it refers to.
const HEAD: usize = 10;
/// In place of a code: the function returns none, or the call did not return.
const NO_CODE: u32 = u32::MAX;
/// The amount of free memory of a class whose calls answer none.
const NO_LEVEL: u32 = u32::MAX;

/// A class, written as a list of words so that equal ones are found by their words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class<'a>(pub &'a [u32]);

impl<'a> Class<'a> {
    /// What its calls ask, with objects by kind and name.
    pub fn asked(self) -> u64 {
        u64::from(self.0[1]) << 32 | u64::from(self.0[0])
    }

    /// Which question it is: the function, the choices and texts among its arguments.
    pub fn question(self) -> u64 {
        u64::from(self.0[3]) << 32 | u64::from(self.0[2])
    }

    /// Fingerprint of the answer, without what differs from run to run.
    pub fn answer(self) -> u32 {
        self.0[4]
    }

    /// Free memory that was answered, in KiB, rounded up.
    pub fn free_memory(self) -> Option<u32> {
        Some(self.0[5]).filter(|&level| level != NO_LEVEL)
    }

    /// The function, by its number in the trace.
    pub fn function(self) -> FunctionId {
        FunctionId(self.0[7])
    }

    /// The code that its calls returned, if they return one and did.
    pub fn code(self) -> Option<u32> {
        Some(self.0[9]).filter(|&code| code != NO_CODE)
    }

    /// Fingerprint of the module images and the data that the trace has of its calls, 0 where it has none.
    pub fn payload(self) -> u32 {
        self.0[8]
    }

    /// Objects that it takes.
    pub fn taken(self) -> &'a [u32] {
        &self.0[HEAD..HEAD + self.0[6] as usize]
    }

    /// Objects that it answers, those that it creates among them.
    pub fn given(self) -> &'a [u32] {
        &self.0[HEAD + self.0[6] as usize..]
    }
}

/// A class under construction. Its memory is used again.
#[derive(Debug, Default)]
pub(crate) struct ClassWords(Vec<u32>);

impl ClassWords {
    /// Starts over with a call of a function.
    pub fn start(&mut self, function: FunctionId) {
        self.0.clear();
        self.0.resize(HEAD, 0);
        self.0[5] = NO_LEVEL;
        self.0[7] = function.0;
        self.0[9] = NO_CODE;
    }

    /// Adds an object. All that are taken come before the first that is answered.
    pub fn add_object(&mut self, object: u32) {
        self.0.push(object);
    }

    /// What was added until now is taken, what comes is answered.
    pub fn end_of_taken(&mut self) {
        self.0[6] = (self.0.len() - HEAD) as u32;
    }

    /// Sets the amount of free memory, from bytes.
    pub fn set_free_memory(&mut self, bytes: u64) {
        self.0[5] =
            u32::try_from(bytes.div_ceil(1024)).map_or(NO_LEVEL - 1, |kib| kib.min(NO_LEVEL - 1));
    }

    /// Sets the code that was returned.
    pub fn set_code(&mut self, code: u32) {
        self.0[9] = code;
    }

    /// Sets the fingerprint of images and data.
    pub fn set_payload(&mut self, print: u32) {
        self.0[8] = print.max(1);
    }

    /// Completes it with the fingerprints of what is asked, of which question it is, and of the answer.
    pub fn finish(&mut self, asked: u64, question: u64, answer: u32) -> &[u32] {
        self.0[0] = asked as u32;
        self.0[1] = (asked >> 32) as u32;
        self.0[2] = question as u32;
        self.0[3] = (question >> 32) as u32;
        self.0[4] = answer;
        &self.0
    }
}
