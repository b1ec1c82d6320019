//! `cargo xtask bench view`: what the terminal interface costs on a long trace.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use cutape_viewer::app::App;
use cutape_viewer::canvas::Canvas;
use cutape_viewer::facts::Facts;
use cutape_viewer::key::Key;
use cutape_viewer::msg::{Effect, Msg};
use cutape_viewer::opened::{Opened, Source};
use cutape_viewer::settings::Settings;
use cutape_viewer::workers::{Job, Slot, Worker};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::analysis::LONG_CALLS;
use crate::analysis_trace::{GeneratedTrace, Run};
use crate::bar::{Limit, Line, Measured, Verdict};
use crate::chore::{Outcome, finish, in_folder};
use crate::error::BenchError;
use crate::machine;
use crate::report::row;

/// Times that the trace is opened; the median counts.
const ROUNDS: usize = 5;
/// Pictures drawn.
const FRAMES: usize = 500;
/// Columns and rows of the screen.
const SIZE: (u16, u16) = (200, 60);

/// Measure what the terminal interface costs on a trace of ten million calls: first picture, memory, a picture
///
/// Takes about a minute. The trace is generated, the same in every run.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 measured (whatever came out), 1 a measurement failed, 2 nothing could be measured."
)]
pub struct Args {
    /// Also write the results into docs/viewer.md
    #[arg(long)]
    write: bool,
}

/// Runs the chore.
pub fn run(args: &Args) -> ExitCode {
    let measured = in_folder(measure_in).map(|results| Outcome {
        text: markdown(&results),
        has_failed: results
            .lines
            .iter()
            .any(|line| line.verdict() == Verdict::Failed),
    });
    finish(measured, args.write.then_some(("docs/viewer.md", "view")))
}

struct Results {
    machine: Vec<(&'static str, String)>,
    load: (String, String),
    lines: Vec<Line>,
    others: Vec<(&'static str, String)>,
}

fn measure_in(folder: &Path) -> Result<Results, BenchError> {
    let (machine, before) = (machine::describe(), machine::load());
    eprintln!("xtask: generating a trace");
    let trace = GeneratedTrace::make(folder, Run::of(LONG_CALLS))?;
    eprintln!("xtask: opening it");
    let mut first_pictures = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut driven = Driven::open(trace.path())?;
        driven.draw();
        first_pictures.push(start.elapsed());
    }
    let empty = resident_bytes();
    let mut driven = Driven::open(trace.path())?;
    eprintln!("xtask: finding out all about it");
    let start = Instant::now();
    driven.find_out();
    let known_after = start.elapsed();
    let memory = resident_bytes().saturating_sub(empty);
    eprintln!("xtask: drawing");
    let mut frames = driven.draw_pages();
    frames.sort_unstable();
    eprintln!("xtask: folding");
    let start = Instant::now();
    driven.press("z A");
    let folded_after = start.elapsed();
    let mut folded_frames = driven.draw_pages();
    folded_frames.sort_unstable();
    let at = |share: usize| frames[(frames.len() - 1) * share / 100];
    first_pictures.sort_unstable();
    Ok(Results {
        machine,
        load: (before, machine::load()),
        lines: vec![
            seconds(
                "first picture of a trace of 10 M calls",
                (0.15, 0.05),
                first_pictures[ROUNDS / 2],
            ),
            Line {
                what: "memory that the viewer takes when all is known of it".to_owned(),
                bar: Limit::Megabytes(250.0),
                stretch: Limit::Megabytes(100.0),
                measured: Measured::Value(memory as f64 / 1e6),
            },
            // A sixtieth and a hundred-and-twentieth of a second.
            seconds(
                "a key and the picture after it, 99 of 100",
                (0.0167, 0.0083),
                at(99),
            ),
            seconds(
                "the same with repeated sequences folded",
                (0.0167, 0.0083),
                folded_frames[(folded_frames.len() - 1) * 99 / 100],
            ),
        ],
        others: vec![
            (
                "a key and the picture after it, median",
                milliseconds(at(50)),
            ),
            (
                "index, failures, objects and diagnosis of all calls",
                milliseconds(known_after),
            ),
            ("finding all repeated sequences", milliseconds(folded_after)),
        ],
    })
}

fn seconds(what: &str, (bar, stretch): (f64, f64), measured: Duration) -> Line {
    Line {
        what: what.to_owned(),
        bar: Limit::Seconds(bar),
        stretch: Limit::Seconds(stretch),
        measured: Measured::Value(measured.as_secs_f64()),
    }
}

/// Memory of this process that is in use.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kibibytes.unwrap_or(0u64) * 1024
}

