//! Which way two traces are compared, and why.

use cutape_cuda_api::Effect;
use cutape_trace_format::metadata::Process;
use cutape_trace_format::trace::Trace;

use super::candidates::profile;
use super::pairing::{shared_calls, total};
use super::scan::{Lane, Scan};
use crate::doctor::client::{Client, ClientKind, file_name};
use crate::doctor::facts::ProcessFacts;

/// Two runs of one program have at least this share of the shorter one's calls in common, in percent.
const LEAST_OF_ONE_PROGRAM: u64 = 20;
/// Two programs that have this share of the longer one's calls in common are compared call by call all the same.
const LEAST_OF_TWO_PROGRAMS: u64 = 90;
/// Programs that run others: the script is what counts.
const INTERPRETERS: [&str; 8] = [
    "python", "bash", "sh", "dash", "node", "perl", "ruby", "julia",
];

/// A way to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Call by call: two runs of one program.
    Sequence,
    /// What is asked, what is answered, what follows: two programs.
    Profile,
}

impl Mode {
    /// As it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Profile => "profile",
        }
    }
}

/// Which way two traces are compared, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The way.
    pub mode: Mode,
    /// Why, for people.
    pub why: String,
}

/// Chooses; `asked` is what the user wants, if anything.
pub(crate) fn choose(asked: Option<Mode>, a: (&Trace, &Scan), b: (&Trace, &Scan)) -> Choice {
    let choice = |mode, why: String| Choice { mode, why };
    if let Some(mode) = asked {
        return choice(mode, "as asked".to_owned());
    }
    let nothing_in = match (a.1.calls, b.1.calls) {
        (0, 0) => Some("neither has a call on record"),
        (0, _) => Some("A has no call on record"),
        (_, 0) => Some("B has no call on record"),
        _ => None,
    };
    if let Some(why) = nothing_in {
        return choice(Mode::Sequence, why.to_owned());
    }
    let names = (program(a.0), program(b.0));
    let profiles = (own_profile(a), own_profile(b));
    let calls = (total(&profiles.0), total(&profiles.1));
    let shared = shared_calls(&profiles.0, &profiles.1) * 100;
    let of_shorter = shared.checked_div(calls.0.min(calls.1));
    let of_longer = shared.checked_div(calls.0.max(calls.1));
    match is_same_program(a.0, b.0) {
        Some(how) => match of_shorter {
            Some(share) if share < LEAST_OF_ONE_PROGRAM => choice(
                Mode::Profile,
                format!("{how}, and only {share} % of the shorter one's calls are in both"),
            ),
            _ => choice(Mode::Sequence, how),
        },
        None => match of_longer {
            Some(share) if share >= LEAST_OF_TWO_PROGRAMS => choice(
                Mode::Sequence,
                format!(
                    "{} and {}, but {share} % of their calls are the same",
                    names.0, names.1
                ),
            ),
            _ => choice(
                Mode::Profile,
                format!("two programs: {} and {}", names.0, names.1),
            ),
        },
    }
}

/// How often a program asks what, questions and look-ups left out: those come from the runtime that both use.
fn own_profile((trace, scan): (&Trace, &Scan)) -> Vec<(u64, u32)> {
    let lanes: Vec<&Lane> = scan.lanes.iter().collect();
    let asks = |function: &cutape_cuda_api::Function| function.effects.contains(&Effect::Queries);
    let asked_only: std::collections::HashSet<u64> = (0..scan.classes.len() as u32)
        .map(|class| scan.class(class))
        .filter(|class| trace.function(class.function()).is_some_and(asks))
        .map(|class| class.asked())
        .collect();
    let mut profile = profile(scan, &lanes);
    profile.retain(|(asked, _)| !asked_only.contains(asked));
    profile
}

/// The process that was started first.
pub(crate) fn first_process(trace: &Trace) -> Option<&Process> {
    let processes = trace.processes().iter().map(|entry| &entry.process);
    processes
        .filter(|process| process.pid != 0)
        .min_by_key(|process| (process.start_time, process.pid, process.incarnation))
}

/// The program's file name; for an interpreter, the script's too.
pub(crate) fn program(trace: &Trace) -> String {
    let Some(process) = first_process(trace) else {
        return "unknown program".to_owned();
    };
    let name = file_name(&process.program);
    match script(process) {
        Some(script) => format!("{name} {script}"),
        None => name.to_owned(),
    }
}

/// What the program is known as, `PyTorch`; where it is not recognised, its file name.
pub(crate) fn client(trace: &Trace) -> String {
    let kinds = trace.processes().iter().filter_map(|entry| {
        let client = Client::of(Some(entry), &ProcessFacts::default());
        client.kinds.into_keys().next()
    });
    // Nearly every program uses the runtime, which says nothing about the program.
    let own = |kind: &ClientKind| !matches!(kind, ClientKind::Runtime | ClientKind::Blas);
    match kinds.filter(own).min() {
        Some(kind) => kind.name().to_owned(),
        None => program(trace),
    }
}

/// The script that an interpreter runs.
pub(crate) fn script(process: &Process) -> Option<&str> {
    let name = file_name(&process.program);
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let script = process
        .command
        .iter()
        .skip(1)
        .find(|word| !word.starts_with('-'));
    script
        .filter(|_| INTERPRETERS.contains(&stem))
        .map(|script| file_name(script))
}

/// How it is known that both are runs of one program.
fn is_same_program(a: &Trace, b: &Trace) -> Option<String> {
    let name = program(a);
    if name == program(b) {
        return Some(format!("both are runs of {name}"));
    }
    let build = |trace: &Trace| {
        let process = first_process(trace)?;
        let entry = trace
            .processes()
            .iter()
            .find(|entry| entry.process == *process)?;
        let libraries = entry.libraries.iter().flat_map(|map| &map.libraries);
        let own = libraries
            .into_iter()
            .find(|library| library.path == process.program)?;
        let is_interpreter = script(process).is_some();
        Some(own.build_id.clone()).filter(|id| !id.is_empty() && !is_interpreter)
    };
    let same = build(a).is_some() && build(a) == build(b);
    same.then(|| {
        format!(
            "{name} and {} are the same build of one program",
            program(b)
        )
    })
}
