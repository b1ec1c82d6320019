//! What `cutape record` says when the program has ended.

use crate::info::Info;

/// One or two lines: what was recorded and lost, and the first call that failed for a reason other than a benign probe.
pub fn summary_lines(info: &Info) -> Vec<String> {
    let processes = match info.processes.len() {
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    };
    let benign = match info.benign {
        0 => String::new(),
        benign => format!(" ({benign} benign)"),
    };
    let in_flight = match info.count.in_flight {
        0 => String::new(),
        calls => format!(", {calls} in flight"),
    };
    let (calls, failed) = (info.count.calls, info.count.failed);
    let noun = if calls == 1 { "call" } else { "calls" };
    let mut lines = vec![format!(
        "{processes}, {calls} {noun}, {failed} failed{benign}{in_flight}, {} lost",
        info.lost()
    )];
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
    lines
}
