//! What was measured, as Markdown.

use std::fmt::Write;

use crate::bar::{Limit, Line, Measured};
use crate::burst::{self, Cost, Costs, KINDS};
use crate::error::BenchError;
use crate::sustained::{self, Rate};
use crate::threads::{self, Threads};
use crate::trace_check::BytesPerCall;

/// Everything that one run measured.
pub struct Results {
    /// Machine and build.
    pub machine: Vec<(&'static str, String)>,
    /// Load average before and after.
    pub load: (String, String),
    /// Version of LTTng, or why there is none.
    pub lttng: Result<String, String>,
    /// Bursts.
    pub costs: Costs,
    /// Four threads at once.
    pub threads: Result<Threads, BenchError>,
    /// Sustained, three scalar arguments.
    pub scalars: Result<Rate, BenchError>,
    /// Sustained, a mix.
    pub mixed: Result<Rate, BenchError>,
    /// Room.
    pub bytes: Result<BytesPerCall, BenchError>,
}

impl Results {
    /// The whole text.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        self.inputs(&mut text);
        text.push_str("\n### Against the bar\n\n");
        self.bar_table(&mut text);
        text.push_str("\n### What a call costs, ns\n\n");
        self.cost_table(&mut text);
        text.push_str("\n### Many calls\n\n");
        self.many_calls(&mut text);
        text
    }

