//! `cutape replay`: the recorded calls once more, on another driver.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chrono::Local;
use clap::{Args, ValueEnum};
use cutape_replayer::expectations::{Expectations, NothingExpected};
use cutape_replayer::policy::{Policy, accepting};
use cutape_replayer::replay::{DriverUnderTest, Options, PlayerCommand, replay};
use cutape_replayer::report::{JunitBy, Look, Report, github_summary, json, junit, text};
use cutape_replayer::verdict::Verdict;

use crate::colour::Colour;
use crate::driver::{Driver, DriverChoice};
use crate::message;
use crate::progress::Progress;
use crate::reading::{self, TROUBLE};
use crate::size;

/// Exit code of a replay that diverges.
const DIVERGES: u8 = 1;

/// Play recorded calls on another driver and tell which of them answer otherwise
///
/// Every call of every process is made again, in a process that loads the driver under test: with handles, device pointers and host
/// memory of its own, one thread for each recorded thread, and in an order that keeps what came after what. The driver may crash or hang;
/// the report comes anyway and names the call. docs/replay.md says how answers are compared and what is not played.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 conforms (the same or better), 1 diverges, 2 trouble (a trace can't be read, there is no such driver; with
--strict also calls that were not played and policy entries that applied to nothing).

Examples:
  cutape replay llama.cutape --driver ./build/libcuda.so.1
  cutape replay llama.cutape --driver sim:shim-fixed
  cutape replay traces/*.cutape --driver ./build/libcuda.so.1 --policy replay.toml --junit replay.xml
  cutape replay llama.cutape --driver ./build/libcuda.so.1 --accept replay.toml   # expect what differs today"
)]
pub struct Arguments {
    /// The traces: sealed files or recording folders
    #[arg(value_name = "T", required = true)]
    traces: Vec<PathBuf>,

    /// The driver under test: a library file, or sim or sim:PROFILE for the simulated one
    #[arg(long, value_name = "PATH|sim[:PROFILE]")]
    driver: DriverChoice,

    /// Play the calls up to this number only
    #[arg(long, value_name = "N")]
    until: Option<u64>,

    /// A file that says which differences are all right and why (docs/replay.md)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Calls that were not played, and policy entries that applied to nothing, are trouble
    #[arg(long)]
    strict: bool,

    /// Write a policy that expects all that counts against the driver in this run, for review
    #[arg(long, value_name = "FILE")]
    accept: Option<PathBuf>,

    /// Overwrite the file of --accept
    #[arg(long)]
    force: bool,

    /// How long a call may take; calls that took long when they were recorded may take four times as long
    #[arg(long, value_name = "SECS", default_value = "30", value_parser = seconds)]
    timeout: Duration,

    /// How long a trace may take
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    total_timeout: Option<Duration>,

    /// After a crash or a hang play everything again in a new process, but for the call that did it
    #[arg(long)]
    keep_going: bool,

    /// One call after the other, in the order in which they began
    #[arg(long)]
    serial: bool,

    /// Also count calls against the driver that take longer than recorded by more than this factor (and by more than a millisecond)
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    slower: Option<f64>,

    /// Host memory that the data of one call may take; calls that need more are not played
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size::parse)]
    max_host: u64,

    /// Write the report as JSON (schema cutape.replay)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// What a test case of the JUnit report is
    #[arg(long, value_enum, default_value_t = By::Function, value_name = "BY")]
    junit_by: By,

    /// Append a summary in Markdown; without it to the file that GITHUB_STEP_SUMMARY names, if it does
    #[arg(long, value_name = "FILE")]
    github_summary: Option<PathBuf>,

    /// Print nothing; the exit code tells
    #[arg(short, long)]
    quiet: bool,

    /// Colours: auto means on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,
}

/// What a test case of the JUnit report is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// All calls of a function
    Function,
    /// One call
    Call,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok();
    seconds
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds above 0, such as 30 or 0.5".to_owned())
}

fn factor(text: &str) -> Result<f64, String> {
    let factor: Option<f64> = text.parse().ok();
    factor
        .filter(|factor| factor.is_finite() && *factor >= 1.0)
        .ok_or_else(|| "expected a factor from 1 on, such as 2 or 1.5".to_owned())
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    match try_run(&arguments) {
        Ok(code) => code,
        Err(why) => message::fail(TROUBLE, why),
    }
}

fn try_run(arguments: &Arguments) -> Result<ExitCode, String> {
    let today = Local::now().date_naive();
    let policy = arguments
        .policy
        .as_deref()
        .map(|path| Policy::read(path, today));
    let mut policy = policy.transpose().map_err(|error| error.to_string())?;
    if let Some(path) = &arguments.accept
        && path.exists()
        && !arguments.force
    {
        return Err(format!(
            "--accept {0}: the file exists; choose another name, or --force to overwrite it",
            path.display()
        ));
    }
    let driver = Driver::find(Some(&arguments.driver))?;
    let mut nothing = NothingExpected;
    let expectations: &mut dyn Expectations = match &mut policy {
        Some(policy) => policy,
        None => &mut nothing,
    };
    let mut report = play_all(arguments, driver, expectations)?;
    if let Some(policy) = &policy {
        report.unused_policy = policy.unused();
    }
    write_reports(arguments, &report)?;
    if let Some(path) = &arguments.accept {
        write(path, &accepting(&report, today))?;
    }
    if !arguments.quiet {
        let look = Look {
            coloured: arguments.color.is_wanted(),
            ..Look::default()
        };
        if let Err(code) = reading::print(&text(&report, look)) {
            return Ok(code);
        }
    }
    Ok(exit_code(arguments, &report))
}

fn play_all(
    arguments: &Arguments,
    driver: Driver,
    expectations: &mut dyn Expectations,
) -> Result<Report, String> {
    let options = Options {
        until: arguments.until,
        timeout: arguments.timeout,
        total_timeout: arguments.total_timeout,
        keep_going: arguments.keep_going,
        is_serial: arguments.serial,
        slower: arguments.slower,
        with_calls: arguments.junit.is_some() && arguments.junit_by == By::Call,
        max_host_bytes: arguments.max_host,
    };
    let player = PlayerCommand {
        program: std::env::current_exe()
            .map_err(|error| format!("this program's own file can't be found: {error}"))?,
        arguments: vec![super::replay_player::NAME.into()],
    };
    let mut report = Report {
        driver: name(&arguments.driver),
        ..Report::default()
    };
    let driver = under_test(driver);
    for path in &arguments.traces {
        let trace = match reading::open(path) {
            Ok(trace) => trace,
            Err(_) => return Err("nothing was replayed".to_owned()),
        };
        let mut progress = Progress::new("replaying");
        report.traces.push(replay(
            &trace,
            &driver,
            (&options, &player),
            expectations,
            &mut |done, all| progress.show(done, all),
        ));
    }
    for trouble in report.traces.iter().flat_map(|trace| &trace.troubles) {
        message::say(format!("warning: {trouble}"));
    }
    Ok(report)
}

fn name(driver: &DriverChoice) -> String {
    match driver {
        DriverChoice::File(path) => path.display().to_string(),
        DriverChoice::Simulated(None) => "sim".to_owned(),
        DriverChoice::Simulated(Some(profile)) => format!("sim:{profile}"),
    }
}

fn under_test(driver: Driver) -> DriverUnderTest {
    DriverUnderTest {
        cuda: driver.cuda,
        nvml: driver.nvml,
        hidden: driver.hidden,
        environment: driver
            .environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

fn write_reports(arguments: &Arguments, report: &Report) -> Result<(), String> {
    if let Some(path) = &arguments.json {
        write(path, &json(report))?;
    }
    if let Some(path) = &arguments.junit {
        let by = match arguments.junit_by {
            By::Function => JunitBy::Function,
            By::Call => JunitBy::Call,
        };
        write(path, &junit(report, by))?;
    }
    let summary = arguments.github_summary.clone().or_else(|| {
        let named = std::env::var_os("GITHUB_STEP_SUMMARY");
        named.filter(|name| !name.is_empty()).map(PathBuf::from)
    });
    match summary {
        Some(path) => append(&path, &github_summary(report)),
        None => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text)
        .map_err(|error| format!("{} can't be written: {error}", path.display()))
}

fn append(path: &Path, text: &str) -> Result<(), String> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| format!("{} can't be written: {error}", path.display()))
}

fn exit_code(arguments: &Arguments, report: &Report) -> ExitCode {
    let is_lax = !arguments.strict;
    let skipped = report.tally().of(Verdict::Skipped) - expected_skips(report);
    if report.has_trouble() {
        return ExitCode::from(TROUBLE);
    }
    if !is_lax && (skipped > 0 || !report.unused_policy.is_empty()) {
        message::say(format!(
            "--strict: {skipped} calls were not played and not expected to be passed over, {} policy entries applied to nothing",
            report.unused_policy.len()
        ));
        return ExitCode::from(TROUBLE);
    }
    if report.conforms() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DIVERGES)
    }
}

/// Calls that were not played and that the policy expects.
fn expected_skips(report: &Report) -> u64 {
    report.traces.iter().map(|trace| trace.expected_skips).sum()
}
