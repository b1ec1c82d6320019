//! Two runs of a program that tests make themselves, and their comparison.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use cutape_analysis::diff::report::{Compared, Extent, SequenceText};
use cutape_analysis::diff::{Comparison, Mode, Options, Outcome, Sequence};
use cutape_analysis::text::Detail;
use cutape_cuda_api::Api;
use cutape_trace_format::capture_number::KERNEL_ARGUMENTS;
use cutape_trace_format::kernel_arguments::{ArgumentForm, KernelLayout, LayoutOrigin, ParamPlace};
use cutape_trace_format::sample::{RingContent, SampleCapture};
use cutape_trace_format::sample_recording::{SampleProcess, SampleRecording};
use cutape_trace_format::schema::{Schema, schema_file};
use cutape_trace_format::trace::Trace;

/// Functions by the numbers that these tests use for them.
pub const FUNCTIONS: [&str; 15] = [
    "cuInit",
    "cuMemAlloc_v2",
    "cuMemsetD8_v2",
    "cuMemFree_v2",
    "cuMemGetInfo_v2",
    "cuStreamQuery",
    "cuStreamCreate",
    "cuEventElapsedTime",
    "cuMemsetD8Async",
    "cuMemAllocAsync",
    "cuEventRecord",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuCtxSynchronize",
    "cuLaunchKernel",
];
pub const INIT: u32 = 0;
pub const ALLOC: u32 = 1;
pub const SET: u32 = 2;
pub const FREE: u32 = 3;
pub const INFO: u32 = 4;
pub const QUERY: u32 = 5;
pub const STREAM: u32 = 6;
pub const ELAPSED: u32 = 7;
pub const SET_ASYNC: u32 = 8;
pub const ALLOC_ASYNC: u32 = 9;
pub const RECORD: u32 = 10;
pub const WAIT: u32 = 11;
pub const EVENT: u32 = 12;
pub const SYNC: u32 = 13;
pub const LAUNCH: u32 = 14;

/// One run of a program: threads that write calls.
pub struct Run {
    pub process: SampleProcess,
    pub ticks: u64,
    /// Added to handles and addresses, which differ from run to run.
    pub shift: u64,
}

impl Run {
    pub fn new(path: &Path, pid: u32) -> Self {
        let recording = SampleRecording::create(path).expect("writes");
        let api = Api::get();
        let functions = (0..).zip(FUNCTIONS).map(|(number, name)| {
            let function = api.function(name).expect("is in the table");
            (number, api.at(function).clone())
        });
        let schema = Schema {
            functions: functions.collect(),
            types: api.types().to_vec(),
            export_tables: Vec::new(),
        };
        std::fs::write(
            path.join("schema"),
            schema_file(&schema).expect("is a schema"),
        )
        .expect("writes");
        Self {
            process: recording.process(pid, 0).expect("writes"),
            ticks: 2_000_000,
            shift: u64::from(pid) << 32,
        }
    }

    /// Adds a thread; its number.
    pub fn thread(&mut self, tid: u32, name: &str) -> usize {
        let number = self.process.rings.len();
        let ticks = self.ticks;
        self.process.ring().thread(ticks, number as u32, tid, name);
        number
    }

    pub fn ring(&mut self, thread: usize) -> &mut RingContent {
        &mut self.process.rings[thread]
    }

