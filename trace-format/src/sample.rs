//! Ring records and streams of them made without a driver: for tests, benchmarks and examples, here and in other crates.

use crate::ring::{CAPTURE_CUT, CAPTURE_OUT, CallId, END_WIDE, Word0, capture_word, kind};

/// A capture to put into a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleCapture<'a> {
    /// Parameter.
    pub param: u8,
    /// Taken after the call.
    pub out: bool,
    /// The bytes.
    pub bytes: &'a [u8],
    /// How many there were, if they are cut.
    pub full: Option<u64>,
}

impl<'a> SampleCapture<'a> {
    /// Bytes behind an in parameter.
    pub fn before(param: u8, bytes: &'a [u8]) -> Self {
        Self {
            param,
            out: false,
            bytes,
            full: None,
        }
    }

    /// Bytes behind an out parameter.
    pub fn after(param: u8, bytes: &'a [u8]) -> Self {
        Self {
            param,
            out: true,
            bytes,
            full: None,
        }
    }
}

/// Records of one ring, as a producer would write them, except that they never wrap.
#[derive(Clone, Debug)]
pub struct RingContent {
    /// The ring's number.
    pub ring: u16,
    /// Position of the first byte.
    pub from: u64,
    /// The records.
    pub bytes: Vec<u8>,
}

impl RingContent {
    /// An empty ring.
    pub fn new(ring: u16) -> Self {
        Self {
            ring,
            from: 0,
            bytes: Vec::new(),
        }
    }

    /// The records as the encoder takes them.
    pub fn slice(&self) -> crate::encoder::RingSlice<'_> {
        crate::encoder::RingSlice {
            ring: self.ring,
            from: self.from,
            bytes: &self.bytes,
        }
    }

    /// Position after the last record.
    pub fn head(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }

    /// Forgets the records; positions go on.
    pub fn drain(&mut self) {
        self.from = self.head();
        self.bytes.clear();
    }

    fn push(&mut self, kind: u8, flags: u8, number: u32, words: &[u64]) {
        self.push_with(kind, (flags, number), words, &[]);
    }

    /// `parts` is flags and number.
    fn push_with(
        &mut self,
        kind: u8,
        parts: (u8, u32),
        words: &[u64],
        captures: &[SampleCapture<'_>],
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 8]);
        for word in words {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        for capture in captures {
            let flags = if capture.out { CAPTURE_OUT } else { 0 }
                | if capture.full.is_some() {
                    CAPTURE_CUT
                } else {
                    0
                };
            let header = capture_word(capture.param, flags, capture.bytes.len() as u32);
            self.bytes.extend_from_slice(&header.to_le_bytes());
            if let Some(full) = capture.full {
                self.bytes.extend_from_slice(&full.to_le_bytes());
            }
            self.bytes.extend_from_slice(capture.bytes);
            self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        }
        let first = Word0::new((self.bytes.len() - start) / 8, kind, parts.0, parts.1);
        self.bytes[start..start + 8].copy_from_slice(&first.0.to_le_bytes());
    }

    /// A thread takes the ring over.
    pub fn thread(&mut self, ticks: u64, ordinal: u32, tid: u32, name: &str) {
        let mut padded = [0; 16];
        padded[..name.len().min(15)].copy_from_slice(&name.as_bytes()[..name.len().min(15)]);
        let (low, high) = padded.split_at(8);
        let word = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |value, &byte| value << 8 | u64::from(byte))
        };
        self.push(
            kind::THREAD,
            0,
            tid,
            &[ticks, ordinal.into(), word(low), word(high)],
        );
    }

    /// A function outside the table gets a number.
    pub fn function(&mut self, id: u32, name: &str) {
        let mut words = vec![name.len() as u64];
        let value = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |value, &byte| value << 8 | u64::from(byte))
        };
        words.extend(name.as_bytes().chunks(8).map(value));
        self.push(kind::FUNCTION, 0, id, &words);
    }

    /// A call enters.
    pub fn begin(&mut self, ticks: u64, function: u32, args: &[u64]) -> CallId {
        self.begin_from(ticks, function, (0x7f00_1000, args), &[])
    }

    /// A call enters, with everything; `words` is return address and arguments.
    pub fn begin_from(
        &mut self,
        ticks: u64,
        function: u32,
        words: (u64, &[u64]),
        captures: &[SampleCapture<'_>],
    ) -> CallId {
        let id = CallId::new(self.ring, self.head());
        let mut record = vec![ticks, words.0];
        record.extend_from_slice(words.1);
        self.push_with(
            kind::BEGIN,
            (words.1.len() as u8, function),
            &record,
            captures,
        );
        id
    }

    /// A call returns a 32-bit code.
    pub fn end(&mut self, ticks: u64, call: CallId, code: u32) {
        self.end_with(ticks, call, code.into(), &[]);
    }

    /// A call returns, with what its out parameters hold.
    pub fn end_with(
        &mut self,
        ticks: u64,
        call: CallId,
        returned: u64,
        captures: &[SampleCapture<'_>],
    ) {
        let mut words = vec![ticks, call.0];
        let wide = returned > u64::from(u32::MAX);
        if wide {
            words.push(returned);
        }
        self.push_with(
            kind::END,
            (u8::from(wide) * END_WIDE, returned as u32),
            &words,
            captures,
        );
    }
}

/// Numbers without a visible pattern, the same ones in every run.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits (SplitMix64).
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.word() % limit.max(1)
    }
}
