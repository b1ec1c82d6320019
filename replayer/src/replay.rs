//! Plays traces.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cutape_trace_format::call::ProcessId;
use cutape_trace_format::trace::Trace;

use crate::expectations::Expectations;
use crate::judge::Judge;
use crate::plan::{Compiler, Plans};
use crate::primary_contexts::PrimaryContexts;
use crate::report::collector::Collector;
use crate::report::{ProcessReport, TraceReport};
use crate::session::{self, Session};
use crate::worker::Instructions;

pub use crate::session::{PlayerCommand, largest_resident_bytes, processor_ns};

/// The driver under test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverUnderTest {
    /// The CUDA driver library.
    pub cuda: PathBuf,
    /// The NVML library that goes with it, if there is one.
    pub nvml: Option<PathBuf>,
    /// Functions that count as missing though the libraries export them.
    pub hidden: Vec<String>,
    /// Variables that the libraries need.
    pub environment: Vec<(String, String)>,
}

/// File name of cutape's simulated driver. It takes kernels and does not run them.
const SIMULATED: &str = "libcutape_sim.so";

/// Variables of recorded processes that the player gets.
const PASSED_ON: [&str; 2] = ["CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"];
/// Longer than any list of GPUs.
const MAX_VALUE_BYTES: usize = 4096;

/// How traces are played.
#[derive(Clone, Debug)]
pub struct Options {
    /// Calls up to this number only.
    pub until: Option<u64>,
    /// How long one call may take before it counts as hanging.
    pub timeout: Duration,
    /// How long a trace may take.
    pub total_timeout: Option<Duration>,
    /// Go on after the driver has ended the process or hung: a new process plays everything again but for the call that did it.
    pub keep_going: bool,
    /// One call after the other, in the order in which they began.
    pub is_serial: bool,
    /// Count calls as slower that take longer than recorded by more than this factor.
    pub slower: Option<f64>,
    /// Keep what became of each call.
    pub with_calls: bool,
    /// Host memory for the data of one call, bytes.
    pub max_host_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            until: None,
            timeout: Duration::from_secs(30),
            total_timeout: None,
            keep_going: false,
            is_serial: false,
            slower: None,
            with_calls: false,
            max_host_bytes: 1 << 30,
        }
    }
}

/// Plays a trace on a driver and judges what it answers. `progress` gets how many calls of how many are played.
///
/// The driver is loaded by processes that `player` starts; this one never loads it.
pub fn replay(
    trace: &Trace,
    driver: &DriverUnderTest,
    (options, player): (&Options, &PlayerCommand),
    expectations: &mut dyn Expectations,
    progress: &mut dyn FnMut(u64, u64),
) -> TraceReport {
    let start = Instant::now();
    let instructions = Instructions {
        cuda: driver.cuda.clone(),
        nvml: driver.nvml.clone(),
        hidden: driver.hidden.clone(),
        plans: plans(trace, &driver.cuda),
        primary_contexts: Vec::new(),
        max_host_bytes: options.max_host_bytes,
    };
    let report = TraceReport {
        trace: trace.path().to_owned(),
        ..TraceReport::default()
    };
    let mut collector = Collector::new(report, options.with_calls);
    trace
        .damages()
        .iter()
        .for_each(|damage| collector.trouble(damage.to_string()));
    let contexts = PrimaryContexts::of(trace, options.until.unwrap_or(u64::MAX));
    let mut processes = Vec::new();
    for number in 0..trace.processes().len() {
        let instructions = Instructions {
            primary_contexts: contexts.of_process(ProcessId(number as u32)),
            ..instructions.clone()
        };
        let environment = environment(trace, ProcessId(number as u32), driver);
        let session = Session {
            trace,
            process: ProcessId(number as u32),
            instructions: &instructions,
            player,
            environment: &environment,
            until: options.until.unwrap_or(u64::MAX),
            timeout: options.timeout,
            deadline: options
                .total_timeout
                .and_then(|total| start.checked_add(total)),
            keep_going: options.keep_going,
            is_serial: options.is_serial,
            is_timed: options.slower.is_some(),
        };
        processes.push(play(
            &session,
            options,
            (&mut collector, &mut *expectations),
            progress,
        ));
    }
    let mut report = collector.finish();
    report.processes = processes;
    report.wall_ns = start.elapsed().as_nanos() as u64;
    report
}

fn play<'a>(
    session: &Session<'a>,
    options: &Options,
    places: (&'a mut Collector, &'a mut dyn Expectations),
    progress: &mut dyn FnMut(u64, u64),
) -> ProcessReport {
    let trace = session.trace;
    let all = trace.call_count();
    let mut judge = Judge::new(
        trace,
        &session.instructions.plans,
        session.process,
        options.slower,
        places,
    );
    session::play(session, &mut judge, &mut |seq| progress(seq, all))
}

/// Variables for the player: those of the driver, and those of the recorded process that decide which GPUs there are. What this program's
/// own environment says of these counts more: the machine may have other GPUs than the recorded one.
fn environment(
    trace: &Trace,
    process: ProcessId,
    driver: &DriverUnderTest,
) -> Vec<(String, String)> {
    let recorded = trace
        .process(process)
        .map(|entry| &entry.process.environment);
    let recorded = recorded.into_iter().flatten().filter(|(name, value)| {
        PASSED_ON.contains(&name.as_str())
            && std::env::var_os(name).is_none()
            && value.len() <= MAX_VALUE_BYTES
            && !value.contains('\0')
    });
    driver.environment.iter().chain(recorded).cloned().collect()
}

/// Plans for the functions of a trace, by the trace's numbers.
fn plans(trace: &Trace, driver: &Path) -> Plans {
    let is_simulated = |driver: &Path| driver.file_name() == Some(SIMULATED.as_ref());
    // A driver that runs kernels leaves behind other data than one that doesn't.
    let kernels_agree = trace
        .processes()
        .iter()
        .all(|entry| is_simulated(Path::new(&entry.process.driver)) == is_simulated(driver));
    let mut compiler = Compiler::new(kernels_agree);
    for function in trace.schema().functions() {
        compiler.add(&function.name, function.signature.as_ref());
    }
    compiler.finish()
}