    /// What must hold of recording.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (index, kind) in KINDS.iter().enumerate() {
            let (bar, stretch) = if kind.is_scalar {
                (1.5, 1.2)
            } else {
                (2.0, 1.5)
            };
            lines.push(Line {
                what: format!("added per call against two rdtsc: {}", kind.name),
                bar: Limit::Times(bar),
                stretch: Limit::Times(stretch),
                measured: measured(&self.costs.cutape, |costs| costs[index].ratio),
            });
        }
        for (index, kind) in KINDS.iter().enumerate() {
            lines.push(Line {
                what: format!("added per call against LTTng-UST: {}", kind.name),
                bar: Limit::TimesLess(6.0),
                stretch: Limit::TimesLess(10.0),
                measured: self.against_lttng(index),
            });
        }
        lines.push(Line {
            what: format!(
                "{} threads at once, slow-down of each beyond the cores'",
                threads::THREADS
            ),
            bar: Limit::Times(1.1),
            stretch: Limit::Times(1.0),
            measured: measured(&self.threads, |threads| threads.slow_down),
        });
        for (calls, rate) in [
            ("3 scalar arguments", &self.scalars),
            ("mixed calls", &self.mixed),
        ] {
            lines.push(Line {
                what: format!(
                    "sustained, nothing lost, {} threads: {calls}",
                    sustained::THREADS
                ),
                bar: Limit::MillionsPerSecond(10.0),
                stretch: Limit::MillionsPerSecond(20.0),
                measured: measured(rate, |rate| rate.median / 1e6),
            });
        }
        let sizes = [
            ("sealed", measured(&self.bytes, |bytes| bytes.sealed)),
            (
                "not sealed yet",
                measured(&self.bytes, |bytes| bytes.unsealed),
            ),
        ];
        for (state, size) in sizes {
            lines.push(Line {
                what: format!("on disk per call, PyTorch-like stream, {state}"),
                bar: Limit::Bytes(6.0),
                stretch: Limit::Bytes(3.0),
                measured: size,
            });
        }
        lines
    }

    fn against_lttng(&self, index: usize) -> Measured {
        match (&self.lttng, &self.costs.lttng, &self.costs.cutape) {
            (Err(why), ..) => Measured::Skipped(why.clone()),
            (_, Err(error), _) | (_, _, Err(error)) => Measured::Failed(error.to_string()),
            (_, Ok(lttng), Ok(cutape)) => {
                Measured::Value(lttng[index].added_ns / cutape[index].added_ns)
            }
        }
    }

    fn inputs(&self, text: &mut String) {
        text.push_str("| | |\n| --- | --- |\n");
        for (name, value) in &self.machine {
            row(text, &[name, value]);
        }
        let lttng = self
            .lttng
            .as_ref()
            .map_or_else(|why| format!("skipped: {why}"), Clone::clone);
        row(text, &["LTTng", &lttng]);
        row(
            text,
            &[
                "Load average before and after",
                &format!("{} and {}", self.load.0, self.load.1),
            ],
        );
        let bursts = format!(
            "{} calls each, {} processes in turn with LTTng's",
            burst::CALLS,
            burst::ROUNDS
        );
        row(text, &["Bursts", &bursts]);
    }

    fn bar_table(&self, text: &mut String) {
        text.push_str("| what | bar | stretch | measured | |\n| --- | --- | --- | --- | --- |\n");
        for line in self.lines() {
            let verdict = line.verdict().to_string();
            row(
                text,
                &[
                    &line.what,
                    &line.bar.to_string(),
                    &line.stretch.to_string(),
                    &line.shown(),
                    &verdict,
                ],
            );
        }
    }

    fn cost_table(&self, text: &mut String) {
        text.push_str(
            "| call | no wrapper | two rdtsc | added, median | added, least | ratio, median | ratio, least | added, wall clock | LTTng adds |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        let costs = match &self.costs.cutape {
            Ok(costs) => costs,
            Err(error) => {
                return row(
                    text,
                    &["failed", &error.to_string(), "", "", "", "", "", "", ""],
                );
            }
        };
        for (index, kind) in KINDS.iter().enumerate() {
            let Cost {
                floor_ns,
                bare_ns,
                added_ns,
                added_min_ns,
                added_wall_ns,
                ratio,
                ratio_min,
            } = costs[index];
            let mut cells = vec![kind.name.to_owned()];
            cells.extend([bare_ns, floor_ns, added_ns, added_min_ns].map(|ns| format!("{ns:.1}")));
            cells.extend([ratio, ratio_min].map(|ratio| format!("{ratio:.2}")));
            cells.push(format!("{added_wall_ns:.1}"));
            let lttng = self
                .costs
                .lttng
                .as_ref()
                .ok()
                .filter(|_| self.lttng.is_ok());
            cells.push(lttng.map_or("-".to_owned(), |lttng| {
                format!("{:.0}", lttng[index].added_ns)
            }));
            row(text, &cells.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    fn many_calls(&self, text: &mut String) {
        let failed = |error: &BenchError| format!("failed: {error}");
        let threads = self.threads.as_ref().map_or_else(failed, |threads| {
            format!(
                "{:.1} ns alone, {:.1} ns with the others; beyond the cores {:.2}x (of the least times {:.2}x)",
                threads.alone_ns, threads.together_ns, threads.slow_down, threads.slow_down_min
            )
        });
        let rate = |rate: &Result<Rate, BenchError>| {
            rate.as_ref().map_or_else(failed, |rate| {
                format!(
                    "{:.1} M calls/s, best run {:.1}; threads waited {:.0} % of their time for the recorder, which needs {:.1} ns of CPU time a call ({:.1} M calls/s with a core to itself); every call is in the trace",
                    rate.median / 1e6,
                    rate.best / 1e6,
                    rate.waited_share * 100.0,
                    rate.recorder_ns,
                    1e3 / rate.recorder_ns
                )
            })
        };
        let bytes = self.bytes.as_ref().map_or_else(failed, |bytes| {
            format!(
                "{:.2} bytes a call in the folder, {:.2} sealed",
                bytes.unsealed, bytes.sealed
            )
        });
        text.push_str("| | |\n| --- | --- |\n");
        row(
            text,
            &[
                &format!("{} threads in bursts, CPU time of a call", threads::THREADS),
                &threads,
            ],
        );
        let each = format!(
            "{} threads, {} calls each",
            sustained::THREADS,
            sustained::CALLS_EACH
        );
        row(
            text,
            &[&format!("{each}, 3 scalar arguments"), &rate(&self.scalars)],
        );
        row(text, &[&format!("{each}, mixed"), &rate(&self.mixed)]);
        row(text, &["PyTorch-like stream", &bytes]);
    }
}

/// A number of a result, or why there is none.
pub(crate) fn measured<T>(
    result: &Result<T, BenchError>,
    value: impl FnOnce(&T) -> f64,
) -> Measured {
    match result {
        Ok(result) => Measured::Value(value(result)),
        Err(error) => Measured::Failed(error.to_string()),
    }
}

/// Adds a row of a table.
pub(crate) fn row(text: &mut String, cells: &[&str]) {
    // Text of others must not break the table.
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| cell.replace('|', "/").replace('\n', " "))
        .collect();
    writeln!(text, "| {} |", cells.join(" | ")).expect("writing to a String cannot fail");
}
