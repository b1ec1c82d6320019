//! Writing a policy that expects what a run found.

use std::collections::HashSet;
use std::fmt::Write as _;

use chrono::NaiveDate;

use crate::divergence::Divergence;
use crate::report::Report;
use crate::report::group::{Group, News, groups};

/// The text of a policy file that expects all that counts against the driver in a report, for people to review. `today` is the day of the
/// run.
pub fn accepting(report: &Report, today: NaiveDate) -> String {
    let mut out = format!(
        "# What `cutape replay` found on {} on {today}.\n\
         # Review each entry: keep what is all right, with the reason why it is, and delete the rest.\n",
        one_line(&report.driver)
    );
    let mut written = HashSet::new();
    for trace in &report.traces {
        for group in groups(trace)
            .iter()
            .filter(|group| group.news == News::Reproach)
        {
            let entry = entry(group.first, today);
            if written.insert(entry.clone()) {
                // Writing to a string can't fail.
                let _ = write!(
                    out,
                    "\n[[expect]]\n# {}: {}{}\n{entry}",
                    one_line(&trace.trace.display().to_string()),
                    one_line(&group.first.headline()),
                    more(group)
                );
            }
        }
    }
    out
}

fn more(group: &Group<'_>) -> String {
    match group.listed {
        0 | 1 => String::new(),
        number => format!(" (and {} more)", number - 1),
    }
}

fn entry(divergence: &Divergence, today: NaiveDate) -> String {
    let mut out = format!(
        "function = {}\nverdict = {}\n",
        quoted(&divergence.call.function),
        quoted(divergence.verdict.name())
    );
    if let Some(reason) = divergence.skipped {
        let _ = writeln!(out, "skipped = {}", quoted(reason.name()));
    }
    if let Some((recorded, replayed)) = divergence.codes() {
        let _ = writeln!(out, "recorded = {recorded}\nreplayed = {replayed}");
    }
    let arguments: Vec<String> = divergence.arguments().map(quoted).collect();
    if !arguments.is_empty() {
        let _ = writeln!(out, "argument = [{}]", arguments.join(", "));
    }
    let _ = writeln!(
        out,
        "reason = {}",
        quoted(&format!("accepted on {today} without review"))
    );
    out
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Text that stays in its comment.
fn one_line(text: &str) -> String {
    text.chars()
        .map(cutape_analysis::printable::printable)
        .collect()
}
