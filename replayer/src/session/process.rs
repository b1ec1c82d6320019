//! One process of a trace, from its first call to its last, in as many rounds as the driver needs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use cutape_trace_format::call::ProcessId;
use cutape_trace_format::trace::Trace;

use crate::judge::Judge;
use crate::report::ProcessReport;
use crate::session::player_process::PlayerCommand;
use crate::session::round::Round;
use crate::session::round_end::RoundEnd;
use crate::worker::Instructions;

/// Rounds of one process: each plays all that was played before once more.
const MAX_ROUNDS: u32 = 32;

/// How a process is played.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    /// The trace.
    pub trace: &'a Trace,
    /// The process.
    pub process: ProcessId,

    /// What the player is told, as bytes.
    pub instructions: &'a Instructions,
    /// How the player is started.
    pub player: &'a PlayerCommand,
    /// Variables for it.
    pub environment: &'a [(String, String)],
    /// Calls up to this number.
    pub until: u64,
    /// How long a call may take.
    pub timeout: Duration,
    /// When all must be over.
    pub deadline: Option<Instant>,
    /// After the driver has ended the process, a new one plays on without the call that did it.
    pub keep_going: bool,
    /// One call after the other.
    pub is_serial: bool,
    /// Take times.
    pub is_timed: bool,
}

/// Plays a process; `progress` gets the number of each call that is taken from the trace.
pub fn play(
    session: &Session<'_>,
    judge: &mut Judge<'_>,
    progress: &mut dyn FnMut(u64),
) -> ProcessReport {
    let mut report = ProcessReport {
        pid: session
            .trace
            .process(session.process)
            .map_or(0, |entry| entry.process.pid),
        ..ProcessReport::default()
    };
    let mut done = Done::default();
    for number in 1..=MAX_ROUNDS {
        let mut round = match Round::start(session, judge, &mut done) {
            Ok(round) => round,
            Err(why) => {
                judge.collector.trouble(why);
                break;
            }
        };
        let end = round.run(progress);
        let is_late = session
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        let is_last = !session.keep_going || number == MAX_ROUNDS || is_late;
        let played = round.close(&end, is_last);
        report.calls = report.calls.max(played.calls);
        report.called_back = report.called_back.max(played.called_back);
        report.player.add(played.player);
        if report.printed.is_empty() {
            report.printed = played.printed;
        }
        match end {
            RoundEnd::Complete => break,
            RoundEnd::Trouble(why) => {
                judge.collector.trouble(why);
                break;
            }
            RoundEnd::Died(_) | RoundEnd::Hung { .. } => report.deaths += 1,
        }
        if is_last {
            break;
        }
    }
    judge.finish();
    report
}

/// What earlier rounds have done.
#[derive(Debug, Default)]
pub struct Done {
    /// All calls up to this number are judged, but for `open` ones.
    pub up_to: u64,
    /// Calls that never returned when they were recorded, and are not judged yet.
    pub open: HashSet<u64>,
    /// Judged calls beyond.
    pub beyond: HashSet<u64>,
    /// Calls that have ended a process.
    pub barred: HashSet<u64>,
    /// Rounds that have been played.
    pub rounds: u32,
}

impl Done {
    /// Whether a call is judged.
    pub fn has(&self, seq: u64) -> bool {
        (seq <= self.up_to && !self.open.contains(&seq)) || self.beyond.contains(&seq)
    }
}