    pub fn call(
        &mut self,
        thread: usize,
        function: u32,
        words: &[u64],
        returned: u64,
        answer: &[SampleCapture<'_>],
    ) {
        self.ticks += 100;
        let (begin, end) = (self.ticks, self.ticks + 50);
        let id = self
            .ring(thread)
            .begin_from(begin, function, (0x7f00_0010, words), &[]);
        self.ring(thread).end_with(end, id, returned, answer);
    }

    /// Launches a kernel with these arguments, of eight or of other bytes; without any, they were not captured.
    pub fn launch(&mut self, thread: usize, arguments: &[&[u8]]) {
        self.ticks += 100;
        let (begin, end) = (self.ticks, self.ticks + 50);
        let mut params = Vec::new();
        let mut buffer = Vec::new();
        for argument in arguments {
            params.push(ParamPlace {
                offset: buffer.len() as u16,
                size: argument.len() as u16,
            });
            buffer.extend_from_slice(argument);
        }
        let origin = LayoutOrigin::Driver;
        let layout = KernelLayout { origin, params }.to_bytes(ArgumentForm::Pointers);
        let number = KERNEL_ARGUMENTS | 9;
        let captures = [
            SampleCapture::before(number, &layout),
            SampleCapture::before(number, &buffer),
        ];
        let captures = if arguments.is_empty() {
            &[][..]
        } else {
            &captures[..]
        };
        let words = [0x7f00_5000, 1, 1, 1, 32, 1, 1, 0, 0, 0x7ffc_0000, 0];
        let id = self
            .ring(thread)
            .begin_from(begin, LAUNCH, (0x7f00_0010, &words), captures);
        self.ring(thread).end_with(end, id, 0, &[]);
    }

    pub fn init(&mut self, thread: usize) {
        self.call(thread, INIT, &[0], 0, &[]);
    }

    /// Allocates; the address.
    pub fn alloc(&mut self, thread: usize, number: u64, bytes: u64) -> u64 {
        let address = 0x7f00_0000_0000 + self.shift + number * 0x10_0000;
        let answer = address.to_le_bytes();
        self.call(
            thread,
            ALLOC,
            &[0x7ffc_0000, bytes],
            0,
            &[SampleCapture::after(0, &answer)],
        );
        address
    }

    /// Makes a call that creates an object with that number; its handle.
    pub fn create(&mut self, thread: usize, function: u32, number: u64) -> u64 {
        let handle = 0x5000_0000_0000 + self.shift + number * 0x1000;
        let answer = handle.to_le_bytes();
        self.call(
            thread,
            function,
            &[0x7ffc_0000, 0],
            0,
            &[SampleCapture::after(0, &answer)],
        );
        handle
    }

    /// Allocates on a stream; the address.
    pub fn alloc_async(&mut self, thread: usize, number: u64, (bytes, stream): (u64, u64)) -> u64 {
        let address = 0x7f00_0000_0000 + self.shift + number * 0x10_0000;
        let answer = address.to_le_bytes();
        self.call(
            thread,
            ALLOC_ASYNC,
            &[0x7ffc_0000, bytes, stream],
            0,
            &[SampleCapture::after(0, &answer)],
        );
        address
    }

    pub fn set(&mut self, thread: usize, address: u64, value: u64, bytes: u64) {
        self.call(thread, SET, &[address, value, bytes], 0, &[]);
    }

    pub fn info(&mut self, thread: usize, free: u64, code: u64) {
        let (free, total) = (free.to_le_bytes(), (80u64 << 30).to_le_bytes());
        let answer = [
            SampleCapture::after(0, &free),
            SampleCapture::after(1, &total),
        ];
        self.call(thread, INFO, &[0x7ffc_0000, 0x7ffc_0008], code, &answer);
    }

    pub fn finish(mut self) {
        self.process.flush().expect("writes");
    }
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Two runs in a folder of their own, which is removed in the end.
pub struct Pair(PathBuf);

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Pair {
    pub fn new(a: impl FnOnce(&mut Run), b: impl FnOnce(&mut Run)) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cutape-diff-{}-{number}", std::process::id());
        let pair = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&pair.0).expect("a writable folder for temporary files");
        let mut run = Run::new(&pair.a(), 100);
        a(&mut run);
        run.finish();
        let mut run = Run::new(&pair.b(), 200);
        b(&mut run);
        run.finish();
        pair
    }

    pub fn a(&self) -> PathBuf {
        self.0.join("a")
    }

    pub fn b(&self) -> PathBuf {
        self.0.join("b")
    }

    pub fn compare(&self) -> Outcomes {
        Outcomes::of(&self.a(), &self.b())
    }
}

/// A comparison with its traces.
pub struct Outcomes {
    pub a: Trace,
    pub b: Trace,
    pub comparison: Comparison,
}

impl Outcomes {
    pub fn of(a: &Path, b: &Path) -> Self {
        let (a, b) = (
            Trace::open(a).expect("opens"),
            Trace::open(b).expect("opens"),
        );
        let options = Options {
            mode: Some(Mode::Sequence),
            ..Options::usual()
        };
        let comparison = Comparison::of(&a, &b, options).expect("compares");
        Self { a, b, comparison }
    }

    pub fn sequence(&self) -> &Sequence {
        match &self.comparison.outcome {
            Outcome::Sequence(sequence) => sequence,
            Outcome::Profile(_) => panic!("a sequence was asked for"),
        }
    }

    /// Same, changed, only A, only B.
    pub fn counts(&self) -> [u64; 4] {
        let counts = &self.sequence().counts;
        [counts.same, counts.changed, counts.only_a, counts.only_b]
    }

    pub fn text(&self) -> String {
        let compared = Compared {
            comparison: &self.comparison,
            a: &self.a,
            b: &self.b,
        };
        let extent = Extent {
            rows: 12,
            detail: Detail::LINE,
        };
        let sequence = self.sequence();
        let hunks = sequence.hunks(1, &|_, _| true).expect("has numbers");
        let lines = SequenceText::new(compared, sequence, extent).hunks(&hunks, 0);
        lines
            .iter()
            .map(|line| format!("{}\n", line.text))
            .collect()
    }
}
