//! What was measured of questions to a trace, as Markdown.

use std::time::Duration;

use crate::analysis::{LONG_CALLS, REAL_TRACE, ROUNDS, SHORT_CALLS};
use crate::bar::{Limit, Line, Measured};
use crate::clocks::Cost;
use crate::error::BenchError;
use crate::report::{measured, row};

/// What an index costs.
pub struct IndexCost {
    /// Calls in it.
    pub calls: u64,
    /// Its memory.
    pub bytes: usize,
    /// Opening the trace.
    pub open: Duration,
    /// From there to the first part of the index.
    pub first_part: Duration,
    /// From there to its end.
    pub whole: Duration,
}

/// What a filter costs.
pub struct FilterCost {
    /// The filter.
    pub text: &'static str,
    /// What of a call it looks at.
    pub looks_at: &'static str,
    /// Calls that it means.
    pub found: u64,
    /// What it cost to find them, by an index that is there.
    pub cost: Cost,
}

/// What comparing two traces costs.
pub struct DiffCost {
    /// Time.
    pub cost: Cost,
    /// Memory at most, beyond what there was before; `None` where the kernel does not say it.
    pub peak_bytes: Option<u64>,
    /// Whether the search for the shortest list of differences was cut short.
    pub approximate: bool,
}

/// Everything that one run measured; parts that were not asked for are missing.
#[derive(Default)]
pub struct Results {
    /// Machine and build.
    pub machine: Vec<(&'static str, String)>,
    /// Load average before and after.
    pub load: (String, String),
    /// The long trace, a short one, one of real software.
    pub indexes: Vec<Result<IndexCost, BenchError>>,
    /// On the long trace.
    pub filters: Vec<FilterCost>,
    /// Reading the long trace's calls one after the other.
    pub reading: Option<Duration>,
    /// Diagnosis of the long trace.
    pub doctor: Option<Cost>,
    /// Comparing two traces; the first one is what the bar is about.
    pub diffs: Vec<(&'static str, Result<DiffCost, BenchError>)>,
    /// Comparing two traces in which no two calls are alike.
    pub distinct: Vec<(&'static str, Result<DiffCost, BenchError>)>,
}

impl Results {
    /// The whole text.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        self.inputs(&mut text);
        text.push_str("\n### Against the bar\n\n");
        text.push_str(
            "| what | bar | stretch | measured | of the bar | |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for line in self.lines() {
            let share = line.share_of_bar();
            let share = share.map_or_else(|| "-".to_owned(), |share| format!("{share:.2}x"));
            let (bar, stretch) = (line.bar.to_string(), line.stretch.to_string());
            let (shown, verdict) = (line.shown(), line.verdict().to_string());
            row(
                &mut text,
                &[&line.what, &bar, &stretch, &shown, &share, &verdict],
            );
        }
        if !self.indexes.is_empty() {
            text.push_str("\n### Index\n\n");
            self.index_table(&mut text);
        }
        if !self.filters.is_empty() {
            text.push_str("\n### Filters\n\n");
            self.filter_table(&mut text);
        }
        if self.doctor.is_some() || !self.diffs.is_empty() || !self.distinct.is_empty() {
            text.push_str("\n### Diagnosis and comparison\n\n");
            self.work_table(&mut text);
        }
        text
    }

    /// What must hold.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(long) = self.indexes.first() {
            lines.extend(self.index_lines(long));
        }
        if let Some((what, diff)) = self.diffs.first() {
            lines.push(seconds(
                &format!("sequence diff: {what}"),
                (1.0, 0.3),
                measured(diff, |cost| cost.cost.time.as_secs_f64()),
            ));
        }
        lines
    }

