//! `cargo xtask bench replay`: how fast calls are played on a driver that does nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use cutape_replayer::expectations::NothingExpected;
use cutape_replayer::replay::{
    DriverUnderTest, Options, PlayerCommand, largest_resident_bytes, processor_ns, replay,
};
use cutape_replayer::report::PlayerUsage;
use cutape_trace_format::call::Call;
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;

use crate::bar::{Limit, Line, Measured, Verdict};
use crate::document;
use crate::error::BenchError;
use crate::machine;
use crate::workbench::{Driver, Workbench};

/// Calls of the trace.
const CALLS: &str = "10000000";
/// This process, where the system takes a process's number.
const THIS: i32 = 0;
/// Repetitions; the median counts.
const ROUNDS: usize = 3;

/// Measure how fast calls are played on a driver that does nothing
///
/// Takes about a minute. The calls have handles, device pointers and memory to read and to write; all must answer as recorded.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 measured (whatever came out), 1 a call answered otherwise, 2 nothing could be measured."
)]
pub struct Args {
    /// Also write the results into docs/performance-of-replay.md
    #[arg(long)]
    write: bool,
}

/// What came out.
struct Results {
    machine: Vec<(&'static str, String)>,
    load: (String, String),
    calls: u64,
    played: Played,
    /// Million calls a second, read from the trace and nothing else.
    read: f64,
    /// Largest resident memory of this program, bytes.
    resident_bytes: u64,
}

/// One replay.
#[derive(Clone, Copy)]
struct Played {
    /// Million calls a second.
    rate: f64,
    /// Processor time of this program, nanoseconds a call.
    judge_ns: f64,
    player: PlayerUsage,
}

/// Runs the chore.
pub fn run(args: &Args) -> ExitCode {
    let text = match measure() {
        Ok(results) => results.markdown(),
        Err(error) => {
            eprintln!("xtask: nothing could be measured: {error}");
            let is_wrong = matches!(error, BenchError::Trace(_));
            return ExitCode::from(if is_wrong { 1 } else { 2 });
        }
    };
    println!("{text}");
    if args.write
        && let Err(error) = document::write("docs/performance-of-replay.md", "replay", &text)
    {
        eprintln!("xtask: {error}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

fn measure() -> Result<Results, BenchError> {
    let machine = machine::describe();
    let before = machine::load();
    let bench = Workbench::set_up()?;
    let command = bench.command_line()?;
    eprintln!("xtask: recording {CALLS} calls");
    let path = record(&bench)?;
    let (calls, read) = reading(&path)?;
    eprintln!("xtask: replaying");
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(playing(&path, bench.driver(Driver::Idle), &command)?);
    }
    rounds.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    Ok(Results {
        machine,
        load: (before, machine::load()),
        calls,
        played: rounds[rounds.len() / 2],
        read,
        resident_bytes: largest_resident_bytes("self"),
    })
}

/// Records the calls, and seals them into one file.
fn record(bench: &Workbench) -> Result<PathBuf, BenchError> {
    let (samples, recording) = bench.record(Driver::Idle, &["known", CALLS])?;
    recording.expect_calls(samples.count("calls")?)?;
    let path = bench.folder().join("replayed.cutape");
    let options = SealOptions {
        allow_live: false,
        overwrite: true,
    };
    seal(recording.path(), &path, options, &mut |_| {})
        .map_err(|error| BenchError::Trace(error.to_string()))?;
    Ok(path)
}

fn open(path: &Path) -> Result<Trace, BenchError> {
    Trace::open(path).map_err(|error| BenchError::Trace(error.to_string()))
}

/// Calls of the trace, and how many million a second can be read.
fn reading(path: &Path) -> Result<(u64, f64), BenchError> {
    let trace = open(path)?;
    let start = Instant::now();
    let (mut calls, mut call, mut count) = (trace.calls(), Call::default(), 0);
    while calls
        .read_next(&mut call)
        .map_err(|damage| BenchError::Trace(damage.to_string()))?
    {
        count += 1;
    }
    Ok((count, millions_per_second(count, start)))
}

fn millions_per_second(calls: u64, start: Instant) -> f64 {
    calls as f64 / start.elapsed().as_secs_f64() / 1e6
}

/// Million calls a second, from opening the trace to the report.
fn playing(path: &Path, driver: &Path, command: &Path) -> Result<Played, BenchError> {
    let driver = DriverUnderTest {
        cuda: driver.to_owned(),
        ..DriverUnderTest::default()
    };
    let player = PlayerCommand {
        program: command.to_owned(),
        arguments: vec!["replay-player".into()],
    };
    let (start, before) = (Instant::now(), processor_ns(THIS));
    let trace = open(path)?;
    let options = (&Options::default(), &player);
    let report = replay(
        &trace,
        &driver,
        options,
        &mut NothingExpected,
        &mut |_, _| {},
    );
    let mut player = PlayerUsage::default();
    let processes = report.processes.iter();
    processes.for_each(|process| player.add(process.player));
    let played = Played {
        rate: millions_per_second(trace.call_count(), start),
        judge_ns: (processor_ns(THIS) - before) as f64 / trace.call_count() as f64,
        player,
    };
    let same = report.tally().of(cutape_replayer::verdict::Verdict::Same);
    if same == trace.call_count() && report.troubles.is_empty() {
        return Ok(played);
    }
    let first = report.first().map(|first| first.headline());
    Err(BenchError::Trace(format!(
        "{same} of {} calls answered as recorded; {} {}",
        trace.call_count(),
        first.unwrap_or_default(),
        report.troubles.join("; ")
    )))
}

impl Results {
    /// Processor time of the player, nanoseconds a call.
    fn player_ns(&self) -> f64 {
        self.played.player.cpu_ns as f64 / self.calls as f64
    }

    fn line(&self) -> Line {
        Line {
            what: "replay on a driver that does nothing".to_owned(),
            bar: Limit::MillionsPerSecond(2.0),
            stretch: Limit::MillionsPerSecond(5.0),
            measured: Measured::Value(self.played.rate),
        }
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        let line = self.line();
        let verdict: Verdict = line.verdict();
        // Writing to a string can't fail.
        let _ = writeln!(text, "| | |\n| --- | --- |");
        for (name, value) in &self.machine {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let _ = writeln!(
            text,
            "| load before and after | {} / {} |",
            self.load.0, self.load.1
        );
        let _ = writeln!(
            text,
            "\n| what | bar | stretch | measured | |\n| --- | --- | --- | --- | --- |\n| {} | {} | {} | {} | {verdict} |",
            line.what,
            line.bar,
            line.stretch,
            line.shown()
        );
        let _ = writeln!(
            text,
            "\n{} calls, median of {ROUNDS}, from opening the trace to the report. Processor time a call: {:.0} ns of the judging process, {:.0} ns \
             of the playing one; two processors that do nothing else play {:.1} M calls/s with that. Reading the same trace alone: {:.1} M calls/s. \
             Largest resident memory: {:.0} MB of the judging process, {:.0} MB of the playing one; both count what they share.",
            self.calls,
            self.played.judge_ns,
            self.player_ns(),
            1e3 / self.played.judge_ns.max(self.player_ns()),
            self.read,
            self.resident_bytes as f64 / 1e6,
            self.played.player.resident_bytes as f64 / 1e6
        );
        text
    }
}