/// The viewer without a terminal, each job done where it is asked for.
struct Driven {
    app: App,
    opened: Opened,
    sender: Sender<Msg>,
    answers: Receiver<Msg>,
    buffer: Buffer,
    /// The job that finds out about the trace, which is not done before the first picture.
    finding_out: Vec<Job>,
}

impl Driven {
    fn open(path: &Path) -> Result<Self, BenchError> {
        let source =
            Source::open(path, false).map_err(|error| BenchError::Trace(error.to_string()))?;
        let facts = Facts::of(source.trace());
        let (sender, answers) = unbounded();
        let mut driven = Self {
            app: App::new(facts, Settings::default(), SIZE),
            opened: Opened::new(source),
            sender,
            answers,
            buffer: Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1)),
            finding_out: Vec::new(),
        };
        let effects = driven.app.take_effects();
        driven.settle(effects);
        Ok(driven)
    }

    fn settle(&mut self, mut effects: Vec<Effect>) {
        loop {
            for effect in effects {
                match effect {
                    Effect::Work(job) if job.slot == Slot::Index => self.finding_out.push(job),
                    Effect::Work(job) => self.do_job(job),
                    _ => {}
                }
            }
            match self.answers.try_recv() {
                Ok(message) => effects = self.app.update(message),
                Err(_) => return,
            }
        }
    }

    fn do_job(&self, job: Job) {
        let stop = AtomicBool::new(false);
        job.run(&Worker::new(&self.opened, &stop, &self.sender));
    }

    fn find_out(&mut self) {
        for job in std::mem::take(&mut self.finding_out) {
            self.do_job(job);
        }
        self.settle(Vec::new());
    }

    /// Presses keys and does all that they ask for.
    fn press(&mut self, keys: &str) {
        for key in Key::parse_sequence(keys).expect("keys") {
            let effects = self.app.update(Msg::Key(key));
            self.settle(effects);
        }
    }

    fn draw(&mut self) {
        self.buffer.reset();
        let look = self.app.look();
        self.app.draw(&mut Canvas::new(&mut self.buffer, look));
    }

    /// Pages down through the trace: time of the thread that draws, for each key and picture.
    fn draw_pages(&mut self) -> Vec<Duration> {
        let keys =
            ["Space", "j", "ctrl-d", "k", "PageDown"].map(|key| Key::parse(key).expect("a key"));
        let mut times = Vec::with_capacity(FRAMES);
        for frame in 0..FRAMES {
            let start = Instant::now();
            let effects = self.app.update(Msg::Key(keys[frame % keys.len()]));
            self.draw();
            let drawing = start.elapsed();
            self.settle(effects);
            times.push(drawing);
        }
        times
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn markdown(results: &Results) -> String {
    let mut text = String::from("| | |\n| --- | --- |\n");
    for (name, value) in &results.machine {
        row(&mut text, &[name, value]);
    }
    let load = format!("{} and {}", results.load.0, results.load.1);
    row(&mut text, &["Load average before and after", &load]);
    row(
        &mut text,
        &["Screen", &format!("{} columns, {} rows", SIZE.0, SIZE.1)],
    );
    text.push_str("\n| what | bar | stretch | measured | |\n| --- | --- | --- | --- | --- |\n");
    for line in &results.lines {
        let (bar, stretch) = (line.bar.to_string(), line.stretch.to_string());
        row(
            &mut text,
            &[
                &line.what,
                &bar,
                &stretch,
                &line.shown(),
                &line.verdict().to_string(),
            ],
        );
    }
    for (what, value) in &results.others {
        row(&mut text, &[what, "", "", value, ""]);
    }
    text
}
