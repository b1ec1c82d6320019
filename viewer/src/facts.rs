//! What is known of the trace as a whole, for the line at the top and for the widths of columns.

use cutape_analysis::printable::push_printable;
use cutape_trace_format::metadata::Exit;
use cutape_trace_format::trace::{Losses, Trace};

/// A thread by its numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadFacts {
    /// Process id.
    pub pid: u32,
    /// Kernel thread id.
    pub tid: u32,
    /// Its name.
    pub name: String,
}

/// What is known of the trace as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The file or folder, as it was given.
    pub path: String,
    /// Its last part.
    pub name: String,
    /// Process id and name of the program of the first process.
    pub program: Option<(u32, String)>,
    /// Number of processes.
    pub processes: usize,
    /// Process ids, by number.
    pub pids: Vec<u32>,
    /// All threads.
    pub threads: Vec<ThreadFacts>,
    /// Number of calls, where it is known without reading them.
    pub calls: u64,
    /// What was not recorded or can't be read.
    pub losses: Losses,
    /// A process still runs.
    pub live: bool,
    /// Calls a second, while it is followed.
    pub rate: u64,
    /// CLOCK_MONOTONIC nanoseconds from which times are shown.
    pub start_ns: u64,
    /// How the program ended, where that is known and not well.
    pub end: Option<String>,
    /// Names of functions, by number.
    pub functions: Vec<String>,
}

impl Facts {
    /// The facts of a trace.
    pub fn of(trace: &Trace) -> Self {
        let shown = |text: &str| {
            let mut out = String::new();
            push_printable(&mut out, text);
            out
        };
        let path = trace.path().to_string_lossy();
        let last = trace.path().file_name().map(|name| name.to_string_lossy());
        let first = trace.processes().first();
        let threads = trace.threads().iter().map(|thread| ThreadFacts {
            pid: trace
                .process(thread.process)
                .map_or(0, |entry| entry.process.pid),
            tid: thread.tid,
            name: shown(&thread.name),
        });
        Self {
            path: shown(&path),
            name: shown(&last.unwrap_or_default()),
            program: first.map(|entry| {
                let file = entry.process.program.rsplit('/').next().unwrap_or_default();
                (entry.process.pid, shown(file))
            }),
            processes: trace.processes().len(),
            pids: trace
                .processes()
                .iter()
                .map(|entry| entry.process.pid)
                .collect(),
            threads: threads.collect(),
            calls: trace.call_count(),
            losses: trace.losses(),
            live: trace.is_live(),
            rate: 0,
            start_ns: trace.start_ns(),
            end: trace.exit().and_then(end),
            functions: trace
                .schema()
                .functions()
                .iter()
                .map(|function| shown(&function.name))
                .collect(),
        }
    }

    /// Calls that were made and are not here.
    pub fn lost(&self) -> u64 {
        let Losses {
            dropped,
            without_ring,
            damaged,
            ..
        } = self.losses;
        dropped.saturating_add(without_ring).saturating_add(damaged)
    }
}

fn end(exit: &Exit) -> Option<String> {
    match (exit.code, exit.signal) {
        (_, Some(signal)) => Some(format!("killed by signal {signal}")),
        (Some(code), None) if code != 0 => Some(format!("exit code {code}")),
        _ => None,
    }
}

/// A number with its thousands apart: `10,482,113`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let all = [0, 999, 1000, 10_482_113, u64::MAX].map(grouped);
        assert_eq!(
            all,
            [
                "0",
                "999",
                "1,000",
                "10,482,113",
                "18,446,744,073,709,551,615"
            ]
        );
    }
}
