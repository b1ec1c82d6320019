//! What `cutape record` says when the program has ended.

use cutape_trace_format::trace::Trace;

use crate::info::Info;
use crate::survey::Survey;

/// What a recording came to, in a few lines.
#[derive(Clone, Debug)]
pub struct Summary {
    info: Info,
}

impl Summary {
    /// Reads all calls of a trace.
    pub fn of(trace: &Trace) -> Self {
        Self::of_survey(trace, &Survey::of(trace, |_| {}))
    }

    /// From a pass over the calls that was made already.
    pub fn of_survey(trace: &Trace, survey: &Survey) -> Self {
        Self {
            info: Info::of(trace, survey),
        }
    }

    /// The lines: what was recorded and lost and where it is; the first call that failed and is no benign probe, if one did; what the recorder
    /// had to say.
    pub fn lines(&self) -> Vec<String> {
        let info = &self.info;
        let mut lines = vec![self.counts()];
        if let Some(failure) = &info.first_failure {
            let whose = match (info.processes.len(), failure.pid) {
                (2.., Some(pid)) => format!(" of process {pid}"),
                _ => String::new(),
            };
            lines.push(format!(
                "first failure: call {}{whose}: {}",
                failure.seq, failure.text
            ));
        }
        // Waiting is no loss, and losses are counted in the first line.
        let off = info.notes.iter().filter(|note| note.kind == "off");
        lines.extend(off.map(|note| format!("warning: recording was turned off: {}", note.text)));
        lines
    }

    fn counts(&self) -> String {
        let info = &self.info;
        let benign = match info.benign {
            0 => String::new(),
            benign => format!(" ({benign} benign)"),
        };
        let in_flight = match info.count.in_flight {
            0 => String::new(),
            calls => format!(", {calls} in flight"),
        };
        format!(
            "{}: {}, {}, {} failed{benign}{in_flight}, {} lost",
            info.path,
            counted(info.processes.len() as u64, "process", "processes"),
            counted(info.count.calls, "call", "calls"),
            info.count.failed,
            info.lost()
        )
    }
}

fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
