//! Traces to measure with: generated like a PyTorch training loop, or with no two calls alike. Each is the same in every run.

use std::fs;
use std::path::{Path, PathBuf};

use cutape_cuda_api::Api;
use cutape_trace_format::sample_recording::{SampleProcess, SampleRecording};
use cutape_trace_format::sample_stream::{FUNCTIONS, SampleStream};
use cutape_trace_format::schema::{Schema, schema_file};
use cutape_trace_format::seal::{SealOptions, seal};

use crate::error::BenchError;

/// Bytes of records that are made into blocks at once.
const FLUSH_BYTES: usize = 4 << 20;
/// Calls of a layer of the stream, about.
const CALLS_OF_LAYER: u64 = 9;
/// Sizes of shuffled copies are below this.
const SHUFFLED: u64 = 1 << 24;

/// A run to be recorded.
#[derive(Clone, Copy)]
pub struct Run {
    /// It makes at least so many calls.
    pub calls: u64,
    /// Runs of different seeds differ as two runs of one program do: by times and addresses.
    pub seed: u64,
    /// What they are.
    pub kind: Kind,
}

/// What calls a run makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A loop.
    Loop,
    /// The loop, of whose layers every so many one is left out.
    Cut(u64),
    /// No two calls alike, and none in runs of different seeds, if these are one even and one odd.
    Distinct,
    /// No two calls alike; runs of different seeds have more than half of them in common, each in an order of its own.
    Shuffled,
}

impl Run {
    /// The first run of so many calls of a loop.
    pub fn of(calls: u64) -> Self {
        Self {
            calls,
            seed: 1,
            kind: Kind::Loop,
        }
    }
}

/// A sealed file, removed in the end.
pub struct GeneratedTrace {
    path: PathBuf,
}

impl GeneratedTrace {
    /// Makes a trace.
    ///
    /// # Errors
    /// Files can't be written.
    pub fn make(folder: &Path, run: Run) -> Result<Self, BenchError> {
        let name = format!("{}-{}-{:?}", run.calls, run.seed, run.kind);
        let (recording, path) = (
            folder.join(format!("{name}.folder")),
            folder.join(format!("{name}.cutape")),
        );
        let failed = |error: &dyn std::fmt::Display| BenchError::Trace(error.to_string());
        record(&recording, run).map_err(|error| failed(&error))?;
        seal(&recording, &path, SealOptions::default(), &mut |_| {})
            .map_err(|error| failed(&error))?;
        fs::remove_dir_all(&recording).map_err(BenchError::file(&recording))?;
        Ok(Self { path })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for GeneratedTrace {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn record(folder: &Path, run: Run) -> std::io::Result<()> {
    let recording = SampleRecording::create(folder)?;
    let schema = schema_file(&real_schema()).map_err(std::io::Error::other)?;
    fs::write(recording.path.join("schema"), schema)?;
    let mut process = recording.process(100, 0)?;
    process.ring().thread(0, 0, 100, "python");
    match run.kind {
        Kind::Loop => record_loop(&mut process, run, None)?,
        Kind::Cut(cut) => record_loop(&mut process, run, Some(cut))?,
        Kind::Distinct => record_copies(&mut process, run, |number| number * 2 + run.seed % 2)?,
        Kind::Shuffled => record_copies(&mut process, run, |number| shuffled(number, run.seed))?,
    }
    process.flush()
}

fn record_loop(process: &mut SampleProcess, run: Run, cut: Option<u64>) -> std::io::Result<()> {
    let mut stream = SampleStream::new(run.seed);
    for layer in 1..=run.calls.div_ceil(CALLS_OF_LAYER) + 1 {
        if cut.is_some_and(|cut| layer % cut == 0) {
            stream.pass_over_layer();
            continue;
        }
        stream.layer(&mut process.rings[0]);
        flush_much(process)?;
    }
    Ok(())
}

/// Copies of different sizes.
fn record_copies(
    process: &mut SampleProcess,
    run: Run,
    bytes: impl Fn(u64) -> u64,
) -> std::io::Result<()> {
    let mut stream = SampleStream::new(run.seed);
    for number in 0..run.calls {
        stream.copy(&mut process.rings[0], bytes(number));
        flush_much(process)?;
    }
    Ok(())
}

/// A number below 2^24, another one for each number below that.
fn shuffled(number: u64, seed: u64) -> u64 {
    let odd = 0x9e37_79b1 + 2 * seed;
    let mixed = number.wrapping_mul(odd) % SHUFFLED;
    (mixed ^ mixed >> 12).wrapping_mul(odd) % SHUFFLED
}

fn flush_much(process: &mut SampleProcess) -> std::io::Result<()> {
    if process.rings[0].bytes.len() > FLUSH_BYTES {
        process.flush()?;
    }
    Ok(())
}

/// The stream's functions as the API table describes them.
fn real_schema() -> Schema {
    let api = Api::get();
    let functions = FUNCTIONS.iter().filter_map(|&(number, name)| {
        let function = api.function(name)?;
        Some((number, api.at(function).clone()))
    });
    Schema {
        functions: functions.collect(),
        types: api.types().to_vec(),
        export_tables: Vec::new(),
    }
}