    fn index_lines(&self, long: &Result<IndexCost, BenchError>) -> Vec<Line> {
        let of_long = |value: fn(&IndexCost) -> f64| measured(long, value);
        vec![
            seconds(
                "open a trace of 10 M calls, and the first part of its index",
                (0.15, 0.05),
                of_long(|cost| cost.first_part.as_secs_f64()),
            ),
            seconds(
                "index 10 M calls",
                (1.0, 0.5),
                of_long(|cost| cost.whole.as_secs_f64()),
            ),
            Line {
                what: "memory of that index (the bar is the whole viewer's)".to_owned(),
                bar: Limit::Megabytes(250.0),
                stretch: Limit::Megabytes(100.0),
                measured: of_long(|cost| cost.bytes as f64 / 1e6),
            },
            Line {
                what: "index 10 M calls against reading them one after the other".to_owned(),
                bar: Limit::TimesLess(2.0),
                stretch: Limit::TimesLess(4.0),
                measured: match (long, self.reading) {
                    (Ok(cost), Some(reading)) => {
                        Measured::Value(reading.as_secs_f64() / cost.whole.as_secs_f64())
                    }
                    (Err(error), _) => Measured::Failed(error.to_string()),
                    (_, None) => Measured::Skipped("not asked for".to_owned()),
                },
            },
        ]
    }

    fn inputs(&self, text: &mut String) {
        text.push_str("| | |\n| --- | --- |\n");
        for (name, value) in &self.machine {
            row(text, &[name, value]);
        }
        let load = format!("{} and {}", self.load.0, self.load.1);
        row(text, &["Load average before and after", &load]);
        let generated = format!(
            "{LONG_CALLS} and {SHORT_CALLS} calls, about, like a PyTorch training loop's; the second run of the short one with other times and addresses"
        );
        row(text, &["Generated traces", &generated]);
        row(text, &["Real trace", REAL_TRACE]);
        row(
            text,
            &[
                "Repetitions, of which the median counts",
                &ROUNDS.to_string(),
            ],
        );
    }

    fn index_table(&self, text: &mut String) {
        text.push_str("| trace | calls | open | first part | whole index | ns a call | bytes a call |\n| --- | --- | --- | --- | --- | --- | --- |\n");
        for (name, cost) in ["long", "short", "real"].iter().zip(&self.indexes) {
            match cost {
                Err(error) => row(text, &[name, "failed", &error.to_string(), "", "", "", ""]),
                Ok(cost) => {
                    let calls = cost.calls.max(1) as f64;
                    row(
                        text,
                        &[
                            name,
                            &cost.calls.to_string(),
                            &milliseconds(cost.open),
                            &milliseconds(cost.first_part),
                            &milliseconds(cost.whole),
                            &format!("{:.1}", cost.whole.as_nanos() as f64 / calls),
                            &format!("{:.2}", cost.bytes as f64 / calls),
                        ],
                    );
                }
            }
        }
    }

    fn filter_table(&self, text: &mut String) {
        text.push_str("| filter, on the long trace | looks at | calls found | time | of processors |\n| --- | --- | --- | --- | --- |\n");
        for cost in &self.filters {
            row(
                text,
                &[
                    &format!("`{}`", cost.text),
                    cost.looks_at,
                    &cost.found.to_string(),
                    &milliseconds(cost.cost.time),
                    &milliseconds(cost.cost.processors),
                ],
            );
        }
    }

    fn work_table(&self, text: &mut String) {
        text.push_str(
            "| what | time | of processors | memory | |\n| --- | --- | --- | --- | --- |\n",
        );
        if let Some(cost) = self.doctor {
            let (time, processors) = (milliseconds(cost.time), milliseconds(cost.processors));
            row(
                text,
                &["`doctor`, the long trace", &time, &processors, "-", ""],
            );
        }
        for (what, cost) in self.diffs.iter().chain(&self.distinct) {
            match cost {
                Ok(diff) => row(
                    text,
                    &[
                        what,
                        &milliseconds(diff.cost.time),
                        &milliseconds(diff.cost.processors),
                        &diff.peak_bytes.map_or("-".to_owned(), megabytes),
                        if diff.approximate { "approximate" } else { "" },
                    ],
                ),
                Err(error) => row(text, &[what, "failed", &error.to_string(), "", ""]),
            }
        }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

fn seconds(what: &str, (bar, stretch): (f64, f64), measured: Measured) -> Line {
    Line {
        what: what.to_owned(),
        bar: Limit::Seconds(bar),
        stretch: Limit::Seconds(stretch),
        measured,
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
