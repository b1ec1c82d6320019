//! Traces that tests make themselves: calls of real functions, as the API table describes them, without a driver.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use cutape_cuda_api::Api;
use cutape_trace_format::sample::SampleCapture;
use cutape_trace_format::sample_recording::{SampleProcess, SampleRecording};
use cutape_trace_format::schema::{Schema, schema_file};
use cutape_trace_format::trace::Trace;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Code in the sample library, whose offset in the file is 0x3000.
pub const CALLER: u64 = 0x7f00_1000;
/// Begin of the first call after the recording's start, nanoseconds; each call begins that much after the one before it.
pub const STEP_NS: u64 = 1000;
const START_NS: u64 = 1_000_000;

/// A recording under construction, removed when the test is over.
pub struct Sample {
    folder: PathBuf,
    pub recording: SampleRecording,
    pub processes: Vec<SampleProcess>,
    next_ns: u64,
}

impl Sample {
    /// A recording of one process, 100, with one thread.
    pub fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cutape-analysis-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a writable folder for temporary files");
        let recording = SampleRecording::create(&folder.join("a.cutape")).expect("creates");
        let schema = schema_file(&real_schema()).expect("encodes");
        std::fs::write(recording.path.join("schema"), schema).expect("writes");
        let mut sample = Self {
            folder,
            recording,
            processes: Vec::new(),
            next_ns: START_NS + STEP_NS,
        };
        sample.process(100);
        sample
    }

    /// Adds a process, which makes the calls from here on.
    pub fn process(&mut self, pid: u32) {
        let mut process = self.recording.process(pid, 0).expect("creates");
        process.ring().thread(START_NS, 0, pid, "main");
        self.processes.push(process);
    }

    /// A path beside the recording.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Adds a call that takes 250 ns, or never returns.
    pub fn call(&mut self, name: &str, args: &[u64], answer: Option<u32>) -> &mut Self {
        self.call_with(name, args, answer, &[])
    }

    /// Adds a call with what lies behind its pointers.
    pub fn call_with(
        &mut self,
        name: &str,
        args: &[u64],
        answer: Option<u32>,
        captures: &[SampleCapture<'_>],
    ) -> &mut Self {
        let id = Api::get().function(name).expect("a function of the table");
        self.call_number(id.0, args, answer.map(u64::from), captures)
    }

    /// Adds a call of a function that has a number of its own.
    pub fn call_number(
        &mut self,
        number: u32,
        args: &[u64],
        answer: Option<u64>,
        captures: &[SampleCapture<'_>],
    ) -> &mut Self {
        let is_out = |capture: &&SampleCapture<'_>| capture.out;
        let (after, before): (Vec<_>, Vec<_>) = captures.iter().partition(is_out);
        let ring = &mut self.processes.last_mut().expect("a process").rings[0];
        let call = ring.begin_from(self.next_ns, number, (CALLER, args), &before);
        if let Some(answer) = answer {
            ring.end_with(self.next_ns + 250, call, answer, &after);
        }
        self.next_ns += STEP_NS;
        self
    }

    /// What was recorded.
    pub fn open(&mut self) -> Trace {
        for process in &mut self.processes {
            process.flush().expect("flushes");
        }
        Trace::open(&self.recording.path).expect("opens")
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// All functions and types, under the numbers of the table.
fn real_schema() -> Schema {
    let api = Api::get();
    Schema {
        functions: (0..).zip(api.functions().iter().cloned()).collect(),
        types: api.types().to_vec(),
        export_tables: api.export_tables().to_vec(),
    }
}
